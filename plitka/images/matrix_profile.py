"""Writes ICC profiles of RGB colour spaces that are given by three primaries, white, and a curve.

For what a file says of its colours without a profile (CICP code points, gAMA and cHRM, EXIF), and
for the sRGB that JPEG files carry. Equal arguments make equal bytes: there is no date in them.
"""

import struct
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from plitka.images.errors import Unreadable

Chromaticity: TypeAlias = tuple[float, float]

D65 = (0.3127, 0.3290)
_D50 = np.array([0.9642, 1.0, 0.8249])  # XYZ of the profile connection space
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


@dataclass(frozen=True)
class Curve:
    """From a channel's value x to light, both 0 to 1: (scale x + offset) ** power, or slope x.

    threshold: the lowest x of the power.
    """

    power: float
    scale: float = 1.0
    offset: float = 0.0
    slope: float = 0.0
    threshold: float = 0.0


@dataclass(frozen=True)
class Space:
    """An RGB colour space. red, green, blue, white: chromaticities x, y."""

    name: str
    red: Chromaticity
    green: Chromaticity
    blue: Chromaticity
    white: Chromaticity
    curve: Curve


SRGB_CURVE = Curve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
SRGB = Space("sRGB", (0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65, SRGB_CURVE)
ADOBE_RGB = Space("Adobe RGB", (0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65, Curve(563 / 256))


def write_profile(space: Space) -> bytes:
    """Write the profile of a space: ICC 4.3, display class, to XYZ.

    Raises Unreadable for primaries that span no colours, and a curve that is none.
    """
    adaptation = _adapt_white(space.white)
    colorants = adaptation @ _solve_colorants(space)
    if not (np.isfinite(colorants).all() and np.abs(colorants).max() < 8):
        raise Unreadable("names primaries that make no colours")
    curve = space.curve
    if not 0.1 <= curve.power <= 10:
        raise Unreadable(f"names a gamma of {curve.power:.3g}")
    numbers = (curve.power, curve.scale, curve.offset, curve.slope, curve.threshold)
    tone = b"para" + bytes(4) + struct.pack(">HH", 3, 0) + _fix(numbers)
    tags = {
        b"desc": _write_text(space.name),
        b"cprt": _write_text("No copyright, use freely"),
        b"wtpt": _write_xyz(_D50),
        b"chad": b"sf32" + bytes(4) + _fix(adaptation.ravel()),
        b"rXYZ": _write_xyz(colorants[:, 0]),
        b"gXYZ": _write_xyz(colorants[:, 1]),
        b"bXYZ": _write_xyz(colorants[:, 2]),
        **dict.fromkeys([b"rTRC", b"gTRC", b"bTRC"], tone),
    }
    return _join(tags)


def _solve_colorants(space: Space) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Solve for the XYZ of the primaries, in columns, that add up to white."""
    try:
        primaries = np.array([_lift(xy) for xy in (space.red, space.green, space.blue)]).T
        return np.asarray(primaries * np.linalg.solve(primaries, np.array(_lift(space.white))))
    except (ZeroDivisionError, np.linalg.LinAlgError):
        raise Unreadable("names primaries that make no colours") from None


def _adapt_white(white: Chromaticity) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Compute the Bradford adaptation from a white to D50, of XYZ."""
    try:
        cones = _BRADFORD @ np.array(_lift(white))
    except ZeroDivisionError:
        raise Unreadable("names a white that is no colour") from None
    with np.errstate(divide="ignore", invalid="ignore"):
        gains = np.diag((_BRADFORD @ _D50) / cones)
        return np.asarray(np.linalg.inv(_BRADFORD) @ gains @ _BRADFORD)


def _lift(xy: Chromaticity) -> tuple[float, float, float]:
    """Lift a chromaticity to XYZ with Y = 1."""
    x, y = xy
    return x / y, 1.0, (1 - x - y) / y


def _fix(numbers: object) -> bytes:
    """Write s15Fixed16Numbers."""
    fixed = np.rint(np.asarray(numbers, np.float64) * 65536).astype(">i4")
    return fixed.tobytes()


def _write_xyz(xyz: object) -> bytes:
    return b"XYZ " + bytes(4) + _fix(xyz)


def _write_text(text: str) -> bytes:
    """Write a multiLocalizedUnicodeType of one language."""
    content = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(content), 28) + content


def _join(tags: dict[bytes, bytes]) -> bytes:
    """Join a header, the table of tags, and their data, which equal tags share."""
    start = 128 + 4 + 12 * len(tags)
    table, data, places = b"", b"", dict[bytes, int]()
    for signature, content in tags.items():
        if content not in places:
            places[content] = start + len(data)
            data += content + bytes(-len(content) % 4)
        table += struct.pack(">4sII", signature, places[content], len(content))
    size = start + len(data)
    header = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    # The year 2000, no platform, perceptual intent, and the white of the connection space.
    header += struct.pack(">6H4s28x", 2000, 1, 1, 0, 0, 0, b"acsp") + _fix(_D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data
