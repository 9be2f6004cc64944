"""Cog's server as the gate asks it: what it is asked, what it answers, and why it does not."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from plitka.serving.answers import Refusal

ANSWER_SECONDS = 6.0  # in which Cog has to answer what is no prediction; probes wait no longer
JSON, EVENTS = "application/json", "text/event-stream"
STREAM_HEADERS = {"Content-Type": EVENTS, "Cache-Control": "no-cache"}
GONE = "Cog's server ended before its answer was whole; ask again once /ready answers 200"

_RESPONSE_HEADERS = ("Content-Type", "Cache-Control")
# Who asks again for a prediction that runs is told of its start each time, be it stuck or not.
_PROGRESS = re.compile(rb"^event: (?!start$)", re.MULTILINE)


@dataclass
class Cog:
    """Cog's server at an address.

    events: of predictions that it runs, seen in its answers. checks: requests that cost the worker,
    which are health checks and cancels.
    """

    address: str
    events: int = 0
    checks: int = 0

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[None]:
        """Keep the client session."""
        timeout = aiohttp.ClientTimeout(total=None, connect=ANSWER_SECONDS)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            self._session = session
            yield

    async def ask(self, method: str, path: str) -> tuple[int, bytes, dict[str, str]]:
        """Ask what is answered at once; returns status, content, headers. Raises Refusal."""
        self.checks += path not in ("/", "/openapi.json")
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                self._session.request(method, f"{self.address}{path}") as received,
            ):
                if received.content_type != JSON and received.status != 404:
                    raise await _refuse_answer(received)
                return received.status, await received.read(), keep_headers(received)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _refuse_for(error) from None

    async def fetch_status(self) -> str:
        """Fetch the status in the health check; UNREACHABLE if the server does not answer."""
        try:
            return str(json.loads((await self.ask("GET", "/health-check"))[1])["status"])
        except (Refusal, ValueError, KeyError, TypeError):
            return "UNREACHABLE"

    async def begin(
        self, method: str, path: str, content: bytes, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        """Ask for a prediction; returns the answer as soon as it begins. Raises Refusal."""
        try:
            received = await self._session.request(
                method,
                f"{self.address}{path}",
                data=content,
                headers={**headers, "Content-Type": JSON},
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _refuse_for(error) from None
        if received.content_type not in (JSON, EVENTS):
            async with received:
                raise await _refuse_answer(received)
        return received

    async def read_pieces(
        self, received: aiohttp.ClientResponse, identifier: str
    ) -> AsyncIterator[bytes]:
        """Read an answer; of a stream of events whole ones, the last of them `completed`.

        Raises ConnectionResetError for another answer that is cut: so is the client's.
        """
        is_stream = received.content_type == EVENTS
        rest = bytearray()
        is_complete = False
        try:
            async for chunk in received.content.iter_any():
                if not is_stream:
                    yield chunk
                    continue
                # Only the new bytes and the one before them can hold the end of an event.
                begin = max(len(rest) - 1, 0)
                rest += chunk
                end = rest.rfind(b"\n\n", begin) + 2
                if end > 1:
                    piece = bytes(rest[:end])
                    del rest[:end]
                    is_complete = is_complete or b"event: completed\n" in piece
                    self.events += len(_PROGRESS.findall(piece))
                    yield piece
        except aiohttp.ClientError:
            if not is_stream:
                raise ConnectionResetError(GONE) from None
        self.events += not is_stream and received.status == 200  # a prediction has ended
        if is_stream and not is_complete:
            yield write_event("completed", {"id": identifier, "status": "failed", "error": GONE})


def write_event(name: str, content: object) -> bytes:
    """Write an event of a stream as Cog does."""
    return f"event: {name}\ndata: {json.dumps(content)}\n\n".encode()


def keep_headers(received: aiohttp.ClientResponse) -> dict[str, str]:
    """Keep the headers of an answer that are handed on."""
    return {name: received.headers[name] for name in _RESPONSE_HEADERS if name in received.headers}


def _refuse_for(error: Exception) -> Refusal:
    """Say why Cog has given no answer."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return Refusal(503, ("server",), "Cog's server is not there (yet)")
    if isinstance(error, TimeoutError):
        message = f"Cog's server does not answer within {ANSWER_SECONDS:.0f} seconds"
        return Refusal(504, ("server",), message)
    return Refusal(502, ("server",), GONE)


async def _refuse_answer(received: aiohttp.ClientResponse) -> Refusal:
    """Put what Cog says in plain text into its form of JSON."""
    if received.status < 400:
        return Refusal(502, ("server",), f"Cog's server answers {received.content_type}, no JSON")
    try:
        return Refusal(received.status, ("body",), await received.text(errors="replace"))
    except aiohttp.ClientError as error:
        return _refuse_for(error)
