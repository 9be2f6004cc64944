"""The gate in front of Cog's real server: what it lets through, what it refuses, how it ends."""

import json
import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from plitka.request.schema import make_schema
from plitka.serving.gateway import ONE_HEAP
from script import openapi_schema
from tests.support.recipes import TILE, request
from tests.support.server import CogServer, cog_server, read_record

BAD = json.dumps({"colors": []})


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CogServer]:
    """One gate for the tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("gate")
    arguments = ("--port", "0", "--webhook-host", "127.0.0.1")
    with cog_server(folder, {"PLITKA_ENGINE": "render"}, gate=True, arguments=arguments) as running:
        yield running


def test_pictures_stream_through_it_the_preview_first(gate: CogServer) -> None:
    with gate.stream(TILE) as events:
        seen = list(events)
    outputs = [event.data["chunk"] for event in seen if event.name == "output"]
    assert [read_record(uri)["picture"] for uri in outputs] == ["preview", "final", "colormap"]
    names = [event.name for event in seen]
    assert "log" in names[names.index("output") + 1 :]
    assert seen[-1].data["status"] == "succeeded"


def test_the_worker_has_one_heap_with_the_gate_and_in_the_image(gate: CogServer) -> None:
    assert gate.worker().environ().items() >= ONE_HEAP.items()
    config = yaml.safe_load((openapi_schema.PREDICTOR.parent / "cog.yaml").read_text())
    environment = dict(line.split("=") for line in config["environment"])
    assert environment == {**ONE_HEAP, "PYTORCH_ALLOC_CONF": "expandable_segments:True"}


def test_the_root_tells_where_all_is_and_every_place_is_there(gate: CogServer) -> None:
    told = gate.client.get("/").json()
    assert told["predictions_url"] == "/predictions"
    for key, place in told.items():
        if key.endswith("_url"):
            assert "Not Found" not in gate.client.get(place.replace("{prediction_id}", "a")).text


def test_it_writes_a_line_when_it_is_ready(gate: CogServer) -> None:
    address = str(gate.client.base_url).removesuffix("/")
    CogServer.poll(lambda: f"Ready: {address} takes requests\n" in gate.log.read_text(), 60)


def test_it_writes_a_line_when_it_will_not_be_ready(tmp_path: Path) -> None:
    env = {"PLITKA_ENGINE": "", "PLITKA_BASE": "/absent"}
    with cog_server(tmp_path, env, gate=True, arguments=("--port", "0")) as server:
        CogServer.poll(lambda: "Not ready: SETUP_FAILED; http" in server.log.read_text(), 60)


def test_the_form_of_a_request_is_told_as_a_json_schema(gate: CogServer) -> None:
    place = gate.client.get("/").json()["params_json_schema_url"]
    answer = gate.client.get(place)
    assert answer.headers["Content-Type"].startswith("application/schema+json")
    assert answer.json() == make_schema()


def test_a_recipes_faults_come_through_as_they_are(gate: CogServer) -> None:
    body = gate.predict(BAD, id="tile-1").json()
    assert body["id"] == "tile-1"
    assert "ValueError: colors: got an empty list" in body["error"]


@pytest.mark.parametrize(
    "identifier",
    ["../../../tmp/out", "/tmp/out", "a\0b", "x" * 129, "", ".", "..", " ", 5, [], "ы"],
)
def test_an_id_that_could_be_no_folder_or_another_ones_is_refused(
    gate: CogServer, identifier: object
) -> None:
    answer = gate.predict(BAD, id=identifier)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "id"]
    assert gate.health()["status"] == "READY"


def test_an_id_in_the_address_is_checked_as_well(gate: CogServer) -> None:
    body = {"input": {"params_json": BAD}}
    for path in ("..%2F..%2F..%2Ftmp%2Fout", "x" * 129, "a%00b"):
        assert gate.client.put(f"/predictions/{path}", json=body).status_code == 422
        assert gate.client.post(f"/predictions/{path}/cancel").status_code == 422
    other = gate.client.put("/predictions/one", json={**body, "id": "two"})
    assert other.json()["detail"][0]["msg"] == "another id than the one in the address"
    assert gate.client.put("/predictions/one", json=body).json()["id"] == "one"


@pytest.mark.parametrize(
    "webhook", ["http://169.254.169.254/", "file:///etc/passwd", "http://[", "gopher://x", 5, {}]
)
def test_an_address_that_nobody_allowed_is_not_called(gate: CogServer, webhook: object) -> None:
    answer = gate.predict(BAD, webhook=webhook)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "webhook"]
    assert gate.predict(BAD, output_file_prefix="http://127.0.0.1/").status_code == 422


class Listener(HTTPServer):
    """Takes webhooks; `called` holds their bodies."""

    def __init__(self) -> None:
        self.called: list[dict[str, Any]] = []
        self.heard = threading.Event()
        super().__init__(("127.0.0.1", 0), _Hook)


class _Hook(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.called.append(json.loads(self.rfile.read(length)))
        self.send_response(200)
        self.end_headers()
        if self.server.called[-1]["status"] not in ("starting", "processing"):
            self.server.heard.set()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_webhook_to_an_allowed_host_is_called_with_the_outcome(gate: CogServer) -> None:
    listener = Listener()
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    try:
        body = {
            "id": "hooked",
            "input": {"params_json": BAD},
            "webhook": f"http://127.0.0.1:{listener.server_port}/",
            "webhook_events_filter": ["completed"],
        }
        headers = {"Prefer": "respond-async"}
        assert gate.client.post("/predictions", json=body, headers=headers).status_code == 202
        assert listener.heard.wait(30)
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
    assert [(call["id"], call["status"]) for call in listener.called] == [("hooked", "failed")]


@pytest.mark.parametrize(
    ("content", "status", "place"),
    [
        (b"", 400, ["body"]),
        (b"{", 400, ["body"]),
        (b"\xff\xfe", 400, ["body"]),
        (b"[" * 100_000, 400, ["body"]),
        (b"[]", 422, ["body"]),
        (b'{"input": {}}', 422, ["body", "input", "params_json"]),
        (b'{"input": {"params_json": "{}"}, "context": {"a": 5}}', 422, ["body", "context"]),
        (b'{"input": {"params_json": 5}}', 422, ["body", "input", "params_json"]),
        (b'{"input": {"params_json": "{}", "x": -1e999}}', 400, ["body"]),
        (b'{"input": {"params_json": "{}", "x": NaN}}', 400, ["body"]),
        (b'"' + b"x" * 600_000 + b'"', 413, ["body"]),
    ],
)
def test_what_is_no_request_is_refused_as_json_with_its_place(
    gate: CogServer, content: bytes, status: int, place: list[str]
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = gate.client.post("/predictions", content=content, headers=headers)
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (status, place)


def test_to_cancel_what_does_not_run_is_refused_with_its_place(gate: CogServer) -> None:
    answer = gate.client.post("/predictions/none/cancel")
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (
        404,
        ["path", "prediction_id"],
    )


def test_an_odd_id_in_an_address_is_refused_with_its_place(gate: CogServer) -> None:
    cancel = gate.client.post("/predictions/a%20b/cancel")
    put = gate.client.put("/predictions/a%20b", json={"input": {"params_json": BAD}})
    for answer in (cancel, put):
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (
            422,
            ["path", "prediction_id"],
        )


def test_strangers_cannot_shut_it_down_or_reach_what_is_not_for_them(gate: CogServer) -> None:
    assert gate.client.post("/shutdown").status_code == 404
    assert gate.client.post("/trainings", json={}).status_code == 404
    assert gate.client.get("/predictions").status_code == 405
    assert gate.health()["status"] == "READY"


def test_a_large_request_within_the_limit_goes_through_escaped_or_not(gate: CogServer) -> None:
    text = json.dumps({"colors": [], "x": "\N{LARGE RED CIRCLE}" * 5000}, ensure_ascii=True)
    body = json.dumps({"input": {"params_json": text}}, ensure_ascii=True)
    answer = gate.client.post("/predictions", content=body)
    assert "ValueError: x: unknown key" in answer.json()["error"]


def test_requests_without_a_pause_never_meet_a_slot_that_is_not_free_yet(gate: CogServer) -> None:
    answers = [gate.request(BAD) for _ in range(40)]
    assert {answer.status_code for answer in answers} == {200}


def test_clients_that_ask_at_once_get_a_picture_each_in_the_order_in_which_they_came(
    gate: CogServer,
) -> None:
    def ask() -> float:
        assert gate.request(TILE).json()["status"] == "succeeded"
        return time.monotonic()

    gate.settle()
    with ThreadPoolExecutor() as pool:
        with gate.stream(TILE) as events:
            next(events)
            ended = []
            for number in range(3):
                ended.append(pool.submit(ask))
                gate.poll(partial(is_waiting, gate, number + 1), 60)
            list(events)
        times = [each.result() for each in ended]
    assert times == sorted(times)


def is_waiting(gate: CogServer, count: int) -> bool:
    """Whether so many wait in the queue, or more."""
    text = gate.client.get("/metrics").text
    (length,) = re.findall(r"^plitka_queue_length (\d+)", text, re.MULTILINE)
    return int(length) >= count


def test_one_that_waits_is_cancelled_and_its_client_told_as_by_cog(gate: CogServer) -> None:
    gate.settle()
    with ThreadPoolExecutor() as pool, gate.stream(TILE) as events:
        next(events)
        asked = pool.submit(gate.request, TILE, id="queued")
        gate.poll(partial(is_waiting, gate, 1), 60)
        assert gate.client.post("/predictions/queued/cancel").json() == {}
        assert asked.result().json()["status"] == "canceled"
        assert list(events)[-1].data["status"] == "succeeded"


def test_a_client_that_hangs_up_cancels_its_prediction(gate: CogServer) -> None:
    with gate.stream(TILE) as events:
        next(event for event in events if event.name == "output")
    gate.wait_for("READY")
    assert "Prediction cancelled" in gate.log.read_text()


def test_probes_read_the_status(gate: CogServer) -> None:
    for path in ("/live", "/ready"):
        answer = gate.client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "READY"})


def test_when_the_worker_has_died_at_rest_who_asks_first_and_probes_are_told_503(
    tmp_path: Path,
) -> None:
    with cog_server(
        tmp_path, {"PLITKA_ENGINE": "render"}, gate=True, arguments=("--port", "0")
    ) as server:
        server.worker().kill()
        first = server.request(TILE)
        assert (first.status_code, int(first.headers["Retry-After"])) == (503, 30)
        assert "the worker has died" in first.text
        server.wait_for("UNHEALTHY")
        for path in ("/live", "/ready"):
            assert server.client.get(path).status_code == 503
        assert server.client.get("/health-check").status_code == 200
        assert "plitka_worker_alive 0.0" in server.client.get("/metrics").text


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_all_that_wait_are_told_503_when_the_worker_is_killed_or_the_gate_ended(
    tmp_path: Path, number: int
) -> None:
    with (
        cog_server(
            tmp_path, {"PLITKA_ENGINE": "render"}, gate=True, arguments=("--port", "0")
        ) as server,
        ThreadPoolExecutor() as pool,
        server.stream(TILE) as events,
    ):
        next(events)
        asked = [pool.submit(server.request, TILE) for _ in range(3)]
        server.poll(partial(is_waiting, server, 3), 60)
        process = server.worker() if number == signal.SIGKILL else server.process
        process.send_signal(number)
        assert [each.result().status_code for each in asked] == [503] * 3
        assert list(events)[-1].data["status"] in ("failed", "succeeded", "canceled")


def test_sigterm_ends_it_and_cogs_server_with_it_although_a_prediction_runs(
    tmp_path: Path,
) -> None:
    with cog_server(
        tmp_path, {"PLITKA_ENGINE": "render"}, gate=True, arguments=("--port", "0")
    ) as server:
        family = server.process.children(recursive=True)
        with server.stream(request({"red": 100}, seed=1)) as events:
            next(event for event in events if event.name == "output")
            server.process.terminate()
            assert list(events)[-1].data["status"] in ("succeeded", "canceled")
        assert server.process.wait(20) == 0
        assert not any(process.is_running() for process in family)
        with pytest.raises(httpx.ConnectError):
            server.health()


def test_it_ends_with_an_error_when_cogs_server_does(tmp_path: Path) -> None:
    with cog_server(
        tmp_path, {"PLITKA_ENGINE": "render"}, gate=True, arguments=("--port", "0")
    ) as server:
        (cog,) = server.process.children()
        cog.kill()
        assert server.process.wait(20) == 1
