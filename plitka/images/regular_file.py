"""A path -> the whole content of a regular file. Pipes, devices and folders are never opened."""

import os
import stat
from pathlib import Path

from plitka.images.errors import Unreadable

MAX_BYTES = 512 * 2**20
"""Of a photograph's file: 64 million pixels of 16 bits in red, green and blue have 384 MB."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_content(path: Path) -> bytes:
    """Read a regular file, following links.

    Raises Unreadable if it is no regular file, empty, larger than MAX_BYTES, or cannot be read.
    """
    try:
        _check_kind(path.stat())  # before it is opened, which a tape or a pipe would notice
        # Should a pipe have taken the file's place since, then opening it would wait for ever.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as file:
            status = os.fstat(file.fileno())
            _check_kind(status)
            if status.st_size > MAX_BYTES:
                raise Unreadable(f"has {status.st_size:,} bytes; at most {MAX_BYTES:,} are read")
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Unreadable(error.strerror or type(error).__name__) from None
    except ValueError:  # a null character in the path
        raise Unreadable("no file can have this name") from None
    if not content:
        raise Unreadable("is empty")
    if len(content) > MAX_BYTES:
        raise Unreadable(f"has more than {MAX_BYTES:,} bytes, and no more are read")
    return content


def write_name(path: Path) -> str:
    r"""Write a path so that any terminal can print it, on one line.

    What is no UTF-8 and what does not print become escapes: "\xff", "\n".
    """
    text = os.fsencode(path).decode("utf-8", "backslashreplace") if _is_encodable(path) else ""
    text = text or repr(str(path))[1:-1]
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def _is_encodable(path: Path) -> bool:
    """Whether the path can be a file's at all: some surrogates stand for no byte."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def _check_kind(status: os.stat_result) -> None:
    """Raise Unreadable for all but a regular file."""
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise Unreadable(f"is {kind}, no picture")
