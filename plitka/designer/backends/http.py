"""HTTP for the remote backends: clients with tokens, downloads with limits, and their faults."""

import base64
import binascii
from collections.abc import Iterable
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpx

from plitka.designer.errors import Fault
from plitka.images.png import MAX_PNG_BYTES

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 300.0  # without a byte; while a model is loaded, nothing comes
_MAX_MESSAGE = 500  # characters of a server's own error


def open_client(address: str, token: str | None) -> httpx.AsyncClient:
    """Open a client for one server. It follows no redirects, which could leak the token."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = httpx.Timeout(_CONNECT_SECONDS, read=_READ_SECONDS, pool=None)
    return httpx.AsyncClient(base_url=address, headers=headers, timeout=timeout)


def hide_credentials(address: str) -> str:
    """Strip user name, password and query from an address, so that it can be shown."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, f"{host}{port}", parts.path, "", "")).rstrip("/")


def make_unreachable_fault(where: str, error: httpx.HTTPError) -> Fault:
    """Make the fault for a server that cannot be reached. where: its title, to be shown."""
    slow = isinstance(error, httpx.TimeoutException)
    return Fault("server_silent" if slow else "server_unreachable", status=502, where=where)


def make_refusal_fault(response: httpx.Response, where: str, message: str = "") -> Fault:
    """Make the fault for a response with an error status. message: the server's own."""
    if response.status_code in {401, 403}:
        return Fault("token_refused", status=502, where=where)
    return Fault("server_refused", message, status=502, where=where, number=response.status_code)


def read_error(response: httpx.Response, keys: Iterable[str]) -> str:
    """Read the error message in a JSON response: the first text under one of the keys, or ""."""
    try:
        body = response.json()
    except ValueError:
        return ""
    for key in keys:
        if isinstance(body, dict) and isinstance(body.get(key), str):
            return str(body[key])[:_MAX_MESSAGE]
    return ""


async def fetch_output(uri: str, api: httpx.AsyncClient) -> bytes:
    """Fetch an output of a prediction, which is a data URI or an address. Raises Fault."""
    return _decode_data_uri(uri) if uri.startswith("data:") else await _fetch(uri, api)


def _decode_data_uri(uri: str) -> bytes:
    """Decode the content of a data URI. Raises Fault if it is not Base64."""
    try:
        return base64.b64decode(uri.partition(",")[2], validate=True)
    except binascii.Error:
        raise Fault("photograph_strange", status=502) from None


async def _fetch(uri: str, api: httpx.AsyncClient) -> bytes:
    """Download an output: from the server itself, or by https from another host. Raises Fault.

    uri: absolute, or relative to the server's address. The token goes to the server alone.
    """
    address = urljoin(str(api.base_url), uri)
    own = _find_origin(address) == _find_origin(str(api.base_url))
    if not own and urlsplit(address).scheme != "https":
        raise Fault("photograph_strange", status=502)
    host = urlsplit(address).hostname or ""
    async with httpx.AsyncClient(timeout=api.timeout) as tokenless:
        try:
            return await _download(api if own else tokenless, address, host)
        except httpx.HTTPError as error:
            raise make_unreachable_fault(host, error) from None


async def _download(client: httpx.AsyncClient, address: str, host: str) -> bytes:
    """Download up to MAX_PNG_BYTES. Raises Fault for more, and for any status but 200."""
    async with client.stream("GET", address) as response:
        if response.status_code != httpx.codes.OK:
            raise make_refusal_fault(response, host)
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > MAX_PNG_BYTES:
                raise Fault("photograph_strange", status=502)
        return bytes(content)


def _find_origin(address: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port
