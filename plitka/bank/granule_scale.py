"""Granule scale: the factor that brings a photograph's granules to the size of the render's.

Granules are too ragged to be counted one by one at a scale that nobody knows. But how much light
and shade there is at each wavelength is the same curve for all tiles of a mixture, moved along by
the size of the granules: so the photograph's curve is laid over that of a render of its mixture.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Floats
from plitka.color import palette
from plitka.color.palette import Color
from plitka.request.recipe import Recipe
from plitka.request.shares import ColorShare
from plitka.tile.granule import DIAMETER
from plitka.tile.layout import ScatteredLayout, lay, recolor_layout
from plitka.tile.lighting import Lighting, compute_lighting
from plitka.tile.render import render_picture

FINAL = 1024
"""Pixels a side of the final picture, to whose render's granules all photographs are brought."""

LEAST_FACTOR, MOST_FACTOR = 0.1, 4.0
_ANY = "LTGRAY"  # the colour whose render stands for those of any one colour
_SEEDS = (1, 2)  # of the renders whose curves are averaged

_WINDOW = 512  # pixels a side of the squares that are analyzed at each level of a pyramid
_SMALLEST_LEVEL = 128  # pixels of the shorter side
_MOST_WINDOWS = 5  # down and across
_STEP = 1 / 6  # octaves of wavelength between neighbours of a curve
_WAVELENGTHS = np.arange(2.0, 10.5, _STEP)  # log2 pixels of the photograph
_SHORTEST, _SHORTEST_HALVED = 2.0, 3.0  # log2 pixels of a level; below, the halving dims the light
_PERIODS = 4  # that a window holds of the longest wavelength that is read from it
_FEWEST_TERMS = 4  # of the transform for one place of a curve

# The part of the render's curve that is laid over: log2 wavelength over the granules' diameter.
_FROM, _TO = -1.0, 2.0
_COVERED = 0.7  # of this part, that the photograph's curve has to reach over
_FINE = 1 / 24  # octaves between the places that are tried
_FLOOR = 1e-3  # of the squared lightness, in 8-bit levels: of a picture without any grain
_GRAINLESS = 10 * _FLOOR  # power up to which there is nothing to be laid over
# Standard deviation of the logarithms of both curves: 40 photographs have up to 0.25.
_UNLIKE = 0.35


@dataclass(frozen=True)
class GranuleScale:
    """The factor of a photograph.

    sure: whether its curve has the render's form. factor: 1 where it is not.
    """

    factor: float
    sure: bool


def measure_granule_scale(
    pixels: NDArray[np.uint8], colors: tuple[Color, ...], shares: tuple[float, ...]
) -> GranuleScale:
    """Measure the factor of a photograph of a mixture.

    Renders that are cut and scaled from half to two and a half times give theirs back within 12%,
    two thirds of them within 5%. Factors of the same tile differ as little.
    pixels: (h, w, 3) sRGB. colors, shares: of the mixture; one colour alone has a curve like any.
    """
    curve = _compute_curve(pixels)
    if curve is None or np.nanmax(curve) < np.log(_GRAINLESS):
        return GranuleScale(1.0, sure=False)
    if len(colors) == 1:
        colors = (palette.load().find(_ANY),)
    percent = tuple(round(100 * share) for share in shares)
    moved, off = _lay_over(curve, _compute_render_curve(colors, percent))
    factor = 2.0**-moved
    sure = off <= _UNLIKE and LEAST_FACTOR < factor < MOST_FACTOR
    return GranuleScale(factor if sure else 1.0, sure)


@lru_cache(maxsize=128)
def _compute_render_curve(colors: tuple[Color, ...], percent: tuple[int, ...]) -> Doubles:
    """Compute the curve of the render of a mixture at FINAL pixels a side."""
    pairs = zip(colors, percent, strict=True)
    parts = [(color, part / sum(percent)) for color, part in pairs if part]
    shares = tuple(ColorShare(color, color.phrase, share) for color, share in parts)
    curves = []
    for seed in _SEEDS:
        layout, light = _lay_and_light(seed)
        layout = recolor_layout(layout, Recipe(shares, seed=seed))
        curve = _compute_curve(render_picture(layout, FINAL, light))
        assert curve is not None  # it is large enough
        curves.append(curve)
    return np.asarray(np.mean(curves, axis=0))


