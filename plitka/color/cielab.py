"""CIE L*a*b* (D65) on whole pictures: conversion, differences, how a granule's colour shades."""

from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from plitka.color.palette import Lab

Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]

SHADES = np.arange(0, 100.5, 0.5)
"""The lightnesses at which shade curves are drawn."""

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of linear sRGB (IEC 61966-2-1)
# The darker a pixel of a granule, the more often its light has gone from granule to granule:
# its linear RGB is a power of that of the pixel of median lightness. Fitted to the one-colour
# photographs, percentile by percentile of L* (3.2 RMS in a*, b*); here over L* / median L*.
_RELATIVE_LIGHTNESS = (0.1, 0.3, 0.5, 0.72, 0.88, 1.0, 1.08, 1.15, 1.22, 1.35, 1.5)
_BOUNCES = (1.75, 1.65, 1.32, 1.17, 1.07, 1.0, 0.94, 0.88, 0.81, 0.68, 0.62)
_DARKEST_CHANNEL = 0.004  # linear; powers of less are the noise of the photograph
_DARKEST_MEDIAN = 8.0  # L*; a colour darker than this is shaded as if it were this light


def rgb_to_lab(image: NDArray[np.uint8]) -> Floats:
    """(h, w, 3) sRGB, 0..255 -> (h, w, 3) L*a*b*, L* 0..100."""
    pixels = np.multiply(image, np.float32(1 / 255), dtype=np.float32)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB), np.float32)


def lab_to_rgb(lab: Floats) -> NDArray[np.uint8]:
    """(h, w, 3) L*a*b* -> (h, w, 3) sRGB, 0..255; what no screen shows is clipped."""
    pixels = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    return np.asarray(cv2.convertScaleAbs(np.clip(pixels, 0, 1), alpha=255))


def as_lab(lab: ArrayLike) -> Lab:
    """One colour (3,) as plain floats."""
    lightness, a, b = np.asarray(lab, np.float64).tolist()
    return lightness, a, b


def lab_to_linear(lab: ArrayLike) -> Doubles:
    """(..., 3) L*a*b* -> (..., 3) linear sRGB."""
    colours = np.asarray(lab, np.float32)
    flat = cv2.cvtColor(colours.reshape(1, -1, 3), cv2.COLOR_LAB2LRGB)
    return np.asarray(flat.reshape(colours.shape), np.float64)


def linear_to_lab(linear: ArrayLike) -> Doubles:
    """(..., 3) linear sRGB -> (..., 3) L*a*b*."""
    colours = np.clip(np.asarray(linear, np.float32), 0, 1)
    flat = cv2.cvtColor(colours.reshape(1, -1, 3), cv2.COLOR_LRGB2LAB)
    return np.asarray(flat.reshape(colours.shape), np.float64)


@lru_cache(maxsize=256)
def compute_shade_curve(lab: Lab) -> Doubles:
    """(len(SHADES), 2) a* and b* of a granule of this colour where light and shade make it SHADES.

    At the colour's own L* the curve goes through it.
    """
    median = np.maximum(lab_to_linear(lab), _DARKEST_CHANNEL)
    relative = SHADES / max(lab[0], _DARKEST_MEDIAN)
    linear = median ** np.interp(relative, _RELATIVE_LIGHTNESS, _BOUNCES)[:, None]
    linear *= (_luminance(SHADES) / (linear @ _LUMINANCE))[:, None]
    curve = linear_to_lab(linear)[:, 1:]
    own = np.array([np.interp(lab[0], SHADES, curve[:, axis]) for axis in (0, 1)])
    # Where no screen shows the colour, the curve would miss it.
    stray = np.asarray(lab[1:]) - own
    fade = np.clip(1 - np.abs(SHADES - lab[0]) / 60, 0, 1)
    return np.asarray(curve + fade[:, None] * stray)


def shade(lab: Lab, lightness: NDArray[np.floating]) -> Floats:
    """(..., 2) a* and b* of a granule of this colour at each `lightness`."""
    curve = compute_shade_curve(lab).astype(np.float32)
    step = np.clip(lightness * np.float32(1 / SHADES[1]) + np.float32(0.5), 0, len(SHADES) - 1)
    return np.asarray(curve[step.astype(np.int32)])


def ciede2000(one: ArrayLike, other: ArrayLike) -> Doubles:
    """CIEDE2000 between L*a*b* colours, (..., 3) each, under numpy's broadcasting."""
    lightness1, a1, b1 = np.moveaxis(np.asarray(one, np.float64), -1, 0)
    lightness2, a2, b2 = np.moveaxis(np.asarray(other, np.float64), -1, 0)
    grayness = _compressed((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2)
    a1, a2 = a1 * (1.5 - 0.5 * grayness), a2 * (1.5 - 0.5 * grayness)
    chroma1, chroma2 = np.hypot(a1, b1), np.hypot(a2, b2)
    hue1, turn = np.arctan2(b1, a1), np.arctan2(b2, a2) - np.arctan2(b1, a1)
    turn = (turn + np.pi) % (2 * np.pi) - np.pi
    gray = chroma1 * chroma2 == 0
    hue = np.degrees(np.where(gray, hue1 + np.arctan2(b2, a2), hue1 + turn / 2)) % 360
    chroma = (chroma1 + chroma2) / 2
    middle = ((lightness1 + lightness2) / 2 - 50) ** 2

    hues = np.radians([hue - 30, 2 * hue, 3 * hue + 6, 4 * hue - 63])
    weights = np.array([-0.17, 0.24, 0.32, -0.20]).reshape(-1, *[1] * np.ndim(hue))
    by_hue = 1 + (weights * np.cos(hues)).sum(axis=0)
    in_lightness = (lightness2 - lightness1) / (1 + 0.015 * middle / np.sqrt(20 + middle))
    in_chroma = (chroma2 - chroma1) / (1 + 0.045 * chroma)
    in_hue = 2 * np.sqrt(chroma1 * chroma2) * np.sin(np.where(gray, 0, turn) / 2)
    in_hue = in_hue / (1 + 0.015 * chroma * by_hue)
    of_blue = np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2)))
    rotation = -2 * np.sin(of_blue) * _compressed(chroma)
    square = in_lightness**2 + in_chroma**2 + in_hue**2 + rotation * in_chroma * in_hue
    return np.asarray(np.sqrt(np.maximum(square, 0)))


def _compressed(chroma: Doubles) -> Doubles:
    power = chroma**7
    return np.asarray(np.sqrt(power / (power + 25.0**7)))


def _luminance(lightness: Doubles) -> Doubles:
    """Relative luminance, 0 to 1, of CIE L*."""
    return np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
