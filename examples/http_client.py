"""A client of Plitka over HTTP, to copy into a program of yours. It needs only httpx.

    pip install httpx
    python examples/http_client.py "60% black, 40% white, seed 7" --way stream --out tile

A request is a sentence, or a dict of the form that docs/params_json.schema.json describes.
"""

import argparse
import base64
import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

Request = str | dict[str, Any]
Json = dict[str, Any]

PICTURES = ("preview", "final", "colormap")
"""What comes, in this order."""

ENDS = ("succeeded", "failed", "canceled")
BUSY = (429, 503)  # the queue is full; the server is starting or being stopped
CONNECT_SECONDS = 10.0
SILENT_SECONDS = 600.0  # that a server may say nothing while it draws
POLL_SECONDS = 1.0
MOST_LOST = 3  # connections in a row, or answers 404 to who looks, before that counts as an end
RETRY_SECONDS = 10.0  # where the server does not say when to come again


class PlitkaError(Exception):
    """A request that was refused, or that no picture came of; the message tells all faults.

    status: of HTTP, 200 for a prediction that failed or was cancelled, None where no answer came.
    faults: what the server says, a text for each. pause: seconds to wait before one asks again.
    """

    def __init__(self, status: int | None, faults: list[str], pause: float = 1.0) -> None:
        told = [f"HTTP {status}"] if status not in (None, 200) else []
        super().__init__("\n".join([*told, *faults]))
        self.status = status
        self.faults = faults
        self.pause = pause


