"""What a fuzzing target is, and what several of them use."""

import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Target:
    """One thing that reads what comes from outside.

    check: takes any content, and fails unless that is either read soundly or refused as promised;
    says whether it was read. tokens: pieces that its format is made of. repair: makes lengths and
    checksums of changed content right again, so that changes get past them. longest: bytes of
    content that are tried.
    """

    name: str
    check: Callable[[bytes], bool]
    tokens: tuple[bytes, ...]
    repair: Callable[[bytes], bytes] = bytes
    longest: int = 4096


@contextmanager
def refuse_warnings(*harmless: str) -> Iterator[None]:
    """Make a warning an error: nobody reads one in a server's log. harmless: how others begin."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for beginning in harmless:
            warnings.filterwarnings("ignore", beginning)
        yield


@cache
def open_workplace() -> Path:
    """The folder of this process for files that are to be read by their path."""
    folder = tempfile.TemporaryDirectory(prefix="fuzz-")
    _KEPT.append(folder)
    return Path(folder.name).resolve()


_KEPT: list[tempfile.TemporaryDirectory[str]] = []  # until the process ends


class WriteWatch:
    """Watches which paths Python writes, makes, links or renames while `watch` lasts.

    An audit hook cannot be taken off again, so there is one for the process, told when to listen.
    """

    _EVENTS = frozenset({"os.mkdir", "os.link", "os.symlink", "os.rename", "os.chmod"})

    def __init__(self) -> None:
        self._paths: list[str] | None = None
        sys.addaudithook(self._hear)

    def _hear(self, event: str, given: tuple[Any, ...]) -> None:
        if self._paths is None:
            return
        if event == "open":
            path, mode, flags = given
            writes = any(mark in mode for mark in "wax+") if mode else bool(flags & 3)
            if writes and not isinstance(path, int):
                self._paths.append(str(path))
        elif event in self._EVENTS:
            self._paths.extend(str(path) for path in given[:2] if isinstance(path, str | Path))

    @contextmanager
    def watch(self) -> Iterator[list[str]]:
        """Gives the list that fills meanwhile."""
        paths: list[str] = []
        self._paths = paths
        try:
            yield paths
        finally:
            self._paths = None


@cache
def watch_writes() -> WriteWatch:
    """The process's watch."""
    return WriteWatch()


def is_sentence(text: str) -> bool:
    """Whether a text can be shown as one line: not empty, printable, of a bearable length."""
    return bool(text.strip()) and text.isprintable() and len(text) <= 4000
