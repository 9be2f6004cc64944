"""Any picture from outside -> its pixels in sRGB, upright."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from plitka.images.errors import PictureError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
"""Of files that are taken for photographs."""

_MAX_PIXELS = 64_000_000  # more is a mistake or an attack


@dataclass(frozen=True, eq=False)
class Photograph:
    """A picture from outside.

    pixels: (height, width, 3) sRGB, 0 to 255, upright. notes: what was done to it, in phrases.
    """

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...]


def load(path: Path) -> Photograph:
    """Read any picture, turned upright as its EXIF says.

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
                deep = np.asarray(upright, np.int64)[..., None] >> 8
                return Photograph(np.repeat(deep, 3, 2).astype(np.uint8), ())
            return Photograph(np.asarray(upright.convert("RGB")), ())
    except PictureError:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError):
        raise PictureError(f"{path}: not a picture that can be read (PNG, JPEG, …)") from None
    except OSError as error:
        raise PictureError(f"{path}: {error.strerror or error}") from None


def _is_opaque(picture: Image.Image) -> bool:
    return picture.getchannel("A").histogram()[255] == picture.width * picture.height
