"""Analysis of a picture for matching: its granules, and the materials that they show."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Floats, Image
from plitka.color import cielab, palette
from plitka.color.palette import Color
from plitka.color.srgb import Lab
from plitka.matching.granules import Granules, find_granules, measure_granules
from plitka.matching.tone_curves import Material
from plitka.measure.classification import NO_COLOR, SHADOW, Classification, classify_by_centres
from plitka.measure.shares import (
    ClassifiedImage,
    Measurement,
    scale_for_measuring,
    segment_and_classify,
    summarize,
)
from plitka.tile import granule, render
from plitka.tile.layout import SURVEY, Layout

_NO_SURFACE = 8.0  # median difference of neighbouring 8-bit grays; photographs have 15 and more
_UNEVENNESS = 0.3  # the fraction of such a picture's broad differences of lightness that is kept
_BROAD = 3.0  # standard deviation in granule diameters, over which lightness is averaged for that
_SMALL = 128  # pixels a side, at which it is
_GAP = 0.25  # of its area that is not in shadow; a granule with less is a gap, or a joint
_BLACK = 30.0  # L* of a material; granules that are darker are like gaps
_JOINT = 13.0  # L* of a material; black granules have a median of 19
_JOINT_AREA = 0.2  # of the picture, in joints at the most
_SAME = 2.0  # CIEDE2000; granules of nearer colours are the same to the eye
_PRESENT = 0.02  # share that a colour has at least, if it is in the picture for certain
_SAMPLE = 3  # every so many pixels of rows and columns are looked at for statistics


@dataclass(frozen=True, eq=False)
class Analysis:
    """What matching knows of a picture of size x size pixels; N granules, M materials.

    lab: (size, size, 3) L*a*b*. measured: what `measure` finds of the layout's colours on it.
    granules: each with its pixels. classification: which colours they show. material: (N,) index
    into `materials` of each granule's material.
    """

    lab: Floats
    measured: Measurement
    granules: Granules
    classification: Classification
    material: NDArray[np.int64]
    materials: tuple[Material, ...]

    @cached_property
    def lit_area(self) -> Doubles:
        """(N,) pixels of each granule that are not in shadow: those count for a colour's share."""
        medians = np.array([material.lab[0] for material in self.materials], np.float32)
        darkest = np.where(self._is_joint, np.inf, SHADOW * medians)[self.material]
        granules = self.granules.map.ravel().astype(np.intp)
        lit = self.lab[..., 0].ravel() >= darkest.astype(np.float32).take(granules)
        area = np.bincount(granules, weights=lit, minlength=len(self.material))
        return np.asarray(area, np.float64)

    @cached_property
    def gap(self) -> NDArray[np.bool_]:
        """(N,) whether a granule is none, but a gap or joint: hardly any of it is in the light.

        Among black granules a gap cannot be told from one of them.
        """
        light = np.array([material.lab[0] for material in self.materials])
        told = (light > _BLACK) | self._is_joint
        return (self.lit_area < _GAP * self.granules.area) & told[self.material]

    @cached_property
    def _is_joint(self) -> NDArray[np.bool_]:
        """(M,) whether a material is none, but what is seen in joints: darker than any granule."""
        area = np.bincount(self.material, weights=self.granules.area, minlength=len(self.materials))
        dark = [each.lab[0] < _JOINT and each.color == NO_COLOR for each in self.materials]
        return np.asarray(np.array(dark) & (area < _JOINT_AREA * area.sum()))


@dataclass(frozen=True, eq=False)
class Surface:
    """The granules of a picture of size x size pixels, found before its colours are looked at.

    lab: (size, size, 3) L*a*b*. is_added: whether the picture is flat or smooth, and got the
    surface of the layout's granules, whose granules these then are.
    """

    lab: Floats
    granules: Granules
    is_added: bool


def find_surface(image: Image, layout: Layout) -> Surface:
    """Find the granules of a square picture, (size, size, 3) sRGB, 0 to 255."""
    lab = cielab.rgb_to_lab(image)
    if _lacks_surface(image):
        lab = _add_surface(lab, layout)
        return Surface(lab, measure_granules(layout.map_granules(len(image)), lab), True)
    return Surface(lab, find_granules(image, lab, layout.map_granules(SURVEY)), False)


