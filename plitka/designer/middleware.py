"""Checks before every request and headers on every response: same origin, size, what may load."""

import asyncio
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plitka.designer.errors import Fault

# Host as browsers write it for this machine. A parser of addresses would also take users, paths
# and whatever else can be read as one of these names.
_HOST = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::([0-9]{1,5}))?", re.IGNORECASE)
_MAX_PORT = 65535
_VERSIONS = {"1.0", "1.1"}  # of HTTP; the parser takes any digits
_BODY_SECONDS = 120.0  # of 32 MB by a slow tunnel, too

_HEADERS = {
    # Pictures are shown from memory (blob:). Nothing comes from, or goes to, anywhere else.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# A part of a file is not served: the page asks for none, and a wrong range is answered as text.
_UNREAD = {b"range", b"if-range"}


class OwnPagesOnly:
    """ASGI middleware: refuses requests of other sites' pages, and adds security headers.

    Another site could resolve its name to 127.0.0.1 (DNS rebinding) or submit a form to it (CSRF),
    and so have photographs made at the owner's expense. It stands around the whole application, so
    that the response to an unexpected error has the headers, too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        own = _is_own(Headers(scope=scope), scope["scheme"], scope["method"])
        respond = self._app if own else _REFUSAL
        if scope["http_version"] not in _VERSIONS:
            respond = _NO_SUCH_VERSION
        read = [pair for pair in scope["headers"] if pair[0].lower() not in _UNREAD]
        try:
            await respond({**scope, "headers": read}, receive, send_with_headers)
        except asyncio.CancelledError:  # the program has been told to end, and waited for this
            if not started:
                await _ENDING(scope, receive, send_with_headers)


_ENDING = Response(status_code=503)
_NO_SUCH_VERSION = Response(status_code=505)
_REFUSAL = JSONResponse(Fault("stranger").as_json(), status_code=403)


def _is_own(headers: Headers, scheme: str, method: str) -> bool:
    """Whether a request is for this machine, and by the designer's own page if by one at all."""
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _is_this_machine(hosts[0]):
        return False
    own = f"{scheme}://{hosts[0]}".lower()
    if any(origin.lower() != own for origin in headers.getlist("origin")):
        return False
    # Fetch metadata: of other sites, also those at other ports of this machine, only links.
    sites = headers.getlist("sec-fetch-site")
    is_link = (
        method == "GET"
        and headers.getlist("sec-fetch-mode") == ["navigate"]
        and headers.getlist("sec-fetch-dest") == ["document"]
    )
    return is_link or all(site in {"same-origin", "none"} for site in sites)


def _is_this_machine(host: str) -> bool:
    match = _HOST.fullmatch(host)
    return match is not None and int(match[1] or 0) <= _MAX_PORT


async def read_body(request: Request, max_bytes: int, seconds: float = _BODY_SECONDS) -> bytes:
    """Read the body of a request.

    Raises Fault as soon as it is longer than `max_bytes`, or has not come whole after `seconds`.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise Fault("picture_large", status=413, megabytes=max_bytes // 2**20)
    except TimeoutError:
        raise Fault("body_slow", status=408) from None
    return bytes(body)
