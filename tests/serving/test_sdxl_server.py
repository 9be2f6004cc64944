"""The small SDXL behind Cog's real HTTP server."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartServer
from tests.support.recipes import request
from tests.support.server import CogServer, open_png, read_record
from tests.support.small_sdxl import SmallSdxl


def tile(angle: float, final: int = 2, **over: object) -> str:
    steps = {"num_inference_steps_preview": 2, "num_inference_steps_final": final}
    body = json.loads(request({"red": 60, "white": 40}, angle))
    return json.dumps({**body, "overrides": {**steps, **over}})


def logged(body: dict[str, Any]) -> str:
    return str(body["logs"])


def test_predictions_cancelling_a_missing_network_and_good_ones_after_each(
    small_sdxl: SmallSdxl, start_server: StartServer, tmp_path: Path
) -> None:
    """One server from start to end: what one prediction leaves behind meets the next one."""
    settings = small_sdxl.settings(CONTROLNET_CANNY=tmp_path / "absent")
    server = start_server(**settings, PLITKA_ENGINE="sdxl")
    health = server.health()
    assert health["status"] == "READY", health["setup"]["logs"]
    said = health["setup"]["logs"]
    for stage in ("import libraries: ", "load unet: ", "memory plan resident", "setup took "):
        assert stage in said
    assert "load ControlNet softedge: " in said
    assert f"canny: no picture can be drawn with it: {tmp_path / 'absent'}: no such file" in said

    first = server.predict(tile(45)).json()
    assert first["status"] == "succeeded", first
    assert [open_png(uri).size for uri in first["output"]] == [(512,) * 2, (1024,) * 2, (1024,) * 2]
    assert first["metrics"]["engine"] == "sdxl"
    assert first["metrics"]["controlnet"] == "softedge"
    assert first["metrics"]["steps"] == {"preview": 1, "final": 1}
    assert first["metrics"]["drawing"]["final"]["memory_plan"] == "resident"
    assert "1024x1024: " in logged(first)
    assert "1/1" in logged(first), "the progress bar is in the prediction's log"
    assert "load ControlNet" not in logged(first)
    assert read_record(first["output"][1])["engine"] == "sdxl"

    missing = server.predict(tile(90)).json()
    assert missing["status"] == "failed"
    assert f"{tmp_path / 'absent'}: no such file or folder" in missing["error"]
    assert not missing.get("output")

    scaled = server.predict(tile(0, lora_scale=0.5)).json()
    assert scaled["status"] == "failed"
    assert "ValueError: overrides.lora_scale: got 0.5" in scaled["error"]

    cancel_while_denoising(server)
    again = server.predict(tile(45)).json()
    assert again["output"] == first["output"]
    assert "load ControlNet" not in logged(again)


def cancel_while_denoising(server: CogServer) -> None:
    """Cancel when the final picture's progress bar has begun to move."""
    log = ""
    previews = 0
    with server.stream(tile(45, final=150, strength=1), prediction="long") as events:
        for event in events:
            previews += event.name == "output"
            log += event.data["data"] if event.name == "log" else ""
            if "1024x1024:   1%" in log:
                server.client.post("/predictions/long/cancel")
                break
        assert previews == 1, "the preview comes before the final picture is begun"
        last = list(events)[-1]
    assert last.data["status"] == "canceled"
    assert len(last.data["output"]) == 1


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [("LORA", "no such file; put the LoRA there"), ("BASE", "no such file or folder")],
)
def test_setup_fails_with_the_sentence_alone(
    setting: str, sentence: str, small_sdxl: SmallSdxl, start_server: StartServer, tmp_path: Path
) -> None:
    path = tmp_path / "absent.safetensors"
    health = start_server(**small_sdxl.settings(**{setting: path}), PLITKA_ENGINE="").health()
    assert health["status"] == "SETUP_FAILED"
    assert f"{path}: {sentence}" in health["setup"]["logs"]


def test_setup_takes_weights_from_cog(
    small_sdxl: SmallSdxl, start_server: StartServer, tmp_path: Path
) -> None:
    folder = tmp_path / "trained"
    folder.mkdir()
    (folder / "wrong.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    server = start_server(**small_sdxl.settings(), PLITKA_ENGINE="", COG_WEIGHTS=str(folder))
    assert "a Git LFS pointer" in server.health()["setup"]["logs"]
