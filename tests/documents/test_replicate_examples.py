"""The programs for Replicate in the documents, with its real client, before a server in its place.

The server answers as Replicate's documentation tells: who would wait is answered while pictures are
still missing, and each look at a prediction finds one picture more.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import ROOT, Block, read_page

PICTURES = [
    "data:image/png;base64,cHJl",
    "data:image/png;base64,Zmlu",
    "data:image/png;base64,Y29s",
]
SCHEMA = {"components": {"schemas": {"Output": {"type": "array", "x-cog-array-type": "iterator"}}}}
PROGRAMS = [
    block
    for page in ("README.md", "README.ru.md", "docs/replicate.md", "docs/ru/replicate.md")
    for block in read_page(ROOT / page)
    if block.language == "python" and "import replicate" in block.text
]


class Api(ThreadingHTTPServer):
    """Replicate with one model. status: that a prediction ends with."""

    def __init__(self, status: str = "succeeded") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = status
        self.given: list[str] = []
        self.ready = 0

    def describe(self) -> dict[str, Any]:
        has_ended = self.ready > len(PICTURES)
        status = self.status if has_ended else "processing"
        return {
            "id": "p1",
            "model": "OWNER/plitka",
            "version": "VERSION",
            "status": status,
            "output": PICTURES[: self.ready] or None,
            "error": "colors: got an empty list" if status == "failed" else None,
            "urls": {"get": "", "cancel": ""},
        }


class Handler(BaseHTTPRequestHandler):
    server: Api

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.given.append(given["input"]["params_json"])
        self.server.ready = 1 if self.headers.get("Prefer") else 0
        self.answer(201, self.server.describe())

    def do_GET(self) -> None:
        if self.path == "/v1/models/OWNER/plitka/versions/VERSION":
            made = {"id": "VERSION", "created_at": "2026-11-30T00:00:00Z"}
            self.answer(200, {**made, "cog_version": "0.23.1", "openapi_schema": SCHEMA})
        elif self.path == "/v1/predictions/p1":
            self.server.ready += 1
            self.answer(200, self.server.describe())
        else:
            self.answer(404, {"detail": self.path})

    def answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(program: str, api: Api, folder: Path) -> "subprocess.CompletedProcess[str]":
    env = {
        **os.environ,
        "REPLICATE_BASE_URL": f"http://127.0.0.1:{api.server_port}",
        "REPLICATE_API_TOKEN": "r8_none",
        "REPLICATE_POLL_INTERVAL": "0",
    }
    return subprocess.run(
        [sys.executable, "-c", program], env=env, cwd=folder, capture_output=True, text=True
    )


@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: block.place)
def test_a_program_gets_all_pictures_although_they_come_one_by_one(
    block: Block, api: Api, tmp_path: Path
) -> None:
    ended = run(block.text, api, tmp_path)
    assert ended.returncode == 0, ended.stderr
    (request,) = api.given
    assert [color["proportion"] for color in json.loads(request)["colors"]] == [60, 40]
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    wanted = {"preview.png": b"pre", "final.png": b"fin", "colormap.png": b"col"}
    if "predictions.get" in block.text:
        assert ended.stdout.endswith(f"succeeded None {PICTURES}\n")
        wanted = {}
    elif "README" in block.page.name:
        wanted = {"final.png": b"fin"}
    assert written == wanted


def test_a_prediction_that_fails_raises_its_faults(api: Api, tmp_path: Path) -> None:
    api.status = "failed"
    ended = run(PROGRAMS[0].text, api, tmp_path)
    assert ended.stderr.endswith("ModelError: colors: got an empty list\n")