@lru_cache(maxsize=len(_SEEDS))
def _lay_and_light(seed: int) -> tuple[ScatteredLayout, Lighting]:
    """Lay and light the granules of a seed, which is most of the work; no colour changes them."""
    color = palette.load().find(_ANY)
    layout = lay(Recipe((ColorShare(color, color.phrase, 1.0),), seed=seed))
    return layout, compute_lighting(layout, FINAL)


def _compute_curve(pixels: NDArray[np.uint8]) -> Doubles | None:
    """Compute the logarithm of the power of lightness in each octave, at _WAVELENGTHS.

    NaN where a wavelength is too short or too long to be read; None for too small a picture.
    """
    level: Floats = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32)
    curve = np.full(len(_WAVELENGTHS), np.nan)
    halved = 0
    while min(level.shape) >= _SMALLEST_LEVEL:
        log_power = _compute_log_power(level, _WAVELENGTHS - halved)
        wavelength = _WAVELENGTHS - halved
        longest = np.log2(min(_WINDOW, *level.shape) / _PERIODS)
        shortest = _SHORTEST_HALVED if halved else _SHORTEST
        read = (wavelength >= shortest) & (wavelength <= longest) & np.isnan(curve)
        curve[read] = log_power[read]
        half = (level.shape[1] // 2, level.shape[0] // 2)
        level = np.asarray(cv2.resize(level, half, interpolation=cv2.INTER_AREA), np.float32)
        halved += 1
    return None if np.isnan(curve).all() else curve


def _compute_log_power(level: Floats, wavelengths: Doubles) -> Doubles:
    """Compute the logarithm of the power in each octave at wavelengths, in log2 pixels.

    The mean over some windows of a picture (h, w); NaN where too few terms have a wavelength.
    """
    side = min(_WINDOW, *level.shape)
    hann = np.hanning(side)[:, None] * np.hanning(side)[None]
    power = np.zeros((side, side // 2 + 1))
    for top in _spread(level.shape[0], side):
        for left in _spread(level.shape[1], side):
            window = level[top : top + side, left : left + side]
            power += np.abs(np.fft.rfft2((window - window.mean()) * hann)) ** 2
    windows = len(_spread(level.shape[0], side)) * len(_spread(level.shape[1], side))
    power /= windows * (hann**2).sum()
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = 1 / (2 * side)  # the mean, which is 0; no wavelength has it
    place = np.rint((-np.log2(frequency) - wavelengths[0]) / _STEP).astype(int)
    inside = (place >= 0) & (place < len(wavelengths))
    terms = np.bincount(place[inside], minlength=len(wavelengths))
    sums = np.bincount(place[inside], weights=power[inside], minlength=len(wavelengths))
    density = np.where(terms >= _FEWEST_TERMS, sums / np.maximum(terms, 1), np.nan)
    return np.asarray(np.log(density / 4.0**wavelengths + _FLOOR))


def _spread(length: int, side: int) -> list[int]:
    """Spread windows over a length, so that they overlap by half: where each begins."""
    count = min(2 * -(-length // side) - 1, _MOST_WINDOWS)
    return [int(start) for start in np.linspace(0, length - side, count)]


def _lay_over(curve: Doubles, render: Doubles) -> tuple[float, float]:
    """Lay a photograph's curve over a render's.

    Returns by how many octaves the photograph's is moved to longer wavelengths, and the standard
    deviation of what is then between them; infinite where they do not reach over each other.
    """
    known = ~np.isnan(curve)
    wavelengths, values = _WAVELENGTHS[known], curve[known]
    middle = np.log2(DIAMETER * FINAL)
    part = np.arange(middle + _FROM, middle + _TO, _STEP / 2)
    drawn = ~np.isnan(render)
    wanted = np.interp(part, _WAVELENGTHS[drawn], render[drawn])
    moves = np.arange(-np.log2(MOST_FACTOR), -np.log2(LEAST_FACTOR) + _FINE / 2, _FINE)
    off = np.full(len(moves), np.inf)
    for place, move in enumerate(moves):
        seen = part + move
        inside = (seen >= wavelengths[0]) & (seen <= wavelengths[-1])
        if inside.mean() >= _COVERED:
            off[place] = (np.interp(seen[inside], wavelengths, values) - wanted[inside]).std()
    best = int(off.argmin())
    return float(moves[best]), float(off[best])
