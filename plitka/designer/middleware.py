"""Checks before every request and headers on every response: same origin, size, what may load."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plitka.designer.errors import Fault

_HOSTS = {"127.0.0.1", "localhost", "::1"}

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


class OwnPagesOnly:
    """ASGI middleware: refuses requests of other sites' pages, and adds security headers.

    Another site could resolve its name to 127.0.0.1 (DNS rebinding) or submit a form to it (CSRF),
    and so have photographs made at the owner's expense.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        respond = self._app if _is_same_origin(Headers(scope=scope)) else _REFUSAL
        await respond(scope, receive, send_with_headers)


_REFUSAL = JSONResponse(Fault("stranger").as_json(), status_code=403)


def _is_same_origin(headers: Headers) -> bool:
    """Whether host and origin, if the request names one, are this server."""
    host = headers.get("host", "")
    if urlsplit(f"//{host}").hostname not in _HOSTS:
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == host


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Read the body of a request. Raises Fault as soon as it is longer than `max_bytes`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise Fault("picture_large", status=413, megabytes=max_bytes // 2**20)
    return bytes(body)
