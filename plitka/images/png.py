"""PNG files with the record of how they were made in a text chunk."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from plitka import __version__, whole_file
from plitka.images import png_chunks
from plitka.images.errors import PictureError, Unreadable

TEXT_KEY = "plitka"
"""Keyword of the PNG text chunk that holds the record, as JSON."""

MAX_PNG_BYTES = 32 * 2**20
"""Of a PNG that comes from elsewhere. One of 1024x1024 pixels has 3 MB at most."""

MAX_RECORD_BYTES = 2**20
"""Of a picture's record, unpacked. One of eight colours has 10,000."""

_RECORD_START = TEXT_KEY.encode() + b"\0"
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_PERCEPTUAL = b"\0"  # rendering intent of the pictures' sRGB
_EIGHT_BITS_RGB = b"\x08\x02\0\0\0"  # of the header; deflate, filters by row, not interlaced
# Of ISA-L's 0 to 3. Beside Pillow's level 3 it takes a ninth of the time, and files of photographs
# are 0.96 to 1.02 as large, in black and white 1.15; colormaps 1.0 (benchmarks.around_networks).
_COMPRESSION = 2
_UP, _AVERAGE = 2, 3  # filters of PNG: less the pixel above, less the mean of those above and left
_FLAT = 0.5  # of the bytes of a picture that are those above them; photographs have 0.2 at most
_SAMPLE = 8  # every so many rows are looked at for that
_BAND = 64  # rows filtered together, so that they stay in the processor's cache


def read_record(content: bytes) -> str | None:
    """Read the record of a PNG file, as JSON; None where it has none. No pixels are decoded.

    Of several records the last counts, and no other is unpacked: a file may have thousands. Raises
    Unreadable for a record that is damaged or of more than MAX_RECORD_BYTES, and where the file is
    damaged before one was found.
    """
    last = None
    try:
        for kind, data in png_chunks.walk(content, _TEXTS):
            if kind in _TEXTS and data.startswith(_RECORD_START):
                last = (kind, data)
    except Unreadable:
        if last is None:
            raise
    return None if last is None else png_chunks.read_text(*last, MAX_RECORD_BYTES)


def save(image: NDArray[np.uint8], path: Path, record: Mapping[str, Any]) -> None:
    """Write a PNG file, whole or not at all.

    image: (height, width, 3) RGB, 0 to 255. record: goes into the text chunk, as JSON. Raises
    PictureError if it cannot be written; then all is as it was.
    """
    try:
        whole_file.write(path, encode_png(image, record))
    except whole_file.Unwritable as why:
        raise PictureError(str(why)) from None


def encode_png(image: NDArray[np.uint8], record: Mapping[str, Any]) -> bytes:
    """Encode the content of the PNG file that `save` writes, which says that it is sRGB."""
    return assemble_png(image.shape[:2], compress_pixels(image), record)


def compress_pixels(image: NDArray[np.uint8]) -> bytes:
    """Compress the pixels of a PNG file, all that takes long of `encode_png`.

    image: (height, width, 3) RGB, 0 to 255. Raises ValueError for another shape. Returns a zlib
    stream, the same for the same pixels on one machine.
    """
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"a picture has the shape (height, width, 3), not {image.shape}")
    return isal_zlib.compress(_filter_rows(image), _COMPRESSION)


def assemble_png(size: tuple[int, int], pixels: bytes, record: Mapping[str, Any]) -> bytes:
    """Assemble a PNG file. size: height and width. pixels: what `compress_pixels` returns."""
    height, width = size
    text = json.dumps(record, ensure_ascii=False)
    chunks = {
        b"IHDR": width.to_bytes(4, "big") + height.to_bytes(4, "big") + _EIGHT_BITS_RGB,
        b"sRGB": _PERCEPTUAL,
        b"iTXt": _RECORD_START + b"\0\0\0\0" + text.encode(),  # neither packed nor translated
        b"tEXt": b"Software\0" + f"Plitka {__version__}".encode("latin-1"),
        b"IDAT": pixels,
        b"IEND": b"",
    }
    return png_chunks.SIGNATURE + b"".join(
        part for kind, data in chunks.items() for part in png_chunks.write_chunk(kind, data)
    )


def _filter_rows(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Filter the rows of a picture as PNG has them, the filter's number before each.

    One filter serves all rows: _UP for flat colours, where most bytes are those above them, else
    _AVERAGE. image: (height, width, 3). Returns (height, 1 + 3 * width).
    """
    height, width, channels = image.shape
    rows = image.reshape(height, width * channels)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    above = np.zeros_like(rows[:1])
    is_flat = _is_flat(rows)
    filtered[:, 0] = _UP if is_flat else _AVERAGE
    for start in range(0, height, _BAND):
        band = rows[start : start + _BAND]
        predicted = np.concatenate([above, band[:-1]])
        above = band[-1:]
        if not is_flat:
            left = np.zeros_like(band)
            left[:, channels:] = band[:, :-channels]
            # The mean, rounded down, of bytes whose sum may not fit into one.
            predicted = (predicted & left) + ((predicted ^ left) >> 1)
        np.subtract(band, predicted, out=filtered[start : start + _BAND, 1:])
    return filtered


def _is_flat(rows: NDArray[np.uint8]) -> bool:
    """Whether a picture, (height, bytes), has flat colours. One of a single row does not."""
    same = rows[1::_SAMPLE] == rows[:-1:_SAMPLE]
    return bool(same.size) and float(same.mean()) > _FLAT
