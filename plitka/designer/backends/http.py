"""HTTP for the remote backends, whose servers are not trusted: all that they send has bounds."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from plitka.designer.backends.address import Server, SettingError
from plitka.designer.errors import Fault
from plitka.images.png import MAX_PNG_BYTES

MAX_SECONDS = 3600.0
"""For one photograph, with the time until a server is free and its model is loaded."""

_ENVIRONMENT = (
    "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR, SSLKEYLOGFILE"
)
_CONNECT_SECONDS = 10.0
_CANCEL_SECONDS = 5.0
_READ_SECONDS = 300.0  # without a byte; while a model is loaded, nothing comes
_MAX_ANSWER = 2 * MAX_PNG_BYTES  # bytes of JSON or of one event: a picture in Base64 is 4/3 of it
_MAX_LINES = 20_000  # of all events of a prediction; a photograph has some hundred
_MAX_STREAM = 8 * MAX_PNG_BYTES  # bytes of all events of a prediction: each picture comes twice


@dataclass(frozen=True)
class Answer:
    """A whole response."""

    status: int
    body: bytes

    def read_json(self) -> dict[str, Any]:
        """The JSON object in the response. Raises Fault for anything else."""
        return parse_object(self.body)

    def read_error(self, keys: Iterable[str]) -> str:
        """The server's own message: the first text under one of the keys, or ""."""
        try:
            body = self.read_json()
        except Fault:
            return ""
        return next((body[key] for key in keys if isinstance(body.get(key), str)), "")


class Api:
    """Asks one server, until the deadline of one photograph. Follows no redirects.

    All methods raise Fault for a server that sends too much, or compressed, or for too long, and
    httpx.HTTPError for one that cannot be reached.
    """

    def __init__(self, client: httpx.AsyncClient, seconds: float) -> None:
        self._client = client
        self._deadline = asyncio.get_running_loop().time() + seconds

    @property
    def address(self) -> httpx.URL:
        return self._client.base_url

    def count_seconds_left(self) -> float:
        return self._deadline - asyncio.get_running_loop().time()

    async def ask(
        self, method: str, path: str, body: object = None, max_bytes: int = _MAX_ANSWER
    ) -> Answer:
        """Send a request, `body` as JSON, and read the whole response."""
        async with self.stream(method, path, body) as response:
            return await self.read_answer(response, max_bytes)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """Send a request, `body` as JSON; what is read of the response is left to the caller."""
        request = self._client.build_request(
            method, path, json=body, headers=headers, extensions=dict(extensions or {})
        )
        try:
            async with asyncio.timeout_at(self._deadline):
                response = await self._client.send(request, stream=True)
        except TimeoutError:
            raise make_silent_fault(self.address) from None
        try:
            yield response
        finally:
            await response.aclose()

    async def cancel(self, path: str) -> None:
        """Tell the server that nobody waits any more, even past the deadline."""
        try:
            async with asyncio.timeout(_CANCEL_SECONDS), self._client.stream("POST", path):
                return
        except (httpx.HTTPError, TimeoutError):
            return  # the server cannot be reached; nothing more can be done from here

    async def read_answer(self, response: httpx.Response, max_bytes: int = _MAX_ANSWER) -> Answer:
        """Read the whole of a response, up to `max_bytes`."""
        if response.is_error and _is_encoded(response):
            return Answer(response.status_code, b"")  # its status says enough
        body = bytearray()
        async with aclosing(self._read_chunks(response, max_bytes)) as chunks:
            async for chunk in chunks:
                body += chunk
        return Answer(response.status_code, bytes(body))

    async def read_lines(self, response: httpx.Response) -> AsyncGenerator[str]:
        """Read a response line by line."""
        pending = bytearray()
        count = 0
        async with aclosing(self._read_chunks(response, _MAX_STREAM)) as chunks:
            async for chunk in chunks:
                *ended, rest = chunk.split(b"\n")
                count += len(ended)
                if count > _MAX_LINES:
                    raise make_strange_fault()
                for end in ended:
                    yield (pending + end).decode("utf-8", "replace").rstrip("\r")
                    pending.clear()
                    await asyncio.sleep(0)  # so that a flood of lines leaves others their turn
                pending += rest
                if len(pending) > _MAX_ANSWER:
                    raise make_strange_fault()

    async def _read_chunks(self, response: httpx.Response, max_bytes: int) -> AsyncGenerator[bytes]:
        # None is asked for. To unpack it would let a few bytes become gigabytes.
        if _is_encoded(response):
            raise make_strange_fault()
        read = 0
        chunks = response.aiter_raw()
        while True:
            try:
                async with asyncio.timeout_at(self._deadline):
                    chunk = await anext(chunks, None)
            except TimeoutError:
                raise make_silent_fault(self.address) from None
            if chunk is None:
                return
            read += len(chunk)
            if read > max_bytes:
                raise make_strange_fault()
            yield chunk


