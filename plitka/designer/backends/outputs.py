"""The outputs of a prediction, data URIs or addresses -> their bytes.

The server that names an address is not trusted: it could have the designer call hosts that only
this machine reaches. Its own host is called, and by https others whose addresses are public.
"""

import asyncio
import base64
import ipaddress
import socket
from collections.abc import Callable
from typing import TypeAlias

import httpx

from plitka.designer.backends.http import (
    Api,
    make_refusal_fault,
    make_strange_fault,
    make_unreachable_fault,
    open_elsewhere,
)
from plitka.images.png import MAX_PNG_BYTES

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_PREFIX = "data:image/png;base64,"
_MAX_ADDRESS = 8192  # characters; those with a signature have some hundred
_MAX_TRIED = 4  # addresses of one host
_UNICAST = ipaddress.IPv6Network("2000::/3")  # all that is public; without 64:ff9b::/96 (NAT64)
_WITHIN_IPV4 = ipaddress.IPv6Network("2002::/16")  # 6to4: an IPv4 address is inside


def is_public(address: IpAddress) -> bool:
    """Whether an IP address is of the public Internet, and not of this machine or its networks."""
    if isinstance(address, ipaddress.IPv6Address):
        return address in _UNICAST and address not in _WITHIN_IPV4 and address.is_global
    return address.is_global and not address.is_multicast


async def fetch_output(
    uri: str,
    api: Api,
    may_name: Callable[[str], bool] = lambda host: True,
    may_call: Callable[[IpAddress], bool] = is_public,
) -> bytes:
    """Fetch an output, up to MAX_PNG_BYTES.

    uri: a data URI of a PNG, or an address, absolute or relative to the server's. may_name,
    may_call: whether a host other than the server may be one of this name, of this address.
    Raises Fault.
    """
    if uri[:5].lower() == "data:":
        return _decode_data_uri(uri)
    address = _parse_address(uri, api)
    if _find_origin(address) == _find_origin(api.address):
        return await _download(api, str(address), address.host)
    if address.scheme != "https" or not may_name(address.host):
        raise make_strange_fault()
    return await _fetch_elsewhere(address, api, may_call)


def _decode_data_uri(uri: str) -> bytes:
    """Decode the content of a data URI. Raises Fault if it is no PNG in Base64, or too long."""
    text = uri[len(_PREFIX) :]
    if uri[: len(_PREFIX)].lower() != _PREFIX or len(text) > MAX_PNG_BYTES * 4 // 3 + 4:
        raise make_strange_fault()
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise make_strange_fault() from None


def _parse_address(uri: str, api: Api) -> httpx.URL:
    """Parse an address as the client reads it that will call it. Raises Fault."""
    if len(uri) > _MAX_ADDRESS or "\\" in uri:
        raise make_strange_fault()
    try:
        address = api.address.join(uri)
        is_plain = address.scheme in {"http", "https"} and address.host and not address.userinfo
    except (httpx.InvalidURL, ValueError):
        is_plain = False
    if not is_plain:
        raise make_strange_fault()
    return address


async def _fetch_elsewhere(
    address: httpx.URL, api: Api, may_call: Callable[[IpAddress], bool]
) -> bytes:
    """Download from another host, by an IP address that was looked up and checked before."""
    resolved = await _resolve(address)
    if not all(map(may_call, resolved)):
        raise make_strange_fault()
    named = {"Host": address.netloc.decode("ascii")}
    for last, numeric in enumerate(resolved[:_MAX_TRIED], 1 - len(resolved[:_MAX_TRIED])):
        called = address.copy_with(host=str(numeric))
        async with open_elsewhere(called, api) as elsewhere:
            try:
                return await _download(elsewhere, str(called), address.host, named)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if last == 0:
                    raise make_unreachable_fault(address.host, error) from None
            except httpx.HTTPError as error:
                raise make_unreachable_fault(address.host, error) from None
    raise make_strange_fault()  # the host has no address


async def _resolve(address: httpx.URL) -> list[IpAddress]:
    """Look up a host. Raises Fault."""
    look_up = asyncio.get_running_loop().getaddrinfo
    host, port = address.raw_host.decode("ascii"), address.port or 443
    try:
        found = await look_up(host, port, type=socket.SOCK_STREAM)
        return [ipaddress.ip_address(entry[4][0]) for entry in found]
    except (OSError, ValueError) as error:
        raise make_unreachable_fault(address.host, httpx.ConnectError(str(error))) from None


async def _download(
    api: Api, address: str, host: str, headers: dict[str, str] | None = None
) -> bytes:
    """Download up to MAX_PNG_BYTES. Raises Fault for more, and for any status but 200.

    host: that the certificate must name, and that is shown.
    """
    named = {"sni_hostname": host} if headers else None
    async with api.stream("GET", address, headers=headers, extensions=named) as response:
        if response.status_code != httpx.codes.OK:
            raise make_refusal_fault(response.status_code, host)
        return (await api.read_answer(response, MAX_PNG_BYTES)).body


def _find_origin(address: httpx.URL) -> tuple[str, bytes, int | None]:
    return address.scheme, address.raw_host, address.port
