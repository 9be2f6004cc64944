"""The boxes of a HEIF file (AVIF, HEIC): what it says of the colours of its picture.

Decoders hand out the profile, if there is one, but not always the code points that stand in its
place: Pillow's of AVIF has none.
"""

from collections.abc import Iterator

from plitka.images.errors import Unreadable

_MAX_BOXES = 20_000  # of one level; a phone's photograph has a thousand properties at most
_HEADER = 8  # bytes: size and type
_PRIMARY, _PROPERTIES = b"pitm", b"iprp"


def read_nclx(content: bytes) -> tuple[int, int] | None:
    """Read the code points of primaries and transfer of the primary picture.

    Returns None where the file has none. Raises Unreadable where its boxes are damaged.
    """
    for kind, meta in _walk(content, 0, len(content)):
        if kind == b"meta":
            return _read_meta(meta[4:])
    return None


def _read_meta(meta: bytes) -> tuple[int, int] | None:
    boxes: dict[bytes, bytes] = {}
    for kind, data in _walk(meta, 0, len(meta)):
        boxes.setdefault(kind, data)
    if _PRIMARY not in boxes or _PROPERTIES not in boxes:
        return None
    primary = boxes[_PRIMARY]
    item = int.from_bytes(primary[4 : 8 if primary[:1] == b"\1" else 6], "big")
    properties = list(_walk(boxes[_PROPERTIES], 0, len(boxes[_PROPERTIES])))
    container = next((data for kind, data in properties if kind == b"ipco"), b"")
    listed = list(_walk(container, 0, len(container)))
    for kind, data in properties:
        if kind == b"ipma":
            for index in _find_associations(data, item):
                if 1 <= index <= len(listed) and listed[index - 1][0] == b"colr":
                    color = listed[index - 1][1]
                    if color[:4] == b"nclx" and len(color) >= 8:
                        codes = color[4:8]
                        return int.from_bytes(codes[:2], "big"), int.from_bytes(codes[2:], "big")
    return None


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


def _walk(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Walk the boxes of one level: type and content of each."""
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
