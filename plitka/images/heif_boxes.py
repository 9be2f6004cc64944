"""The boxes of a HEIF file (AVIF, HEIC): what it says of the colours of its picture.

Decoders hand out the profile, if there is one, but not always the code points that stand in its
place, nor how many bits a channel has: Pillow's of AVIF has neither.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from plitka.images.errors import Unreadable

_MAX_BOXES = 20_000  # of one level; a phone's photograph has a thousand properties at most
_HEADER = 8  # bytes: size and type
_PRIMARY, _PROPERTIES = b"pitm", b"iprp"
CODED_ITEMS = (b"hvc1", b"hev1", b"av01")
EXIF_ITEMS = (b"Exif",)


@dataclass(frozen=True)
class Stated:
    """What is said of the primary picture.

    codes: the code points of primaries and transfer; None where there are none. bits: of a channel.
    """

    codes: tuple[int, int] | None = None
    bits: int = 8


def read_boxes(content: bytes) -> Stated:
    """Read what the file says of its primary picture. Raises Unreadable where boxes are damaged."""
    for kind, meta in _walk(content):
        if kind == b"meta":
            return _read_properties(_list_properties(meta[4:]))
    return Stated()


def list_items(content: bytes, kinds: Collection[bytes]) -> list[tuple[int, int]]:
    """List where the items of some kinds lie in a file, as offsets and lengths.

    Raises Unreadable where boxes are damaged.
    """
    boxes: dict[bytes, bytes] = {}
    for kind, meta in _walk(content):
        if kind == b"meta":
            for inner, data in _walk(meta[4:]):
                boxes.setdefault(inner, data)
    items = set(_find_items(boxes.get(b"iinf", b""), kinds))
    places = _read_locations(boxes.get(b"iloc", b""))
    return [(start, length) for item, start, length in places if item in items]


def _find_items(data: bytes, kinds: Collection[bytes]) -> Iterator[int]:
    """Find the items of some kinds in an `iinf` box."""
    for kind, entry in _walk(data[6 if data[:1] == b"\0" else 8 :]):
        width = 2 if entry[:1] == b"\2" else 4
        if kind == b"infe" and entry[6 + width : 10 + width] in kinds:
            yield int.from_bytes(entry[4 : 4 + width], "big")


def _read_locations(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Read item, offset and length of the extents in an `iloc` box that are offsets in the file."""
    at = 4

    def take(width: int) -> int:
        nonlocal at
        if at + width > len(data):
            raise Unreadable("is damaged: a box of it is cut off")
        at += width
        return int.from_bytes(data[at - width : at], "big")

    if not data:
        return
    version, sizes = data[0], take(2)
    wide = 4 if version == 2 else 2
    of_offset, of_length, of_base = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    of_index = sizes & 15 if version else 0
    extents = 0
    for _ in range(min(take(wide), _MAX_BOXES)):
        item = take(wide)
        in_file = (take(2) & 15 if version else 0) == 0
        take(2)
        base = take(of_base)
        count = take(2)
        extents += count
        if extents > _MAX_BOXES:
            raise Unreadable("is damaged: its pictures lie in too many pieces")
        for _ in range(count):
            take(of_index)
            start, length = base + take(of_offset), take(of_length)
            if in_file:
                yield item, start, length


def _read_properties(properties: list[tuple[bytes, bytes]]) -> Stated:
    codes, bits = None, 8
    for kind, data in properties:
        if kind == b"colr" and data[:4] == b"nclx" and len(data) >= 8:
            codes = int.from_bytes(data[4:6], "big"), int.from_bytes(data[6:8], "big")
        if kind == b"pixi" and len(data) > 5:
            bits = max(data[5:])
    return Stated(codes, bits)


def _list_properties(meta: bytes) -> list[tuple[bytes, bytes]]:
    """List the properties of the primary picture."""
    boxes: dict[bytes, bytes] = {}
    for kind, data in _walk(meta):
        boxes.setdefault(kind, data)
    if _PRIMARY not in boxes or _PROPERTIES not in boxes:
        return []
    primary = boxes[_PRIMARY]
    item = int.from_bytes(primary[4 : 8 if primary[:1] == b"\1" else 6], "big")
    parts = list(_walk(boxes[_PROPERTIES]))
    listed = list(_walk(next((data for kind, data in parts if kind == b"ipco"), b"")))
    return [
        listed[index - 1]
        for kind, data in parts
        if kind == b"ipma"
        for index in _find_associations(data, item)
        if 1 <= index <= len(listed)
    ]


def _find_associations(data: bytes, item: int) -> Iterator[int]:
    """Find the properties of an item, as indices from 1, in an `ipma` box."""
    version, wide = data[:1] != b"\0", bool(data[3:4] and data[3] & 1)
    width, step = (4 if version else 2), (2 if wide else 1)
    at = 8
    for _ in range(min(int.from_bytes(data[4:8], "big"), _MAX_BOXES)):
        owner, count = (
            int.from_bytes(data[at : at + width], "big"),
            data[at + width : at + width + 1],
        )
        if not count:
            raise Unreadable("is damaged: a box of it is cut off")
        at += width + 1
        for place in range(at, at + step * count[0], step):
            if owner == item:
                yield int.from_bytes(data[place : place + step], "big") & (0x7FFF if wide else 0x7F)
        at += step * count[0]


def _walk(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Walk the boxes of one level: type and content of each."""
    at, end = 0, len(data)
    for _ in range(_MAX_BOXES):
        if at + _HEADER > end:
            return
        size, kind, header = (
            int.from_bytes(data[at : at + 4], "big"),
            data[at + 4 : at + 8],
            _HEADER,
        )
        if size == 1:
            size, header = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = end - at
        if size < header or at + size > end:
            raise Unreadable("is cut off or damaged")
        yield kind, data[at + header : at + size]
        at += size
    raise Unreadable("is damaged: it has too many boxes")
