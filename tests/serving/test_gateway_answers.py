"""Errors that the gate answers: JSON with a place, whatever was sent and whatever Cog does."""

import asyncio
import gzip
import json
import socket
import threading
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest
from isal import isal_zlib

from plitka.serving import answers, cogs_folders, gateway, receiving, routes
from plitka.serving.connections import Capacity
from plitka.serving.work_kind import PREDICTIONS
from tests.serving.stalling_predictor import HANG
from tests.support.gates import open_gate
from tests.support.raw_http import (
    Answer,
    exchange,
    is_json,
    open_socket,
    parse,
    write_get,
    write_post,
)
from tests.support.recipes import TILE
from tests.support.server import CogServer, cog_server

BODY = b'{"input": {"params_json": "{}"}}'
STALLING = Path(__file__).with_name("stalling_predictor.py")


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CogServer]:
    """One gate for the tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("gate")
    arguments = ("--port", "0")
    with cog_server(folder, {"PLITKA_ENGINE": "render"}, gate=True, arguments=arguments) as running:
        yield running


NO_HTTP = {
    "no HTTP at all": b"BLAH\r\n\r\n",
    "a handshake of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a method that is none": b"G@T /live HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a method in lower case": b"get /live HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a version that is none": write_get("/live", version="HTTP/9.9"),
    "no version": b"GET /live\r\n\r\n",
    "HTTP/2.0 in a line": write_get("/live", version="HTTP/2.0"),
    "no host": b"GET /live HTTP/1.1\r\n\r\n",
    "two hosts": write_get("/live", "Host: other"),
    "a header without a colon": write_get("/live", "no colon"),
    "a space before the colon": write_get("/live", "A : b"),
    "NUL in a header": write_get("/live", "A: b\0c"),
    "a header of 20 KB": write_get("/live", "A: " + "b" * 20_000),
    "500 headers": write_get("/live", *(f"A{n}: b" for n in range(500))),
    "a path of 20 KB": write_get("/" + "a" * 20_000),
    "a path without a slash": write_get("live"),
    "a path with a byte that is no ASCII": write_get("/\xff"),
    "an address whose host is open": write_get("http://[/live"),
    "an address with a port over 65535": write_get("http://gate:99999999/live"),
    "a length that is no number": write_post(b"", "Content-Length: x", length=False),
    "a length below zero": write_post(b"", "Content-Length: -1", length=False),
    "two lengths": write_post(b"12", "Content-Length: 1"),
    "a length and chunks": write_post(b"0\r\n\r\n", "Transfer-Encoding: chunked"),
    "another transfer coding": write_post(b"0\r\n\r\n", "Transfer-Encoding: gzip", length=False),
    "chunks of no length": write_post(b"zz\r\nab", "Transfer-Encoding: chunked", length=False),
    "a chunk too long": write_post(b"1\r\nabc\r\n", "Transfer-Encoding: chunked", length=False),
}


@pytest.mark.parametrize("sent", NO_HTTP.values(), ids=NO_HTTP)
def test_what_is_no_http_is_refused_in_json(gate: CogServer, sent: bytes) -> None:
    answer = exchange(gate.client.base_url, sent)
    assert answer.status in (400, 505)
    assert is_json(answer)
    assert answer.place()[0] in ("request", "header", "body")
    assert "b'" not in answer.content.decode(), "the bytes themselves are not sent back"


def _encode(name: str, body: bytes) -> bytes:
    return write_post(body, f"Content-Encoding: {name}")


REFUSED = {
    "an expectation": (write_post(BODY, "Expect: tea"), 417, ["header", "Expect"]),
    "an expectation of a probe": (write_get("/live", "Expect: x"), 417, ["header", "Expect"]),
    "an expectation nowhere": (write_get("/x", "Expect: x"), 417, ["header", "Expect"]),
    "brotli": (_encode("br", BODY), 415, ["header", "Content-Encoding"]),
    "zstd": (_encode("zstd", BODY), 415, ["header", "Content-Encoding"]),
    "an unknown coding": (_encode("rot13", BODY), 415, ["header", "Content-Encoding"]),
    "two codings": (_encode("gzip, gzip", BODY), 415, ["header", "Content-Encoding"]),
    "no gzip": (_encode("gzip", BODY), 400, ["body"]),
    "gzip that is cut": (_encode("gzip", gzip.compress(BODY)[:-6]), 400, ["body"]),
    "gzip with more behind": (_encode("gzip", gzip.compress(BODY) + b"x"), 400, ["body"]),
    "gzip of nothing": (_encode("gzip", b""), 400, ["body"]),
    "no deflate": (_encode("deflate", BODY), 400, ["body"]),
    "a bomb": (_encode("gzip", gzip.compress(bytes(50_000_000))), 413, ["body"]),
    "a bomb of deflate": (_encode("deflate", isal_zlib.compress(bytes(50_000_000))), 413, ["body"]),
    "a body that is too large": (write_post(bytes(PREDICTIONS.max_body + 1)), 413, ["body"]),
    "CONNECT": (write_get("gate:443", method="CONNECT"), 404, ["path"]),
    "OPTIONS *": (write_get("*", method="OPTIONS"), 404, ["path"]),
    "a path that is none": (write_get("/%zz"), 404, ["path"]),
    "two slashes": (write_get("//live"), 404, ["path"]),
    "TRACE": (write_get("/predictions", method="TRACE"), 405, ["path"]),
    "OPTIONS": (write_get("/predictions", method="OPTIONS"), 405, ["path"]),
    "NaN": (write_post(b'{"input": {"params_json": NaN}}'), 400, ["body"]),
    "a number without end": (write_post(b'{"input": {"a": 1e999}}'), 400, ["body"]),
    "half a character": (write_post(b'{"input": {"params_json": "\\ud800"}}'), 400, ["body"]),
    "deep nesting": (
        write_post(b'{"input": {"params_json": "{}", "a": ' + b"[" * 500 + b"]" * 500 + b"}}"),
        400,
        ["body"],
    ),
}


@pytest.mark.parametrize(("sent", "status", "place"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_taken_is_refused_in_json_with_its_place(
    gate: CogServer, sent: bytes, status: int, place: list[str]
) -> None:
    answer = exchange(gate.client.base_url, sent)
    assert (answer.status, answer.place()) == (status, place)
    assert is_json(answer)


def test_a_body_that_turns_out_broken_after_its_head_is_refused_in_json(gate: CogServer) -> None:
    head = write_post(b"", "Expect: 100-continue", "Transfer-Encoding: chunked", length=False)
    answer = exchange(gate.client.base_url, head, b"zz\r\nab")
    assert (answer.status, answer.place()) == (400, ["body"])


def test_what_is_unusual_and_sound_is_taken(gate: CogServer) -> None:
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    for sent in (
        _encode("gzip", gzip.compress(BODY)),
        _encode("X-GZIP", gzip.compress(BODY)),
        _encode("deflate", zlib.compress(BODY)),
        _encode("identity", BODY),
        write_post(chunks, "Transfer-Encoding: chunked", length=False),
        write_post(BODY, "Accept: \xff", "Prefer: \xff", "traceparent: \xff"),
        write_get("/live", version="HTTP/1.0"),
        write_get("http://other/live"),
    ):
        answer = exchange(gate.client.base_url, sent)
        assert answer.status == 200, answer
    gate.settle()
    answer = exchange(
        gate.client.base_url,
        write_post(b"", "Expect: 100-continue", f"Content-Length: {len(BODY)}", length=False),
        BODY,
    )
    assert answer.status == 200


def test_a_method_that_is_not_allowed_is_told_which_are(gate: CogServer) -> None:
    for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
        answer = gate.client.request(method, "/predictions")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert gate.client.post("/live").headers["Allow"] == "GET,HEAD"
    for path in ("/live", "/ready", "/", "/health-check", "/openapi.json"):
        assert gate.client.head(path).status_code == 200


# When Cog dies


@pytest.fixture
def stalling(tmp_path: Path) -> Iterator[CogServer]:
    """A gate before a predictor that hangs when it is asked to."""
    env, arguments = {"PLITKA_ENGINE": "render"}, ("--port", "0")
    with cog_server(tmp_path, env, gate=True, stub=STALLING, arguments=arguments) as running:
        yield running


def test_a_prediction_whose_server_dies_is_answered_in_json(stalling: CogServer) -> None:
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(stalling.request, HANG)
        stalling.wait_for("BUSY")
        (cog,) = stalling.process.children()
        cog.kill()
        answer = asked.result()
    assert answer.status_code == 502
    assert answer.json()["detail"][0]["loc"] == ["server"]
    assert stalling.process.wait(20) == 1
    assert "Cog's server ended by signal 9" in stalling.log.read_text()


def test_a_stream_whose_server_dies_ends_with_an_event_that_says_so(stalling: CogServer) -> None:
    with stalling.stream(TILE, prediction="cut") as events:
        next(event for event in events if event.name == "output")
        (cog,) = stalling.process.children()
        cog.kill()
        last = list(events)[-1]
    assert (last.name, last.data["id"], last.data["status"]) == ("completed", "cut", "failed")
    assert "Cog's server ended" in last.data["error"]


# With a server in Cog's place that says what the real one would only say by chance


@asynccontextmanager
async def gate_before(script: bytes) -> AsyncIterator[httpx.AsyncClient]:
    """A gate, in this process, before a server that answers all with these bytes and hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(script)
        writer.close()

    cog = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = cog.sockets[0].getsockname()[1]
    async with cog, open_gate(f"http://127.0.0.1:{port}") as client:
        yield client


