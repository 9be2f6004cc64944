"""The gate's routes: what is passed on to Cog's server, and what comes back."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp
from aiohttp import web

from plitka.runtime.memory import trim_heap
from plitka.serving import cogs_folders, probes
from plitka.serving.answers import Connection, Refusal, to_response
from plitka.serving.connections import Connections
from plitka.serving.request_checks import (
    Json,
    check_identifier,
    check_request,
    decode_content,
    refuse_size,
)
from plitka.serving.webhook_relay import WebhookRelay
from plitka.serving.work_kind import PREDICTIONS, REFUSED, TRAININGS, WorkKind

BODY_SECONDS = PREDICTIONS.body_seconds
ANSWER_SECONDS = 6.0  # in which Cog has to answer what is no prediction; probes wait no longer
STALL_SECONDS = 600.0

_MOST_READERS = 8  # of one prediction; for each its pictures may be held, 5 MB
_MOST_ANSWERS = 32  # under way; the one that has not been read for longest gives way
_PIECE = 2**16  # bytes
_THREAD_SECONDS = 3.0  # that the disk and the system may take for what is done at once
_WEBHOOK_SECONDS = 3.0  # that webhooks have to be called after that
_POLL_SECONDS = 0.05
_TRIM_SECONDS = 60.0
_GRACE_SECONDS = 5.0  # that a running prediction has to end after SIGTERM; then it is cancelled
_REQUEST_HEADERS = ("Accept", "Prefer", "traceparent", "tracestate")
_RESPONSE_HEADERS = ("Content-Type", "Cache-Control")
_JSON, _EVENTS = "application/json", "text/event-stream"
# Who asks again for a prediction that runs is told of its start each time, be it stuck or not.
_PROGRESS = re.compile(rb"^event: (?!start$)", re.MULTILINE)
_GONE = "Cog's server ended before its answer was whole; ask again once /ready answers 200"
_STATUSES = {
    "STARTING": "the engine is being loaded",
    "UNREACHABLE": f"Cog's server does not answer, or not within {ANSWER_SECONDS:.0f} seconds",
    "SETUP_FAILED": "the engine could not be loaded; setup.logs of /health-check says why",
    "UNHEALTHY": "the worker has died, or user_healthcheck_error of /health-check says why",
}

Answer = TypeVar("Answer")


@dataclass
class Gateway:
    """Passes requests on to Cog's server at `address`.

    pid: of Cog's server, 0 before it is started. webhook_hosts: that requests may name in
    `webhook`, in their normal form. relay: the way of webhooks. stalled_after: seconds that a
    prediction may make no progress. kind: what Cog's server does. file_hosts: from which requests
    may let it fetch files, in their normal form.
    """

    address: str
    webhook_hosts: Collection[str] = ()
    relay: WebhookRelay = field(default_factory=WebhookRelay)
    stalled_after: float = STALL_SECONDS
    pid: int = 0
    kind: WorkKind = PREDICTIONS
    file_hosts: Collection[str] = ()
    _running: Counter[str] = field(default_factory=Counter)  # ids, and their responses under way
    _latest: str | None = None  # the last id that Cog took to run without a connection
    _removals: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)  # of folders, by id
    _events: int = 0  # of predictions that Cog runs, seen in their responses
    _receiving: int = 0  # requests whose bodies are on their way
    _checks: int = 0  # requests that cost the worker: health checks, and cancels
    _measuring: "asyncio.Task[probes.Work | Refusal] | None" = None
    _prober: Executor = field(
        default_factory=lambda: ThreadPoolExecutor(1)
    )  # predictions have another

    def make_app(self) -> web.Application:
        """Make the server, with all its routes."""
        self._progress = probes.Progress(self.stalled_after)
        self._readers = Connections(_MOST_ANSWERS)
        app = web.Application(client_max_size=self.kind.max_body)
        app.cleanup_ctx.append(self._connect)
        app.on_shutdown.append(self._end_predictions)
        app.add_routes(
            [
                web.get("/", self._pass_on),
                web.get("/openapi.json", self._pass_on),
                web.get("/health-check", self._pass_on),
                web.get("/live", self._answer_live),
                web.get("/ready", self._answer_ready),
            ]
        )
        for kind in (PREDICTIONS, TRAININGS):
            place = f"/{kind.plural}"
            run, cancel = (
                (self._run, self._cancel) if kind is self.kind else (self._refuse, self._refuse)
            )
            app.add_routes(
                [
                    web.post(place, run),
                    web.put(f"{place}/{{id}}", run),
                    web.post(f"{place}/{{id}}/cancel", cancel),
                ]
            )
        return app

    async def _refuse(self, request: web.Request) -> web.Response:
        """Refuse what this server does not do: Cog's would do it all the same, and wrongly."""
        other = request.path.split("/")[1]
        refusal = to_response(Refusal(404, ("path",), REFUSED[other]))
        refusal.force_close()  # its body may be large, and nobody reads it
        return refusal

    async def _connect(self, app: web.Application) -> AsyncIterator[None]:
        """Keep the client session for as long as the server runs."""
        timeout = aiohttp.ClientTimeout(total=None, connect=ANSWER_SECONDS)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            self._session = session
            trimming = asyncio.create_task(_trim_regularly())
            yield
            trimming.cancel()

    # Predictions, or trainings

    async def _run(self, request: web.Request) -> web.StreamResponse:
        body = await self._read_body(request)
        if "webhook" in body:
            body["webhook"] = self.relay.wrap(body["webhook"])
        identifier = str(body["id"])
        if self._running[identifier] >= _MOST_READERS:
            message = f"{_MOST_READERS} clients wait for this {self.kind.name} already"
            raise Refusal(429, self.kind.place, message)
        await _in_thread(None, cogs_folders.check_prediction, identifier)
        while (removal := self._removals.get(identifier)) is not None:
            await asyncio.shield(removal)
        self._running[identifier] += 1
        has_ended = False
        client = request.protocol
        assert isinstance(client, Connection)
        self._readers.admit(client)
        try:
            response = await self._stream(request, identifier, json.dumps(body).encode())
            has_ended = response.status == 200
            return response
        finally:
            self._readers.remove(client)
            self._running[identifier] -= 1
            self._running += Counter()  # without those of zero
            if has_ended and identifier not in self._running:
                removal = asyncio.create_task(self._remove_folders(identifier))
                self._removals[identifier] = removal

    async def _remove_folders(self, identifier: str) -> None:
        """Remove the folders that Cog has made, or a flood would use up a disk's inodes.

        Nobody asks Cog for another prediction of this id meanwhile, for which it makes them anew.
        """
        try:
            with suppress(Refusal):
                await _in_thread(None, cogs_folders.remove_folders, identifier)
        finally:
            del self._removals[identifier]

    async def _read_body(self, request: web.Request) -> Json:
        """Read and check a request's body. Raises Refusal."""
        if self.kind.most_bodies is not None and self._receiving >= self.kind.most_bodies:
            message = f"{self._receiving} requests are being received already; ask again later"
            raise Refusal(503, ("server",), message)
        self._receiving += 1
        try:
            content = await _read_content(request, self.kind)
        finally:
            self._receiving -= 1
        encoding = request.headers.get("Content-Encoding", "")
        identifier = request.match_info.get("id")

        def check() -> Json:
            decoded = decode_content(content, encoding, self.kind.max_body)
            return check_request(
                decoded, identifier, self.webhook_hosts, self.kind, self.file_hosts
            )

        if len(content) < PREDICTIONS.max_body:
            return check()
        return await asyncio.to_thread(check)  # photographs take a second, in which probes wait

    async def _stream(
        self, request: web.Request, identifier: str, body: bytes
    ) -> web.StreamResponse:
        """Pass a prediction on, and its response back while it comes."""
        headers = {
            name: request.headers[name] for name in _REQUEST_HEADERS if name in request.headers
        }
        try:
            received = await self._session.request(
                request.method,
                f"{self.address}{request.path}",
                data=body,
                headers={**headers, "Content-Type": _JSON},
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _refuse_for(error) from None
        async with received:
            if received.status == 202:
                self._latest = identifier
            if received.content_type not in (_JSON, _EVENTS):
                raise await _refuse_answer(received)
            response = web.StreamResponse(status=received.status, headers=_keep_headers(received))
            await response.prepare(request)
            async for piece in self._read_pieces(received, identifier):
                for start in range(0, len(piece), _PIECE):  # or all of it waits in memory
                    await response.write(piece[start : start + _PIECE])
            await response.write_eof()
            return response

    async def _read_pieces(
        self, received: aiohttp.ClientResponse, identifier: str
    ) -> AsyncIterator[bytes]:
        """Read a response; of a stream of events whole ones, the last of them `completed`.

        Raises ConnectionResetError for another response that is cut: so is the client's.
        """
        is_stream = received.content_type == _EVENTS
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
                    self._events += len(_PROGRESS.findall(piece))
                    yield piece
        except aiohttp.ClientError:
            if not is_stream:
                raise ConnectionResetError(_GONE) from None
        self._events += not is_stream and received.status == 200  # a prediction has ended
        if is_stream and not is_complete:
            ended = {"id": identifier, "status": "failed", "error": _GONE}
            yield f"event: completed\ndata: {json.dumps(ended)}\n\n".encode()

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        place = self.kind.place
        identifier = check_identifier(request.match_info["id"], self.kind, place)
        path = f"/{self.kind.plural}/{identifier}/cancel"
        status, content, headers = await self._ask("POST", path)
        if status == 404:
            raise Refusal(404, place, f"no {self.kind.name} of this id is running")
        return web.Response(status=status, body=content, headers=headers)

    # What is answered at once

    async def _pass_on(self, request: web.Request) -> web.Response:
        status, content, headers = await self._ask("GET", request.path)
        return web.Response(status=status, body=content, headers=headers)

    async def _ask(self, method: str, path: str) -> tuple[int, bytes, dict[str, str]]:
        """Ask Cog; returns status, content and headers of its answer. Raises Refusal."""
        self._checks += path not in ("/", "/openapi.json")
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                self._session.request(method, f"{self.address}{path}") as received,
            ):
                if received.content_type != _JSON and received.status != 404:
                    raise await _refuse_answer(received)
                return received.status, await received.read(), _keep_headers(received)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _refuse_for(error) from None

    async def _answer_live(self, request: web.Request) -> web.Response:
        """Answer a liveness probe: 503 if only a restart would help."""
        status, fault = await self._examine()
        return _answer_probe(status, status not in probes.DEAD, fault)

    async def _answer_ready(self, request: web.Request) -> web.Response:
        """Answer a readiness probe: 200 if a prediction would be accepted, now or after another."""
        status, fault = await self._examine()
        return _answer_probe(status, status in probes.READY, fault)

    async def _examine(self) -> tuple[str, Refusal | None]:
        """Find the status in Cog's health check, and what keeps it from going on."""
        status, work = await asyncio.gather(self._fetch_status(), self._measure())
        if isinstance(work, Refusal):
            return status, work
        stall = self._progress.find_stall(status == "BUSY", work)
        if stall is None:
            return status, None
        message = f"busy for {stall:.0f} s without progress; the worker hangs, and a restart helps"
        return status, Refusal(503, ("server",), message)

    async def _fetch_status(self) -> str:
        """Fetch the status in Cog's health check; UNREACHABLE if the server does not answer."""
        try:
            return str(json.loads((await self._ask("GET", "/health-check"))[1])["status"])
        except (Refusal, ValueError, KeyError, TypeError):
            return "UNREACHABLE"

    async def _measure(self) -> probes.Work | Refusal:
        """Try the disk, and measure what Cog's processes have done; returns what is wrong.

        Probes that come meanwhile share it, so that a flood of them does not slow it down.
        """
        if self._measuring is None or self._measuring.done():
            self._measuring = asyncio.create_task(self._measure_once())
        return await asyncio.shield(self._measuring)

    async def _measure_once(self) -> probes.Work | Refusal:
        def measure() -> probes.Work:
            cogs_folders.check_disk()
            return probes.measure_work(self.pid, self._events, self._checks)

        try:
            return await _in_thread(self._prober, measure)
        except Refusal as fault:
            return fault

    async def _end_predictions(self, app: web.Application) -> None:
        """At SIGTERM: give running predictions _GRACE_SECONDS, then cancel them."""
        if self._running or await self._runs_unseen():
            await _wait_until(self._has_none_left, _GRACE_SECONDS)
        is_unseen = self._latest is not None  # and its webhook is to hear of its end
        latest = {self._latest} if self._latest else set()
        cancels = [
            f"/{self.kind.plural}/{identifier}/cancel" for identifier in latest.union(self._running)
        ]
        asked = await asyncio.gather(
            *(self._ask("POST", path) for path in cancels), return_exceptions=True
        )
        for fault in asked:
            if isinstance(fault, BaseException) and not isinstance(fault, Refusal):
                raise fault
        if is_unseen:
            await _wait_until(self._has_none_left, _WEBHOOK_SECONDS)
            await _wait_until(self.relay.is_quiet, _WEBHOOK_SECONDS)

    async def _has_none_left(self) -> bool:
        return not self._running and not await self._runs_unseen()

    async def _runs_unseen(self) -> bool:
        """Whether the prediction that Cog took to run without a connection still does."""
        return self._latest is not None and await self._fetch_status() == "BUSY"


