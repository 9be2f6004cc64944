"""Damage that decoders pass over in silence: what they can be made to say, and what bytes tell.

A part of a file that was never copied, or that a disk has lost, is zeros. Compressed pixels hold no
long row of them, but for flat areas in WebP; JPEG's are checked by libjpeg itself, whose complaints
Pillow drops; and zlib's have a checksum, which libtiff passes over.
"""

import io
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import cv2
import numpy as np
from PIL import Image

from plitka.images import heif_boxes, native_stderr
from plitka.images.errors import Unreadable
from plitka.images.formats import Format
from plitka.images.jpeg_scans import take_picture

_ZEROS = 512  # a sector, the least that a disk loses
_FLAT = 1024  # an even white of 3000x3000 has 872 on end as WebP, one of 1000x1000 has 100
_TAIL = 4096  # of pixels that are not compressed, among which zeros are black
_PADDING = 16  # bytes that some cameras leave before the end of a JPEG
_CHUNK = 2**20
_MOST_UNPACKED = 2**30  # bytes; 64 million pixels of 16 bits in four channels have half of that

# libjpeg's words. It tells the first fault alone, so what follows a harmless one is not told.
_BROKEN = re.compile(rb"Premature end of JPEG|Corrupt JPEG data: (?:(\d+) extraneous)?")

# Tags of TIFF, and compressions in them.
_WIDTH, _HEIGHT, _COMPRESSION, _CHANNELS, _ROWS, _PLANES = 256, 257, 259, 277, 278, 284
_TILE_WIDTH, _TILE_HEIGHT, _TABLES = 322, 323, 347
_APART = 2  # a plane for each channel
_PLACES = ((273, 279), (324, 325))  # of strips, of tiles: offsets and lengths
_MOST_TABLES = 2**12  # bytes, of JPEG in TIFF; programs write 600
_LZW, _JPEG, _DEFLATE, _PACKED = 5, 7, (8, 32946), 32773
_LOST_OF_TIFF = "is damaged: a part of its picture is lost (TIFF)"


def check_jpeg(content: bytes) -> None:
    """Raise Unreadable where the pixels of a JPEG file are not those that were written."""
    picture = take_picture(content)
    if picture is None:
        raise Unreadable("is cut off or damaged (JPEG)")
    if _breaks(picture):
        raise Unreadable("is damaged: a part of its picture is lost (JPEG)")


def _breaks(jpeg: bytes) -> bool:
    """Whether libjpeg complains of the data of a scan."""
    data = np.frombuffer(jpeg, np.uint8)
    try:  # small and gray, since only what is decoded before that can be broken
        said = native_stderr.listen(lambda: cv2.imdecode(data, cv2.IMREAD_REDUCED_GRAYSCALE_8))
    except cv2.error as error:  # pixels that it does not read
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from None
        return False
    fault = _BROKEN.search(said)
    return fault is not None and int(fault[1] or _PADDING + 1) > _PADDING


def check_heif(content: bytes, kind: Format) -> None:
    """Raise Unreadable where a part of the coded pictures of HEIC or AVIF is zeros."""
    for start, length in heif_boxes.list_items(content, heif_boxes.CODED_ITEMS):
        _refuse_zeros(content[start : start + length], kind)


def check_tiff(content: bytes, tags: Mapping[int, Any]) -> None:
    """Raise Unreadable where compressed strips or tiles of a TIFF file are damaged.

    What tags of strange types make of this is raised, too.
    """
    _check_count(tags)
    compression = tags.get(_COMPRESSION)
    budget = _MOST_UNPACKED
    for piece in _list_pieces(content, tags):
        if compression in (_LZW, _PACKED):
            _refuse_zeros(piece, "TIFF")
        elif compression in _DEFLATE:
            budget -= _check_deflated(piece, budget)
        elif compression == _JPEG:
            tables = tags.get(_TABLES, b"")
            if len(tables) > _MOST_TABLES:  # read again for each strip or tile
                raise Unreadable("is damaged: its tables are too long (TIFF)")
            budget -= _check_jpeg_piece(piece, tables)
        if budget < 0:
            raise Unreadable("is damaged: its strips or tiles hold more than its pixels (TIFF)")


def _check_count(tags: Mapping[int, Any]) -> None:
    """Raise Unreadable where there are fewer strips or tiles than cover the picture."""
    width, height = tags[_WIDTH], tags[_HEIGHT]
    planes = tags.get(_CHANNELS, 1) if tags.get(_PLANES) == _APART else 1
    if _TILE_WIDTH in tags:
        across, down = -(-width // tags[_TILE_WIDTH]), -(-height // tags[_TILE_HEIGHT])
    else:
        across, down = 1, -(-height // min(tags.get(_ROWS, height), height))
    given = max(
        min(len(tags.get(offsets, ())), len(tags.get(lengths, ()))) for offsets, lengths in _PLACES
    )
    if given < across * down * planes:
        raise Unreadable(_LOST_OF_TIFF)


def _list_pieces(content: bytes, tags: Mapping[int, Any]) -> Iterator[bytes]:
    """List the strips or tiles of a TIFF file, each once."""
    left = len(content)
    for offsets, lengths in _PLACES:
        places = zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=False)
        for start, length in dict.fromkeys(places):
            piece = content[start : start + length]
            left -= len(piece)
            if left < 0:
                raise Unreadable("is damaged: its strips or tiles lie over one another (TIFF)")
            yield piece


def _check_deflated(piece: bytes, most: int) -> int:
    """Return how many bytes are deflated, `most` of which are looked at, if their checksum holds.

    Raises Unreadable where it does not.
    """
    unpacker, packed, count = zlib.decompressobj(), piece, 0
    try:
        while packed and not unpacker.eof and count <= most:
            count += len(unpacker.decompress(packed, _CHUNK))
            packed = unpacker.unconsumed_tail
    except zlib.error:
        raise Unreadable(_LOST_OF_TIFF) from None
    return count


def _check_jpeg_piece(piece: bytes, tables: bytes) -> int:
    """Return how many bytes the pixels of a strip or tile take, if none is lost."""
    picture = take_picture(tables[:-2] + piece[2:] if tables else piece)
    if picture is None:
        raise Unreadable(_LOST_OF_TIFF)
    with Image.open(io.BytesIO(picture), formats=["JPEG"]) as opened:
        size = opened.width * opened.height * len(opened.getbands())
    if size <= _MOST_UNPACKED and _breaks(picture):
        raise Unreadable(_LOST_OF_TIFF)
    return size


def _refuse_zeros(data: bytes, kind: Format) -> None:
    if bytes(_ZEROS) in data:
        raise Unreadable(f"is damaged: a part of it is zeros, as if not copied whole ({kind})")


def note_zeros(content: bytes, kind: Format) -> tuple[str, ...]:
    """Note zeros that may be of the picture, or of a file that was not copied whole."""
    count = 0
    if kind in ("BMP", "TIFF"):
        tail = len(content) - len(content.rstrip(b"\0"))
        count = tail if tail >= _TAIL else 0
    elif kind == "WebP":
        start = content.find(bytes(_FLAT))
        if start >= 0:
            count = len(content) - start - len(content[start:].lstrip(b"\0"))
    if not count:
        return ()
    return (f"{count:,} zeros on end are in it: a flat area, or it was not copied whole",)
