"""Faults of the machine and of files, through Cog's real server and the command line."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from plitka.images.errors import PictureError
from plitka.serving import outbox
from plitka.serving.outbox import Outbox
from tests.conftest import StartServer
from tests.serving.test_sdxl_server import tile
from tests.support.marks import long
from tests.support.recipes import TILE
from tests.support.server import CogServer, Event, cog_server
from tests.support.small_sdxl import SmallSdxl

ROOT = Path(__file__).resolve().parents[2]
FAULTY = Path(__file__).with_name("faulty_predictor.py")
KILLED = Path(__file__).with_name("killed_predictor.py")


def make(out: Path, largest: str = "unlimited") -> subprocess.CompletedProcess[str]:
    """`python -m plitka make` with the render engine. largest: file that may be written, in KiB."""
    command = [sys.executable, "-m", "plitka", "make", "--engine", "render", "--out", str(out)]
    command += ["--color", "red=100", "--seed", "7"]
    return subprocess.run(
        ["bash", "-c", f'ulimit -f {largest}; exec "$@"', "bash", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def failed(server: CogServer, params_json: str) -> str:
    """The error of a prediction that fails, in which no traceback stands."""
    body = server.predict(params_json).json()
    assert body["status"] == "failed", body
    assert "Traceback" not in body["error"]
    return str(body["error"])


def succeeds(server: CogServer, params_json: str = TILE) -> list[str]:
    body = server.predict(params_json).json()
    assert body["status"] == "succeeded", body.get("error")
    output: list[str] = body["output"]
    assert len(output) == 3
    return output


# Disk and files


def test_a_full_disk_ends_make_with_one_sentence_and_leaves_no_half_picture(tmp_path: Path) -> None:
    run = make(tmp_path, largest="100")  # as on a full disk, it fails in the middle
    assert run.returncode == 1
    assert run.stderr.startswith(f"{tmp_path / 'preview.png'}: cannot be written (File too large")
    assert len(run.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_ends_make_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/plitka")):
        run = make(out)
        assert run.returncode == 1
        assert str(out) in run.stderr
        assert len(run.stderr.splitlines()) == 1


def test_a_disk_that_takes_no_more_fails_the_prediction_and_the_next_is_good(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(PLITKA_ENGINE="render", TMPDIR=str(tmp_path))
    before = succeeds(server)
    worker = server.worker()
    worker.rlimit(psutil.RLIMIT_FSIZE, (100_000, -1))  # no file may grow larger
    error = failed(server, TILE)
    assert "PictureError: " in error
    assert "cannot be written (File too large); check that its folder" in error
    assert not list(tmp_path.rglob("*.part"))
    worker.rlimit(psutil.RLIMIT_FSIZE, (1, -1))
    assert "cannot be written to (File too large)" in unhealthy(server)
    worker.rlimit(psutil.RLIMIT_FSIZE, (-1, -1))
    server.wait_for("READY")
    assert succeeds(server) == before


def unhealthy(server: CogServer) -> str:
    server.wait_for("UNHEALTHY")
    return str(server.health()["user_healthcheck_error"])


@pytest.mark.long
def test_temporary_files_that_are_deleted_are_made_again(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(PLITKA_ENGINE="render", TMPDIR=str(tmp_path))
    before = succeeds(server)
    shutil.rmtree(tmp_path)
    assert succeeds(server) == before
    with server.stream(TILE) as events:
        for event in events:
            if event.name == "log" and event.data["data"].startswith("layout: "):
                shutil.rmtree(tmp_path)
        assert event.data["status"] == "succeeded"
    assert succeeds(server) == before


def test_a_temporary_folder_that_cannot_be_written_is_told_by_health_and_by_the_error(
    start_server: StartServer, tmp_path: Path
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    server = start_server(PLITKA_ENGINE="render", TMPDIR=str(folder))
    shutil.rmtree(folder)
    folder.write_bytes(b"")
    assert "PictureError: " in unhealthy(server)
    assert "TMPDIR says where temporary files go" in failed(server, TILE)
    folder.unlink()
    server.wait_for("READY")
    succeeds(server)


# The model


@pytest.fixture(scope="module")
def faults(
    small_sdxl: SmallSdxl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[CogServer, Path, Path]]:
    """One server with the small SDXL, its folder of faults and its SoftEdge file."""
    folder = tmp_path_factory.mktemp("faults")
    softedge = folder / "softedge"
    shutil.copytree(small_sdxl.softedge, softedge)
    orders = folder / "orders"
    orders.mkdir()
    settings = small_sdxl.settings(CONTROLNET_SOFTEDGE=softedge)
    env = {**settings, "PLITKA_ENGINE": "sdxl", "FAULTS": str(orders)}
    with cog_server(tmp_path_factory.mktemp("server"), env, stub=FAULTY) as running:
        health = running.health()
        assert health["status"] == "READY", health["setup"]["logs"]
        (weights,) = softedge.glob("*.safetensors")
        yield running, orders, weights


def preview(server: CogServer, params_json: str) -> tuple[str, str]:
    """The preview, and the log up to it; hanging up then ends the prediction."""
    said = ""
    with server.stream(params_json) as events:
        for event in events:
            said += event.data["data"] if event.name == "log" else ""
            if event.name == "output":
                break
    assert event.name == "output", event.data
    server.settle()
    return event.data["chunk"], said


@pytest.mark.long
def test_a_controlnet_that_turns_corrupt_fails_its_angles_until_it_is_whole_again(
    faults: tuple[CogServer, Path, Path],
) -> None:
    server, _, weights = faults
    whole = weights.read_bytes()
    for bad, sentence in (
        (whole[:-1000], "not a safetensors file, or a truncated or damaged one"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"\x80\x04\x95" + bytes(len(whole)), "a pickle or zip archive"),
        (bytes(len(whole)), "not a safetensors file"),
    ):
        weights.write_bytes(bad)
        error = failed(server, tile(45))
        assert f"{weights}: {sentence}" in error
    succeeds(server, tile(0))
    weights.write_bytes(whole)
    steep, _ = preview(server, tile(45))
    # In memory by now: what happens to its file does not matter any more.
    with weights.open("r+b") as file:
        file.write(bytes(len(whole)))
        file.flush()
        assert preview(server, tile(45))[0] == steep
        file.truncate(1000)
    assert preview(server, tile(45))[0] == steep
    weights.write_bytes(whole)


@pytest.mark.long
def test_out_of_memory_makes_room_until_nothing_is_left_to_give_up_after_which_all_is_well(
    faults: tuple[CogServer, Path, Path],
) -> None:
    server, orders, _ = faults
    preview(server, tile(45))  # with a ControlNet, which leaves first
    (orders / "unet").write_text("out of memory 1")
    assert "out of memory; once more without the other ControlNet" in preview(server, tile(0))[1]
    (orders / "vae").write_text("out of memory 1")
    assert "out of memory with the memory plan" in preview(server, tile(0))[1]
    (orders / "unet").write_text("out of memory 9")
    error = failed(server, tile(0))
    assert "EngineError: out of memory on CPU" in error
    assert "at last with the memory plan offload" in error
    assert "take a larger device" in error
    (orders / "unet").unlink()
    _, said = preview(server, tile(0))
    assert "out of memory" not in said


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        pytest.param(
            *("unet", "EngineError: the UNet returned NaN or inf.*PLITKA_LORA_SCALE"),
            marks=pytest.mark.long,
        ),
        ("vae", "EngineError: the VAE returned NaN or inf.*PLITKA_VAE"),
    ],
)
def test_nan_from_a_network_is_an_error_with_its_cause_and_no_black_picture(
    faults: tuple[CogServer, Path, Path], module: str, sentence: str
) -> None:
    server, orders, _ = faults
    (orders / module).write_text("nan 1")
    body = server.predict(tile(0)).json()
    assert body["status"] == "failed"
    assert not body.get("output")
    assert all(part in body["error"] for part in sentence.split(".*"))
    preview(server, tile(0))


# Cancelling, hanging up


def cancelled(server: CogServer, params_json: str, mark: str) -> dict[str, Any]:
    """The outcome of a prediction that is cancelled as soon as its log has `mark` in it."""
    said = ""
    cancelled = False
    with server.stream(params_json, prediction="cancelled") as events:
        for event in events:
            said += event.data["data"] if event.name == "log" else ""
            if mark in said and not cancelled:
                server.client.post("/predictions/cancelled/cancel")
                cancelled = True
    assert cancelled, f"no {mark!r} in {said}"
    server.wait_for("READY")
    return event.data


RENDER_STAGES = ["seed ", "layout: ", "preview: ", "measure_preview: ", "colormap: "] * 2


@pytest.mark.long
def test_cancelled_in_every_stage_ten_times_in_a_row_the_render_engine_goes_on(
    server: CogServer,
) -> None:
    before = succeeds(server)
    for mark in RENDER_STAGES:
        outcome = cancelled(server, TILE, mark)
        assert outcome["status"] == "canceled"
        assert len(outcome.get("output") or []) < 3
    assert succeeds(server) == before


SDXL_STAGES = [
    "seed ",
    "layout: ",
    "512x512:   0%",
    "512x512: 2 steps",
    "preview: ",
    "guides_final: ",
    "match_preview: ",
    "1024x1024:   0%",
    "1024x1024:  12%",
    "1024x1024:  38%",
]


@pytest.mark.parametrize("stages", [SDXL_STAGES[4:7], long(SDXL_STAGES)], ids=len)
def test_cancelled_in_stages_in_a_row_the_sdxl_engine_goes_on(
    stages: list[str], faults: tuple[CogServer, Path, Path]
) -> None:
    server, _, _ = faults
    before, _ = preview(server, tile(45))
    for mark in stages:
        outcome = cancelled(server, tile(45, final=8, strength=1), mark)
        assert outcome["status"] == "canceled", mark
    after = succeeds(server, tile(45))
    assert after[0] == before


def test_a_client_that_hangs_up_without_streaming_frees_the_server(server: CogServer) -> None:
    body = json.dumps({"input": {"params_json": TILE}}).encode()
    head = f"POST /predictions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    port = server.client.base_url.port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        server.wait_for("BUSY")
    server.wait_for("READY")
    succeeds(server)


# The worker and the server


def test_a_worker_killed_at_rest_shows_in_health(start_server: StartServer) -> None:
    server = start_server(PLITKA_ENGINE="render")
    server.worker().kill()
    assert server.client.get("/health-check").status_code == 200
    assert unhealthy(server)


def test_a_worker_killed_at_work_fails_its_prediction_and_shows_in_health(
    start_server: StartServer,
) -> None:
    server = start_server(PLITKA_ENGINE="render")
    last = Event("", {})
    with server.stream(TILE) as events:
        for last in events:
            if last.name == "output":
                server.worker().kill()
                break
        last = list(events)[-1]
    assert (last.data["status"], last.data["error"]) == ("failed", "Worker crashed")
    assert unhealthy(server)
    assert server.request(TILE).status_code == 409


@pytest.mark.long
def test_a_worker_killed_while_it_writes_leaves_no_picture_and_nothing_for_the_next_server(
    start_server: StartServer, tmp_path: Path
) -> None:
    temporary, order = tmp_path / "temporary", tmp_path / "order"
    for folder in (temporary, tmp_path / "server"):
        folder.mkdir()
    env = {"PLITKA_ENGINE": "render", "TMPDIR": str(temporary), "KILL": str(order)}
    with cog_server(tmp_path / "server", env, stub=KILLED) as server:
        before = succeeds(server)
        whole = set(temporary.rglob("*.png"))
        order.touch()
        with server.stream(TILE) as events:
            outcome = list(events)[-1].data
        assert (outcome["status"], outcome["error"]) == ("failed", "Worker crashed")
        assert not outcome.get("output")
        assert set(temporary.rglob("*.png")) == whole
        assert len(list(temporary.rglob("*.part"))) == 1
        assert unhealthy(server)
    again = start_server(PLITKA_ENGINE="render", TMPDIR=str(temporary))
    assert not list(temporary.rglob("*.p*"))
    assert succeeds(again) == before


@pytest.mark.parametrize("busy", [False, True])
def test_sigterm_is_a_clean_exit_and_ends_the_worker(start_server: StartServer, busy: bool) -> None:
    server = start_server(PLITKA_ENGINE="render")
    worker = server.worker()
    with server.stream(TILE) as events:
        next(event for event in events if event.name == "output")
        if busy:
            server.process.terminate()
        assert list(events)[-1].data["status"] == "succeeded"
    if not busy:
        server.wait_for("READY")
        server.process.terminate()
    assert server.process.wait(15) == 0
    assert not worker.is_running()


def test_what_a_killed_server_left_is_removed_by_the_next(
    start_server: StartServer, tmp_path: Path
) -> None:
    first = start_server(PLITKA_ENGINE="render", TMPDIR=str(tmp_path))
    succeeds(first)
    (left,) = tmp_path.glob("plitka-*")
    first.worker().kill()
    first.process.kill()
    first.process.wait()
    start_server(PLITKA_ENGINE="render", TMPDIR=str(tmp_path))
    assert not left.exists()


def test_empty_folders_of_cogs_server_go_a_minute_after_they_were_seen_whatever_their_dates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make_folder(name: str, dated: float) -> None:
        for inner in ("inputs", "outputs"):
            (tmp_path / name / inner).mkdir(parents=True)
        os.utime(tmp_path / name, (dated, dated))  # the clock may have been set since

    def left() -> list[str]:
        return sorted(path.name for path in tmp_path.iterdir())

    monkeypatch.setattr(outbox, "COGS_FOLDERS", tmp_path)
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    folders = Outbox()
    for name, dated in (("past", 0), ("future", 4e9), ("full", 0)):
        make_folder(name, dated)
    (tmp_path / "full" / "outputs" / "output.json").write_text("{}")
    folders.open_folder()
    assert left() == ["full", "future", "past"]
    now += 30
    make_folder("young", 0)
    folders.open_folder()
    now += 31
    folders.open_folder()
    assert left() == ["full", "young"]


def test_health_tells_that_cog_cannot_make_its_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "coglet").write_bytes(b"")
    monkeypatch.setattr(outbox, "COGS_FOLDERS", tmp_path / "coglet" / "predictions")
    with pytest.raises(PictureError, match=r"coglet/predictions: cannot be written to \("):
        Outbox().check()
