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
import re
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from plitka.settings import Settings, read_settings

Json: TypeAlias = dict[str, Any]

MAX_BODY = 512 * 1024  # bytes; a request of 64 KB, each of its bytes escaped, has 400
ONE_HEAP = {"MALLOC_ARENA_MAX": "1"}
"""Environment that makes all threads of Cog's server and of its worker share one heap of the C
library. Of a heap of its own for each, up to 64 MiB stay allocated, trimmed or not. cog.yaml has
the same."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ID_ALLOWED = "1 to 128 letters, digits, dots, hyphens and underscores, a letter or digit first"
_MIN_DISK_BYTES = 64 * 2**20  # three pictures have 8 MB at most
_COGS_DISK = "/tmp"  # where Cog makes a folder for each prediction, whatever TMPDIR says
_GRACE_SECONDS = 5.0  # that a running prediction has to end after SIGTERM; then it is cancelled
_EXIT_SECONDS = 5.0  # that responses and Cog's server then have to end
_REQUEST_HEADERS = ("Content-Type", "Accept", "Prefer", "traceparent", "tracestate")
_RESPONSE_HEADERS = ("Content-Type", "Cache-Control")
_READY = ("READY", "BUSY")
_DEAD = ("UNHEALTHY", "SETUP_FAILED", "DEFUNCT", "UNREACHABLE")


class Refusal(Exception):
    """A request that is not passed on: the response's status, and its body in Cog's form."""

    def __init__(self, status: int, place: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"detail": [{"loc": list(place), "msg": message, "type": "value_error"}]}


def check_request(content: bytes, identifier: str | None, webhook_hosts: Collection[str]) -> Json:
    """Check a request for a prediction; returns its body, with an id, and the id in its context.

    identifier: the id in the address of a PUT. Raises Refusal.
    """
    body = _parse_object(content)
    chosen = body.get("id")
    if identifier is not None:
        if chosen is not None and chosen != identifier:
            raise Refusal(422, ("body", "id"), "another id than the one in the address")
        chosen = identifier
    body["id"] = _check_identifier(chosen)
    if body.get("webhook") is not None:
        _check_webhook(body["webhook"], webhook_hosts)
    if "output_file_prefix" in body:
        message = "not taken; start the gate with --upload-url to have pictures uploaded"
        raise Refusal(422, ("body", "output_file_prefix"), message)
    context = body.get("context") or {}
    if not isinstance(context, dict) or not all(isinstance(v, str) for v in context.values()):
        raise Refusal(422, ("body", "context"), "allowed: an object of texts")
    body["context"] = {**context, "prediction_id": body["id"]}
    return body


def _parse_object(content: bytes) -> Json:
    """Parse a JSON object. Raises Refusal."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as fault:
        reason = "nested too deeply" if isinstance(fault, RecursionError) else str(fault)
        raise Refusal(400, ("body",), f"not JSON: {reason}") from None
    if not isinstance(body, dict):
        raise Refusal(422, ("body",), 'allowed: an object like {"input": {"params_json": "…"}}')
    return body


def _check_identifier(value: object) -> str:
    """Return the id of a prediction, a new one for None. Raises Refusal."""
    if value is None:
        return f"tile_{secrets.token_hex(8)}"
    if isinstance(value, str) and _ID.fullmatch(value):
        return value
    raise Refusal(422, ("body", "id"), f"allowed: {_ID_ALLOWED}")


