"""Writes a file whole or not at all, and nothing else beside it.

It is written beside the target under a name that nobody has, with the permissions that any new
file gets there, and then renamed. What is a folder, a pipe or a device is never replaced.
"""

import fcntl
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from plitka.printable import make_printable

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Unwritable(OSError):
    """A file that cannot be written; the message names it and says what to do."""


def name_kind(status: os.stat_result) -> str | None:
    """Name what is no regular file, as "a pipe"; None for a regular file."""
    if stat.S_ISREG(status.st_mode):
        return None
    return _KINDS.get(stat.S_IFMT(status.st_mode), "something else")


def check_target(path: Path, *read: Path) -> None:
    """Raise Unwritable where `write` could not write, so that it is known before the work.

    read: files that the work reads, of which the target may be none, under whatever name.
    """
    for source in read:
        if _is_same(path, source):
            raise Unwritable(
                f"{make_printable(str(path))}: is the file that is read"
                f" ({make_printable(str(source))}), which would be lost; name another file to write"
            )
    _write(path, None)


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one of them is not there
        return False


def write(path: Path, content: bytes) -> None:
    """Write a file, in the place of the one that is there; a link stays, and its target changes.

    The permissions are those of the file that was there, else the usual ones. Raises Unwritable if
    it cannot be written; then all is as it was.
    """
    _write(path, (content,))


def write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file as `write` does, of parts that are made one after the other."""
    _write(path, parts)


@contextmanager
def alone_beside(path: Path) -> Iterator[None]:
    """Keep out others who would write a file here that they have read; they wait meanwhile.

    Nothing keeps them out where the system has no locks. Raises OSError where there is no folder.
    """
    folder = os.open(Path(os.path.realpath(path)).parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _write(path: Path, parts: Iterable[bytes] | None) -> None:
    """Write parts, or go as far as can be gone without any."""
    name = make_printable(str(path))
    try:
        target = Path(os.path.realpath(path))  # Path.resolve raises RuntimeError of some
        mode = _find_mode(target, name)
        part = target.with_name(f".plitka-{secrets.token_hex(8)}.part")
        try:
            with part.open("xb") as file:  # under the permissions that tempfile does not give
                file.writelines(parts or ())
            if parts is None:
                return
            if mode is not None:
                part.chmod(mode)
            part.replace(target)
        finally:
            with suppress(OSError):
                part.unlink()
    except Unwritable:
        raise
    except OSError as error:
        raise Unwritable(
            f"{name}: cannot be written ({error.strerror or error}); check that its folder exists,"
            " is writable and has room"
        ) from None


def _find_mode(target: Path, name: str) -> int | None:
    """Find the permissions of the file that is there; None where there is none.

    Raises Unwritable for what is no regular file, PermissionError for one that is protected.
    """
    try:
        status = target.stat()
    except FileNotFoundError:
        return None
    if kind := name_kind(status):
        raise Unwritable(f"{name}: is {kind}, not a file; name a file to write")
    with target.open("ab"):  # raises as for anybody who writes into it
        return stat.S_IMODE(status.st_mode)
