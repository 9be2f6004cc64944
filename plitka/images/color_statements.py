"""What a file says of its colours, in each format's own way -> an ICC profile, or None.

Which statement counts where there are several, is the format's own order; EXIF comes after all of
them. A statement that cannot be understood is never passed over.
"""

import struct
from collections.abc import Mapping

import numpy as np
from PIL import Image

from plitka.images import code_points, png_chunks
from plitka.images.color_profile import MAX_BYTES
from plitka.images.errors import Unreadable
from plitka.images.heif_boxes import Stated
from plitka.images.matrix_profile import SRGB, SRGB_CURVE, Curve, Space, write_profile

_ICC_TAG, _TRANSFER, _WHITE, _PRIMARIES = 34675, 301, 318, 319
TIFF_TAGS = frozenset({_ICC_TAG, _TRANSFER, _WHITE, _PRIMARIES})
"""Of TIFF, that `read_tiff` looks at."""

_DAMAGED = "its colour profile is damaged"

# A gamma of 1/2.2 with sRGB's primaries is what programs write for sRGB itself.
_SRGB_GAMMA, _GAMMA_SLACK = 1 / 2.2, 0.01
_XY_SLACK = 0.002  # of chromaticities


def read_png(chunks: Mapping[bytes, bytes]) -> bytes | None:
    """Read the chunks of a PNG file: cICP, iCCP, sRGB, gAMA with cHRM, the first that is there."""
    if b"cICP" in chunks:
        primaries, transfer, matrix, full_range = chunks[b"cICP"]
        if matrix != 0 or full_range != 1:
            raise Unreadable("has the colours of video; save it in sRGB")
        return _write(code_points.find_space(primaries, transfer))
    if b"iCCP" in chunks:
        return png_chunks.unpack_profile(chunks[b"iCCP"], MAX_BYTES)
    if b"sRGB" in chunks:
        return write_profile(SRGB)
    return _read_gamma(chunks.get(b"gAMA"), chunks.get(b"cHRM"))


def _read_gamma(gamma: bytes | None, chromaticities: bytes | None) -> bytes | None:
    """Read the chunks gAMA and cHRM; where one is missing, it is as in sRGB."""
    if gamma is None and chromaticities is None:
        return None
    points = SRGB.white, SRGB.red, SRGB.green, SRGB.blue
    if chromaticities is not None:
        x = [number / 100_000 for number in struct.unpack(">8I", chromaticities)]
        points = (x[0], x[1]), (x[2], x[3]), (x[4], x[5]), (x[6], x[7])
    curve = SRGB_CURVE
    if gamma is not None:
        value = int.from_bytes(gamma, "big") / 100_000
        if not value:
            raise Unreadable("is damaged: its gamma is 0")
        if abs(value - _SRGB_GAMMA) > _GAMMA_SLACK:
            curve = Curve(1 / value)
    return _write(_name_space(*points, curve))


def _name_space(
    white: tuple[float, float],
    red: tuple[float, float],
    green: tuple[float, float],
    blue: tuple[float, float],
    curve: Curve,
) -> Space:
    """Make a space, sRGB where it is as good as that."""
    points = np.array([white, red, green, blue])
    srgb = np.array([SRGB.white, SRGB.red, SRGB.green, SRGB.blue])
    near = bool(np.abs(points - srgb).max() < _XY_SLACK)
    if near and curve == SRGB_CURVE:
        return SRGB
    name = "own primaries" if curve == SRGB_CURVE else f"gamma {curve.power:.2g}"
    if not near and curve != SRGB_CURVE:
        name += " of its own primaries"
    return Space(f"RGB with {name}", red, green, blue, white, curve)


def read_heif(profile: object, stated: Stated) -> bytes | None:
    """Read a profile of HEIC or AVIF, or the code points that stand in the place of one."""
    codes = stated.codes
    if codes is not None:
        code_points.refuse_high_range(codes[1])
    if profile:
        if not isinstance(profile, bytes):
            raise Unreadable(_DAMAGED)
        return profile
    return None if codes is None else _write(code_points.find_space(*codes))


