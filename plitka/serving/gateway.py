"""The gateway: a small HTTP server in front of Cog's own, for requests that strangers send.

    python -m plitka.serving.gateway --port 5000

starts Cog's server on a port that only this machine reaches, and passes valid requests for
predictions on to it. Cog 0.23.1 alone accepts more than that: it makes folders at the path that an
`id` names, an `id` that is no folder name stops it for good, it calls any address that is a
`webhook`, and anybody may POST /shutdown. The gateway also answers probes by HTTP status, and puts
the prediction's id into its context, for the log.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from plitka.serving import cog_process, cogs_folders, probes
from plitka.serving.answers import Connection, Refusal, answer_errors
from plitka.serving.cog_process import StartError
from plitka.serving.request_checks import (
    MAX_BODY,
    check_identifier,
    check_request,
    decode_content,
    refuse_size,
)
from plitka.serving.webhook_address import AddressError, parse_allowed_host
from plitka.settings import Settings, read_settings

ONE_HEAP = {"MALLOC_ARENA_MAX": "1"}
"""Environment that makes all threads of Cog's server and of its worker share one heap of the C
library. Of a heap of its own for each, up to 64 MiB stay allocated, trimmed or not. cog.yaml has
the same."""

BODY_SECONDS = 60.0  # in which a request's body has to arrive
ANSWER_SECONDS = 6.0  # in which Cog has to answer what is no prediction; probes wait no longer

_GRACE_SECONDS = 5.0  # that a running prediction has to end after SIGTERM; then it is cancelled
_EXIT_SECONDS = 5.0  # that responses then have to end
_STALL_SECONDS = 600.0
_REQUEST_HEADERS = ("Accept", "Prefer", "traceparent", "tracestate")
_RESPONSE_HEADERS = ("Content-Type", "Cache-Control")
_JSON, _EVENTS = "application/json", "text/event-stream"
_GONE = "Cog's server ended before its answer was whole; ask again once /ready answers 200"
_STATUSES = {
    "STARTING": "the engine is being loaded",
    "UNREACHABLE": f"Cog's server does not answer, or not within {ANSWER_SECONDS:.0f} seconds",
    "SETUP_FAILED": "the engine could not be loaded; setup.logs of /health-check says why",
    "UNHEALTHY": "the worker has died, or user_healthcheck_error of /health-check says why",
}


@dataclass
class Gateway:
    """Passes requests on to Cog's server at `address`.

    pid: of Cog's server, 0 before it is started. webhook_hosts: that requests may name in
    `webhook`, in their normal form. stalled_after: seconds that a prediction may make no progress.
    """

    address: str
    webhook_hosts: Collection[str] = ()
    stalled_after: float = _STALL_SECONDS
    pid: int = 0
    _running: set[str] = field(default_factory=set)  # ids whose response is still under way
    _latest: str | None = None  # the last id passed on, which may run without a connection
    _passed: int = 0  # events of predictions: begun, ended, and pieces of their responses
    _checks: int = 0  # health checks that Cog was asked for

    def make_app(self) -> web.Application:
        """Make the server, with all its routes."""
        self._progress = probes.Progress(self.stalled_after)
        app = web.Application(client_max_size=MAX_BODY)
        app.cleanup_ctx.append(self._connect)
        app.on_shutdown.append(self._end_predictions)
        app.add_routes(
            [
                web.get("/", self._pass_on),
                web.get("/openapi.json", self._pass_on),
                web.get("/health-check", self._pass_on),
                web.get("/live", self._answer_live),
                web.get("/ready", self._answer_ready),
                web.post("/predictions", self._predict),
                web.put("/predictions/{id}", self._predict),
                web.post("/predictions/{id}/cancel", self._cancel),
            ]
        )
        return app

    async def _connect(self, app: web.Application) -> AsyncIterator[None]:
        """Keep the client session for as long as the server runs."""
        timeout = aiohttp.ClientTimeout(total=None, connect=ANSWER_SECONDS)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            self._session = session
            yield

    # Predictions

    async def _predict(self, request: web.Request) -> web.StreamResponse:
        content = decode_content(
            await _read_content(request), request.headers.get("Content-Encoding", "")
        )
        body = check_request(content, request.match_info.get("id"), self.webhook_hosts)
        identifier = str(body["id"])
        await _in_thread(cogs_folders.make_folders, identifier)
        self._latest = identifier
        self._running.add(identifier)
        self._passed += 1
        try:
            return await self._stream(request, identifier, json.dumps(body).encode())
        finally:
            self._passed += 1
            self._running.discard(identifier)

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
            if received.content_type not in (_JSON, _EVENTS):
                raise await _refuse_answer(received)
            response = web.StreamResponse(status=received.status, headers=_keep_headers(received))
            await response.prepare(request)
            async for piece in self._read_pieces(received, identifier):
                await response.write(piece)
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
                    self._passed += 1
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
                    self._passed += not piece.startswith(b":")  # Cog's `: keep-alive` is none
                    yield piece
        except aiohttp.ClientError:
            if not is_stream:
                raise ConnectionResetError(_GONE) from None
        if is_stream and not is_complete:
            ended = {"id": identifier, "status": "failed", "error": _GONE}
            yield f"event: completed\ndata: {json.dumps(ended)}\n\n".encode()

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        identifier = check_identifier(request.match_info["id"])
        status, content, headers = await self._ask("POST", f"/predictions/{identifier}/cancel")
        if status == 404:
            raise Refusal(404, ("path", "prediction_id"), "no prediction of this id is running")
        return web.Response(status=status, body=content, headers=headers)

    # What is answered at once

    async def _pass_on(self, request: web.Request) -> web.Response:
        status, content, headers = await self._ask("GET", request.path)
        return web.Response(status=status, body=content, headers=headers)

    async def _ask(self, method: str, path: str) -> tuple[int, bytes, dict[str, str]]:
        """Ask Cog; returns status, content and headers of its answer. Raises Refusal."""
        self._checks += path == "/health-check"
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
        try:
            status = str(json.loads((await self._ask("GET", "/health-check"))[1])["status"])
        except (Refusal, ValueError, KeyError, TypeError):
            status = "UNREACHABLE"
        try:
            await _in_thread(cogs_folders.check_disk)
        except Refusal as fault:
            return status, fault
        work = await _in_thread(probes.measure_work, self.pid, self._passed, self._checks)
        stall = self._progress.find_stall(status == "BUSY", work)
        if stall is None:
            return status, None
        message = f"busy for {stall:.0f} s without progress; the worker hangs, and a restart helps"
        return status, Refusal(503, ("server",), message)

    async def _end_predictions(self, app: web.Application) -> None:
        """At SIGTERM: give running predictions _GRACE_SECONDS, then cancel them."""
        deadline = asyncio.get_running_loop().time() + _GRACE_SECONDS
        while self._running and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.05)
        latest = {self._latest} if self._latest else set()
        cancels = [f"/predictions/{identifier}/cancel" for identifier in self._running | latest]
        asked = await asyncio.gather(
            *(self._ask("POST", path) for path in cancels), return_exceptions=True
        )
        for fault in asked:
            if isinstance(fault, BaseException) and not isinstance(fault, Refusal):
                raise fault


async def _read_content(request: web.Request) -> bytes:
    """Read a request's body as it was sent. Raises Refusal."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        message = f"did not arrive within {BODY_SECONDS:.0f} seconds"
        raise Refusal(408, ("body",), message) from None
    except web.HTTPRequestEntityTooLarge:
        raise refuse_size() from None
    except (aiohttp.http_exceptions.HttpProcessingError, web.RequestPayloadError):
        raise Refusal(400, ("body",), "cut, or not coded as its headers say") from None


