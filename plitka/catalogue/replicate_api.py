"""Replicate's API for predictions of a deployment: https://replicate.com/docs/reference/http.

Its rate limits are kept: after a 429 nobody asks before its Retry-After has passed. What failed on
the way is asked again; a prediction is created once, also where its answer was lost.
"""

import base64
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from plitka.errors import EngineError
from plitka.images.png import MAX_PNG_BYTES

ADDRESS = "https://api.replicate.com"

_HOST = re.compile(r"(?:[\w-]+\.)*replicate\.(?:com|delivery)", re.ASCII)  # keeps the outputs
_OWN_HOSTS = ("localhost", "127.0.0.1", "::1")  # which no proxy can reach
_ID = re.compile(r"[A-Za-z0-9]{1,64}")
_ATTEMPTS = 6  # at a request that fails on the way, or by a fault of the server
_LONGEST_WAIT = 60.0  # seconds before it is asked again
_TIMEOUT = httpx.Timeout(10, read=60)
_PREFIX = "data:image/png;base64,"
_ENDED = ("succeeded", "failed", "canceled", "aborted")
_LOST = (502, 504)  # it may have got through


class Stopped(Exception):
    """The run has ended; nobody waits any more."""


class Refused(Exception):
    """The server refuses a request; the message says what to do. It would refuse all of them."""


@dataclass(frozen=True)
class Server:
    """Replicate's API, or one like it. token: its bearer token."""

    address: str
    token: str = field(repr=False)


