"""How many clients may be connected: as many as there are files for, and no probe is shut out.

A server without a file for the next connection cannot answer anybody, and Python's event loop
writes a traceback for each attempt. So before that the one goes that has kept a place longest
without having anything asked of the server.
"""

import resource
from dataclasses import dataclass, field
from typing import Protocol

_UNLIMITED_FILES = 65536


@dataclass(frozen=True)
class Capacity:
    """clients: connected at once. burst: connections that are taken before any is looked at."""

    clients: int
    burst: int


def measure_capacity() -> Capacity:
    """Measure how many clients this process has files for: each takes two, one of them to Cog."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        files = _UNLIMITED_FILES
    spare = files // 4  # for all else, and for a burst, each of which may wait for one to close
    return Capacity((files - spare) // 2, min(spare // 4, 100))


class Client(Protocol):
    """A connection, as far as its place is concerned."""

    @property
    def is_waiting(self) -> bool:
        """Whether it is the client's turn: to ask, to send the rest, or to take its answer."""

    def abort(self) -> None:
        """End the connection at once."""


@dataclass
class Connections:
    """The clients that are connected, the one that did something last at the end."""

    most: int
    _clients: dict[Client, None] = field(default_factory=dict)

    def admit(self, client: Client) -> None:
        """Take in a client; ends the one that has waited longest where there are too many.

        Where none waits, that is the new one.
        """
        self._clients[client] = None
        if len(self._clients) > self.most:
            ended = next((each for each in self._clients if each.is_waiting), client)
            self.remove(ended)
            ended.abort()

    def note(self, client: Client) -> None:
        """Note that a client has done something."""
        if client in self._clients:
            del self._clients[client]
            self._clients[client] = None

    def remove(self, client: Client) -> None:
        """Forget a client that is gone."""
        self._clients.pop(client, None)
