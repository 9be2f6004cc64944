"""Matching: gives a picture the shares and palette colours of a layout.

The picture's own granules are found one by one, and colours are dealt to them so that areas meet
the shares: a granule that shows a colour keeps it as far as the shares allow, all else goes by lot.
They are then recoloured within their own outlines: light and shade stay the picture's, as deep as
the new colour makes them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from plitka.arrays import Doubles, Image
from plitka.color import cielab
from plitka.color.palette import Color
from plitka.matching import recolor
from plitka.matching.analysis import Analysis, analyze, find_surface
from plitka.matching.dealing import prepare_dealing, prepare_keeping
from plitka.matching.recolor import Recolorer
from plitka.matching.tone_curves import Material, ToneCurve, ToneCurves
from plitka.measure.classification import NO_COLOR
from plitka.measure.shares import (
    ClassifiedImage,
    Measurement,
    check_size,
    measure,
    scale_for_measuring,
    segment_and_classify,
    summarize,
)
from plitka.tile.layout import Layout

# Total variation; a picture as near to its recipe keeps all its granules: measuring is no surer
# than that, and to recolour 4 points of a tile changes it more than any white balance.
_CLOSE = 0.04
_NEAR = 0.12  # total variation; a picture as near keeps the granules that need not change
_LEFT = 0.02  # total variation; as much of the difference may be left in such a picture
_BALANCE = 20.0  # CIEDE2000; a colour farther off the palette is another one, however it is lit
_TOLERANCE = 1.0  # CIEDE2000 to the palette that a colour may keep where all are assigned anew
# What is measured farther off is dealt once more: in total variation, or by so much of a share.
_GOOD, _GOOD_PART = 0.01, 0.1
# Of what is then measured, the part that is mended: by their areas the shares were met, and
# measuring is no surer than that.
_MENDED = 0.5


@dataclass(frozen=True, eq=False)
class Matched:
    """A matched picture.

    image: (size, size, 3) sRGB, 0 to 255. before, after: what `measure` finds of the layout's
    colours on the picture that was given, and on `image`.
    """

    image: Image
    before: Measurement
    after: Measurement


Classified: TypeAlias = tuple[ClassifiedImage, Measurement]
"""A picture at the size of measuring, and what is measured on it."""

Begin: TypeAlias = Callable[[Callable[[], Classified]], Callable[[], Classified]]
"""Begins work; returns what waits for its result."""


def match(image: Image, layout: Layout, begin: Begin = lambda work: work) -> Matched:
    """Give a picture the shares and colours of a layout.

    image: (size, size, 3) sRGB, 0 to 255: any picture, of a tile or not; it is left as it is.
    begin: begins to measure the picture in another thread, while its granules are found in this
    one; as a rule all is done here, one after the other. The result is the same. Raises ValueError
    for a picture that is not square or not RGB, and TooSmall for one that cannot be measured.
    """
    size = image.shape[0]
    if image.shape != (size, size, 3):
        raise ValueError(f"the picture must be square and RGB; its shape is {image.shape}")
    check_size(image)

    def classify() -> Classified:
        classified = segment_and_classify(scale_for_measuring(image), layout.colors)
        return classified, summarize(classified, layout.colors)

    wait = begin(classify)
    surface = find_surface(image, layout)
    classified, before = wait()
    analysis = analyze(surface, layout, classified, before)
    attempts = list(_make_attempts(analysis, layout))
    best, after = min(attempts, key=lambda one: one[1].compare(layout.shares))
    return Matched(best, before, after)


def crop_square(image: Image) -> Image:
    """Crop (height, width, 3) to the largest square in its middle."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def _make_attempts(analysis: Analysis, layout: Layout) -> Iterator[tuple[Image, Measurement]]:
    """Recolour the picture, and once more where what is measured is off the layout's shares.

    Yields each attempt with its measurement.
    """
    shares = np.array(layout.shares)
    error = analysis.measured.compare(layout.shares)
    near = error <= _NEAR and _can_keep(analysis, layout)
    balanced = recolor.balance(analysis, layout.colors) if near else analysis.lab
    if near and error <= _CLOSE:
        image = cielab.lab_to_rgb(balanced)
        yield image, measure(image, layout.colors)
        return
    recolorer = Recolorer.prepare(analysis, _build_curves(analysis, layout, near), len(shares))
    deal = (prepare_keeping if near else prepare_dealing)(analysis, layout)
    left = _LEFT / error if near else 0.0
    target = shares - left * _find_deviation(analysis.measured, shares)
    for _ in range(2):
        owner = deal(target)
        changed = owner != analysis.classification.nearest if near else np.ones(len(owner), bool)
        lab = recolorer.recolor(owner, changed)
        image = cielab.lab_to_rgb(recolor.patch(analysis, balanced, changed, lab) if near else lab)
        measured = measure(image, layout.colors)
        yield image, measured
        deviation = _find_deviation(measured, shares)
        off = np.abs(deviation)
        if off.sum() / 2 <= _GOOD and (off <= _GOOD_PART * shares).all():
            return
        target = np.maximum(target + _MENDED * deviation, shares / 4)
        target /= target.sum()


def _find_deviation(measured: Measurement, shares: Doubles) -> Doubles:
    """Find how far the K shares (K,) are above what was measured, as far as that can tell.

    What a group deviates by is parted among its members by their shares.
    """
    deviation = shares - np.array(measured.shares)
    for group in map(list, measured.groups):
        deviation[group] = deviation[group].sum() * shares[group] / shares[group].sum()
    return np.asarray(deviation)


def _can_keep(analysis: Analysis, layout: Layout) -> bool:
    """Whether the picture shows all the colours, hardly any other, and none from far off.

    A white balance could then make them those of the palette. Where two colours are not told apart,
    each one's share has to be possible as well.
    """
    shown, area = analysis.classification, analysis.granules.area
    strange = shown.material >= len(shown.centres)
    if not all(shown.centres) or area[strange].sum() > _CLOSE * area.sum():
        return False
    possible = zip(layout.shares, analysis.measured.intervals, strict=True)
    if any(share < low - _NEAR or share > high + _NEAR for share, (low, high) in possible):
        return False
    own = [each for each in analysis.materials if each.color != NO_COLOR]
    far = [float(cielab.ciede2000(each.lab, layout.colors[each.color].lab)) for each in own]
    return max(far) <= _BALANCE


def _build_curves(analysis: Analysis, layout: Layout, keep: bool) -> ToneCurves:
    """Build the curves from each of the picture's materials to each of the layout's colours.

    keep: whether a material that shows a colour is only shifted towards it, and all else that
    gets the colour is made like it.
    """
    shown = {each.color: each for each in analysis.materials} if keep else {}

    def build(material: Material, index: int, color: Color) -> ToneCurve:
        if index not in shown:
            return ToneCurve.build(material, index, layout.colors, _TOLERANCE)
        if material.color == index:
            return ToneCurve.build_shift(material, index, color)
        return ToneCurve.build_like(material, shown[index], index, color)

    return ToneCurves.stack(
        [
            [build(material, index, color) for index, color in enumerate(layout.colors)]
            for material in analysis.materials
        ]
    )