HTML = (
    b"HTTP/1.1 %d X\r\nContent-Type: text/html\r\nContent-Length: 5\r\n"
    b"Connection: close\r\n\r\n<p>no"
)
CUT = b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{"
EVENTS = b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
HUGE = EVENTS + b"1000008\r\ndata: %s\n\n\r\n" % (b"x" * 2**24)


@pytest.mark.parametrize(
    ("script", "status"),
    [(b"", 502), (b"no HTTP\r\n\r\n", 502), (HTML % 200, 502), (HTML % 500, 500), (CUT[:40], 502)],
)
@pytest.mark.parametrize("path", ["/", "/openapi.json", "/health-check", "/p"])
def test_what_cog_says_that_is_no_json_becomes_an_error_in_json(
    script: bytes, status: int, path: str
) -> None:
    async def ask() -> httpx.Response:
        async with gate_before(script) as client:
            if path == "/p":
                return await client.post("/predictions", content=BODY)
            return await client.get(path)

    answer = asyncio.run(ask())
    assert answer.status_code == status
    assert answer.json()["detail"][0]["loc"]


def test_an_answer_of_cog_that_is_cut_is_cut_or_an_error() -> None:
    async def ask() -> None:
        async with gate_before(CUT) as client:
            answer = await client.get("/openapi.json")
            assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (502, ["server"])
            with pytest.raises(httpx.RemoteProtocolError):
                await client.post("/predictions", content=BODY)

    asyncio.run(ask())


def test_of_a_stream_that_is_cut_only_whole_events_come_and_then_the_end() -> None:
    whole = b'event: log\ndata: {"data": "a"}\n\n'
    parts = (whole[:7], whole[7:] + whole + b"event: output\ndata: {")
    script = EVENTS + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)

    async def ask() -> httpx.Response:
        async with gate_before(script) as client:
            return await client.put("/predictions/cut", content=BODY)

    answer = asyncio.run(ask())
    assert answer.content.startswith(whole * 2 + b"event: completed\n")
    *_, last = answer.text.strip().splitlines()
    ended = json.loads(last.removeprefix("data: "))
    assert (ended["id"], ended["status"]) == ("cut", "failed")
    assert answer.text.count("event: ") == 3


