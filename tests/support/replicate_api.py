"""Replicate's API as its documentation tells: https://replicate.com/docs/reference/http."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Replicate:
    """Answers of an API, in turn, and the requests that came."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answers: list[tuple[int, object]] = []
        self.requests: list[tuple[str, str]] = []
        self.tokens: set[str] = set()


@contextmanager
def replicate_api() -> Iterator[Replicate]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def do_GET(self) -> None:
            api.requests.append((self.command, self.path))
            api.tokens.add(self.headers.get("Authorization", ""))
            status, body = api.answers.pop(0) if api.answers else (200, {})
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api = Replicate(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
