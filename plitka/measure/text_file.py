"""Small text files as people's editors write them: UTF-8, UTF-16 or Windows-1251."""

import codecs
import os
import stat
from pathlib import Path

MOST_BYTES = 65_536
"""Of a text file beside photographs; a caption has some hundred."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16's, with which it begins
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_KINDS = (
    (stat.S_ISDIR, "is a folder"),
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISSOCK, "is a socket"),
)


class TextError(ValueError):
    """A file that is no small text; the message says why and leaves the file's name to others."""


def read_text(file: Path) -> str:
    """Read a text file whose encoding nobody has told. Raises TextError, and nothing else."""
    try:
        return decode_text(_read_bytes(file))
    except OSError as fault:
        raise TextError(f"cannot be read ({fault.strerror or fault})") from None


def decode_text(content: bytes) -> str:
    """Decode UTF-8, UTF-16 with or without its mark, UTF-32 with it, or else Windows-1251.

    Raises TextError for bytes that are none of these.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _decode(content[len(mark) :], (encoding,))
    if b"\0" in content:  # of digits and spaces in UTF-16: every second byte
        first, second = content[::2].count(0), content[1::2].count(0)
        return _decode(content, ("utf-16-be" if first > second else "utf-16-le",))
    return _decode(content, ("utf-8", "cp1251"))


def _decode(content: bytes, encodings: tuple[str, ...]) -> str:
    """Decode by the first of the encodings that fits."""
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise TextError("is no text in UTF-8, UTF-16 or Windows-1251")


def _read_bytes(file: Path) -> bytes:
    """Read a regular file of at most MOST_BYTES. Raises OSError, and TextError for another."""
    _expect_regular(file.stat().st_mode)  # a socket cannot be opened, so its kind is asked first
    # Without O_NONBLOCK a pipe that has meanwhile taken the file's place would be waited for.
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
        _expect_regular(os.fstat(opened.fileno()).st_mode)
        content = opened.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise TextError(f"has more than the {MOST_BYTES:,} bytes that are read")
    return content


def _expect_regular(mode: int) -> None:
    """Raise TextError for the mode of what is no regular file."""
    if not stat.S_ISREG(mode):
        kind = next((words for is_kind, words in _KINDS if is_kind(mode)), "is a device")
        raise TextError(f"{kind}, not a file")
