"""The folder that one address has in the cache of weights: whose it is, its lock, its notes.

In the system's folder for temporary files anybody may have made that folder before, with weights
of their own in it; so what lies there is believed only where nobody else can have put it. A note
(state.json, part.json) may be damaged; one that does not hold what it should counts as none.
"""

import fcntl
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plitka.errors import WeightsError
from plitka.runtime.timing import log
from plitka.weights.json_text import parse_json

_LONGEST_NAME = 100  # bytes, of the 255 that a name may have, as a suffix may follow


@dataclass(frozen=True)
class State:
    """What a server said of a file. name: in the cache's folder. size: bytes, None if not said."""

    name: str
    size: int | None
    etag: str | None
    modified: str | None

    @property
    def validator(self) -> str | None:
        """What proves that the rest of a file belongs to its beginning."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    def is_same(self, other: "State") -> bool:
        """Whether both are of the same content, as far as the servers said."""
        if self.size is not None and other.size is not None and self.size != other.size:
            return False
        for mine, theirs in ((self.etag, other.etag), (self.modified, other.modified)):
            if mine and theirs:
                return mine.removeprefix("W/") == theirs.removeprefix("W/")
        return self.size is not None and self.size == other.size


def make_name(text: str) -> str:
    """A file's name of any text: letters, digits, `_`, `-` and dots, of which none leads."""
    name = re.sub(r"[^\w.-]", "_", text).lstrip(".").encode()[-_LONGEST_NAME:]
    return name.decode(errors="ignore").lstrip(".") or "weights"


def is_sendable(text: str) -> bool:
    """Whether a header can say it."""
    return bool(text) and text.isascii() and text.isprintable()


@contextmanager
def hold_entry(folder: Path, where: str) -> Iterator[None]:
    """Make the folder where there is none, and hold it for the block.

    Waits for another process that holds it. where: what sentences call the address. Raises
    WeightsError where other users may have put something there, and OSError.
    """
    for made in (*reversed(folder.parents), folder):
        made.mkdir(mode=0o700, exist_ok=True)  # as the XDG specification asks for
    for path in dict.fromkeys((folder, folder.resolve())):
        _refuse_strangers(path, where)
    _remove_links(folder)
    opened = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(opened, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("%s: another process fetches it, waiting", where)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _refuse_strangers(folder: Path, where: str) -> None:
    """Raise WeightsError where a folder lies in one for all users, and may be filled by others.

    One for all is told by its sticky bit, as /tmp has it. What is mounted below that is the
    operator's again.
    """
    shared = False
    for path in (*reversed(folder.parents), folder):
        status = path.lstat()
        if path.is_mount():
            shared = False
        if shared and status.st_uid not in (0, os.geteuid()):
            raise _make_strangers_error(where, path, f"belongs to another user ({status.st_uid})")
        for_all = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_IWOTH
        if for_all and status.st_mode & stat.S_ISVTX and path != folder:
            shared = True
        elif for_all and shared:
            raise _make_strangers_error(where, path, "may be written by all users")


def _make_strangers_error(where: str, path: Path, verdict: str) -> WeightsError:
    return WeightsError(
        f"{where}: cannot be kept in {path}, which {verdict}, so that the weights there may be"
        " theirs; remove that folder, or set XDG_CACHE_HOME to a folder of your own"
    )


def _remove_links(folder: Path) -> None:
    """Remove what would be written or read elsewhere: all but files and folders."""
    for path in folder.iterdir():
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            path.unlink(missing_ok=True)


def read_state(path: Path) -> State | None:
    """What a note holds; None where there is none, or one that is damaged. Raises OSError."""
    try:
        return _check_state(parse_json(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return None


def _check_state(note: Any) -> State | None:
    if not isinstance(note, dict) or note.keys() != State.__dataclass_fields__.keys():
        return None
    name, size = note["name"], note["size"]
    if not isinstance(name, str) or re.fullmatch(r"[\w-][\w.-]*", name) is None:
        return None
    if len(name.encode()) > 2 * _LONGEST_NAME:
        return None
    if size is not None and (type(size) is not int or size < 0):
        return None
    for text in (note["etag"], note["modified"]):
        if text is not None and not (isinstance(text, str) and is_sendable(text)):
            return None
    return State(**note)


def write_state(path: Path, state: State) -> None:
    """Write a note in the place of the one before. Raises OSError."""
    part = path.with_name(f"{path.name}.new")
    part.write_text(json.dumps(asdict(state)), encoding="utf-8")
    part.replace(path)
