"""CIE L*a*b* (D65) on arrays: conversions, CIEDE2000, and how the colour of granules shades."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from plitka.arrays import Doubles, Floats, Image
from plitka.color.ciede2000 import compute_color_difference
from plitka.color.srgb import LUMINANCE, Lab

SHADES = np.arange(0, 100.5, 0.5)
"""L* at which shade curves are tabulated."""

# The darker a pixel of a granule, the more often its light has gone from granule to granule, and
# on a lit face some of it is sheen that never went in: its linear RGB is a power of that of the
# pixel of median lightness. Fitted to the one-colour photographs, percentile by percentile of L*
# (3.2 RMS in a*, b*). The powers belong to these percentiles, or to these L* / median L*.
BOUNCE_RANK = (0.0, 0.015, 0.065, 0.15, 0.3, 0.5, 0.7, 0.85, 0.935, 0.985, 1.0)
_RELATIVE_LIGHTNESS = (0.1, 0.3, 0.5, 0.72, 0.88, 1.0, 1.08, 1.15, 1.22, 1.35, 1.5)
BOUNCES = (1.75, 1.65, 1.32, 1.17, 1.07, 1.0, 0.94, 0.88, 0.81, 0.68, 0.62)
DARKEST_CHANNEL = 0.004  # linear; powers of less are the noise of the photograph
_DARKEST_MEDIAN = 8.0  # L*; a colour darker than this is shaded as if it were this light


def rgb_to_lab(image: Image) -> Floats:
    """Convert (h, w, 3) sRGB, 0 to 255, to (h, w, 3) L*a*b* with L* of 0 to 100."""
    pixels = np.multiply(image, np.float32(1 / 255), dtype=np.float32)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB), np.float32)


def lab_to_rgb(lab: Floats) -> Image:
    """Convert (h, w, 3) L*a*b* to (h, w, 3) sRGB, 0 to 255; colours outside sRGB are clipped."""
    pixels = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    return np.asarray(cv2.convertScaleAbs(np.clip(pixels, 0, 1), alpha=255))


def to_lab(lab: ArrayLike) -> Lab:
    """Convert one colour (3,) to a tuple of floats."""
    lightness, a, b = np.asarray(lab, np.float64).tolist()
    return lightness, a, b


def lab_to_linear(lab: ArrayLike) -> Doubles:
    """Convert (..., 3) L*a*b* to (..., 3) linear sRGB, 0 to 1."""
    colors = np.asarray(lab, np.float32)
    flat = cv2.cvtColor(colors.reshape(1, -1, 3), cv2.COLOR_LAB2LRGB)
    return np.asarray(flat.reshape(colors.shape), np.float64)


def linear_to_lab(linear: ArrayLike) -> Doubles:
    """Convert (..., 3) linear sRGB, clipped to 0 to 1, to (..., 3) L*a*b*."""
    colors = np.clip(np.asarray(linear, np.float32), 0, 1)
    flat = cv2.cvtColor(colors.reshape(1, -1, 3), cv2.COLOR_LRGB2LAB)
    return np.asarray(flat.reshape(colors.shape), np.float64)


@lru_cache(maxsize=256)
def compute_shade_curve(lab: Lab) -> Doubles:
    """Compute a* and b* of granules of a colour where light and shade give them the L* of SHADES.

    lab: the colour of the granules at median lightness; the curve goes through it at its own L*.
    Returns (len(SHADES), 2).
    """
    median = np.maximum(lab_to_linear(lab), DARKEST_CHANNEL)
    relative = SHADES / max(lab[0], _DARKEST_MEDIAN)
    linear = median ** np.interp(relative, _RELATIVE_LIGHTNESS, BOUNCES)[:, None]
    linear *= (lightness_to_luminance(SHADES) / (linear @ LUMINANCE))[:, None]
    curve = linear_to_lab(linear)[:, 1:]
    own = np.array([np.interp(lab[0], SHADES, curve[:, axis]) for axis in (0, 1)])
    # Outside sRGB the conversions clip, and the curve would miss the colour.
    stray = np.asarray(lab[1:]) - own
    fade = np.clip(1 - np.abs(SHADES - lab[0]) / 60, 0, 1)
    return np.asarray(curve + fade[:, None] * stray)


def shade(lab: Lab, lightness: NDArray[np.floating]) -> Floats:
    """Look up a* and b* of granules of a colour at each lightness, to the nearest 0.5 L*.

    lab: see `compute_shade_curve`. lightness: (...) L*, clipped to 0 to 100. Returns (..., 2).
    """
    curve = compute_shade_curve(lab).astype(np.float32)
    step = np.clip(lightness * np.float32(1 / SHADES[1]) + np.float32(0.5), 0, len(SHADES) - 1)
    return np.asarray(curve[step.astype(np.int32)])


def ciede2000(one: ArrayLike, other: ArrayLike) -> Doubles:
    """Compute CIEDE2000 between L*a*b* colours, (..., 3) each; the leading axes broadcast.

    Returns (...), 0 or more.
    """
    first, second = (np.moveaxis(np.asarray(lab, np.float64), -1, 0) for lab in (one, other))
    return np.asarray(compute_color_difference(tuple(first), tuple(second), np))


def encode_srgb(linear: ArrayLike) -> Doubles:
    """Encode linear light (...), 0 to 1, as sRGB (...), 0 to 1."""
    light = np.asarray(linear)
    curve = 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, 12.92 * light, curve)


def lightness_to_luminance(lightness: Doubles) -> Doubles:
    """Convert CIE L* (...), 0 to 100, to relative luminance (...), 0 to 1."""
    return np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
