"""Text that any terminal can show on one line."""

_FIRST_BYTE, _LAST_BYTE = 0xDC80, 0xDCFF  # as which Python has the bytes of names that are no UTF-8


def make_printable(text: str) -> str:
    r"""Write everything on one line that a terminal can show, and the rest of it as escapes.

    "\x1b" is written for an escape, "\n" for a line feed, "\xff" for a byte of a name that is no
    UTF-8.
    """
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def _escape(letter: str) -> str:
    code = ord(letter)
    if _FIRST_BYTE <= code <= _LAST_BYTE:
        return f"\\x{code - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode("ascii")
