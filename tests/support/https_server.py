"""A file host with https on this machine, whose certificate is tests/support/localhost.pem."""

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CERTIFICATE = Path(__file__).with_name("localhost.pem")

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """headers: in place of Content-Length as well. cut: bytes after which the connection breaks."""

    body: bytes = b""
    status: int = 200
    headers: Headers = field(default_factory=dict)
    cut: int | None = None


Answers = Callable[[str, Headers], Answer]


@dataclass
class HttpsServer:
    """answers: may be changed while it serves. asked: path with query, and headers.

    fetched: paths of the requests that asked for the file itself. heads: whether it answers HEAD.
    """

    address: str
    answers: Answers
    asked: list[tuple[str, Headers]] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    heads: bool = True


def answer_file(
    body: bytes, headers: Headers, etag: str | None = '"1"', cut: int | None = None
) -> Answer:
    """Answer as hosts of files do: ranges and conditions by the ETag are honoured."""
    said = {} if etag is None else {"ETag": etag}
    if etag is not None and headers.get("If-None-Match") == etag:
        return Answer(status=304, headers=said)
    start = int(headers.get("Range", "bytes=0-")[len("bytes=") : -1])
    if start and headers.get("If-Range") == etag:
        said["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        return Answer(body[start:], 206, said, cut)
    return Answer(body, 200, said, cut)


@contextmanager
def https_server(answers: Answers) -> Iterator[HttpsServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            if not served.heads:
                self.send_error(405)
                return
            self._answer(with_body=False)

        def do_GET(self) -> None:
            served.fetched.append(self.path)
            self._answer(with_body=True)

        def _answer(self, with_body: bool) -> None:
            served.asked.append((self.path, dict(self.headers)))
            answer = served.answers(self.path, dict(self.headers))
            self.send_response(answer.status)
            headers = {"Content-Length": str(len(answer.body)), **answer.headers}
            for name, value in headers.items():
                if value:
                    self.send_header(name, value)
            if not headers["Content-Length"] or answer.cut is not None:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            if with_body:
                self.wfile.write(answer.body[: answer.cut])

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing is logged."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that break off, as those do who refuse a file, are expected."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        served = HttpsServer(f"https://localhost:{server.server_address[1]}", answers)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
