"""Webhook addresses: what every parser of addresses reads alike, brought into its normal form.

Cog's client reads addresses as browsers do (WHATWG): `\\` counts as `/`, tabs and line ends vanish,
`0x7f.1` is 127.0.0.1, and letters of full width become plain ones. Python reads none of it so. An
address that two parsers read differently passes a check of one and is called as the other says. So
a strict grammar comes first, two parsers have to agree with it, and what they agree on is handed
on, not the text that was sent.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import unquote, urlsplit

import yarl

ALLOWED_ADDRESS = (
    "allowed: http://HOST/PATH or https://HOST:PORT/PATH in plain ASCII, at most 2048 characters,"
    " without a user, a fragment, backslashes, spaces and dot segments"
)
ALLOWED_HOST = "a name like hooks.example.com, an address like 192.0.2.7, or one like [2001:db8::7]"

_MAX_LENGTH = 2048
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>(?:/(?:[a-z0-9._~!$&'()*+,;=:@-]|%[0-9a-f]{2})*)*)"
    r"(?:\?(?P<query>(?:[a-z0-9._~!$&()*+,;=:@/?-]|%[0-9a-f]{2})*))?",
    re.ASCII | re.IGNORECASE,
)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)  # as a last label it makes an IPv4 address
_MAX_NAME = 253
_DEFAULT_PORTS = {"http": 80, "https": 443}


class AddressError(ValueError):
    """An address or host that is not of the form that is allowed; says what is."""


@dataclass(frozen=True)
class Address:
    """An address in its parts. host: in its normal form, IPv6 without brackets."""

    scheme: str
    host: str
    port: int
    path: str
    query: str

    def __str__(self) -> str:
        """The normal form: no port that is the scheme's own, and a path in any case."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{host}{port}{self.path}{query}"


def parse_host(text: str) -> str:
    """Parse a host's name or address; IPv6 with or without brackets. Raises AddressError.

    Returns its normal form: names in lower case, IPv6 short and without brackets.
    """
    host = text.lower()
    try:
        if text.isascii() and ":" in host:
            return IPv6Address(host.removeprefix("[").removesuffix("]")).compressed
        labels = host.split(".")
        if _NUMBER.fullmatch(labels[-1]):
            return str(IPv4Address(host))
    except AddressValueError:
        raise AddressError(f"{text!r} is no host; allowed: {ALLOWED_HOST}") from None
    if len(host) > _MAX_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressError(f"{text!r} is no host; allowed: {ALLOWED_HOST}")
    return host


def parse_allowed_host(text: str) -> str:
    """Parse a host that an operator allows. Raises AddressError, which says what is too much."""
    bare = text.removeprefix("[").removesuffix("]")
    if "/" in text:
        raise AddressError(f"{text!r} is more than a host: name the host alone, without http://")
    if re.fullmatch(r"(\[.*\]|[^:]*):[0-9]*", text):
        raise AddressError(f"{text!r} has a port: name the host alone; all its ports are allowed")
    if text not in (bare, f"[{bare}]") or ("[" in text and ":" not in text) or "%" in text:
        raise AddressError(f"{text!r} is no host; allowed: {ALLOWED_HOST}")
    return parse_host(text)


def parse_address(text: str) -> Address:
    """Parse the address of a webhook. Raises AddressError if two parsers could read two things."""
    match = _ADDRESS.fullmatch(text) if len(text) <= _MAX_LENGTH and text.isascii() else None
    if match is None or (match["query"] is not None and not match["path"]):
        raise AddressError(ALLOWED_ADDRESS)
    host = parse_host(match["host"])
    if any(unquote(segment) in (".", "..") for segment in match["path"].split("/")):
        raise AddressError(ALLOWED_ADDRESS)
    scheme = match["scheme"].lower()
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    address = Address(scheme, host, port, match["path"] or "/", match["query"] or "")
    if not (_read_by_urllib(text) == _read_by_yarl(text) == address):
        raise AddressError(ALLOWED_ADDRESS)
    return address


def check_webhook(text: str, hosts: Collection[str]) -> str:
    """Return the normal form of an address at one of `hosts`. Raises AddressError.

    hosts: as parse_allowed_host returns them.
    """
    address = parse_address(text)
    if address.host not in hosts:
        named = ", ".join(sorted(hosts)) or "none; name them with --webhook-host"
        raise AddressError(
            f"this server does not call {address.host}; hosts that it calls: {named}"
        )
    return str(address)


def _read_by_urllib(text: str) -> Address | None:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    return _compose(parts.scheme, parts.hostname, port, parts.path, parts.query)


def _read_by_yarl(text: str) -> Address | None:
    try:
        parts = yarl.URL(text, encoded=True)
        port = parts.explicit_port
    except ValueError:
        return None
    return _compose(parts.scheme, parts.raw_host, port, parts.raw_path, parts.raw_query_string)


def _compose(
    scheme: str, host: str | None, port: int | None, path: str, query: str
) -> Address | None:
    """Put together what a parser found; None if that is no address."""
    if scheme not in _DEFAULT_PORTS or host is None:
        return None
    return Address(scheme, parse_host(host), port or _DEFAULT_PORTS[scheme], path or "/", query)
