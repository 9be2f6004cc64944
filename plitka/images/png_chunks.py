"""The chunks of a PNG file: taken apart, and those that make the picture put together again.

So the decoder gets no texts, no animation and no other chunk that only could do harm: a picture is
read though its texts are huge, and what a chunk of colours says is known where decoders pass it
over in silence.
"""

import zlib
from collections.abc import Iterator, Set
from dataclasses import dataclass

from isal import isal_zlib

from plitka.images.errors import Unreadable

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_FOR_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_FOR_COLORS = frozenset({b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf"})
_LENGTHS = {b"IHDR": 13, b"cICP": 4, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32}  # bytes

_MAX_CHUNKS = 100_000  # of one file; each takes a step here
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
    for kind, data in walk(content, _FOR_PIXELS | _FOR_COLORS):
        if kind == b"CgBI":
            raise Unreadable("is a PNG in the form of iPhone apps, which nothing else can read")
        if header is None:
            header = _read_header(kind, data)
        elif kind == b"IHDR" or (kind[:1].isupper() and kind not in _FOR_PIXELS):
            raise Unreadable(f"is damaged: its chunk {kind.decode()} does not belong there")
        if kind in _FOR_PIXELS:
            pixels.extend(write_chunk(kind, data))
        if kind in _FOR_COLORS and (kind == b"eXIf" or b"IDAT" not in types):
            colors.setdefault(kind, data)
        types.add(kind)
    if header is None or b"IDAT" not in types:
        raise Unreadable("is damaged: it has no pixels")
    picture = SIGNATURE + b"".join(pixels)
    return Parts(header, picture, colors, b"tRNS" in types, b"acTL" in types)


def walk(content: bytes, checked: Set[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Walk the chunks, type and data of each, from the header to the end.

    checked: types of those whose checksums count. Raises Unreadable where a chunk is cut off, and
    for a damaged one of these.
    """
    at = len(SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        length, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        end = at + 12 + length
        if len(kind) < 4 or end > len(content):
            raise Unreadable("is cut off")
        if not (kind.isalpha() and kind.isascii()):
            raise Unreadable("is damaged: something in it is no chunk")
        data = content[at + 8 : end - 4]
        if kind in checked:
            _check(kind, data, int.from_bytes(content[end - 4 : end], "big"))
        yield kind, data
        if kind == b"IEND":
            return
        at = end
    raise Unreadable("is damaged: it has too many chunks")


def write_chunk(kind: bytes, data: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Write a chunk: its length, type, data and checksum, to be joined."""
    checksum = isal_zlib.crc32(data, isal_zlib.crc32(kind))
    return len(data).to_bytes(4, "big"), kind, data, checksum.to_bytes(4, "big")


def read_text(kind: bytes, data: bytes, limit: int) -> str:
    """Read the text of a chunk tEXt, zTXt or iTXt, without its keyword.

    Raises Unreadable for one that is damaged or has more than `limit` bytes.
    """
    what = "its text"
    _, _, text = data.partition(b"\0")
    packed, encoding = kind == b"zTXt", "latin-1"
    if kind == b"iTXt":
        packed, encoding = text[:1] == b"\1", "utf-8"
        method, text = text[1:2], text[2:].split(b"\0", 2)[-1]
        text = method + text if packed else text
    if packed:
        text = _unpack(text, limit, what)
    if len(text) > limit:
        raise Unreadable(f"{what} has more than {limit:,} bytes")
    try:
        return text.decode(encoding)
    except UnicodeDecodeError:
        raise Unreadable(f"{what} is damaged") from None


def unpack_profile(chunk: bytes, limit: int) -> bytes:
    """Unpack the ICC profile of an iCCP chunk. Raises Unreadable if damaged or beyond `limit`."""
    what = "its colour profile"
    name, _, packed = chunk.partition(b"\0")
    if not 1 <= len(name) <= 79:
        raise Unreadable(f"{what} is damaged")
    return _unpack(packed, limit, what)


def _unpack(packed: bytes, limit: int, what: str) -> bytes:
    """Unpack what is behind the number of a compression's method, 0 for deflate."""
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(packed[1:], limit + 1)
    except zlib.error:
        raise Unreadable(f"{what} is damaged") from None
    if len(unpacked) > limit:
        raise Unreadable(f"{what} has more than {limit:,} bytes")
    if packed[:1] != b"\0" or not unpacker.eof:
        raise Unreadable(f"{what} is damaged")
    return unpacked


def _check(kind: bytes, data: bytes, checksum: int) -> None:
    """Raise Unreadable for a chunk of a wrong length or checksum."""
    if len(data) != _LENGTHS.get(kind, len(data)) or zlib.crc32(kind + data) != checksum:
        raise Unreadable(f"is damaged: its chunk {kind.decode()} is not what was written")


def read_header(content: bytes) -> Header:
    """Read the header of a PNG file. Raises Unreadable if it is cut off or damaged."""
    if not content.startswith(SIGNATURE):
        raise Unreadable("is no PNG")
    return _read_header(*next(walk(content, _FOR_PIXELS)))


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
