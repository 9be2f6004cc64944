"""How many numbers the tags of a TIFF file hold, counted before any is unpacked.

Each becomes an object of Python's: 128 MB of fractions take 40 seconds and 3 GB.
"""

import struct

from plitka.images.errors import Unreadable

_MOST_NUMBERS = 2_000_000  # tiles of 16x16 in three planes of 64 million pixels take 1,500,000
_MOST_FRACTIONS = 10_000
_FRACTIONS = (5, 10)  # types; the others are numbers, but for bytes, which stay together
_BYTES = (1, 2, 6, 7)
_DIRECTORIES = (0x8769, 0xA005)  # tags whose values are other directories: EXIF, interoperability
_MOST_ENTRIES = 65_535


def check_counts(content: bytes) -> None:
    """Raise Unreadable for more numbers than the tags of any picture hold."""
    order = "<" if content.startswith(b"II") else ">"
    is_big = b"+" in content[2:4]
    entry = struct.Struct(order + ("HHQQ" if is_big else "HHII"))
    count = struct.Struct(order + ("Q" if is_big else "H"))
    first = struct.Struct(order + ("Q" if is_big else "I"))
    seen: list[int] = []
    fractions = numbers = 0
    try:
        left = [*first.unpack_from(content, 8 if is_big else 4)]
        while left and len(seen) <= len(_DIRECTORIES):
            seen.append(place := left.pop())
            (entries,) = count.unpack_from(content, place)
            for at in range(min(entries, _MOST_ENTRIES)):
                start = place + count.size + at * entry.size
                tag, kind, many, value = entry.unpack_from(content, start)
                fractions += many * (kind in _FRACTIONS)
                numbers += many * (kind not in _BYTES)
                if tag in _DIRECTORIES:
                    left.append(value)
    except (struct.error, OverflowError):
        pass  # cut off, or its places are none, which whoever reads it tells
    if fractions > _MOST_FRACTIONS or numbers > _MOST_NUMBERS:
        raise Unreadable("is damaged: its tags hold more numbers than any picture needs (TIFF)")
