"""What libraries in C write to standard error by themselves, past Python: hushed, or listened to.

The stream is the whole program's: what other threads write meanwhile goes the same way.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_STDERR = 2
_MOST = 65_536  # bytes: what a pipe holds


@contextmanager
def hush() -> Iterator[None]:
    """Keep libraries from writing to standard error."""
    with Path(os.devnull).open("wb") as nowhere, _divert(nowhere.fileno()):
        yield


def listen(call: Callable[[], object]) -> bytes:
    """Make a call, and return the beginning of what libraries wrote to standard error meanwhile."""
    reading, writing = os.pipe()
    try:
        for end in (reading, writing):
            os.set_blocking(end, False)
        with _divert(writing):
            call()
        try:
            return os.read(reading, _MOST)
        except BlockingIOError:  # nothing was
            return b""
    finally:
        os.close(reading)
        os.close(writing)


@contextmanager
def _divert(descriptor: int) -> Iterator[None]:
    """Let standard error lead to another file descriptor meanwhile."""
    try:
        kept = os.dup(_STDERR)
    except OSError:  # it is closed
        kept = None
    try:
        os.dup2(descriptor, _STDERR)
        yield
    finally:
        if kept is None:
            os.close(_STDERR)
        else:
            os.dup2(kept, _STDERR)
            os.close(kept)
