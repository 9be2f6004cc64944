"""What a photograph's EXIF says that matters here: which way up it is, and its colour space."""

from dataclasses import dataclass

from PIL import ExifTags, Image

from plitka.images.matrix_profile import ADOBE_RGB, SRGB, Space

_UPRIGHT = 1
_SRGB, _ADOBE_RGB, _UNCALIBRATED = 1, 2, 0xFFFF
_ADOBE_RGB_INDEX = "R03"  # of the DCF option file, which cameras write for Adobe RGB

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Orientation of the EXIF -> what turns the picture upright."""


@dataclass(frozen=True)
class Exif:
    """orientation: 1 to 8. color_space, index: None and "" where they are not told.

    damaged: it could not be read, or not all of it.
    """

    orientation: int = _UPRIGHT
    color_space: int | None = None
    index: str = ""
    damaged: bool = False


def read_exif(exif: Image.Exif) -> Exif:
    """Read what matters here. Raises what Pillow raises of damaged EXIF."""
    orientation = exif.get(ExifTags.Base.Orientation)
    main = exif.get_ifd(ExifTags.IFD.Exif)
    index, color_space = None, main.get(ExifTags.Base.ColorSpace)
    if ExifTags.IFD.Interop in main:
        index = exif.get_ifd(ExifTags.IFD.Interop).get(1)
    if isinstance(index, bytes):
        index = index.decode("ascii", "replace")
    return Exif(
        orientation if orientation in TURNS else _UPRIGHT,
        color_space if isinstance(color_space, int) else None,
        index.strip("\0 ") if isinstance(index, str) else "",
    )


def find_space(exif: Exif) -> Space | None:
    """Find the colour space that the EXIF names; None where it names none."""
    if exif.color_space == _SRGB:
        return SRGB
    if exif.color_space == _ADOBE_RGB:
        return ADOBE_RGB
    if exif.color_space in (_UNCALIBRATED, None) and exif.index == _ADOBE_RGB_INDEX:
        return ADOBE_RGB
    return None


def leaves_open(exif: Exif) -> bool:
    """Whether the EXIF says that the colour space is one that it does not name."""
    return exif.color_space is not None and find_space(exif) is None
