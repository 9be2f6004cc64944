"""One of the colours of a picture -> a colour of the palette, pixel by pixel.

Light and shade stay the picture's, as deep as the new colour makes them; a* and b* follow the
shade curve of the new colour, and what a pixel has beside its own curve stays in part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Floats
from plitka.color import cielab
from plitka.color.palette import Color
from plitka.color.srgb import Lab

_NEAR = 10.0  # CIEDE2000; from here on, and wholly at twice that, all the way

_SHADING = 0.85  # of the palette's spread of lightness, what a recoloured granule gets
_WELL_APART = 25.0  # CIEDE2000; colours nearer than this to another of the recipe get less
_LEAST_SHADING = 0.6
_CONTRAST = (0.55, 1.5)  # the least and most that light and shade are compressed and stretched
_BEND = 1.3  # of the mean contrast, the most that light's and shade's differ from it
_LIGHTEST = 99.0
_STEPS = 10  # of a table, for each L*
_SHADES = np.linspace(0, 100, 100 * _STEPS + 1)
_STRAY = 0.6  # how far pixels lie off their colour's shade curve, in the palette's own spread
_OWN_STRAY = 2.0  # the same for granules that keep their colour
_FARTHEST = 2.5  # times that: more is another colour's light, or a mixed edge
_LEAST_STRAY = 2.0  # a*, b*
_NO_STRAY = 1e-3
_ANY = 1e3  # farther than any colour lies off another


@dataclass(frozen=True, eq=False)
class Material:
    """One of the colours that the picture has, as measured on its pixels.

    lab: the median. light: L* at percentiles 5, 50, 95. chroma: RMS distance of a*, b* from the
    shade curve. colour: index of the requested colour that it is, NOBODY for none.
    """

    lab: Lab
    light: tuple[float, float, float]
    chroma: float
    color: int


@dataclass(frozen=True, eq=False)
class ToneCurve:
    """How one material becomes one colour.

    before: (steps, 2) a* and b* of the material at _STEPS steps of each L*. table: (steps, 3) the
    colour's L*, a* and b* for each of them. goal: what becomes of the material's median. keep:
    how much of a pixel's distance from the material's shade curve stays. reach: the farthest that
    it may lie from the colour's.
    """

    before: Floats
    table: Floats
    goal: Lab
    keep: float
    reach: float

    @staticmethod
    def of(
        material: Material, index: int, colors: Sequence[Color], alike: float, depth: float = 1
    ) -> "ToneCurve":
        """How a material becomes colours[index]; `alike` as `compute_goal` has it.

        depth: of light and shade; 0 is flat, 1 as deep as the palette has them.
        """
        color = colors[index]
        target, way = compute_goal(material, index, color, alike)
        spread = _shading(index, colors)
        lightness = _tone_curve(_SHADES, material.light, spread, target[0], way, depth)
        usual = max(float(np.hypot(*color.chroma_std)), _LEAST_STRAY)
        stray = _STRAY + (_OWN_STRAY - _STRAY) * (1 - way)
        keep = min(1.0, stray * usual / max(material.chroma, 1e-3))
        before = cielab.shade(material.lab, _SHADES)
        after = cielab.shade(target, lightness)
        table = np.column_stack([lightness, after]).astype(np.float32)
        return ToneCurve(before, table, target, keep, _FARTHEST * stray * usual)

    @staticmethod
    def shift(material: Material, index: int, color: Color, alike: float) -> "ToneCurve":
        """How a material stays what it is, but for a white balance."""
        target, _ = compute_goal(material, index, color, alike)
        before = cielab.shade(material.lab, _SHADES)
        moved = np.subtract(target, material.lab)
        table = np.column_stack([_SHADES, before]) + moved
        table[:, 0] = np.clip(table[:, 0], 0, 100)
        return ToneCurve(before, table.astype(np.float32), target, 1.0, _ANY)


@dataclass(frozen=True, eq=False)
class ToneCurves:
    """How each of M materials becomes each of K colours, laid out so that pixels are looked up.

    goals: (M, K, 3). before: (2, M * steps). table: (3, K * M * steps). keep, reach: (K * M,). All
    as Toning has them.
    """

    goals: Floats
    before: Floats
    table: Floats
    keep: Floats
    reach: Floats

    @staticmethod
    def of(tonings: Sequence[Sequence[ToneCurve]]) -> "ToneCurves":
        """tonings: M times K."""
        by_color = list(zip(*tonings, strict=True))
        return ToneCurves(
            np.array([[one.goal for one in row] for row in tonings], np.float32),
            np.concatenate([row[0].before for row in tonings]).T.copy(),
            np.concatenate([one.table for row in by_color for one in row]).T.copy(),
            np.array([one.keep for row in by_color for one in row], np.float32),
            np.array([one.reach for row in by_color for one in row], np.float32),
        )

    def apply(
        self, lab: Floats, kinds: NDArray[np.integer], colors: NDArray[np.integer] | int
    ) -> Floats:
        """(3, n) L*, a*, b* of the materials `kinds` (n,) -> (3, n) of `colors`, (n,) or one."""
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
        toned = np.empty(lab.shape, np.float32)
        for plane, table in zip(toned, self.table, strict=True):
            table.take(step, out=plane, mode="clip")  # which writes without a buffer
        toned[1] += stray_a * kept
        toned[2] += stray_b * kept
        return toned


def compute_goal(material: Material, index: int, color: Color, alike: float) -> tuple[Lab, float]:
    """What the material's median becomes as colour `index`, and how much of the way to the
    palette that is.

    alike: CIEDE2000 that the colour's own material may keep from the palette.
    """
    far = float(cielab.ciede2000(material.lab, color.lab))
    own = material.color == index
    left = np.interp(far, (_NEAR, 2 * _NEAR), (alike, 0)) if own else 0.0
    way = float(max(1 - left / far, 0.0)) if far > 0 else 1.0
    moved = np.array(material.lab) + way * np.subtract(color.lab, material.lab)
    return cielab.as_lab(moved), way


def _shading(index: int, colors: Sequence[Color]) -> tuple[float, float]:
    """L* from percentile 5 to the median and from there to 95 that a colour's granules get.

    Granules of near colours are shaded less, so that they can be told apart.
    """
    labs = np.array([color.lab for color in colors])
    near = np.delete(cielab.ciede2000(labs, labs[index]), index).min(initial=_WELL_APART)
    depth = _SHADING * max(near / _WELL_APART, _LEAST_SHADING)
    p5, _, p50, _, p95 = colors[index].lightness
    return depth * (p50 - p5), depth * (p95 - p50)


def _tone_curve(
    shades: Doubles,
    light: tuple[float, float, float],
    spread: tuple[float, float],
    median: float,
    way: float,
    depth: float,
) -> Doubles:
    """New L* at each of `shades`: `median` for the material's own.

    spread: what the L* from percentile 5 to the median and from there to 95 become, within reason.
    way: how much of that is done; at 0, lightness is only shifted. depth: times that.
    """
    p5, p50, p95 = light
    below, above = max(p50 - p5, 1.0), max(p95 - p50, 1.0)
    down = np.clip(spread[0] / below, *_CONTRAST)
    up = np.clip(spread[1] / above, *_CONTRAST)
    middle = np.sqrt(down * up)
    down, up = np.clip((down, up), middle / _BEND, middle * _BEND)
    down, up = 1 + way * (depth * down - 1), 1 + way * (depth * up - 1)
    knots = [p50 - 2 * below, p50 - below, p50, p50 + above, p50 + 2 * above]
    dark = median - down * below
    bright = min(median + up * above, (median + _LIGHTEST) / 2 + 3)
    darkest, brightest = dark - down * below * 0.7, bright + 0.6 * (bright - median)
    values = [max(darkest, 0.1 * median), max(dark, 0.25 * median), median, bright, brightest]
    knots = [min(-1.0, knots[0] - 1), *knots, max(101.0, knots[-1] + 1)]
    values = [0.0 if values[0] < 8 else values[0] * 0.5, *values, min(brightest + 3, 100.0)]
    return np.asarray(np.clip(np.interp(shades, knots, values), 0, 100))