def read_jpeg(picture: Image.Image) -> bytes | None:
    """Read the profile of a JPEG file, which stands in one or more of its segments.

    Raises Unreadable where one of them is missing, and for CMYK whose inks may be counted either
    way.
    """
    if picture.mode == "CMYK" and "adobe" not in picture.info:
        raise Unreadable("is CMYK that does not say how its inks are counted; save it in sRGB")
    pieces = {}
    total = 0
    for name, segment in picture.applist:  # type: ignore[attr-defined]
        if name == "APP2" and segment.startswith(b"ICC_PROFILE\0"):
            if len(segment) < 15 or segment[12] in pieces:
                raise Unreadable(_DAMAGED)
            pieces[segment[12]] = segment[14:]
            total = segment[13]
    if not pieces:
        return None
    if sorted(pieces) != list(range(1, total + 1)):
        raise Unreadable(f"{_DAMAGED}: a part of it is missing")
    return b"".join(pieces[number] for number in sorted(pieces))


def read_tiff(tags: Mapping[int, object]) -> bytes | None:
    """Read the tags of a TIFF file: a profile, or primaries and white with sRGB's curve."""
    if _ICC_TAG in tags:
        profile = tags[_ICC_TAG]
        if not isinstance(profile, bytes):
            raise Unreadable(_DAMAGED)
        return profile
    if _TRANSFER in tags:
        raise Unreadable("has a transfer function of its own; save it in sRGB")
    if _PRIMARIES not in tags:
        return None
    white = _read_numbers(tags.get(_WHITE, SRGB.white), 2)
    x = _read_numbers(tags[_PRIMARIES], 6)
    space = _name_space((white[0], white[1]), (x[0], x[1]), (x[2], x[3]), (x[4], x[5]), SRGB_CURVE)
    return _write(space)


def _read_numbers(value: object, count: int) -> list[float]:
    """Read the rational numbers of a tag."""
    try:
        numbers = np.array([float(number) for number in value])  # type: ignore[attr-defined]
    except (TypeError, ValueError, ArithmeticError):
        numbers = np.empty(0)
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise Unreadable("is damaged: its primaries are not colours")
    return list(map(float, numbers))


_V4_HEADER, _V5_HEADER = 108, 124  # bytes
_EMBEDDED, _LINKED, _CALIBRATED = b"DEBM", b"KNIL", bytes(4)


def read_bmp(content: bytes) -> bytes | None:
    """Read the colour space of a BMP file's header: a profile in the file, or primaries."""
    size = int.from_bytes(content[14:18], "little")
    header = content[14 : 14 + size]
    if len(header) < _V4_HEADER:
        return None
    kind = header[56:60]
    if kind == _LINKED:
        raise Unreadable("has its colour profile in another file; save it in sRGB")
    if kind == _EMBEDDED and size >= _V5_HEADER:
        start, length = struct.unpack("<II", header[112:120])
        profile = content[14 + start : 14 + start + length]
        if not length or len(profile) < length:
            raise Unreadable(_DAMAGED)
        return profile
    if kind == _CALIBRATED and any(header[60:96]):
        return _read_endpoints(header)
    return None


def _read_endpoints(header: bytes) -> bytes:
    """Read the XYZ of the primaries in a BMP file's header; the curve is taken for sRGB's."""
    xyz = np.array(struct.unpack("<9i", header[60:96]), float).reshape(3, 3)
    total = xyz.sum(axis=1, keepdims=True)
    if not (total > 0).all():
        raise Unreadable("is damaged: its primaries are not colours")
    red, green, blue = ((float(x), float(y)) for x, y in (xyz / total)[:, :2])
    return write_profile(_name_space(SRGB.white, red, green, blue, SRGB_CURVE))


def _write(space: Space | None) -> bytes | None:
    return None if space is None else write_profile(space)
