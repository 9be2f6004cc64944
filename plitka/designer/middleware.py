"""What stands before every answer: who may ask, how much, and what the page may load."""

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
    """Refuses what another site's page has sent, and tells the browser to ask nobody else.

    A site could give its name the address 127.0.0.1, or send a form here; both would have this
    machine draw, and have photographs made at its owner's expense.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = self._app if _is_own(Headers(scope=scope)) else _STRANGER
        await answer(scope, receive, guarded)


_STRANGER = JSONResponse(Fault("stranger").as_json(), status_code=403)


def _is_own(headers: Headers) -> bool:
    host = headers.get("host", "")
    if urlsplit(f"//{host}").hostname not in _HOSTS:
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == host


async def read_body(request: Request, most: int) -> bytes:
    """The body of a request. Raises Fault where it has more bytes than that."""
    received = bytearray()
    async for piece in request.stream():
        received += piece
        if len(received) > most:
            raise Fault("picture_large", status=413, megabytes=most // 2**20)
    return bytes(received)
