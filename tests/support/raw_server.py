"""A server on this machine that sends any bytes, HTTP or not."""

import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[[bytes], Iterable[bytes]]
"""The head of a request -> the parts of the response, sent until the client breaks off."""


@dataclass
class RawServer:
    """heads: of all requests so far. sent: bytes of all responses."""

    port: int
    heads: list[bytes] = field(default_factory=list)
    sent: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def respond(body: bytes = b"", status: str = "200 OK", *headers: str) -> bytes:
    """A whole response."""
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers)
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


def stream_events(*headers: str) -> bytes:
    """The head of a response that goes on until the connection ends."""
    lines = ("HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Connection: close", *headers)
    return "\r\n".join((*lines, "", "")).encode("latin-1")


def read_head(connection: socket.socket) -> bytes:
    """Read a request, and return its head."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    missing = (int(length[1]) if length else 0) - len(body)
    while missing > 0 and (chunk := connection.recv(missing)):
        missing -= len(chunk)
    return head


@contextmanager
def raw_server(answer: Answer) -> Iterator[RawServer]:
    """Serve; each connection is one request."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the client breaks off
                head = read_head(self.request)
                if not head:
                    return
                running.heads.append(head)
                for part in answer(head):
                    self.request.sendall(part)
                    running.sent += len(part)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as server:
        running = RawServer(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()