@asynccontextmanager
async def open_api(server: Server, seconds: float = MAX_SECONDS) -> AsyncIterator[Api]:
    """Open a client for one server and one photograph, which may take so many seconds."""
    headers = {"Authorization": server.authorization} if server.authorization else {}
    trust = _trust(server)
    async with _open_client(base_url=server.address, headers=headers, **trust) as client:
        yield Api(client, seconds)


def check_environment(server: Server) -> None:
    """Try to make the client of a server, with the proxies and certificates of the environment.

    Raises SettingError, which repeats no value: the address of a proxy may hold a password.
    """
    try:
        _open_client(base_url=server.address, **_trust(server))
    except ImportError:
        reason = "a SOCKS proxy needs the package socksio, which is not installed"
    except OSError as error:  # of ssl, too
        reason = f"a file of certificates or keys cannot be used ({error.strerror})"
    except (ValueError, httpx.InvalidURL):
        reason = "the address of a proxy, or a host that goes without one, cannot be used"
    else:
        return
    raise SettingError(f"{_ENVIRONMENT}: {reason}; mend them or take them away")


def _trust(server: Server) -> dict[str, Any]:
    """What the client of a server takes from the environment; of this machine's own, no proxy."""
    if not server.is_on_this_machine:
        return {}
    return {"trust_env": False, "verify": httpx.create_ssl_context()}


@asynccontextmanager
async def open_elsewhere(address: httpx.URL, like: Api) -> AsyncIterator[Api]:
    """Open a client for another host than the server of `like`, until the same deadline.

    It knows no token, and asks no proxy: the address that was checked is the one that is called.
    """
    trusted = httpx.create_ssl_context()  # with the authorities that the environment names
    async with _open_client(base_url=address, trust_env=False, verify=trusted) as client:
        yield Api(client, like.count_seconds_left())


def _open_client(headers: Mapping[str, str] | None = None, **given: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        headers={"Accept-Encoding": "identity", **(headers or {})},
        timeout=httpx.Timeout(_CONNECT_SECONDS, read=_READ_SECONDS, pool=None),
        follow_redirects=False,
        **given,
    )


def _is_encoded(response: httpx.Response) -> bool:
    encoding: str = response.headers.get("content-encoding", "identity")
    return encoding.strip().lower() != "identity"


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Parse a JSON object. Raises Fault for anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise make_strange_fault() from None
    if not isinstance(value, dict):
        raise make_strange_fault()
    return value


def make_strange_fault() -> Fault:
    """Make the fault for a server that sends what Plitka does not."""
    return Fault("photograph_strange", status=502)


def make_silent_fault(address: httpx.URL) -> Fault:
    """Make the fault for a server that takes too long."""
    where = f"{address.scheme}://{address.netloc.decode('ascii')}"
    return Fault("server_silent", status=502, where=where)


def make_unreachable_fault(where: str, error: httpx.HTTPError) -> Fault:
    """Make the fault for a server that cannot be reached. where: its title, to be shown."""
    slow = isinstance(error, httpx.TimeoutException)
    return Fault("server_silent" if slow else "server_unreachable", status=502, where=where)


def make_refusal_fault(status: int, where: str, message: str = "") -> Fault:
    """Make the fault for a response with an error status. message: the server's own."""
    if status in {401, 403}:
        return Fault("token_refused", status=502, where=where)
    return Fault("server_refused", message, status=502, where=where, number=status)
