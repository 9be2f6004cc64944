"""The proxies that the environment names: by which webhooks are called, and Cog's server is not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from aiohttp import BasicAuth
from yarl import URL


class ProxyError(ValueError):
    """A variable names no proxy that can be used; says what can."""


def bypass_proxies(variables: Mapping[str, str]) -> dict[str, str]:
    """Make the environment in which Cog's client calls this machine itself, through no proxy."""
    named = variables.get("NO_PROXY") or variables.get("no_proxy")
    hosts = f"{named},127.0.0.1" if named else "127.0.0.1"
    return {**variables, "NO_PROXY": hosts, "no_proxy": hosts}


@dataclass(frozen=True)
class Proxy:
    """An http proxy, and what it has to be told of its user."""

    address: URL
    auth: BasicAuth | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Proxies:
    """Which proxy an address is called by. Passwords come from the variables alone, no ~/.netrc.

    by_scheme: of the addresses called, `http` and `https`. bypassed: hosts, as NO_PROXY has them.
    """

    by_scheme: Mapping[str, Proxy] = field(default_factory=dict)
    bypassed: str = ""

    def find(self, address: URL) -> Proxy | None:
        """Find the proxy for an address, None for none."""
        is_direct = proxy_bypass_environment(address.host or "", {"no": self.bypassed})
        return None if is_direct else self.by_scheme.get(address.scheme)


def read_proxies(variables: Mapping[str, str]) -> Proxies:
    """Read HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in lower case first.

    Raises ProxyError, without the value, which may hold a password.
    """
    by_scheme = {}
    for scheme in ("http", "https"):
        name = f"{scheme}_proxy"
        value = _read(variables, name)
        if value:
            by_scheme[scheme] = _parse(name.upper(), value)
    return Proxies(by_scheme, _read(variables, "no_proxy"))


def _read(variables: Mapping[str, str], name: str) -> str:
    return variables.get(name) or variables.get(name.upper()) or ""


def _parse(name: str, value: str) -> Proxy:
    """Parse `http://user:password@host:port` or `host:port`. Raises ProxyError."""
    try:
        address = URL(value if "://" in value else f"http://{value}")
        is_sound = address.scheme == "http" and bool(address.host) and address.port != 0
    except ValueError:
        is_sound = False
    if not is_sound:
        raise ProxyError(
            f"{name}: is no http proxy that webhooks can use; allowed: http://HOST:PORT or"
            " http://USER:PASSWORD@HOST:PORT, with USER and PASSWORD percent-encoded"
        )
    auth = BasicAuth(address.user, address.password or "") if address.user else None
    return Proxy(address.with_user(None), auth)
