"""Small text files as people's editors write them: UTF-8, UTF-16 or Windows-1251."""

import codecs
from pathlib import Path

from plitka.images import regular_file
from plitka.images.errors import Unreadable

MOST_BYTES = 65_536
"""Of a text file beside photographs; a caption has some hundred."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16's, with which it begins
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class TextError(ValueError):
    """A file that is no small text; the message says why and leaves the file's name to others."""


def read_text(file: Path) -> str:
    """Read a text file whose encoding nobody has told. Raises TextError, and nothing else."""
    try:
        return decode_text(regular_file.read_content(file, MOST_BYTES))
    except Unreadable as fault:
        raise TextError(str(fault)) from None


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
