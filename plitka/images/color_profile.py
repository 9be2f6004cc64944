"""Brings pictures to sRGB by the ICC profile of their colours, with littleCMS.

The intent is relative colorimetric and without black point compensation: a colour stays what it
was measured to be, and what lies outside of sRGB is clipped.
"""

import io
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from plitka.images import code_points
from plitka.images.errors import Unreadable

MAX_BYTES = 16 * 2**20
"""Of a profile. Those of presses have 3 MB."""

_HEADER = 132  # bytes, with the count of tags
_MAX_TAGS = 100
_CLASSES = {
    b"scnr": "",
    b"mntr": "",
    b"prtr": "",
    b"spac": "",
    b"link": "links two devices",
    b"abst": "is abstract",
    b"nmcl": "names single colours",
}
# Modes of pictures -> the colour spaces of the profiles that can be theirs.
_SPACES = {
    "L": (b"GRAY", b"RGB "),
    "RGB": (b"RGB ",),
    "CMYK": (b"CMYK",),
    "LAB": (b"Lab ",),
}
_WRITTEN = {"L": "gray", "RGB": "RGB", "CMYK": "CMYK", "LAB": "L*a*b*"}

_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_MIDDLE = 128
_FALL = 8  # levels by which a brighter gray may come out darker
_SAME = 1  # levels of 255; a profile that moves no colour farther is sRGB
_BITS = 8
_DARK, _COARSE = 32, 4  # levels; the first of linear light lie 13 apart, of ProPhoto's gamma 1
_NAME_LENGTH = 60  # characters


@dataclass(frozen=True, eq=False)
class Converted:
    """A picture in sRGB. name: of the profile that it was converted by, "" where it was sRGB."""

    picture: Image.Image
    name: str


def convert(picture: Image.Image, profile: bytes | None, bits: int = 8) -> Converted:
    """Convert a picture of mode L, RGB, CMYK or LAB to sRGB, mode RGB.

    profile: of its colours; where there is none, gray and RGB are taken for sRGB. bits: of
    a channel, before there were 8. Raises Unreadable for a profile that is damaged or not for such
    pictures, for CMYK without one, and where the dark shades were lost with the other bits.
    """
    if profile is None:
        if picture.mode == "CMYK":
            raise Unreadable("is CMYK without a colour profile; save it in sRGB")
        if picture.mode != "LAB":
            return Converted(picture.convert("RGB"), "")
        opened, name = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "L*a*b*"
    else:
        space = _check_header(profile, picture.mode)
        if space == b"RGB ":
            picture = picture.convert("RGB")
        opened, name = _open(profile)
    transform = _build_transform(opened, picture.mode)
    if picture.mode in ("L", "RGB"):
        farthest = _find_farthest(transform, picture.mode)
        if farthest <= _SAME:
            return Converted(picture.convert("RGB"), "")
        if bits > _BITS:
            _refuse_linear(transform, picture.mode, bits)
    return Converted(_apply(transform, picture), name)


def _check_header(profile: bytes, mode: str) -> bytes:
    """Check that a profile is whole and for pictures of a mode. Returns its colour space."""
    if len(profile) > MAX_BYTES:
        raise Unreadable(f"its colour profile has more than {MAX_BYTES:,} bytes")
    size = int.from_bytes(profile[:4], "big")
    if len(profile) < _HEADER or profile[36:40] != b"acsp" or size > len(profile):
        raise Unreadable("its colour profile is damaged")
    wrong = _CLASSES.get(profile[12:16], "is of a kind that is not known here")
    if wrong and mode != "LAB":  # whose own profile is called abstract
        raise Unreadable(f"its colour profile {wrong}; save it in sRGB")
    space = profile[16:20]
    if space not in _SPACES[mode]:
        raise Unreadable(f"its colour profile is not one for {_WRITTEN[mode]}; save it in sRGB")
    count = int.from_bytes(profile[128:132], "big")
    if count > _MAX_TAGS or _HEADER + 12 * count > size:
        raise Unreadable("its colour profile is damaged")
    for signature, start, length in struct.iter_unpack(">4sII", profile[132 : 132 + 12 * count]):
        if start + length > size:
            raise Unreadable("its colour profile is damaged")
        if signature == b"cicp" and length >= 12:
            code_points.refuse_high_range(profile[start + 9])
    return space


def _open(profile: bytes) -> tuple[ImageCms.ImageCmsProfile, str]:
    """Open a profile, and read its name so that it can be printed."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(opened)
    except (OSError, ImageCms.PyCMSError, ValueError, TypeError):
        raise Unreadable("its colour profile is damaged") from None
    printable = "".join(letter if letter.isprintable() else " " for letter in name)
    return opened, " ".join(printable.split())[:_NAME_LENGTH] or "a colour profile"


def _build_transform(profile: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    try:
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(profile, srgb, mode, "RGB", _INTENT)
    except (OSError, ImageCms.PyCMSError, ValueError):
        raise Unreadable("its colour profile is damaged") from None


def _find_farthest(transform: ImageCms.ImageCmsTransform, mode: str) -> int:
    """Find how many levels a transform of gray or RGB moves a colour at most.

    Raises Unreadable where it makes black bright, white dark, or a brighter gray the darker one, as
    no colour space does.
    """
    levels = np.arange(0, 256, 1 if mode == "L" else 15, dtype=np.uint8)
    grid = levels[None]
    if mode == "RGB":
        grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    moved = np.asarray(_apply(transform, Image.fromarray(grid)), np.int16)
    if moved[0, 0].max() > _MIDDLE or moved[0, -1].min() < _MIDDLE:
        raise Unreadable("its colour profile is damaged")
    steps = len(levels) if mode == "RGB" else 0
    grays = moved[0, :: steps * steps + steps + 1].sum(axis=-1)
    if np.diff(grays).min() < -3 * _FALL:  # a curve of it is broken in the middle
        raise Unreadable("its colour profile is damaged")
    return int(np.abs(moved - (grid[..., None] if mode == "L" else grid)).max())


def _refuse_linear(transform: ImageCms.ImageCmsTransform, mode: str, bits: int) -> None:
    """Raise Unreadable where dark shades that follow each other in 8 bits lie far apart in sRGB."""
    ramp = Image.fromarray(np.arange(_DARK, dtype=np.uint8)[None]).convert(mode)
    shades = np.asarray(_apply(transform, ramp), np.int16)
    if np.diff(shades, axis=1).max() > _COARSE:
        raise Unreadable(
            f"has {bits} bits a channel of nearly linear light, and 8 bits would lose its dark"
            " shades; save it in sRGB"
        )


def _apply(transform: ImageCms.ImageCmsTransform, picture: Image.Image) -> Image.Image:
    try:
        return transform.apply(picture)
    except (OSError, ValueError):
        raise Unreadable("its colour profile is damaged") from None
