"""Pickles are never loaded, nothing that a request names is opened, and one version everywhere."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from plitka import __version__, pipeline
from plitka.engines.procedural import RenderEngine
from plitka.errors import WeightsError
from tests.conftest import LoadSdxl
from tests.support.recipes import asked
from tests.support.small_sdxl import SmallSdxl

ROOT = Path(__file__).resolve().parents[2]


class Malicious:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self._trace = str(trace)

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self._trace),)


@pytest.mark.parametrize("suffix", [".bin", ".pt", ".ckpt", ".safetensors"])
@pytest.mark.parametrize("setting", ["LORA", "EMBEDDINGS", "BASE", "VAE"])
def test_a_malicious_pickle_is_refused_and_does_not_run(
    setting: str, suffix: str, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    trace, file = tmp_path / "trace", tmp_path / f"weights{suffix}"
    file.write_bytes(pickle.dumps(Malicious(trace)))
    with pytest.raises(WeightsError, match=r"pickle|safetensors"):
        load_sdxl(**{setting: file})
    assert not trace.exists()
    pickle.loads(file.read_bytes())  # it would have run
    assert trace.exists()


def test_a_malicious_bin_in_the_place_of_a_models_weights_is_refused(
    small_sdxl: SmallSdxl, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    base, trace = tmp_path / "base", tmp_path / "trace"
    shutil.copytree(Path(small_sdxl.settings()["PLITKA_BASE"]), base)
    for file in (base / "unet").glob("*.safetensors"):
        file.unlink()
    (base / "unet" / "diffusion_pytorch_model.bin").write_bytes(pickle.dumps(Malicious(trace)))
    with pytest.raises(WeightsError, match="unet"):
        load_sdxl(BASE=base)
    assert not trace.exists()


def opened_by(command: list[str]) -> list[str]:
    """Every file and address that a Python program opens, by its audit events."""
    hook = (
        "import sys, runpy\n"
        "def told(event, given):\n"
        "    if event in ('open', 'os.listdir', 'socket.connect', 'socket.getaddrinfo'):\n"
        "        print('OPENED', event, given, file=sys.stderr)\n"
        "sys.addaudithook(told)\n"
        "runpy.run_module('plitka', run_name='__main__')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", hook, *command],
        cwd=ROOT,
        env={**os.environ, "PLITKA_ENGINE": "render"},
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in run.stderr.splitlines() if line.startswith("OPENED")]


def test_no_path_and_no_address_of_a_request_is_opened(tmp_path: Path) -> None:
    bait = tmp_path / "bait"
    bait.write_text("{}")
    address = "http://bait.invalid/x"
    body = {
        "colors": [{"name": "red", "proportion": 100}],
        "overrides": {"negative_prompt": f"{bait} {address} <lora:{bait}:1>"},
    }
    bad = {"colors": [{"name": str(bait), "proportion": 100}], "image": address}
    for request in (json.dumps(body), json.dumps(bad), str(bait), address):
        seen = opened_by(["make", request, "--out", str(tmp_path / "out")])
        assert seen, "the hook sees what is opened"
        assert not [line for line in seen if "bait" in line.replace(str(tmp_path / "out"), "")]


def test_one_version_in_pictures_metrics_changelog_and_image() -> None:
    config = yaml.safe_load((ROOT / "cog.yaml").read_text())
    assert config["image"].rpartition(":")[2] == __version__
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert f"## {__version__}" in changelog
    for picture in pipeline.make(asked({"red": 100}), RenderEngine()):
        assert picture.record["version"] == __version__


def test_deployments_run_the_image_of_this_version_and_read_the_probes() -> None:
    kinds = {}
    for file in sorted((ROOT / "deploy").glob("*.yaml")):
        for document in yaml.safe_load_all(file.read_text()):
            kinds[document["kind"]] = document
    (container,) = kinds["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"].rpartition(":")[2] == __version__
    assert container["livenessProbe"]["httpGet"]["path"] == "/live"
    assert container["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert kinds["ScaledObject"]["spec"]["scaleTargetRef"]["name"] == "plitka"
