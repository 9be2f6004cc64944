"""Weights from the hub: what is fetched, when, and what happens without it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from plitka.weights.settings import SDXL
from tests.support.hub import hub
from tests.support.small_sdxl import SmallSdxl

ROOT = Path(__file__).parents[2]
LOAD = """
import sys
from plitka.request.plan import make_plan
from tests.support.drawing import draw
from tests.support.recipes import asked
from tests.support.settings import load_engine
engine = load_engine("sdxl")
for angle in map(float, sys.argv[1:]):
    print(draw(engine, make_plan(asked({"red": 100}, angle)), 64, 2).steps)
"""
CHECK = """
from plitka.cli.main import main
main(["check"])
"""


@pytest.fixture
def repositories(small_sdxl: SmallSdxl, tmp_path: Path) -> dict[str, Path]:
    """The published repositories, with files in them that nobody needs."""
    base = tmp_path / "published"
    shutil.copytree(small_sdxl.base, base)
    (base / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"single precision")
    (base / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    (base / "sd_xl_base_1.0.safetensors").write_bytes(b"the whole checkpoint")
    return {
        SDXL: base,
        "madebyollin/sdxl-vae-fp16-fix": small_sdxl.vae,
        "diffusers/controlnet-canny-sdxl-1.0": small_sdxl.canny,
    }


def python(
    arguments: list[str], small_sdxl: SmallSdxl, cache: Path, address: str
) -> subprocess.CompletedProcess[str]:
    """Run in a process of its own: huggingface_hub reads its settings when it is imported."""
    defaults = {"BASE": "", "VAE": "", "CONTROLNET_CANNY": "", "CONTROLNET_SOFTEDGE": ""}
    environment = {
        **os.environ,
        **small_sdxl.settings(**defaults),
        "HF_ENDPOINT": address,
        "HF_HOME": str(cache),
        "HF_HUB_CACHE": str(cache),
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_by_default_the_published_repositories_are_fetched_once_and_only_what_is_needed(
    small_sdxl: SmallSdxl, repositories: dict[str, Path], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    with hub(repositories) as published:
        before = python(["-m", "plitka", "check"], small_sdxl, cache, published.address)
        assert f"{SDXL}, to be fetched from the hub: " in before.stdout
        assert "softedge: SargeZT/controlnet-sd-xl-1.0-softedge-dexined: no folder" in before.stdout
        assert before.returncode == 1
        assert not published.fetched, "check fetches nothing"

        twice = python(["-c", LOAD + LOAD, "0", "90"], small_sdxl, cache, published.address)
        assert twice.stdout == "1\n1\n" * 2, twice.stderr
        assert len(set(published.fetched)) == len(published.fetched)
        names = {name.removeprefix(f"{SDXL}/") for name in published.fetched}
        assert "unet/diffusion_pytorch_model.fp16.safetensors" in names
        assert "diffusers/controlnet-canny-sdxl-1.0/config.json" in names
        assert not {name for name in names if name.endswith((".bin", "model.safetensors"))} - {
            "madebyollin/sdxl-vae-fp16-fix/diffusion_pytorch_model.safetensors",
            "diffusers/controlnet-canny-sdxl-1.0/diffusion_pytorch_model.safetensors",
        }
        assert "sd_xl_base_1.0.safetensors" not in names
        assert not any(name.startswith("vae/") for name in names), "another VAE takes its place"

    gone = python(["-c", LOAD + CHECK, "90"], small_sdxl, cache, "http://127.0.0.1:9")
    assert gone.stdout.startswith("1\n"), gone.stderr
    assert f"base: {cache}" in gone.stdout
