"""HTTP by hand: requests that no client would send, and what comes back."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

ANSWER_SECONDS = 60.0  # after which a test fails instead of waiting for ever


@dataclass(frozen=True)
class Answer:
    """A response as it came. headers: names in lower case."""

    status: int
    headers: dict[str, str]
    content: bytes

    def place(self) -> list[str]:
        """Where the fault is, of a body in the form of errors; fails for any other body."""
        (fault,) = json.loads(self.content)["detail"]
        assert set(fault) == {"loc", "msg", "type"}
        assert fault["msg"].isprintable()
        place: list[str] = fault["loc"]
        return place


def open_socket(url: httpx.URL) -> socket.socket:
    """Connect to a server."""
    return socket.create_connection((url.host, url.port or 80), timeout=ANSWER_SECONDS)


def exchange(url: httpx.URL, *parts: bytes) -> Answer:
    """Send a request, each part but the first after something was answered, and read to the end."""
    with open_socket(url) as client:
        for index, part in enumerate(parts):
            if index:
                assert client.recv(65536).startswith(b"HTTP/1.1 100 "), "the rest may be sent"
            client.sendall(part)
        return read_answer(client)


def read_answer(client: socket.socket) -> Answer:
    """Read what comes until the connection ends, and parse it."""
    received = b""
    while chunk := client.recv(65536):
        received += chunk
    return parse(received)


def parse(received: bytes) -> Answer:
    """Parse one response that ends where the bytes do."""
    head, _, content = received.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    pairs = [field.partition(":")[::2] for field in fields]
    headers = {name.lower(): value.strip() for name, value in pairs}
    if headers.get("transfer-encoding") == "chunked":
        content = b"".join(_read_chunks(content))
    return Answer(int(line.split()[1]), headers, content)


def _read_chunks(content: bytes) -> Iterator[bytes]:
    while content:
        length, _, content = content.partition(b"\r\n")
        yield content[: int(length, 16)]
        content = content[int(length, 16) + 2 :]


def write_post(
    body: bytes, *headers: str, path: str = "/predictions", length: bool = True
) -> bytes:
    """Write a POST with these lines of headers; length: with the body's own Content-Length."""
    own = [f"Content-Length: {len(body)}"] if length else []
    lines = [f"POST {path} HTTP/1.1", "Host: gate", "Connection: close", *headers, *own]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def write_get(target: str, *headers: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    """Write a request without a body."""
    lines = [f"{method} {target} {version}", "Host: gate", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def is_json(answer: Answer) -> bool:
    """Whether a response says that it is JSON, and is."""
    parsed: Any = json.loads(answer.content)
    return answer.headers["content-type"].startswith("application/json") and parsed is not None
