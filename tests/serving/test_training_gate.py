"""The gate in front of Cog's real server in its training mode, with the real train.py."""

import base64
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from plitka.serving.work_kind import TRAININGS
from script import openapi_schema
from tests.support.packages import as_tar
from tests.support.recipes import TILE
from tests.support.server import CogServer, cog_server

HOST = "photographs.example.com"


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CogServer]:
    """One gate for the tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("gate")
    states = {"PLITKA_TRAINING": str(tmp_path_factory.mktemp("states"))}
    arguments = ("--port", "0", "--images-host", HOST)
    trainer = openapi_schema.TRAINER
    with cog_server(folder, states, gate=True, arguments=arguments, trainer=trainer) as running:
        assert running.health()["status"] == "READY"
        yield running


def as_data(content: bytes) -> str:
    return f"data:application/octet-stream;base64,{base64.b64encode(content).decode()}"


def empty_zip() -> bytes:
    content = io.BytesIO()
    zipfile.ZipFile(content, "w").close()
    return content.getvalue()


def test_the_server_says_where_trainings_are_asked_for(gate: CogServer) -> None:
    said = gate.client.get("/").json()
    assert said["trainings_url"] == "/trainings"
    assert said["trainings_cancel_url"] == "/trainings/{training_id}/cancel"
    schemas = gate.client.get("/openapi.json").json()["components"]["schemas"]
    assert schemas["TrainingInput"]["required"] == ["images"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ["body", "input", "images"]),
        ({"images": as_data(b""), "steps": 10001}, ["body", "input", "steps"]),
        ({"images": as_data(b""), "rank": 0}, ["body", "input", "rank"]),
        ({"images": as_data(b""), "augment": 0.6}, ["body", "input", "augment"]),
        ({"images": as_data(b""), "captions": "mine"}, ["body", "input", "captions"]),
        ({"images": "/etc/passwd"}, ["body", "input", "images"]),
        ({"images": "file:///etc/passwd"}, ["body", "input", "images"]),
        ({"images": "http://169.254.169.254/latest"}, ["body", "input", "images"]),
        ({"images": f"https://{HOST}@169.254.169.254/"}, ["body", "input", "images"]),
        ({"images": 5}, ["body", "input", "images"]),
        ({"images": as_data(b""), "resume": "/etc/passwd"}, ["body", "input", "resume"]),
    ],
)
def test_inputs_that_are_none_or_lead_elsewhere_are_refused(
    gate: CogServer, body: dict[str, object], place: list[str]
) -> None:
    answer = gate.client.post("/trainings", json={"input": body})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == place


def test_inputs_that_cog_refuses_are_refused_to_who_does_not_wait_too(gate: CogServer) -> None:
    body = {"input": {"images": as_data(b""), "steps": 10001}}
    answer = gate.client.post("/trainings", json=body, headers={"Prefer": "respond-async"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "input", "steps"]


def test_cogs_server_alone_takes_no_plain_text_for_a_file_either(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("cog")
    with cog_server(folder, {}, trainer=openapi_schema.TRAINER) as running:
        for given in ({"images": "/etc/passwd"}, {"images": "data:,x", "resume": "/etc/passwd"}):
            running.settle()
            body = running.client.post("/trainings", json={"input": given}).json()
            assert body["status"] == "failed"
            assert "allowed: an http or https address, or a data: URI" in body["error"]


def test_an_allowed_host_is_asked(gate: CogServer) -> None:
    gate.settle()
    given = {"images": f"https://{HOST}/tiles.zip?signature=a%2Fb"}
    body = gate.client.post("/trainings", json={"input": given}).json()
    assert body["status"] == "failed"
    assert HOST in body["error"]  # whose name leads nowhere


def test_faults_of_photographs_and_of_states_come_through_whole(gate: CogServer) -> None:
    gate.settle()
    given = {"images": as_data(empty_zip())}
    body = gate.client.post("/trainings", json={"input": given}).json()
    assert body["status"] == "failed"
    assert "Training failed: ValueError: " in body["error"]
    gate.settle()
    given["resume"] = as_data(b"no archive")
    body = gate.client.post("/trainings", json={"input": given}).json()
    assert "ValueError: resume: neither a folder nor a .tar or .zip" in body["error"]


def test_an_archive_of_states_without_one_is_told(gate: CogServer, tmp_path: Path) -> None:
    gate.settle()
    packed = as_tar(tmp_path / "states", {"state/candidate.safetensors": b"", "log.jsonl": b""})
    given = {"images": as_data(empty_zip()), "resume": as_data(packed.read_bytes())}
    body = gate.client.post("/trainings", json={"input": given}).json()
    assert "ValueError: resume: holds no state of a training" in body["error"]


def test_ids_are_checked_and_an_unknown_one_cannot_be_cancelled(gate: CogServer) -> None:
    body = {"input": {"images": as_data(empty_zip())}}
    assert gate.client.put("/trainings/..%2F..%2Fout", json=body).status_code == 422
    other = gate.client.put("/trainings/one", json={**body, "id": "two"})
    assert other.json()["detail"][0]["msg"] == "another id than the one in the address"
    gate.settle()
    assert gate.client.put("/trainings/one", json=body).json()["id"] == "one"
    gate.settle()
    assert gate.client.post("/trainings", json=body).json()["id"].startswith("training_")
    cancelled = gate.client.post("/trainings/none/cancel")
    assert cancelled.status_code == 404
    assert cancelled.json()["detail"][0]["loc"] == ["path", "training_id"]
    assert gate.client.get("/trainings/one").status_code == 405


def test_photographs_may_be_large_and_no_larger_than_cog_takes(gate: CogServer) -> None:
    gate.settle()
    given = {"images": as_data(bytes(4 * 2**20))}
    assert gate.client.post("/trainings", json={"input": given}).json()["status"] == "failed"
    answer = gate.client.post("/trainings", content=bytes(TRAININGS.max_body + 1))
    assert answer.status_code == 413


def test_a_server_that_trains_makes_no_pictures_and_the_other_trains_nothing(
    gate: CogServer, drawing: CogServer
) -> None:
    asked = {"input": {"params_json": TILE}}
    for path in ("/predictions", "/predictions/one/cancel"):
        answer = gate.client.post(path, json=asked)
        assert answer.status_code == 404
        assert "start another without --train" in answer.json()["detail"][0]["msg"]
    body = {"input": {"images": as_data(empty_zip())}}
    for path in ("/trainings", "/trainings/one/cancel"):
        answer = drawing.client.post(path, json=body)
        assert answer.status_code == 404
        assert "start another with --train" in answer.json()["detail"][0]["msg"]
    assert drawing.client.put("/trainings/one", json=body).status_code == 404


@pytest.fixture
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CogServer]:
    """The gate of a server that makes pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    with cog_server(folder, {"PLITKA_ENGINE": "render"}, gate=True) as running:
        yield running


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--images-host", HOST), "--images-host is for trainings, with --train"),
        (("--train", "--queue", "8"), "--queue is for predictions: trainings do not wait"),
    ],
)
def test_what_is_for_the_other_kind_of_work_is_refused(options: tuple[str, ...], told: str) -> None:
    command = [sys.executable, "-m", "plitka.serving.gateway", *options]
    root = openapi_schema.TRAINER.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert told in done.stderr
