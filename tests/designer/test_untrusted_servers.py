"""Servers that take photographs are not trusted: what they send too much of, or in a wrong way."""

import asyncio
import gzip
import io
import json
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from plitka.designer.backends import http
from plitka.designer.backends.address import Server
from plitka.designer.backends.base import Shot, parse_shot
from plitka.designer.errors import Fault
from plitka.images import png
from tests.support.hostile_cog import (
    COMPLETED,
    PICTURE,
    fault_of,
    known_faults,
    photograph,
    write_event,
    write_output,
)
from tests.support.raw_server import raw_server, respond, stream_events

TOKEN = "r8_0123456789"


def endless(part: bytes) -> Iterable[bytes]:
    return chain([stream_events()], repeat(part))


HOSTILE: dict[str, Callable[[bytes], Iterable[bytes]]] = {
    "a line without an end": lambda _: endless(b"data: " + b"a" * 2**20),
    "an event without an end": lambda _: endless(b"a" * 2**20),
    "lines without an end": lambda _: endless(b"\n" * 2**20),
    "logs without an end": lambda _: endless(write_event("log", {"data": "512x512: " * 400}) * 100),
    "steps without an end": lambda _: endless(
        write_event("log", {"data": "512x512: |# | 1/2 [00:00"}) * 500
    ),
    "pictures without an end": lambda _: endless(write_output()),
    "an error without an end": lambda _: chain([b"HTTP/1.1 500 No\r\n\r\n"], repeat(b"a" * 2**20)),
    "headers without an end": lambda _: chain([b"HTTP/1.1 200 OK\r\n"], repeat(b"a: b\r\n" * 999)),
    "a deep event": lambda _: [stream_events(), b"data: " + b"[" * 200_000 + b"\n\n"],
    "a long number": lambda _: [stream_events(), b"data: " + b"9" * 200_000 + b"\n\n"],
    "no object": lambda _: [stream_events(), b"data: [1]\n\n"],
    "no UTF-8": lambda _: [stream_events(), b"data: {\xff}\n\n"],
    "a bomb": lambda _: [
        stream_events("Content-Encoding: gzip"),
        gzip.compress(b"data: " + b"a" * 2**27),
    ],
    "a charset": lambda _: [
        respond(b"data: {\n", "200 OK", "Content-Type: text/event-stream; charset=base64")
    ],
    "no picture": lambda _: [stream_events(), write_output(b"GIF89a")],
    "a large picture": lambda _: [stream_events(), write_output(empty_png(20_000, 20_000))],
    "a wide picture": lambda _: [stream_events(), write_output(empty_png(2**31 - 1, 1))],
    "another kind of data": lambda _: [
        stream_events(),
        write_event("output", {"chunk": "data:text/html;base64,PGI+"}),
    ],
    "no Base64": lambda _: [
        stream_events(),
        write_event("output", {"chunk": "data:image/png;base64,\xe4\xf6"}),
    ],
    "an odd chunk": lambda _: [stream_events(), write_event("output", {"chunk": {"a": [1]}})],
    "nothing made": lambda _: [stream_events(), COMPLETED],
    "an unknown status": lambda _: [
        stream_events(),
        write_event("completed", {"status": ["what"]}),
    ],
    "the end at once": lambda _: [stream_events()],
    "a redirect": lambda _: [respond(b"", "307 Elsewhere", "Location: http://127.0.0.1:1/")],
    "no HTTP": lambda _: [b"SSH-2.0-OpenSSH_9.6\r\n"],
    "nothing": lambda _: [],
    "odd lengths": lambda _: [b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"],
    "odd cookies": lambda _: [
        respond(b"", "500 No", "Set-Cookie: a=b; expires=" + "9" * 5000, "Set-Cookie: ;=;;")
    ],
    "health that is none": lambda head: [
        respond(b'"\\ud800"') if b"health-check" in head else respond(b"", "503 Busy")
    ],
    "health that is odd": lambda head: [
        respond(b'{"status": "SETUP_FAILED", "setup": [1]}')
        if b"health-check" in head
        else respond(b"", "503 Busy")
    ],
    "an informational flood that ends": lambda _: chain(
        repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n", 2000), [respond(b"", "500 No")]
    ),
}


def empty_png(width: int, height: int) -> bytes:
    """A PNG that says this size and has no pixels."""
    small = io.BytesIO()
    Image.new("1", (1, 1)).save(small, "PNG")
    content = bytearray(small.getvalue())
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_server_is_a_fault_with_a_name(what: str) -> None:
    with raw_server(HOSTILE[what]) as server:
        fault = fault_of(server, PLITKA_PHOTOGRAPH_TOKEN=TOKEN)
        assert server.sent <= 10 * png.MAX_PNG_BYTES
    assert len(fault.detail) <= 1000


def test_a_photograph_that_takes_too_long_ends() -> None:
    """Each byte comes in time, and there is no end of them."""
    still = threading.Event()

    def drip(_: bytes) -> Iterator[bytes]:
        yield stream_events()
        while not still.wait(0.01):
            yield b":"

    async def read(address: str) -> None:
        async with (
            http.open_api(Server(address), seconds=0.2) as api,
            api.stream("GET", "x") as response,
        ):
            await api.read_answer(response)

    with raw_server(drip) as server:
        with pytest.raises(Fault, match="server_silent"):
            asyncio.run(read(server.address))
        still.set()


PNG_DAMAGE = st.lists(
    st.tuples(st.integers(0, len(PICTURE) - 1), st.binary(min_size=1, max_size=6)), max_size=5
)


@settings(deadline=None, max_examples=500)
@given(PNG_DAMAGE, st.integers(0, len(PICTURE)))
def test_a_damaged_picture_is_a_picture_or_a_fault(
    damage: list[tuple[int, bytes]], length: int
) -> None:
    made: Shot | Fault
    content = bytearray(PICTURE)
    for at, bytes_there in damage:
        content[at : at + len(bytes_there)] = bytes_there
    try:
        made = parse_shot(bytes(content[:length]), 0)
    except Fault as fault:
        made = fault
    assert isinstance(made, Shot) or made.code == "photograph_strange"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["log", "output", "completed", "metric", "start", "x"]),
            JSON_VALUES
            | st.fixed_dictionaries(
                {}, optional=dict.fromkeys(("data", "chunk", "status", "error"), JSON_VALUES)
            ),
        ),
        max_size=4,
    ),
    st.sampled_from(["200 OK", "400 No", "401 No", "500 No", "503 No", "204 No", "999 X"]),
)
def test_no_events_break_the_designer(events: list[tuple[str, Any]], status: str) -> None:
    body = b"".join(write_event(name, value) for name, value in events)
    with raw_server(lambda _: [respond(body, status)]) as server:
        fault_of(server)


REPLICATE: list[Any] = [
    {"id": "a1", "status": "unheard-of"},
    {"id": "a1", "status": ["succeeded"]},
    {"id": "a1", "status": None},
    {"id": "a1"},
    {"id": "\u0661\u0662", "status": "succeeded"},
    {"id": "a" * 1000, "status": "succeeded"},
    {"id": "a1", "status": "succeeded", "output": ["data:image/png;base64,"] * 1000},
    {"id": "a1", "status": "succeeded", "output": {"a": 1}},
    {"id": "a1", "status": "succeeded", "output": [1, None, {}]},
    {"id": "a1", "status": "failed", "error": {"a": ["b"]}, "logs": 5},
    [],
    None,
    "\ud800",
]


@pytest.mark.parametrize("prediction", REPLICATE)
def test_what_replicate_does_not_say_is_a_fault(prediction: Any) -> None:
    body = json.dumps(prediction).encode()
    with raw_server(lambda _: [respond(body)]) as server, pytest.raises(Fault) as caught:
        photograph(
            PLITKA_PHOTOGRAPH="replicate:maker/tiles",
            REPLICATE_API_TOKEN=TOKEN,
            REPLICATE_API_BASE_URL=server.address,
        )
    assert caught.value.code in known_faults()
