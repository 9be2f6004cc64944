"""Image files: PNG with the record of how it was made, and any picture as an array.

Imports: nothing of the project.
"""

import io
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from plitka import __version__

TEXT_KEY = "plitka"
"""Keyword of the PNG text chunk that holds the record, as JSON."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
"""Of files that are taken for photographs."""

MAX_PNG_BYTES = 32 * 2**20
"""Of a PNG that comes from elsewhere. One of 1024x1024 pixels has 3 MB at most."""

_COMPRESSION = 3  # of 9: half the time of the default for 2% more bytes
_MAX_PIXELS = 64_000_000  # more is a mistake or an attack


class PictureError(OSError):
    """A file that cannot be read as a picture, or not be written; the message names it."""


def save(image: NDArray[np.uint8], path: Path, record: Mapping[str, Any]) -> None:
    """Write a PNG file, whole or not at all.

    image: (height, width, 3) RGB, 0 to 255. record: goes into the text chunk, as JSON. Raises
    PictureError if it cannot be written; then no part of it is left.
    """
    part = path.with_suffix(".part")
    try:
        part.write_bytes(encode_png(image, record))
        part.replace(path)
    except OSError as error:
        raise PictureError(
            f"{path}: cannot be written ({error.strerror or error}); see that its folder is there,"
            " may be written to, and has room for a few megabytes"
        ) from None
    finally:
        with suppress(OSError):
            part.unlink()


def encode_png(image: NDArray[np.uint8], record: Mapping[str, Any]) -> bytes:
    """Encode the content of the PNG file that `save` writes."""
    text = PngImagePlugin.PngInfo()
    text.add_itxt(TEXT_KEY, json.dumps(record, ensure_ascii=False))
    text.add_text("Software", f"Plitka {__version__}")
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", pnginfo=text, compress_level=_COMPRESSION)
    return file.getvalue()


def load(path: Path) -> NDArray[np.uint8]:
    """Read any picture as (height, width, 3) RGB, 0 to 255, turned upright as its EXIF says.

    Raises PictureError for what is no picture, has more than _MAX_PIXELS, or is transparent.
    """
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > _MAX_PIXELS:
                size = f"{picture.width}x{picture.height}"
                raise PictureError(f"{path}: {size} pixels; at most {_MAX_PIXELS:,} are read")
            upright = ImageOps.exif_transpose(picture)
            if upright.has_transparency_data and not _is_opaque(upright.convert("RGBA")):
                raise PictureError(f"{path}: is transparent in places; give it a background first")
            if upright.mode.startswith("I"):  # 16 bits of gray, which Pillow would clip to 8
                return np.repeat(np.asarray(upright, np.int64)[..., None] >> 8, 3, 2).astype(
                    np.uint8
                )
            return np.asarray(upright.convert("RGB"))
    except PictureError:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError):
        raise PictureError(f"{path}: not a picture that can be read (PNG, JPEG, …)") from None
    except OSError as error:
        raise PictureError(f"{path}: {error.strerror or error}") from None


def _is_opaque(picture: Image.Image) -> bool:
    return picture.getchannel("A").histogram()[255] == picture.width * picture.height
