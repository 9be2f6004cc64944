"""The chunks of a PNG file: taken apart, and those that make the picture put together again.

So the decoder gets no texts, no animation and no other chunk that only could do harm: a picture is
read though its texts are huge, and what a chunk of colours says is known where decoders pass it
over in silence.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from plitka.images.errors import Unreadable

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_FOR_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_FOR_COLORS = frozenset({b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf"})
_LENGTHS = {b"IHDR": 13, b"cICP": 4, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32}  # bytes

_COLOR, _ALPHA = 2, 4  # bits of the header's colour type


@dataclass(frozen=True)
class Header:
    """A PNG file's header. bits: of a channel. has_alpha: a channel of its own for it."""

    width: int
    height: int
    bits: int
    has_color: bool
    has_alpha: bool


@dataclass(frozen=True, eq=False)
class Parts:
    """What a PNG file is made of.

    picture: a PNG file of the chunks that make the pixels. colors: the chunks that say what colours
    and which way up they are, by type. keyed: one colour is transparent, or each of the palette's
    colours has its opacity. animated: the picture is one of several.
    """

    header: Header
    picture: bytes
    colors: dict[bytes, bytes]
    keyed: bool
    animated: bool


def take_apart(content: bytes) -> Parts:
    """Take a PNG file apart. Raises Unreadable if it is cut off or damaged."""
    header: Header | None = None
    pixels: list[bytes] = []
    colors: dict[bytes, bytes] = {}
    types = set()
    for kind, data in walk(content):
        if kind == b"CgBI":
            raise Unreadable("is a PNG of iPhone programs, which is none outside of them")
        if header is None:
            header = _read_header(kind, data)
        elif kind == b"IHDR" or (kind.isupper() and kind not in _FOR_PIXELS):
            raise Unreadable(f"is damaged: its chunk {kind.decode()} does not belong there")
        if kind in _FOR_PIXELS:
            pixels.append(_write_chunk(kind, data))
        if kind in _FOR_COLORS and (kind == b"eXIf" or b"IDAT" not in types):
            colors.setdefault(kind, data)
        types.add(kind)
    if header is None or b"IDAT" not in types:
        raise Unreadable("is damaged: it has no pixels")
    picture = SIGNATURE + b"".join(pixels)
    return Parts(header, picture, colors, b"tRNS" in types, b"acTL" in types)


def walk(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Walk the chunks, type and data of each, from the header to the end.

    Raises Unreadable where one is cut off or damaged; checksums count for the chunks that
    `take_apart` looks at.
    """
    at = len(SIGNATURE)
    kind = b""
    while kind != b"IEND":
        length, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        end = at + 12 + length
        if len(kind) < 4 or end > len(content):
            raise Unreadable("is cut off")
        if not (kind.isalpha() and kind.isascii()):
            raise Unreadable("is damaged: something in it is no chunk")
        data = content[at + 8 : end - 4]
        if kind in _FOR_PIXELS | _FOR_COLORS:
            _check(kind, data, int.from_bytes(content[end - 4 : end], "big"))
        yield kind, data
        at = end


def unpack_profile(chunk: bytes, limit: int) -> bytes:
    """Unpack the ICC profile of an iCCP chunk. Raises Unreadable if damaged or beyond `limit`."""
    name, _, packed = chunk.partition(b"\0")
    if not (1 <= len(name) <= 79 and packed[:1] == b"\0"):
        raise Unreadable("its colour profile is damaged")
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed[1:], limit + 1)
    except zlib.error:
        raise Unreadable("its colour profile is damaged") from None
    if len(profile) > limit:
        raise Unreadable(f"its colour profile has more than {limit:,} bytes")
    if not unpacker.eof:
        raise Unreadable("its colour profile is damaged")
    return profile


def _check(kind: bytes, data: bytes, checksum: int) -> None:
    """Raise Unreadable for a chunk of a wrong length or checksum."""
    if len(data) != _LENGTHS.get(kind, len(data)) or zlib.crc32(kind + data) != checksum:
        raise Unreadable(f"is damaged: its chunk {kind.decode()} is not what was written")


def _read_header(kind: bytes, data: bytes) -> Header:
    if kind != b"IHDR":
        raise Unreadable("is damaged: it has no header")
    color_type = data[9]
    return Header(
        width=int.from_bytes(data[:4], "big"),
        height=int.from_bytes(data[4:8], "big"),
        bits=data[8],
        has_color=bool(color_type & _COLOR),
        has_alpha=bool(color_type & _ALPHA),
    )


def _write_chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return len(data).to_bytes(4, "big") + kind + data + checksum.to_bytes(4, "big")