def analyze(
    surface: Surface, layout: Layout, classified: ClassifiedImage, measured: Measurement
) -> Analysis:
    """Analyze a square picture.

    classified: the picture at the size of measuring, classified by the layout's colours. measured:
    what is found on that. Neither counts where the surface was added.
    """
    lab, granules = surface.lab, surface.granules
    if surface.is_added:
        small = scale_for_measuring(cielab.lab_to_rgb(lab))
        classified = segment_and_classify(small, layout.colors)
        measured = summarize(classified, layout.colors)
    shown = classified.classification
    centres = _complete_centres(shown.centres, layout.colors, measured)
    classification = classify_by_centres(
        granules.lab, granules.area, layout.colors, centres, shown.strangers
    )
    material, materials = _measure_materials(lab, granules, classification)
    return Analysis(lab, measured, granules, classification, material, materials)


def _complete_centres(
    centres: tuple[Lab | None, ...], colors: tuple[Color, ...], measured: Measurement
) -> tuple[Lab | None, ...]:
    """Place the centres of colours that make no mode of their own, and yet are in the picture.

    Those are told from their neighbours by the picture as a whole: they lie off the palette as far
    as the colours do that are found. A colour that no eye tells from one of these lies where that
    one does. centres: see Classification. measured: what is found of the K colours.
    """
    found = {index: centre for index, centre in enumerate(centres) if centre is not None}
    if not found:
        return centres
    palette_labs = np.array([color.lab for color in colors])
    own = palette_labs[list(found)]
    drift = np.mean(np.array(list(found.values())) - own, axis=0)
    completed = list(centres)
    for index, centre in enumerate(centres):
        if centre is not None:
            continue
        far = cielab.ciede2000(own, palette_labs[index])
        if far.min() < _SAME:
            completed[index] = list(found.values())[int(far.argmin())]
        elif measured.intervals[index][0] > _PRESENT:
            completed[index] = cielab.to_lab(palette_labs[index] + drift)
    return tuple(completed)


def _lacks_surface(image: Image) -> bool:
    """Whether a picture is so flat or smooth that it shows no granules."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    contrast = cv2.morphologyEx(gray, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return float(np.median(contrast[::_SAMPLE, ::_SAMPLE])) <= _NO_SURFACE


def _add_surface(lab: Floats, layout: Layout) -> Floats:
    """Add the light and shade of the layout's own granules, as a render in gray has them.

    lab: (size, size, 3) L*a*b* of a picture without granules. What differs in lightness over more
    than some granules is taken for uneven lighting and kept in part.
    """
    gray = palette.load().find("LTGRAY")
    light = render.draw_light(layout, gray, len(lab))
    surfaced = lab.copy()
    small = cv2.resize(lab[..., 0], (_SMALL, _SMALL), interpolation=cv2.INTER_AREA)
    broad = cv2.GaussianBlur(small, (0, 0), _BROAD * granule.DIAMETER * _SMALL)
    even = np.median(lab[..., 0])
    surfaced[..., 0] = even + _UNEVENNESS * (cv2.resize(broad, light.shape) - even)
    surfaced[..., 0] += light - np.float32(gray.lab[0])
    return np.clip(surfaced, (0, -127, -127), (100, 127, 127)).astype(np.float32)


def _measure_materials(
    lab: Floats, granules: Granules, classification: Classification
) -> tuple[NDArray[np.int64], tuple[Material, ...]]:
    """Measure the materials that the granules show, on the picture's pixels.

    lab: see Analysis. Returns (N,) the index of each granule's material, and the materials.
    """
    present, material = np.unique(classification.material, return_inverse=True)
    sample = np.array(cv2.split(lab[::_SAMPLE, ::_SAMPLE])).reshape(3, -1)
    kinds = material.take(granules.map[::_SAMPLE, ::_SAMPLE].ravel())
    materials = []
    for number, kind in enumerate(present.tolist()):
        pixels = sample.take(np.flatnonzero(kinds == number), axis=1)
        if not pixels.size:
            pixels = granules.lab[material == number].T.astype(np.float32)
        centre = cielab.to_lab(np.median(pixels, axis=1))
        p5, p50, p95 = np.percentile(pixels[0], (5, 50, 95)).tolist()
        stray = pixels[1:] - cielab.shade(centre, pixels[0]).T
        stray *= stray
        chroma = float(np.sqrt((stray[0] + stray[1]).mean()))
        color = kind if kind < len(classification.centres) else NO_COLOR
        materials.append(Material(centre, (p5, p50, p95), chroma, color))
    return material, tuple(materials)