async def _in_thread(function: Any, *arguments: Any) -> Any:
    """Run what waits for the disk beside the event loop. Raises Refusal if it takes too long."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(function, *arguments), ANSWER_SECONDS)
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


async def serve(options: argparse.Namespace, settings: Settings) -> int:
    """Run Cog's server and the gateway until one of them ends.

    Returns the exit status: 0 after SIGTERM or SIGINT, 1 if Cog's server ended by itself. Raises
    StartError.
    """
    cog_process.raise_file_limit()
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    port = cog_process.find_free_port()
    gateway = Gateway(
        f"http://127.0.0.1:{port}", frozenset(options.webhook_host), options.stalled_after
    )
    runner = web.AppRunner(
        gateway.make_app(), handler_cancellation=True, shutdown_timeout=_EXIT_SECONDS
    )
    await runner.setup()
    listener = cog = None
    try:
        listener = await listen(runner, options.host, options.port)
        variables = {**ONE_HEAP, **settings.variables}
        cog = await cog_process.start_cog(port, options.upload_url, variables)
        gateway.pid = cog.pid
        host, bound = listener.sockets[0].getsockname()[:2]
        print(f"The gate listens on http://{host}:{bound}", flush=True)
        await asyncio.wait(
            [asyncio.create_task(cog.wait()), asyncio.create_task(stopped.wait())],
            return_when=asyncio.FIRST_COMPLETED,
        )
        if not stopped.is_set():
            print(cog_process.say_end(cog), file=sys.stderr, flush=True)
        return 0 if stopped.is_set() else 1
    finally:
        if listener is not None:
            listener.close()
        await runner.cleanup()
        if cog is not None:
            await cog_process.stop_cog(cog)


async def listen(runner: web.AppRunner, host: str, port: int) -> asyncio.Server:
    """Take connections for a server that is set up. Raises StartError."""
    server = runner.server
    assert server is not None
    server.request_handler = answer_errors(server.request_handler)
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(lambda: Connection(server, loop=loop), host, port)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"{host}:{port}: cannot listen there ({reason}); --host and --port say where"
        raise StartError(message) from None


def _read_port(text: str) -> int:
    """Read a port; 0 takes a free one."""
    if text.isdecimal() and text.isascii() and len(text) < 6 and int(text) < 65536:
        return int(text)
    message = f"got {text!r}; allowed: 0 to 65535, here or in the variable PORT"
    raise argparse.ArgumentTypeError(message)


def _read_host(text: str) -> str:
    try:
        return parse_allowed_host(text)
    except AddressError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None


def _read_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if 1 <= seconds <= 86400:
        return seconds
    raise argparse.ArgumentTypeError(f"got {text!r}; allowed: 1 to 86400 seconds")


def main() -> int:
    """Run the gateway with the arguments and settings of the process."""
    settings = read_settings()
    parser = argparse.ArgumentParser(
        prog="python -m plitka.serving.gateway",
        description="Serve Plitka: Cog's own server behind a gate that lets sound requests through",
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    parser.add_argument(
        "--port", type=_read_port, default=settings.port, help="default: PORT, 5000"
    )
    parser.add_argument("--upload-url", metavar="URL", help="where pictures go, with PUT")
    parser.add_argument(
        "--webhook-host",
        action="append",
        type=_read_host,
        default=[],
        metavar="HOST",
        help="a host that requests may name as webhook; repeat for each",
    )
    parser.add_argument(
        "--stalled-after",
        type=_read_seconds,
        default=_STALL_SECONDS,
        metavar="SECONDS",
        help=f"that a prediction may make no progress before /live says 503; default:"
        f" {_STALL_SECONDS:.0f}",
    )
    try:
        return asyncio.run(serve(parser.parse_args(), settings))
    except StartError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
