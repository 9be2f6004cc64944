"""The gate's own answers: every error is JSON, with a status and a place, also those of HTTP."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from aiohttp import http_exceptions, web
from aiohttp.http import HttpVersion10, HttpVersion11

from plitka.serving.connections import Connections

Handler: TypeAlias = Callable[[Any], Awaitable[web.StreamResponse]]

HEAD_SECONDS = 20.0  # in which a request's line and headers have to arrive
IDLE_SECONDS = 620.0  # that a connection stays open after an answer: proxies keep theirs up to 600
UNREAD_SECONDS = 60.0  # in which a client has to take 64 KiB of its answer

_ENDS = (400, 408, 413, 415, 417, 505)  # what follows could be the rest, read as another request
_log = logging.getLogger(__name__)


class Refusal(Exception):
    """A request that is not passed on, or has no answer: the status, and the body in Cog's form.

    retry_after: seconds after which to ask again, where that is known.
    """

    def __init__(
        self, status: int, place: tuple[str, ...], message: str, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.body = {"detail": [{"loc": list(place), "msg": message, "type": "value_error"}]}


def answer_errors(handler: Handler) -> Handler:
    """Wrap a handler of requests so that each of its errors becomes an answer in JSON."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        if isinstance(connection, Connection):
            connection.begin_request(request)
        try:
            if request.version not in (HttpVersion10, HttpVersion11):
                raise Refusal(505, ("request",), "allowed: HTTP/1.1 and HTTP/1.0")
            return await handler(request)
        except Refusal as refusal:
            return to_response(refusal)
        except web.HTTPException as error:
            response = to_response(_from_status(request, error))
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
            return response
        finally:
            if isinstance(connection, Connection):
                connection.end_request()

    return handle


def to_response(refusal: Refusal) -> web.Response:
    """Make the response to a request that is refused."""
    response = web.json_response(refusal.body, status=refusal.status)
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status in _ENDS:
        response.force_close()
    return response


def _from_status(request: web.BaseRequest, error: web.HTTPException) -> Refusal:
    """Say what a status means that the library decided on."""
    if error.status == 417:
        return Refusal(417, ("header", "Expect"), "allowed: 100-continue")
    if error.status in (404, 405):
        return Refusal(error.status, ("path",), f"{error.reason}: {request.method}")
    return Refusal(error.status, ("request",), error.reason)


class Connection(web.RequestHandler):
    """One client's connection.

    What is no HTTP is refused in JSON, and so is a request whose head does not arrive in time. An
    answer that nobody takes is cut.
    """

    __slots__ = ("_connections", "_has_begun", "_head_timer", "_request", "_unread_timer")

    def __init__(
        self, manager: web.Server, connections: Connections, *, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(
            manager,
            loop=loop,
            auto_decompress=False,
            keepalive_timeout=IDLE_SECONDS,
        )
        self._connections = connections
        self._head_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self._has_begun = False  # a byte of the request that is waited for is there
        self._request: web.BaseRequest | None = None  # that is being answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock: somebody who connects wants something."""
        super().connection_made(transport)
        self._start_clock()
        self._connections.admit(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes, and start the clock if a request begins with them."""
        if self._request is None:
            self._has_begun = True
            self._start_clock()
        super().data_received(data)
        if self._request is not None and self._messages and not self._request.content.is_eof():
            # A message behind a body that has not ended is a fault in that body's coding. The
            # library keeps it for the next request, and lets this one wait for ever.
            self._request.content.set_exception(web.RequestPayloadError())
            self._request.content.feed_eof()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop the clocks with the connection."""
        self._stop_clock()
        self._stop_unread_clock()
        self._connections.remove(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the clock of an answer: the client does not take it as fast as it comes."""
        super().pause_writing()
        if self._unread_timer is None:
            loop = asyncio.get_running_loop()
            self._unread_timer = loop.call_later(UNREAD_SECONDS, self.abort)

    def resume_writing(self) -> None:
        """Stop that clock: what was held for the client is nearly gone."""
        self._stop_unread_clock()
        super().resume_writing()

    def begin_request(self, request: web.BaseRequest) -> None:
        """Note that a request's head is there."""
        self._request = request
        self._connections.note(self)
        self._has_begun = False
        self._stop_clock()

    def end_request(self) -> None:
        """Note that a request is answered, so that what comes begins another."""
        self._request = None
        self._connections.note(self)

    @property
    def is_waiting(self) -> bool:
        """Whether it is the client's turn: to ask, to send the rest, or to take its answer."""
        if self._request is None or self._unread_timer is not None:
            return True
        return not self._request.content.is_eof()

    def abort(self) -> None:
        """End the connection at once, whatever is still to be sent."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, and an exception that nobody expected; the log has that whole.

        Raises ConnectionError if there is nobody to answer, or an answer has begun: it is cut.
        """
        if isinstance(exc, ConnectionError):
            raise exc
        if status >= 500:
            _log.error("%s %s: no answer", request.method, request.path, exc_info=exc)
            refusal = Refusal(status, ("server",), "a fault of this server; its log has the cause")
        else:
            refusal = _refuse_syntax(status, exc)
        if request.writer.output_size > 0:
            raise ConnectionResetError("an answer has begun already, so the connection is cut")
        response = to_response(refusal)
        response.force_close()
        return response

    def _start_clock(self) -> None:
        if self._head_timer is None:
            loop = asyncio.get_running_loop()
            self._head_timer = loop.call_later(HEAD_SECONDS, self._end_wait)

    def _stop_clock(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_unread_clock(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _end_wait(self) -> None:
        """Close; a request that has begun gets a 408, by hand, as it is none yet."""
        self._head_timer = None
        if self.transport is not None and self._has_begun:
            message = f"line and headers have to arrive within {HEAD_SECONDS:.0f} seconds"
            content = json.dumps(Refusal(408, ("request",), message).body).encode()
            head = (
                "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json; charset=utf-8\r\n"
                f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + content)
        self.force_close()


def _refuse_syntax(status: int, exc: BaseException | None) -> Refusal:
    """Say what of a request could not be read, without the bytes themselves."""
    if isinstance(exc, http_exceptions.InvalidURLError):
        return Refusal(status, ("request", "target"), "the address cannot be read")
    if isinstance(exc, http_exceptions.LineTooLong):
        return Refusal(status, ("request",), "a line or header is longer than 8190 bytes")
    if isinstance(exc, http_exceptions.InvalidHeader):
        return Refusal(status, ("header",), "a header cannot be read")
    said = exc.message if isinstance(exc, http_exceptions.HttpProcessingError) else ""
    reason = said.partition("\n")[0].rstrip(": ") or "not HTTP"
    place = ("body",) if isinstance(exc, http_exceptions.PayloadEncodingError) else ("request",)
    return Refusal(status, place, reason)
