"""The ports of this server itself, to which no webhook may lead, whatever its host is named.

An allowed host may be this machine, by its own name or by one that its owner lets resolve to it.
Cog's port is there as well, where POST /shutdown ends the server.
"""

import asyncio
import socket
from collections.abc import Collection
from ipaddress import ip_address
from typing import Any

import psutil


class OwnPortError(OSError):
    """A connection would lead back to this server."""


def make_socket(
    place: tuple[Any, Any, int, str, tuple[Any, ...]], ports: Collection[int]
) -> socket.socket:
    """Make the socket for a connection to a place, as getaddrinfo gives it. Raises OwnPortError."""
    family, kind, protocol, _, address = place
    if _is_own(address, ports):
        raise OwnPortError("it leads back to this server")
    return socket.socket(family, kind, protocol)


async def leads_back(host: str, port: int, ports: Collection[int]) -> bool:
    """Whether a host's name or address leads to one of these ports of this machine."""
    if port not in ports:
        return False
    try:
        places = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:  # told where it is called
        return False
    return any(_is_own(place[4], ports) for place in places)


def _is_own(address: tuple[Any, ...], ports: Collection[int]) -> bool:
    if address[1] not in ports:
        return False
    called = ip_address(address[0].partition("%")[0])
    called = getattr(called, "ipv4_mapped", None) or called
    if called.is_loopback or called.is_unspecified:
        return True
    interfaces = psutil.net_if_addrs().values()
    return str(called) in {own.address.partition("%")[0] for each in interfaces for own in each}