def test_before_cog_listens_everything_is_answered_in_json() -> None:
    async def ask() -> None:
        with socket.socket() as taken:  # bound, and nobody listens
            taken.bind(("127.0.0.1", 0))
            async with open_gate(f"http://127.0.0.1:{taken.getsockname()[1]}") as client:
                for method, path in (
                    ("POST", "/predictions"),
                    ("PUT", "/predictions/x"),
                    ("GET", "/health-check"),
                    ("GET", "/openapi.json"),
                    ("GET", "/"),
                    ("GET", "/live"),
                    ("GET", "/ready"),
                ):
                    content = BODY if path.startswith("/predictions") else None
                    answer = await client.request(method, path, content=content)
                    assert answer.status_code == 503
                    assert answer.json()["detail"][0]["loc"] == ["server"]

    asyncio.run(ask())


# Slow clients


async def _send_and_wait(client: httpx.AsyncClient, *parts: bytes) -> Answer | None:
    """Send parts, and read until the server hangs up; None if it says nothing."""
    url = client.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    received = await reader.read()
    writer.close()
    return parse(received) if received else None


def test_who_does_not_go_on_with_a_request_is_told_so_and_hung_up_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answers, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(receiving, "BODY_SECONDS", 0.2)
    body = write_post(BODY, "Content-Length: 999", length=False)

    async def ask() -> list[Answer | None]:
        async with gate_before(b"") as client:
            return [
                await _send_and_wait(client, *parts)
                for parts in (
                    [b"GET /live HTTP"],
                    [b"GET /live HTTP/1.1\r\nHost: x\r\n"],
                    [body],
                    [],
                )
            ]

    line, headers, slow, silent = asyncio.run(ask())
    assert line is not None
    assert headers is not None
    assert slow is not None
    assert (line.status, line.place()) == (headers.status, headers.place()) == (408, ["request"])
    assert (slow.status, slow.place()) == (408, ["body"])
    assert silent is None