async def _trim_regularly() -> None:
    """Give back what requests took: without it, the most that they have taken stays."""
    while True:
        await asyncio.sleep(_TRIM_SECONDS)
        await asyncio.to_thread(trim_heap)


async def _wait_until(happens: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Poll until something happens, or give up after some seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not await happens():
                await asyncio.sleep(_POLL_SECONDS)


async def _read_content(request: web.Request, kind: WorkKind) -> bytes:
    """Read a request's body as it was sent. Raises Refusal."""
    seconds = BODY_SECONDS if kind is PREDICTIONS else kind.body_seconds
    try:
        async with asyncio.timeout(seconds):
            return await request.read()
    except TimeoutError:
        message = f"did not arrive within {seconds:.0f} seconds"
        raise Refusal(408, ("body",), message) from None
    except web.HTTPRequestEntityTooLarge:
        raise refuse_size(kind.max_body) from None
    except (aiohttp.http_exceptions.HttpProcessingError, web.RequestPayloadError):
        raise Refusal(400, ("body",), "cut, or not coded as its headers say") from None


async def _in_thread(
    executor: Executor | None, function: Callable[..., Answer], *arguments: Any
) -> Answer:
    """Run what waits for the system beside the event loop. Raises Refusal if it takes too long."""
    running = asyncio.get_running_loop().run_in_executor(executor, function, *arguments)
    try:
        return await asyncio.wait_for(running, _THREAD_SECONDS)
    except TimeoutError:
        message = f"{cogs_folders.COGS_FOLDERS}: its disk does not answer"
        raise Refusal(503, ("server",), message) from None


def _refuse_for(error: Exception) -> Refusal:
    """Say why Cog has given no answer."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return Refusal(503, ("server",), "Cog's server is not there (yet)")
    if isinstance(error, TimeoutError):
        message = f"Cog's server does not answer within {ANSWER_SECONDS:.0f} seconds"
        return Refusal(504, ("server",), message)
    return Refusal(502, ("server",), _GONE)


async def _refuse_answer(received: aiohttp.ClientResponse) -> Refusal:
    """Put what Cog says in plain text into its form of JSON."""
    if received.status < 400:
        return Refusal(502, ("server",), f"Cog's server answers {received.content_type}, no JSON")
    try:
        return Refusal(received.status, ("body",), await received.text(errors="replace"))
    except aiohttp.ClientError as error:
        return _refuse_for(error)


def _keep_headers(received: aiohttp.ClientResponse) -> dict[str, str]:
    return {name: received.headers[name] for name in _RESPONSE_HEADERS if name in received.headers}


def _answer_probe(status: str, is_well: bool, fault: Refusal | None) -> web.Response:
    if is_well and fault is None:
        return web.json_response({"status": status})
    message = _STATUSES.get(status, "see /health-check")
    refusal = fault or Refusal(503, ("server",), message)
    return web.json_response({"status": status, **refusal.body}, status=503)
