"""Any picture from outside -> its pixels in sRGB, upright, and what was done to them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from plitka.images import color_profile, exif, regular_file
from plitka.images.decoding import SIGNED, UPRIGHT, Decoded, decode, refuse_damage
from plitka.images.errors import PictureError, Unreadable
from plitka.images.exif import TURNS
from plitka.images.formats import Format, identify
from plitka.images.matrix_profile import write_profile
from plitka.printable import make_printable

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".tif", ".tiff", ".bmp"}
    | {".heic", ".heif", ".hif", ".avif"}
)
"""Of files that are taken for photographs, in small letters."""

MAX_BYTES = 512 * 2**20
"""Of a file; 64 million pixels of 16 bits in red, green and blue have 384 MB."""

_OPAQUE = 255
_NOT_READ = {
    "F": "has floating-point pixels, and does not say which number is white",
    "I": SIGNED,
    "HSV": "has pixels in HSV",
}


@dataclass(frozen=True, eq=False)
class Photograph:
    """A picture from outside.

    pixels: (height, width, 3) sRGB, 0 to 255, upright. notes: what was done to it, in phrases.
    """

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...]


def load(path: Path) -> Photograph:
    """Read any picture: PNG, JPEG, WebP, TIFF, BMP, HEIC or AVIF, by its content.

    It is brought to sRGB by what the file says of its colours; what says nothing is taken for
    sRGB. It is turned upright as its EXIF says, and laid on white where it is transparent. Raises
    PictureError, whatever the file is.
    """
    try:
        return read(regular_file.read_content(path, MAX_BYTES))
    except Unreadable as why:
        raise PictureError(f"{make_printable(str(path))}: {why}") from None
    except MemoryError:
        name = make_printable(str(path))
        raise PictureError(f"{name}: needs more memory than there is") from None


def read(content: bytes) -> Photograph:
    """Read the content of a picture file, as `load` does. Raises Unreadable, without a name."""
    if not content:
        raise Unreadable("is empty")
    kind = identify(content)
    return _prepare(decode(content, kind), kind)


def _prepare(decoded: Decoded, kind: Format) -> Photograph:
    """Bring a decoded picture to sRGB, opaque and upright."""
    notes = list(decoded.notes)
    if decoded.exif.damaged:
        notes.append("its EXIF is damaged and was not followed")
    with refuse_damage(kind):  # that of a palette shows only here
        picture, alpha = _part_alpha(decoded.picture)
    profile = decoded.profile
    if profile is None and picture.mode in ("L", "RGB"):
        space = exif.find_space(decoded.exif)
        profile = write_profile(space) if space else None
        if exif.leaves_open(decoded.exif):
            notes.append("its colour space is not said, taken for sRGB")
    converted = color_profile.convert(picture, profile, decoded.bits)
    picture = converted.picture
    if converted.name:
        notes.append(f"{converted.name} brought to sRGB")
    if alpha is not None and alpha.getextrema()[0] != _OPAQUE:
        white = Image.new("RGB", picture.size, "white")
        picture = Image.composite(picture, white, alpha)
        notes.append("laid on white where it is transparent")
    if decoded.exif.orientation in TURNS:
        picture = picture.transpose(TURNS[decoded.exif.orientation])
        notes.append(UPRIGHT)
    return Photograph(np.asarray(picture), tuple(notes))


def _part_alpha(picture: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Part a picture into its colours, in mode L, RGB, CMYK or LAB, and its opacity, if it has one.

    Raises Unreadable for modes whose numbers have no known meaning.
    """
    mode = picture.mode
    if mode in _NOT_READ:
        raise Unreadable(f"{_NOT_READ[mode]}; save it with 8 or 16 bits a channel")
    if mode in ("CMYK", "LAB"):
        return picture, None
    gray = mode in ("1", "L", "LA", "La")
    if not picture.has_transparency_data:
        return picture.convert("L" if gray else "RGB"), None
    parted = picture.convert("LA" if gray else "RGBA")
    return parted.convert("L" if gray else "RGB"), parted.getchannel("A")