class Api:
    """Asks about the predictions of one deployment; for several threads.

    poll_seconds: between two looks at a prediction that runs; what failed on the way is asked
    again after as long, and twice as long each further time.
    """

    def __init__(self, server: Server, deployment: str, poll_seconds: float = 1.0) -> None:
        self._deployment = deployment
        self._poll_seconds = poll_seconds
        proxied = httpx.URL(server.address).host not in _OWN_HOSTS
        self._client = httpx.Client(
            base_url=server.address,
            headers={"Authorization": f"Bearer {server.token}"},
            timeout=_TIMEOUT,
            trust_env=proxied,
        )
        self._outside = httpx.Client(timeout=_TIMEOUT, trust_env=proxied)  # which knows no token
        self._stopped = threading.Event()
        self._rate = threading.Lock()
        self._not_before = 0.0  # by the clock of time.monotonic

    def stop(self) -> None:
        """Let all that wait raise Stopped."""
        self._stopped.set()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._outside.close()

    def create(self, params_json: str) -> dict[str, Any]:
        """Create a prediction. Where its answer is lost, it is looked for before another is made.

        Raises Refused, EngineError, Stopped.
        """
        path = f"/v1/deployments/{self._deployment}/predictions"
        body = {"input": {"params_json": params_json}}
        answer = self._ask("POST", path, body, lambda: self._find(params_json))
        return answer if isinstance(answer, dict) else _read_prediction(answer)

    def get(self, identifier: str) -> dict[str, Any] | None:
        """Get a prediction; None where it is not there any more."""
        if not _ID.fullmatch(identifier):
            return None
        answer = self._ask("GET", f"/v1/predictions/{identifier}")
        assert isinstance(answer, httpx.Response), "nothing was looked for"
        return None if answer.status_code == httpx.codes.NOT_FOUND else _read_prediction(answer)

    def follow(self, prediction: dict[str, Any]) -> dict[str, Any]:
        """Wait until a prediction has ended."""
        while prediction["status"] not in _ENDED:
            self._wait(self._poll_seconds)
            now = self.get(prediction["id"])
            if now is None:
                raise EngineError(f"prediction {prediction['id']}: is not there any more")
            prediction = now
        return prediction

    def fetch(self, uri: str) -> bytes:
        """Fetch an output: a data URI, or an address of the server's or Replicate's own."""
        if uri.startswith(_PREFIX):
            return base64.b64decode(uri[len(_PREFIX) :])
        address = self._client.base_url.join(uri)
        own = (address.scheme, address.netloc) == (
            self._client.base_url.scheme,
            self._client.base_url.netloc,
        )
        if not own and (address.scheme != "https" or not _HOST.fullmatch(address.host)):
            raise EngineError(f"an output at {address.host!r}, which is not a host of Replicate's")
        answer = self._retry(lambda: self._outside.get(address))
        if answer.status_code != httpx.codes.OK:
            raise EngineError(f"an output that is not there (HTTP {answer.status_code})")
        if len(answer.content) > MAX_PNG_BYTES:
            raise EngineError(f"an output of more than {MAX_PNG_BYTES:,} bytes")
        return answer.content

    def _find(self, params_json: str) -> dict[str, Any] | None:
        """Find the latest prediction of a request that has not failed, among the last hundred."""
        answer = self._retry(lambda: self._client.get("/v1/predictions"))
        results = answer.json().get("results") if answer.is_success else None
        for prediction in results if isinstance(results, list) else []:
            given = prediction.get("input") or {}
            failed = prediction.get("status") in ("failed", "canceled", "aborted")
            if given.get("params_json") == params_json and not failed:
                return self.get(str(prediction.get("id", "")))
        return None

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        find: Callable[[], dict[str, Any] | None] = lambda: None,
    ) -> httpx.Response | dict[str, Any]:
        """Ask the API. find: looks for what a request has made whose answer was lost.

        Raises Refused where all requests would be refused.
        """
        found: list[dict[str, Any]] = []

        def look_first() -> bool:
            there = find()
            found.extend([] if there is None else [there])
            return there is not None

        answer = self._retry(lambda: self._client.request(method, path, json=body), look_first)
        if found:
            return found[0]
        if answer.status_code in (401, 403):
            raise Refused("Replicate refuses the token; see REPLICATE_API_TOKEN")
        if answer.status_code == httpx.codes.NOT_FOUND and method == "POST":
            raise Refused(f"Replicate has no deployment {self._deployment}, or not for this token")
        if answer.is_client_error and answer.status_code != httpx.codes.NOT_FOUND:
            raise EngineError(f"Replicate refuses the request (HTTP {answer.status_code})")
        return answer

    def _retry(
        self, ask: Callable[[], httpx.Response], is_done: Callable[[], bool] = lambda: False
    ) -> httpx.Response:
        """Ask until there is an answer that is none of a server in trouble.

        is_done: whether a request whose answer was lost has done what it should all the same.
        """
        wait = self._poll_seconds
        attempt = 0
        while attempt < _ATTEMPTS:
            self._wait(self._not_before - time.monotonic())
            try:
                answer = ask()
            except httpx.TransportError as fault:
                why, lost = str(fault) or type(fault).__name__, True
            else:
                if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
                    self._keep_away(_read_seconds(answer.headers.get("Retry-After"), wait))
                    continue  # as often as it says so
                if not answer.is_server_error:
                    return answer
                why, lost = f"HTTP {answer.status_code}", answer.status_code in _LOST
            attempt += 1
            self._wait(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
            if lost and is_done():
                return httpx.Response(httpx.codes.OK)
        raise EngineError(f"Replicate cannot be reached ({why})")

    def _keep_away(self, seconds: float) -> None:
        """Let nobody ask before so many seconds have passed."""
        with self._rate:
            self._not_before = max(self._not_before, time.monotonic() + seconds)

    def _wait(self, seconds: float) -> None:
        if self._stopped.wait(max(seconds, 0)):
            raise Stopped


def _read_seconds(header: str | None, default: float) -> float:
    """Read Retry-After as seconds; the default for none, and for a date."""
    if header is None or not re.fullmatch(r"\d{1,5}", header.strip(), re.ASCII):
        return default
    return float(header)


def _read_prediction(answer: httpx.Response) -> dict[str, Any]:
    """Read a prediction. Raises EngineError for any other answer."""
    try:
        prediction = answer.json()
    except ValueError:
        prediction = None
    if (
        not answer.is_success
        or not isinstance(prediction, dict)
        or not isinstance(prediction.get("status"), str)
        or not _ID.fullmatch(str(prediction.get("id", "")))
    ):
        raise EngineError(f"Replicate's answer is not a prediction (HTTP {answer.status_code})")
    return prediction
