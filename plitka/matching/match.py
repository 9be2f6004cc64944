"""Picture + layout -> the same picture with the layout's shares and palette colours.

The picture's own granules are given to colours: those whose colour is near, and that lie where the
layout has it, under the constraint that areas meet the shares. They are then recoloured along
their own edges: light and shade stay the picture's, as deep as the new colour makes them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from plitka.arrays import Image
from plitka.color import cielab
from plitka.color.palette import Color
from plitka.matching import analysis, assignment, recolor
from plitka.matching.analysis import Analysis
from plitka.matching.tone_curves import Material, ToneCurve, ToneCurves
from plitka.measure.classification import NO_COLOR
from plitka.measure.shares import (
    Measurement,
    measure,
    scale_for_measuring,
    segment_and_classify,
    summarize,
    total_variation,
)
from plitka.tile.layout import Layout

# Total variation; a picture as near to its recipe keeps all its granules: measuring is no surer
# than that, and to recolour 4 points of a tile changes it more than any white balance.
_CLOSE = 0.04
_NEAR = 0.12  # the same of a picture that keeps those that need not change
_BALANCE = 20.0  # CIEDE2000; a colour farther off its place is another one, however it is lit
_LEFT = 0.02  # what may be left of the difference there
_ALIKE = 1.0  # CIEDE2000; what a colour of the picture may keep where granules are dealt anew
_ATTEMPTS = 3  # to give the shares; another one only where what is measured afterwards is off
_SHALLOWER = 0.6  # times light and shade, where they hid one of two near colours
_GOOD = 0.03  # total variation that is good enough


@dataclass(frozen=True, eq=False)
class Matched:
    """image: (size, size, 3) RGB, 0..255. before, after: what was measured on the picture as it
    was given, and on this one.
    """

    image: Image
    before: Measurement
    after: Measurement


def match_image(image: Image, layout: Layout) -> Image:
    """Give a picture the shares and colours of a layout.

    image: (size, size, 3) RGB, 0..255: any picture, of a tile or not.
    """
    return match(image, layout).image


def match(image: Image, layout: Layout) -> Matched:
    """`match_image`, with what is measured before and after: matching measures by itself anyway."""
    size = image.shape[0]
    if image.shape != (size, size, 3):
        raise ValueError(f"the picture must be square and RGB; its shape is {image.shape}")
    sight = segment_and_classify(scale_for_measuring(image), layout.colors)
    before = summarize(sight, layout.colors)
    tried = list(_tried(analysis.analyze(image, layout, sight), layout))
    best, after = min(tried, key=lambda one: _off(one[1].shares, layout))
    return Matched(best, before, after)


def _tried(seen: Analysis, layout: Layout) -> Iterator[tuple[Image, Measurement]]:
    """Pictures with the shares and colours of a layout, until one is good enough."""
    shares = np.array(layout.shares)
    shown = _shown(seen)
    off = _off(shown, layout)
    near = off <= _NEAR and _is_of(seen.materials, layout.colors)
    kept = recolor.balance(seen, layout.colors) if near else seen.lab
    if near and off <= _CLOSE:
        balanced = cielab.lab_to_rgb(kept)
        yield balanced, measure(balanced, layout.colors)
        return
    depth = 1.0
    target = shares + (np.array(shown) - shares) * _LEFT / off if near else shares
    for _ in range(_ATTEMPTS):
        tonings = _tonings(seen, layout, near, depth)
        owner = assignment.assign_colors(seen, layout, tonings, target, near)
        lab = recolor.recolor(seen, owner, tonings, len(shares))
        image = cielab.lab_to_rgb(recolor.patch(seen, kept, owner, lab) if near else lab)
        measured = measure(image, layout.colors)
        yield image, measured
        shown = measured.shares
        if _off(shown, layout) <= _GOOD:
            return
        if min(shown) > 0:
            target = np.maximum(target + shares - np.array(shown), shares / 4)
        else:
            depth *= _SHALLOWER


def _is_of(materials: Sequence[Material], colors: Sequence[Color]) -> bool:
    """Whether a white balance could make the colours of a picture those of the palette."""
    own = [(each.lab, colors[each.color].lab) for each in materials if each.color != NO_COLOR]
    return all(float(cielab.ciede2000(*pair)) <= _BALANCE for pair in own)


def _off(shown: Sequence[float], layout: Layout) -> float:
    return total_variation(shown, layout.shares)


def _shown(seen: Analysis) -> tuple[float, ...]:
    """The shares; all 0 where a colour is missing or one is not of the recipe."""
    found, area = seen.found, seen.cut.area
    strange = found.material >= len(found.centres)
    if not all(found.centres) or area[strange].sum() > _CLOSE * area.sum():
        return (0.0,) * len(found.centres)
    sure = found.owner != NO_COLOR
    shown = np.bincount(found.owner[sure], weights=area[sure], minlength=len(found.centres))
    return tuple((shown / max(shown.sum(), 1)).tolist())


def _tonings(seen: Analysis, layout: Layout, kept: bool, depth: float) -> ToneCurves:
    def toning(one: Material, index: int, color: Color) -> ToneCurve:
        if kept and one.color == index:
            return ToneCurve.shift(one, index, color, recolor.ALIKE)
        return ToneCurve.of(one, index, layout.colors, _ALIKE, depth)

    return ToneCurves.of(
        [
            [toning(one, index, color) for index, color in enumerate(layout.colors)]
            for one in seen.materials
        ]
    )