def test_an_answer_that_nobody_takes_is_cut_and_little_of_it_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answers, "UNREAD_SECONDS", 0.2)

    def read_late(url: httpx.URL) -> bytes:
        with open_socket(url) as client:
            client.sendall(write_put("unread", "{}"))
            own = client.getsockname()
            is_open = False
            while not is_open:
                is_open = own in list_clients(url)
            while own in list_clients(url):
                time.sleep(0.01)
            return read_to_end(client)

    async def ask() -> bytes:
        async with gate_before(HUGE) as client:
            return await asyncio.to_thread(read_late, client.base_url)

    received = asyncio.run(ask())
    assert received.startswith(b"HTTP/1.1 200 ")
    assert len(received) < len(HUGE), "the rest was let go of"


def test_answers_that_nobody_takes_make_way_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "measure_capacity", lambda: Capacity(3, 3))

    def is_answered(url: httpx.URL) -> bool:
        with open_socket(url) as client, suppress(ConnectionError):
            client.sendall(write_get("/live"))
            return read_to_end(client).startswith(b"HTTP/1.1 503 ")  # of no Cog
        return False

    def shut_out(url: httpx.URL) -> None:
        with ExitStack() as opened:
            for number in range(3):
                client = opened.enter_context(open_socket(url))
                client.sendall(write_put(f"unread-{number}", "{}"))
                assert client.recv(9) == b"HTTP/1.1 "
            CogServer.poll(lambda: is_answered(url), 20)

    async def ask() -> None:
        async with gate_before(HUGE) as client:
            await asyncio.to_thread(shut_out, client.base_url)

    asyncio.run(ask())


def test_of_answers_that_nobody_takes_the_oldest_is_cut_where_they_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(routes, "_MOST_ANSWERS", 2)

    def read_none(url: httpx.URL) -> None:
        with ExitStack() as opened:

            def ask_another() -> socket.socket:
                client = opened.enter_context(open_socket(url))
                client.sendall(write_put(f"unread-{client.fileno()}", "{}"))
                return client

            def is_cut() -> bool:
                ask_another()  # which gives way itself until the oldest is known not to read
                return oldest not in list_clients(url)

            oldest = ask_another().getsockname()
            ask_another()
            CogServer.poll(is_cut, 20)

    async def ask() -> None:
        async with gate_before(HUGE) as client:
            await asyncio.to_thread(read_none, client.base_url)

    asyncio.run(ask())


def test_memory_is_given_back_every_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed = threading.Event()
    monkeypatch.setattr(routes, "_TRIM_SECONDS", 0.01)
    monkeypatch.setattr(routes, "trim_heap", trimmed.set)

    async def serve() -> bool:
        async with gate_before(b""):
            return await asyncio.to_thread(trimmed.wait, 60)

    assert asyncio.run(serve())


def write_put(identifier: str, params_json: str) -> bytes:
    """Write a request for a prediction's events."""
    body = json.dumps({"input": {"params_json": params_json}}).encode()
    post = write_post(body, "Accept: text/event-stream", path=f"/predictions/{identifier}")
    return post.replace(b"POST", b"PUT", 1)


def list_clients(url: httpx.URL) -> list[tuple[str, int]]:
    """List those that a server of this process is connected to."""
    opened = psutil.Process().net_connections("tcp")
    mine = [each.raddr for each in opened if each.laddr.port == url.port and each.raddr]
    return [(str(host), int(port)) for host, port in mine]


def read_to_end(client: socket.socket) -> bytes:
    received = b""
    with suppress(ConnectionError):
        while chunk := client.recv(2**20):
            received += chunk
    return received


def test_no_more_than_a_few_clients_can_wait_for_one_prediction(stalling: CogServer) -> None:
    with ExitStack() as opened:
        for _ in range(8):
            client = opened.enter_context(open_socket(stalling.client.base_url))
            client.sendall(write_put("shared", HANG))
            assert client.recv(2**16).startswith(b"HTTP/1.1 200 ")
        answer = stalling.client.put("/predictions/shared", content=BODY)
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (
            429,
            ["path", "prediction_id"],
        )


def test_an_exception_that_nobody_expected_is_told_to_the_log_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(identifier: str) -> None:
        raise AssertionError("a secret of the program")

    monkeypatch.setattr(cogs_folders, "check_prediction", fail)

    async def ask() -> httpx.Response:
        async with gate_before(b"") as client:
            return await client.post("/predictions", content=BODY)

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (500, ["server"])
    assert "secret" not in answer.text
    assert "a secret of the program" in caplog.text
