"""PNG files with the record of how they were made in a text chunk."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

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
_COMPRESSION = 3  # of 9: half the time of the default for 2% more bytes


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
    text = PngImagePlugin.PngInfo()
    text.add(b"sRGB", _PERCEPTUAL)
    text.add_itxt(TEXT_KEY, json.dumps(record, ensure_ascii=False))
    text.add_text("Software", f"Plitka {__version__}")
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", pnginfo=text, compress_level=_COMPRESSION)
    return file.getvalue()