def _check_webhook(value: object, hosts: Collection[str]) -> None:
    """Raise Refusal for a webhook that is no address at one of the hosts."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        host = None if parts is None or parts.scheme not in ("http", "https") else parts.hostname
    except ValueError:
        host = None
    if host is None:
        raise Refusal(422, ("body", "webhook"), "allowed: an http or https address")
    if host not in hosts:
        named = ", ".join(sorted(hosts)) or "none; name them with --webhook-host"
        message = f"this server does not call {host}; hosts that it calls: {named}"
        raise Refusal(422, ("body", "webhook"), message)


@dataclass
class Gateway:
    """Passes requests on to Cog's server at `address`.

    webhook_hosts: that requests may name in `webhook`.
    """

    address: str
    webhook_hosts: Collection[str] = ()
    _running: set[str] = field(default_factory=set)  # ids whose response is still under way
    _latest: str | None = None  # the last id passed on, which may run without a connection

    def make_app(self) -> web.Application:
        """Make the server, with all its routes."""
        app = web.Application(client_max_size=MAX_BODY, middlewares=[_answer_refusals])
        app.cleanup_ctx.append(self._connect)
        app.on_shutdown.append(self._end_predictions)
        app.add_routes(
            [
                web.get("/", self._forward),
                web.get("/openapi.json", self._forward),
                web.get("/health-check", self._forward),
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
        timeout = aiohttp.ClientTimeout(total=None, connect=10)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            self._session = session
            yield

    async def _predict(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        body = check_request(content, request.match_info.get("id"), self.webhook_hosts)
        if shutil.disk_usage(_COGS_DISK).free < _MIN_DISK_BYTES:
            # Cog would fail to make the prediction's folder, and stay busy for good.
            raise Refusal(503, ("server",), f"{_COGS_DISK} is full; free some of it")
        self._latest = str(body["id"])
        self._running.add(self._latest)
        try:
            return await self._forward(request, json.dumps(body).encode())
        finally:
            self._running.discard(str(body["id"]))

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        identifier = _check_identifier(request.match_info["id"])
        async with self._session.post(
            f"{self.address}/predictions/{identifier}/cancel"
        ) as response:
            if response.status == 404:
                raise Refusal(404, ("path", "prediction_id"), "no prediction of this id is running")
            return web.json_response(await response.json(), status=response.status)

    async def _answer_live(self, request: web.Request) -> web.Response:
        """Answer a liveness probe: 503 if only a restart would help."""
        status = await self._fetch_status()
        return web.json_response({"status": status}, status=503 if status in _DEAD else 200)

    async def _answer_ready(self, request: web.Request) -> web.Response:
        """Answer a readiness probe: 200 if a prediction would be accepted, now or after another."""
        status = await self._fetch_status()
        return web.json_response({"status": status}, status=200 if status in _READY else 503)

    async def _fetch_status(self) -> str:
        """Fetch the status in Cog's health check; UNREACHABLE if the server does not answer."""
        try:
            async with self._session.get(f"{self.address}/health-check") as response:
                return str((await response.json())["status"])
        except (aiohttp.ClientError, ValueError, KeyError):
            return "UNREACHABLE"

    async def _forward(self, request: web.Request, body: bytes | None = None) -> web.StreamResponse:
        """Pass a request on, and stream the response back. body: in place of the request's."""
        headers = {
            name: request.headers[name] for name in _REQUEST_HEADERS if name in request.headers
        }
        if body:
            headers["Content-Type"] = "application/json"
        url = f"{self.address}{request.path}"
        try:
            async with self._session.request(
                request.method, url, data=body, headers=headers
            ) as received:
                if received.status >= 400 and received.content_type != "application/json":
                    raise Refusal(received.status, ("body",), await received.text())
                known = {k: received.headers[k] for k in _RESPONSE_HEADERS if k in received.headers}
                response = web.StreamResponse(status=received.status, headers=known)
                await response.prepare(request)
                async for chunk in received.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response
        except aiohttp.ClientConnectorError:
            raise Refusal(503, ("server",), "Cog's server is not there (yet)") from None

    async def _end_predictions(self, app: web.Application) -> None:
        """At SIGTERM: give running predictions _GRACE_SECONDS, then cancel them."""
        deadline = asyncio.get_running_loop().time() + _GRACE_SECONDS
        while self._running and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.05)
        latest = {self._latest} if self._latest else set()
        for identifier in self._running | latest:
            with suppress(aiohttp.ClientError):
                await self._session.post(f"{self.address}/predictions/{identifier}/cancel")


@web.middleware
async def _answer_refusals(request: web.Request, handler: Any) -> web.StreamResponse:
    """Answer errors as JSON in Cog's form."""
    try:
        response: web.StreamResponse = await handler(request)
    except Refusal as refusal:
        return _to_response(refusal)
    except web.HTTPRequestEntityTooLarge:
        return _to_response(Refusal(413, ("body",), f"too large; allowed: up to {MAX_BODY} bytes"))
    except web.HTTPException as error:
        return _to_response(Refusal(error.status, ("path",), f"{error.reason}: {request.method}"))
    return response


def _to_response(refusal: Refusal) -> web.Response:
    return web.json_response(refusal.body, status=refusal.status)


async def serve(options: argparse.Namespace, settings: Settings) -> int:
    """Run Cog's server and the gateway until one of them ends.

    Returns the exit status: 0 after SIGTERM or SIGINT, 1 if Cog's server ended by itself.
    """
    port = _find_free_port()
    command = [sys.executable, "-m", "cog.server.http", "--host", "127.0.0.1"]
    command += ["--upload-url", options.upload_url] if options.upload_url else []
    environment = {**ONE_HEAP, **settings.variables, "PORT": str(port)}
    cog = await asyncio.create_subprocess_exec(*command, env=environment)
    ended = asyncio.create_task(cog.wait())
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    gateway = Gateway(f"http://127.0.0.1:{port}", frozenset(options.webhook_host))
    runner = web.AppRunner(
        gateway.make_app(),
        handler_cancellation=True,
        shutdown_timeout=_EXIT_SECONDS,
        access_log=None,
    )
    try:
        await runner.setup()
        await web.TCPSite(runner, options.host, options.port).start()
        host, bound = runner.addresses[0][:2]
        print(f"The gate listens on http://{host}:{bound}", flush=True)
        await asyncio.wait(
            [ended, asyncio.create_task(stopped.wait())], return_when=asyncio.FIRST_COMPLETED
        )
        return 0 if stopped.is_set() else 1
    finally:
        await runner.cleanup()
        if cog.returncode is None:
            cog.terminate()
            try:
                await asyncio.wait_for(ended, _EXIT_SECONDS)
            except TimeoutError:
                cog.kill()


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _read_port(text: str) -> int:
    """Read a port; 0 takes a free one."""
    if text.isdecimal() and int(text) < 65536:
        return int(text)
    message = f"got {text!r}; allowed: 0 to 65535, here or in the variable PORT"
    raise argparse.ArgumentTypeError(message)


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
        default=[],
        metavar="HOST",
        help="a host that requests may name as webhook; repeat for each",
    )
    return asyncio.run(serve(parser.parse_args(), settings))


if __name__ == "__main__":
    raise SystemExit(main())
