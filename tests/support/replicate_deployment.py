"""A deployment on Replicate that draws colormaps, and fails as it is told to."""

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from plitka import pipeline
from plitka.engines.procedural import RenderEngine
from plitka.images import png
from tests.support.recipes import parse

TOKEN = "r8_secret"


class ReplicateDeployment:
    """Predictions by their ids, and what is to go wrong.

    faults: at the next attempts to create a prediction, one each: an HTTP status, or "lost": it is
    created, and the connection closed without an answer. failing: how many predictions fail.
    stalling: whether predictions go on for ever.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.predictions: dict[str, dict[str, Any]] = {}
        self.faults: list[int | str] = []
        self.failing = 0
        self.stalling = False
        self.requests: list[str] = []
        self._outputs: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def count_drawn(self) -> dict[str, int]:
        """Count the predictions of each request."""
        texts = [one["input"]["params_json"] for one in self.predictions.values()]
        return {text: texts.count(text) for text in texts}

    def create(self, given: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            identifier = f"p{len(self.predictions)}"
            prediction = {"id": identifier, "status": "starting", "input": given, "output": None}
            self.predictions[identifier] = prediction
            return dict(prediction)

    def look_at(self, identifier: str) -> dict[str, Any] | None:
        """Go on with a prediction by a step: starting, processing, succeeded."""
        with self._lock:
            prediction = self.predictions.get(identifier)
            if prediction is None:
                return None
            if prediction["status"] == "starting":
                prediction["status"] = "processing"
            elif prediction["status"] == "processing" and not self.stalling:
                self._end(prediction)
            return dict(prediction)

    def _end(self, prediction: dict[str, Any]) -> None:
        if self.failing:
            self.failing -= 1
            prediction.update(status="failed", error="CUDA out of memory")
            return
        recipe = parse(prediction["input"]["params_json"])
        engine = RenderEngine()
        made = pipeline.make_one("colormap", recipe, engine, engine.lay(recipe))
        place = f"/outputs/{prediction['id']}.png"
        self._outputs[place] = png.encode_png(made.image, made.record)
        prediction.update(status="succeeded", output=[f"{self.address}{place}"])

    def answer(self, method: str, path: str, body: bytes) -> tuple[int | str, bytes]:
        """Answer a request: with a status, or "lost"."""
        if path in self._outputs:
            return 200, self._outputs[path]
        if method == "POST" and path == "/v1/deployments/me/plitka/predictions":
            with self._lock:
                fault = self.faults.pop(0) if self.faults else 201
            if fault not in (201, "lost"):
                return fault, b"{}"
            return fault, json.dumps(self.create(json.loads(body)["input"])).encode()
        if path == "/v1/predictions":
            latest = list(reversed(self.predictions.values()))
            return 200, json.dumps({"results": latest}).encode()
        found = self.look_at(path.rpartition("/")[2]) if "/v1/predictions/" in path else None
        return (404, b"{}") if found is None else (200, json.dumps(found).encode())


@contextmanager
def replicate_deployment() -> Iterator[ReplicateDeployment]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told = self.headers.get("Authorization")
            deployment.requests.append(f"{self.command} {self.path}")
            wanted = None if self.path.startswith("/outputs/") else f"Bearer {TOKEN}"
            if told != wanted:
                status: int | str = 401
                content = b"{}"
            else:
                status, content = deployment.answer(self.command, self.path, body)
            if isinstance(status, str):
                self.wfile = io.BytesIO()  # nothing reaches whoever asked
                self.close_connection = True
                return
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    deployment = ReplicateDeployment(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield deployment
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
