"""Cog's real HTTP server as a subprocess, on a free port of this machine, for the tests."""

import base64
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from PIL import Image

from script import openapi_schema

START_SECONDS = 120.0  # to import the predictor and run setup(), on a slow machine
STOP_SECONDS = 15.0
POLL_SECONDS = 0.05
REQUEST_SECONDS = 120.0
_ADDRESS = {
    False: re.compile(r"Starting coglet server on ([\d.]+:\d+)"),
    True: re.compile(r"The gate listens on http://([\d.]+:\d+)"),
}


@dataclass(frozen=True)
class Event:
    """One server-sent event: start, log, metric, output or completed."""

    name: str
    data: dict[str, Any]


@dataclass(frozen=True)
class CogServer:
    """A server that has finished its setup, well or badly; `log` is all that it printed."""

    client: httpx.Client
    log: Path
    process: psutil.Popen

    def worker(self) -> psutil.Process:
        """The process that runs the predictor."""
        return next(p for p in self.process.children(recursive=True) if _is_worker(p))

    def family(self) -> list[psutil.Process]:
        """The server's process and all that it started."""
        return [self.process, *self.process.children(recursive=True)]

    def health(self) -> dict[str, Any]:
        """The body of /health-check: `status`, `setup` with its `logs`, `version`."""
        body: dict[str, Any] = self.client.get("/health-check").json()
        return body

    def predict(self, params_json: object, **fields: object) -> httpx.Response:
        """Run one prediction, once it would be taken, and wait for it.

        A `params_json` that is no string goes as it is.
        """
        self.settle()
        return self.request(params_json, **fields)

    def request(self, params_json: object, **fields: object) -> httpx.Response:
        """Ask for one prediction at once, whether the server is busy or not."""
        body = {"input": {"params_json": params_json}, **fields}
        return self.client.post("/predictions", json=body)

    def wait_for(self, status: str, seconds: float = STOP_SECONDS) -> None:
        """Wait until /health-check says `status`: READY, BUSY, UNHEALTHY and so on."""
        self._wait(lambda now: now == status, seconds)

    def settle(self) -> None:
        """Wait until a prediction would be taken: the answer of the last one comes before that."""
        self._wait(lambda now: now != "BUSY", REQUEST_SECONDS)

    def _wait(self, is_wanted: Callable[[str], bool], seconds: float) -> None:
        self.poll(lambda: is_wanted(self.health()["status"]), seconds)

    @staticmethod
    def poll(happens: Callable[[], bool], seconds: float) -> None:
        """Wait until something happens."""
        deadline = time.monotonic() + seconds
        while not happens():
            if time.monotonic() > deadline:
                raise TimeoutError(f"it has not happened in {seconds} s")
            time.sleep(POLL_SECONDS)

    @contextmanager
    def stream(self, params_json: str, prediction: str | None = None) -> Iterator[Iterator[Event]]:
        """Run one prediction, once it would be taken, and read its events while it runs.

        Leaving early cancels it. With an id in `prediction` it can be cancelled from outside, too.
        """
        self.settle()
        method = "POST" if prediction is None else "PUT"
        url = "/predictions" if prediction is None else f"/predictions/{prediction}"
        body = {"input": {"params_json": params_json}}
        accept = {"Accept": "text/event-stream"}
        with self.client.stream(method, url, json=body, headers=accept) as response:
            response.raise_for_status()
            yield _events(response)


@contextmanager
def cog_server(
    folder: Path,
    env: Mapping[str, str],
    predictor: Path = openapi_schema.PREDICTOR,
    gate: bool = False,
    stub: Path | None = None,
    arguments: Sequence[str] = (),
    files: int | None = None,
    trainer: Path | None = None,
) -> Iterator[CogServer]:
    """Serve `predictor` with `env` added to this process's environment; behind the gate if so.

    stub: a file whose Predictor, or train, runs in place of what the schema is read from. files:
    that each of its processes may open, None for as many as this one. trainer: a file whose
    function `train` is served in place of predictions.

    `folder` is empty and becomes the server's working directory, so nothing is written into the
    checkout. The server is given once setup() has ended, also when it failed: see `health()`.
    """
    openapi_schema.write(folder / ".cog" / "openapi_schema.json", predictor, trainer)
    log = folder / "server.log"
    binaries = Path(sys.executable).parent  # the server starts its worker as `python`
    search = [str(predictor.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(binaries), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join(search),
        "COG_PREDICT_TYPE_STUB": f"{stub or predictor}:Predictor",
        "PORT": "0",  # any free one; the log says which
        **env,
    }
    if trainer is not None:
        environment["COG_TRAIN_TYPE_STUB"] = f"{stub or trainer}:train"
        arguments = (*arguments, "--train") if gate else (*arguments, "--x-mode", "train")
    with log.open("wb") as output:
        module = "plitka.serving.gateway" if gate else "cog.server.http"
        process = psutil.Popen(
            [sys.executable, "-m", module, "--host", "127.0.0.1", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)))
            if files
            else None,
        )
    try:
        # No certificates: they would be read anew, for 20 ms, by each client.
        with httpx.Client(timeout=REQUEST_SECONDS, verify=False) as client:
            client.base_url = httpx.URL(_wait_for_setup(client, process, log, gate))
            yield CogServer(client, log, process)
    finally:
        _stop(process)


def _wait_for_setup(client: httpx.Client, process: psutil.Popen, log: Path, gate: bool) -> str:
    """Wait until setup() has ended and return the server's address."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        text = log.read_text(encoding="utf-8", errors="replace")
        listening = _ADDRESS[gate].search(text)
        if listening is not None:
            url = f"http://{listening[1]}"
            status = client.get(f"{url}/health-check").json().get("status", "UNKNOWN")
            if status not in {"STARTING", "UNKNOWN"}:
                return url
        time.sleep(POLL_SECONDS)
    ended = "is still starting" if process.poll() is None else f"ended with {process.returncode}"
    raise RuntimeError(f"Cog's server {ended}:\n{log.read_text(errors='replace')}")


def _is_worker(process: psutil.Process) -> bool:
    return any("coglet.server._run_worker" in part for part in process.cmdline())


def _stop(process: psutil.Popen) -> None:
    """End the server and its worker: politely first, then the whole process group."""
    try:
        if process.poll() is None:
            process.terminate()
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # the worker went with the server


def _events(response: httpx.Response) -> Iterator[Event]:
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield Event(name, json.loads(line.removeprefix("data: ")))


def open_png(uri: str) -> Image.Image:
    """Open the picture in a data URI, as the server gives it out."""
    head, content = uri.split(",", 1)
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def read_record(uri: str) -> dict[str, Any]:
    """Read how the picture in a data URI was made."""
    record: dict[str, Any] = json.loads(open_png(uri).info["plitka"])
    return record
