"""Tone curves: tables that turn a material of a picture into a colour of the palette.

Light and shade stay the picture's, as deep as the new colour makes them; a* and b* follow the
shade curve of the new colour, and how far a pixel lies off its own curve stays in part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Floats
from plitka.color import cielab
from plitka.color.palette import Color
from plitka.color.srgb import Lab

TOLERANCE = 3.0
"""CIEDE2000 to the palette that a colour which the picture shows may keep; if it lies farther off,
it is moved until it is as near."""

_NEAR = 10.0  # CIEDE2000; farther off, less difference is kept, and none at twice this

_SHADING = 0.85  # of the palette's spread of lightness, what a recoloured granule gets
_WELL_APART = 25.0  # CIEDE2000; colours nearer than this to another of the recipe get less
_LEAST_SHADING = 0.6  # of _SHADING, for colours that are all but the same
_CONTRAST = (0.55, 1.5)  # the least and most that light and shade are compressed and stretched
_BEND = 1.3  # the most by which the contrast of light or of shade differs from their mean
_LIGHTEST = 99.0  # L*
_STEPS = 10  # of a table for each unit of L*
_SHADES = np.linspace(0, 100, 100 * _STEPS + 1)  # L*
_STRAY = 0.6  # RMS distance of pixels from their colour's shade curve, in the palette's spread
_OWN_STRAY = 2.0  # the same for granules that keep their colour
_FARTHEST = 2.5  # times that; more is another colour's reflected light, or a mixed edge
_LEAST_STRAY = 2.0  # a*, b*
_NO_STRAY = 1e-3  # a*, b*; against division by 0
_ANY = 1e3  # a*, b*; farther than any colour lies off another


@dataclass(frozen=True, eq=False)
class Material:
    """A material: one of the colours that the picture itself has, as measured on its pixels.

    lab: median L*a*b*. light: L* at percentiles 5, 50, 95. chroma: RMS distance of a*, b* from the
    material's shade curve. color: index of the requested colour that it shows, or NO_COLOR.
    """

    lab: Lab
    light: tuple[float, float, float]
    chroma: float
    color: int


@dataclass(frozen=True, eq=False)
class ToneCurve:
    """A table that turns one material into one colour, indexed by L* in steps of 1 / _STEPS.

    before: (steps, 2) a*, b* of the material's shade curve. table: (steps, 3) the L*, a*, b* that
    each L* on that curve becomes. goal: L*a*b* that the material's median becomes. keep: 0 to 1,
    the fraction of a pixel's a*, b* distance from the material's curve that stays. reach: the most
    a*, b* distance from the new curve that is left.
    """

    before: Floats
    table: Floats
    goal: Lab
    keep: float
    reach: float

    @staticmethod
    def build(
        material: Material, index: int, colors: Sequence[Color], tolerance: float
    ) -> "ToneCurve":
        """Build the table that turns a material into colors[index], light and shade included.

        tolerance: see `compute_goal`.
        """
        target, strength = compute_goal(material, index, colors[index], tolerance)
        spread = _compute_spread(index, colors)
        return ToneCurve._draw(material, colors[index], target, spread, strength)

    @staticmethod
    def build_like(material: Material, like: Material, index: int, color: Color) -> "ToneCurve":
        """Build the table that turns a material into `color` as the material `like` shows it.

        So that granules that get the colour are those of the picture, not the palette's.
        """
        target, _ = compute_goal(like, index, color, TOLERANCE)
        p5, p50, p95 = like.light
        return ToneCurve._draw(material, color, target, (p50 - p5, p95 - p50), strength=1.0)

    @staticmethod
    def _draw(
        material: Material, color: Color, target: Lab, spread: tuple[float, float], strength: float
    ) -> "ToneCurve":
        """Draw up the table. spread, strength: see `_map_lightness`."""
        lightness = _map_lightness(_SHADES, material.light, spread, target[0], strength)
        usual = max(float(np.hypot(*color.chroma_std)), _LEAST_STRAY)
        stray = _STRAY + (_OWN_STRAY - _STRAY) * (1 - strength)
        keep = min(1.0, stray * usual / max(material.chroma, 1e-3))
        before = cielab.shade(material.lab, _SHADES)
        after = cielab.shade(target, lightness)
        table = np.column_stack([lightness, after]).astype(np.float32)
        return ToneCurve(before, table, target, keep, _FARTHEST * stray * usual)

    @staticmethod
    def build_shift(material: Material, index: int, color: Color) -> "ToneCurve":
        """Build the table that shifts a material to its own colour, as a white balance does."""
        target, _ = compute_goal(material, index, color, TOLERANCE)
        before = cielab.shade(material.lab, _SHADES)
        moved = np.subtract(target, material.lab)
        table = np.column_stack([_SHADES, before]) + moved
        table[:, 0] = np.clip(table[:, 0], 0, 100)
        return ToneCurve(before, table.astype(np.float32), target, 1.0, _ANY)


@dataclass(frozen=True, eq=False)
class ToneCurves:
    """The ToneCurve of each of M materials to each of K colours, laid out for lookup by pixel.

    goals: (M, K, 3). before: (2, M * steps). table: (3, K * M * steps). keep, reach: (K * M,). The
    values are those of ToneCurve.
    """

    goals: Floats
    before: Floats
    table: Floats
    keep: Floats
    reach: Floats

    @staticmethod
    def stack(curves: Sequence[Sequence[ToneCurve]]) -> "ToneCurves":
        """Stack the curves of M materials, K each, into the arrays for lookup."""
        by_color = [curve for column in zip(*curves, strict=True) for curve in column]
        return ToneCurves(
            np.array([[curve.goal for curve in row] for row in curves], np.float32),
            np.concatenate([row[0].before for row in curves]).T.copy(),
            np.concatenate([curve.table for curve in by_color]).T.copy(),
            np.array([curve.keep for curve in by_color], np.float32),
            np.array([curve.reach for curve in by_color], np.float32),
        )

    def apply(
        self, lab: Floats, kinds: NDArray[np.integer], colors: NDArray[np.integer] | int
    ) -> Floats:
        """Turn pixels of known materials into colours.

        lab: (3, n) L*, a*, b*. kinds: (n,) index of each pixel's material. colors: index of the
        colour that each becomes, (n,) or one for all. Returns (3, n).
        """
        light, a, b = lab
        step = (light * np.float32(_STEPS) + np.float32(0.5)).astype(np.intp)
        np.clip(step, 0, len(_SHADES) - 1, out=step)
        pair = np.asarray(colors, np.intp) * len(self.goals) + kinds
        before = step + kinds * np.intp(len(_SHADES))
        step += pair * len(_SHADES)
        stray_a = a - self.before[0].take(before)
        stray_b = b - self.before[1].take(before)
        far = np.sqrt(stray_a * stray_a + stray_b * stray_b)
        np.maximum(far, np.float32(_NO_STRAY), out=far)
        kept = np.minimum(self.keep.take(pair), self.reach.take(pair) / far)
        recolored = np.empty(lab.shape, np.float32)
        for plane, table in zip(recolored, self.table, strict=True):
            table.take(step, out=plane, mode="clip")  # which writes without a buffer
        recolored[1] += stray_a * kept
        recolored[2] += stray_b * kept
        return recolored


def compute_goal(
    material: Material, index: int, color: Color, tolerance: float
) -> tuple[Lab, float]:
    """Compute the L*a*b* that a material's median becomes as `color`, which has this index.

    tolerance: CIEDE2000 that a material which shows the colour already may keep from the palette.
    Returns the L*a*b*, and how far that is on the way to the palette's: 0 (unmoved) to 1.
    """
    far = float(cielab.ciede2000(material.lab, color.lab))
    own = material.color == index
    left = np.interp(far, (_NEAR, 2 * _NEAR), (tolerance, 0)) if own else 0.0
    strength = float(max(1 - left / far, 0.0)) if far > 0 else 1.0
    moved = np.array(material.lab) + strength * np.subtract(color.lab, material.lab)
    return cielab.to_lab(moved), strength


def _compute_spread(index: int, colors: Sequence[Color]) -> tuple[float, float]:
    """Compute the spread of L* that granules of colors[index] get.

    Returns the L* from percentile 5 to the median and from the median to percentile 95. Where
    another of the colours is near, both are smaller, so that the two can be told apart.
    """
    labs = np.array([color.lab for color in colors])
    near = np.delete(cielab.ciede2000(labs, labs[index]), index).min(initial=_WELL_APART)
    depth = _SHADING * max(near / _WELL_APART, _LEAST_SHADING)
    p5, _, p50, _, p95 = colors[index].lightness
    return depth * (p50 - p5), depth * (p95 - p50)


def _map_lightness(
    shades: Doubles,
    light: tuple[float, float, float],
    spread: tuple[float, float],
    median: float,
    strength: float,
) -> Doubles:
    """Compute the new L* at each of `shades`, along a curve of straight pieces.

    shades: (n,) L* of the material, 0 to 100. light: L* of the material at percentiles 5, 50, 95.
    median: the L* that percentile 50 becomes. spread: the L* from percentile 5 to the median and
    from there to 95 that are aimed at; contrast is limited to _CONTRAST. strength: of the curve, 0
    to 1; at 0, lightness is only shifted.
    """
    p5, p50, p95 = light
    below, above = max(p50 - p5, 1.0), max(p95 - p50, 1.0)
    down = np.clip(spread[0] / below, *_CONTRAST)
    up = np.clip(spread[1] / above, *_CONTRAST)
    middle = np.sqrt(down * up)
    down, up = np.clip((down, up), middle / _BEND, middle * _BEND)
    down, up = 1 + strength * (down - 1), 1 + strength * (up - 1)
    knots = [p50 - 2 * below, p50 - below, p50, p50 + above, p50 + 2 * above]
    dark = median - down * below
    bright = min(median + up * above, (median + _LIGHTEST) / 2 + 3)
    darkest, brightest = dark - down * below * 0.7, bright + 0.6 * (bright - median)
    values = [max(darkest, 0.1 * median), max(dark, 0.25 * median), median, bright, brightest]
    knots = [min(-1.0, knots[0] - 1), *knots, max(101.0, knots[-1] + 1)]
    values = [0.0 if values[0] < 8 else values[0] * 0.5, *values, min(brightest + 3, 100.0)]
    return np.asarray(np.clip(np.interp(shades, knots, values), 0, 100))
