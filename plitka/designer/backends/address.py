"""The address of a server as a setting has it -> the server, its authorization and its secrets."""

import base64
import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

import httpx

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?:(?P<user>[^/?#@]*)@)?(?P<host>\[[^]/?#@]*\]|[^][/?#@:]*)"
    r"(?P<port>:[^/?#@:]*)?(?P<path>/[^?#]*)?",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)  # of a name
_LONGEST_NAME = 253
_PORT = re.compile(r":0{0,5}[1-9][0-9]{0,4}")
_MAX_PORT = 65535


class SettingError(OSError):
    """A setting that names no backend, or lacks its token; the message names the variable."""


@dataclass(frozen=True)
class Server:
    """A server that is asked for photographs.

    address: scheme, host, port and path, without a slash at the end; nothing of it is secret.
    authorization: the value of this header, if the server wants one. secrets: never to be shown.
    """

    address: str
    authorization: str | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_on_this_machine(self) -> bool:
        """Whether the address is one of this machine's own, by its name or number."""
        host = httpx.URL(self.address).host
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host.removesuffix(".") == "localhost"


def parse_server(text: str, variable: str, token: str, token_variable: str) -> Server:
    """Parse the address of a server. variable, token_variable: where both come from.

    A user in the address is authorized by Basic, a token by Bearer; there cannot be both. Raises
    SettingError, whose message never repeats the value: it may contain a password.
    """
    if not _is_visible(text) or "\\" in text:
        raise SettingError(
            f"{variable}: the address holds a space, a control character, a backslash or a letter"
            " outside ASCII; write such a host as xn--…, and all else percent-encoded"
        )
    _check_token(token, token_variable)
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise SettingError(
            f"{variable}: this is no address of a server; allowed are scheme, host, port and path,"
            " such as http://127.0.0.1:5000, without ? and #"
        )
    address = match["scheme"].lower() + "://" + _read_host(match["host"], variable)
    if match["port"] is not None:
        address += f":{_read_port(match['port'], variable)}"
    address += (match["path"] or "").rstrip("/")
    _check_with_client(address, variable)
    if match["user"] is None:
        return Server(address, f"Bearer {token}" if token else None, (token,) if token else ())
    if token:
        raise SettingError(
            f"{variable}: the address holds a user, and {token_variable} holds a token; a server"
            " gets only one of them, so remove the other"
        )
    return Server(address, *_read_user(match["user"], variable))


def _check_token(token: str, variable: str) -> None:
    if not _is_visible(token):
        raise SettingError(
            f"{variable}: the token holds a space, a control character or a letter outside ASCII,"
            " which no token has; check that it is complete and that nothing else is with it"
        )


def _is_visible(text: str) -> bool:
    return all("!" <= char <= "~" for char in text)


def _read_host(host: str, variable: str) -> str:
    """A name, or an IP address; one of IPv6 stands in brackets."""
    labels = [] if "%" in host else host.removesuffix(".").split(".")
    if labels and host.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]"
        except ValueError:
            labels = []
    if not labels or len(host) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise SettingError(
            f"{variable}: the address has no valid host; allowed are a name, an IPv4"
            " address, and an IPv6 address in brackets, [::1]"
        )
    return host.lower()


def _read_port(port: str, variable: str) -> int:
    if _PORT.fullmatch(port) is None or int(port[1:]) > _MAX_PORT:
        raise SettingError(f"{variable}: the address has no valid port; allowed: 1 to 65535")
    return int(port[1:])


def _check_with_client(address: str, variable: str) -> None:
    """Check that the client can call the address. Raises SettingError."""
    try:
        known = httpx.URL(address).host  # decodes xn--…
    except (httpx.InvalidURL, ValueError):
        known = ""
    if not known:
        raise SettingError(f"{variable}: this is no address that can be called")


def _read_user(user: str, variable: str) -> tuple[str, tuple[str, ...]]:
    """A user with password, percent-encoded -> the authorization, and what is secret of it."""
    name, _, password = (unquote(part) for part in user.partition(":"))
    if ":" in name or any(ord(char) < 32 or ord(char) == 127 for char in name + password):
        raise SettingError(
            f"{variable}: the user in the address holds a colon or a control character"
        )
    encoded = base64.b64encode(f"{name}:{password}".encode()).decode()
    secret = (password or name, user.partition(":")[2] or user)
    return f"Basic {encoded}", tuple(one for one in (*secret, encoded) if one)
