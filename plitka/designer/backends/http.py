"""What both servers have in common on the wire: tokens, limits, and words for what went wrong."""

import base64
import binascii
from collections.abc import Iterable
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpx

from plitka.designer.errors import Fault

MOST_BYTES = 32 * 2**20
"""Of one picture. One of 1024x1024 has 3 MB at the most."""

_CONNECT = 10.0  # seconds
_SILENCE = 300.0  # seconds without a byte; a model that is being loaded says nothing


def open_client(address: str, token: str | None) -> httpx.AsyncClient:
    """A client that follows no redirects: they would carry the token to somebody else."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = httpx.Timeout(_CONNECT, read=_SILENCE, pool=None)
    return httpx.AsyncClient(base_url=address, headers=headers, timeout=timeout)


def hide_credentials(address: str) -> str:
    """An address as people may see it: without user name, password and query."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, f"{host}{port}", parts.path, "", "")).rstrip("/")


def unreachable_fault(where: str, error: httpx.HTTPError) -> Fault:
    slow = isinstance(error, httpx.TimeoutException)
    return Fault("server_silent" if slow else "server_unreachable", status=502, where=where)


def refusal_fault(response: httpx.Response, where: str, said: str = "") -> Fault:
    """What an answer means that is none of those that were hoped for."""
    if response.status_code in {401, 403}:
        return Fault("token_refused", status=502, where=where)
    return Fault("server_refused", said, status=502, where=where, number=response.status_code)


def read_error(response: httpx.Response, keys: Iterable[str]) -> str:
    """The sentence in the body of an answer, under one of the keys."""
    try:
        body = response.json()
    except ValueError:
        return ""
    for key in keys:
        if isinstance(body, dict) and isinstance(body.get(key), str):
            return str(body[key])[:500]
    return ""


def is_data_uri(uri: str) -> bool:
    return uri.startswith("data:")


def decode_data_uri(uri: str) -> bytes:
    """The content of a data URI."""
    try:
        return base64.b64decode(uri.partition(",")[2], validate=True)
    except binascii.Error:
        raise Fault("photograph_strange", status=502) from None


async def fetch(uri: str, api: httpx.AsyncClient) -> bytes:
    """A picture that a server has put somewhere: by https, or on the server itself.

    The token goes to no other host than the server's own.
    """
    address = urljoin(str(api.base_url), uri)
    own = _origin(address) == _origin(str(api.base_url))
    if not own and urlsplit(address).scheme != "https":
        raise Fault("photograph_strange", status=502)
    host = urlsplit(address).hostname or ""
    async with httpx.AsyncClient(timeout=api.timeout) as stranger:
        try:
            return await _limited(api if own else stranger, address, host)
        except httpx.HTTPError as error:
            raise unreachable_fault(host, error) from None


async def _limited(client: httpx.AsyncClient, address: str, host: str) -> bytes:
    async with client.stream("GET", address) as response:
        if response.status_code != httpx.codes.OK:
            raise refusal_fault(response, host)
        content = bytearray()
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > MOST_BYTES:
                raise Fault("photograph_strange", status=502)
        return bytes(content)


def _origin(address: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port
