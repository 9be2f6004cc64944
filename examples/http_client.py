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
RETRY_SECONDS = 10.0  # where the server does not say when to come again


class PlitkaError(Exception):
    """A request that was refused, or that no picture came of; the message is the server's."""


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
        """Wait for all pictures; returns the prediction, with `output` and `metrics`."""
        return check(json.loads(self._ask(new_id(), request).read()))

    def stream(self, request: Request) -> Iterator[tuple[str, str]]:
        """Give each picture as soon as it is ready: what it shows, and the picture itself.

        Who stops reading cancels the prediction.
        """
        with closing(self._ask(new_id(), request, {"Accept": "text/event-stream"})) as answer:
            names = iter(PICTURES)
            for event, data in read_events(answer.iter_lines()):
                if event == "output":
                    yield next(names), data["chunk"]
                elif event == "completed":
                    check(data)

    def start(self, request: Request) -> str:
        """Have pictures made without waiting for them; returns the prediction's id."""
        identifier = new_id()
        self._ask(identifier, request, {"Prefer": "respond-async"}).read()
        return identifier

    def look(self, identifier: str) -> Json:
        """Look how far a prediction is: its `status`, and its `place` while it waits.

        Of those that were started and have ended the server keeps the last 8, for 10 minutes.
        """
        answer = self._client.get(f"/predictions/{identifier}")
        if not answer.is_success:
            raise PlitkaError(describe(answer))
        told: Json = answer.json()
        return told

    def wait(self, identifier: str) -> Json:
        """Look every second until a prediction has ended; returns it, with its pictures."""
        while (told := self.look(identifier))["status"] not in ENDS:
            self._pause(POLL_SECONDS)
        return check(told)

    def cancel(self, identifier: str) -> bool:
        """Cancel a prediction that waits or runs; False where there is none."""
        answer = self._client.post(f"/predictions/{identifier}/cancel")
        if not answer.is_success and answer.status_code != 404:
            raise PlitkaError(describe(answer))
        return answer.is_success

    def _ask(
        self, identifier: str, request: Request, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Ask for a prediction, and again while there is no room; the answer is not yet read.

        With an id of one's own, a request that is repeated is not drawn twice at a time.
        """
        written = request if isinstance(request, str) else json.dumps(request)
        body = {"input": {"params_json": written}}
        left = self._patience
        while True:
            asked = self._client.build_request(
                "PUT", f"/predictions/{identifier}", json=body, headers=headers
            )
            answer = self._client.send(asked, stream=True)
            if answer.is_success:
                return answer
            answer.read()
            seconds = float(answer.headers.get("Retry-After", RETRY_SECONDS))
            if answer.status_code not in BUSY or seconds > left:
                raise PlitkaError(describe(answer))
            self._pause(seconds)
            left -= seconds


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
        raise PlitkaError(error.partition("ValueError: ")[2] or error)
    return prediction


def describe(answer: httpx.Response) -> str:
    """Write the server's errors, a line for each: where, and what is allowed."""
    try:
        faults = answer.json()["detail"]
        told = [f"{'.'.join(fault['loc'])}: {fault['msg']}" for fault in faults]
    except (ValueError, KeyError, TypeError):  # of a proxy in between
        told = [answer.text[:200]]
    return "\n".join([f"HTTP {answer.status_code}", *told])


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
