"""The whole way on a small SDXL: photographs, Cog's real server, a package, a snapshot, a tile."""

import base64
import json
import re
import signal
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from plitka.cli.main import main
from script import openapi_schema
from tests.conftest import StartServer
from tests.support.server import CogServer, cog_server, open_png, read_record
from tests.support.small_sdxl import SmallSdxl
from tests.support.tile_photographs import MIXTURES, write_photograph, write_photographs

QUICK = Path(__file__).with_name("quick_train.py")
MEAGRE = {"num_inference_steps_preview": 2, "num_inference_steps_final": 2}
SECONDS = 300.0


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Photographs as a data: URI of a .zip, two of one colour in a folder of its code."""
    folder = write_photographs(tmp_path_factory.mktemp("photographs") / "tiles", MIXTURES[:8])
    (folder / "MOSS").mkdir()
    for number in (1, 2):
        write_photograph(folder / "MOSS" / f"{number}.jpg", {"DKGREEN": 100}, seed=50 + number)
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as packed:
        for file in sorted(folder.rglob("*.jpg")):
            packed.write(file, file.relative_to(folder))
    return as_data(path)


def as_data(path: Path) -> str:
    return f"data:application/zip;base64,{base64.b64encode(path.read_bytes()).decode()}"


@contextmanager
def training_server(folder: Path, small_sdxl: SmallSdxl) -> Iterator[CogServer]:
    """A server that trains, behind the gate; what it keeps is in `folder`/kept."""
    settings = {**small_sdxl.settings(EMBEDDINGS="none"), "PLITKA_TRAINING": str(folder / "kept")}
    settings |= {"OMP_NUM_THREADS": "1"}
    (folder / "server").mkdir(parents=True)
    trainer = openapi_schema.TRAINER
    with cog_server(folder / "server", settings, gate=True, stub=QUICK, trainer=trainer) as running:
        running.client.timeout = SECONDS
        yield running


@pytest.mark.long
def test_from_photographs_to_a_tile_though_the_training_is_cancelled_and_killed(
    images: str,
    small_sdxl: SmallSdxl,
    tmp_path: Path,
    start_server: StartServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Cancelled first, then ended by SIGTERM, then whole: each from what the one before left."""
    asked: dict[str, Any] = {"images": images, "steps": 12, "rank": 2}
    kept = tmp_path / "first" / "kept"
    with training_server(tmp_path / "first", small_sdxl) as server:
        begin(server, "one", asked)
        one = wait_for_state(server, kept, 4)
        assert server.client.post("/trainings/one/cancel").status_code == 200
        server.settle()
        assert server.health()["status"] == "READY"
        asked["resume"] = as_data(pack(one, tmp_path / "one.tar"))
        begin(server, "two", asked)
        two = wait_for_state(server, kept, 8, but=one)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(60)
    assert find_newest(two) >= 8
    asked["resume"] = as_data(pack(two / "state", tmp_path / "two.tar"))
    with training_server(tmp_path / "second", small_sdxl) as server:
        answer = server.client.put("/trainings/three", json={"input": asked}).json()
        assert answer["status"] == "succeeded", answer.get("error")
        server.settle()
        other = {**asked, "seed": 1}
        refused = server.client.put("/trainings/four", json={"input": other}).json()
    assert refused["status"] == "failed"
    assert "seed" in refused["error"]
    metrics = answer["metrics"]
    assert (metrics["step"], metrics["steps"]) == (12, 12)
    assert all(metrics[name] > 0 for name in ("loss", "heldout", "texture"))
    package = tmp_path / "trained_model.tar"
    package.write_bytes(base64.b64decode(answer["output"]["weights"].split(",")[1]))

    for name, value in small_sdxl.settings(EMBEDDINGS="none").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PLITKA_LORA")
    monkeypatch.delenv("PLITKA_EMBEDDINGS")
    main(["check", "--weights", str(package)])
    said = capsys.readouterr().out
    assert re.search(r"LoRA: .*lora\.safetensors: .*; scale [\d.]+, as its note", said), said
    assert re.search(r"ok +palette: .*palette\.csv: 1 colour", said), said
    baked = tmp_path / "snapshot"
    assert main(["bake", str(baked), "--weights", str(package)]) == 0

    served = start_server(PLITKA_ENGINE="sdxl", PLITKA_BASE=str(baked), PLITKA_LORA="",
                          PLITKA_EMBEDDINGS="", PLITKA_VAE="")  # fmt: skip
    health = served.health()
    assert health["status"] == "READY", health["setup"]["logs"]
    colors = [{"name": "MOSS", "proportion": 60}, {"name": "red", "proportion": 40}]
    body = served.predict(json.dumps({"colors": colors, "seed": 7, "overrides": MEAGRE})).json()
    assert body["status"] == "succeeded", body
    assert open_png(body["output"][1]).size == (1024, 1024)
    record = read_record(body["output"][1])
    assert "60% moss" in record["prompt"]
    assert record["prompt"].startswith(f"{record['trigger']} <s0><s1>, ")
    assert record["total_variation"] < 0.05


def begin(server: CogServer, name: str, asked: dict[str, Any]) -> None:
    headers = {"Prefer": "respond-async"}
    answer = server.client.put(f"/trainings/{name}", json={"input": asked}, headers=headers)
    assert answer.status_code == 202, answer.text


def wait_for_state(server: CogServer, kept: Path, step: int, but: Path | None = None) -> Path:
    """Wait until a state of this step or a later one is there; gives the training's folder.

    but: the folder of another training.
    """
    found: list[Path] = []

    def is_there() -> bool:
        assert server.health()["status"] == "BUSY", server.log.read_text()[-3000:]
        folders = (folder for folder in kept.glob("training-*") if folder != but)
        found[:] = [folder for folder in folders if find_newest(folder) >= step]
        return bool(found)

    server.poll(is_there, SECONDS)
    return found[0]


def find_newest(folder: Path) -> int:
    states = (folder / "state").glob("step-*[0-9]")
    return max((int(state.name.removeprefix("step-")) for state in states), default=-1)


def pack(folder: Path, path: Path) -> Path:
    with tarfile.open(path, "w") as packed:
        packed.add(folder, folder.name)
    return path