class Plitka:
    """A server, such as `script/serve` starts.

    token: for a proxy in front that wants one. patience: seconds in which a server that is full or
    restarts is asked again. pause: waits so many seconds.
    """

    def __init__(
        self,
        address: str = "http://127.0.0.1:5000",
        token: str | None = None,
        patience: float = 600.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        timeout = httpx.Timeout(SILENT_SECONDS, connect=CONNECT_SECONDS)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=address, timeout=timeout, headers=headers)
        self._patience = patience
        self._pause = pause

    def make(self, request: Request) -> Json:
        """Wait for all pictures; returns the prediction, with `output` and `metrics`.

        Where the connection is lost, the request is repeated, and joins the prediction if that
        still waits or runs.
        """
        identifier = new_id()
        for _ in range(MOST_LOST):
            answer = self._ask(identifier, request)
            if answer.status_code == 200:
                return check(answer.json())
            try:
                return self.wait(identifier)
            except PlitkaError as fault:
                if fault.status != 404:  # it went with the connection that was lost
                    raise
        raise PlitkaError(None, [f"{identifier}: the connection is lost again and again"])

    def stream(self, request: Request) -> Iterator[tuple[str, str]]:
        """Give each picture as soon as it is ready: what it shows, and the picture itself.

        Who stops reading cancels the prediction.
        """
        with closing(self._ask(new_id(), request, {"Accept": "text/event-stream"})) as answer:
            names = iter(PICTURES)
            try:
                for event, data in read_events(answer.iter_lines()):
                    if event == "output":
                        yield next(names), data["chunk"]
                    elif event == "completed":
                        check(data)
            except httpx.TransportError as error:
                raise PlitkaError(None, [f"the stream is cut: {error}"]) from None

    def start(self, request: Request) -> str:
        """Have pictures made without waiting for them; returns the prediction's id."""
        identifier = new_id()
        self._ask(identifier, request, {"Prefer": "respond-async"})
        return identifier

    def look(self, identifier: str) -> Json:
        """Look how far a prediction is: its `status`, and its `place` while it waits.

        Of those that were started and have ended the server keeps the last 8, for 10 minutes.
        """
        told: Json = self._send("GET", f"/predictions/{identifier}").json()
        return told

    def wait(self, identifier: str) -> Json:
        """Look every second until a prediction has ended; returns it, with its pictures."""
        lost = 0
        while True:
            try:
                told, lost = self.look(identifier), 0
                if told["status"] in ENDS:
                    return check(told)
            except PlitkaError as fault:
                lost += 1
                if fault.status not in (404, None) or lost == MOST_LOST:
                    raise
            self._pause(POLL_SECONDS)

    def cancel(self, identifier: str) -> bool:
        """Cancel a prediction that waits or runs; False where there is none."""
        try:
            self._send("POST", f"/predictions/{identifier}/cancel")
        except PlitkaError as fault:
            if fault.status != 404:
                raise
            return False
        return True

    def _ask(
        self, identifier: str, request: Request, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Ask for a prediction, and again where there is no room or the connection is lost.

        With an id of one's own, a request that is repeated is not drawn twice at a time.
        """
        written = request if isinstance(request, str) else json.dumps(request)
        given = {"json": {"input": {"params_json": written}}, "headers": headers or {}}
        left, lost = self._patience, 0
        while True:
            try:
                return self._send("PUT", f"/predictions/{identifier}", **given)
            except PlitkaError as fault:
                lost += fault.status is None
                if fault.status not in (None, *BUSY) or lost == MOST_LOST or fault.pause > left:
                    raise
                left -= fault.pause
                self._pause(fault.pause)

    def _send(self, method: str, place: str, **given: Any) -> httpx.Response:
        """Send a request once. Raises PlitkaError. A stream is not read."""
        asked = self._client.build_request(method, place, **given)
        try:
            answer = self._client.send(asked, stream=True)
            if answer.is_error or "event-stream" not in answer.headers.get("Content-Type", ""):
                answer.read()
        except httpx.TransportError as error:
            raise PlitkaError(None, [f"{asked.url}: {error or 'no answer'}"]) from None
        if answer.is_error:
            pause = float(answer.headers.get("Retry-After", RETRY_SECONDS))
            raise PlitkaError(answer.status_code, list_faults(answer), pause)
        return answer


def new_id() -> str:
    """Make an id that nobody guesses: who knows it may look at the prediction, and cancel it."""
    return f"tile-{uuid.uuid4().hex}"


def read_events(lines: Iterable[str]) -> Iterator[tuple[str, Json]]:
    """Read server-sent events: name and data of each."""
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def check(prediction: Json) -> Json:
    """Give a prediction back that succeeded; else raise PlitkaError with the faults alone."""
    if prediction["status"] != "succeeded":
        error = str(prediction.get("error", prediction["status"]))
        told = error.partition("ValueError: ")[2] or error
        raise PlitkaError(200, told.splitlines())
    return prediction


def list_faults(answer: httpx.Response) -> list[str]:
    """List the server's faults: where, and what is allowed."""
    try:
        return [f"{'.'.join(one['loc'])}: {one['msg']}" for one in answer.json()["detail"]]
    except (ValueError, KeyError, TypeError):  # of a proxy in between
        return [answer.text[:200]]


def save(picture: str, path: Path) -> None:
    """Write a PNG: of a data URI, or of its address where the server uploads pictures."""
    if picture.startswith("data:"):
        content = base64.b64decode(picture.partition(",")[2])
    else:
        content = httpx.get(picture, follow_redirects=True).raise_for_status().content
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def main() -> None:
    """Make a tile in one of three ways, and save its pictures."""
    parser = argparse.ArgumentParser(description="Make a tile over HTTP.")
    parser.add_argument("request", help="a sentence, or JSON")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--server", default="http://127.0.0.1:5000")
    parser.add_argument("--way", choices=("sync", "stream", "async"), default="sync")
    options = parser.parse_args()
    plitka = Plitka(options.server)
    try:
        if options.way == "stream":
            pictures: Iterable[tuple[str, str]] = plitka.stream(options.request)
        elif options.way == "async":
            done = plitka.wait(plitka.start(options.request))
            pictures = zip(PICTURES, done["output"], strict=True)
        else:
            pictures = zip(PICTURES, plitka.make(options.request)["output"], strict=True)
        for name, picture in pictures:
            save(picture, options.out / f"{name}.png")
            print(options.out / f"{name}.png", flush=True)
    except PlitkaError as fault:
        raise SystemExit(str(fault)) from None


if __name__ == "__main__":
    main()
