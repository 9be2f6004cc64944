"""A picture -> what matching sees in it: its segments, and the colours that it has."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.color import cielab, palette
from plitka.color.cielab import Floats
from plitka.matching.tone_curves import Material
from plitka.measure import classification, segmentation, shares
from plitka.measure.classification import NO_COLOR, Classification
from plitka.measure.segmentation import SegmentMap, Segments
from plitka.measure.shares import ClassifiedImage
from plitka.tile import render
from plitka.tile.layout import SURVEY, Layout

Image = NDArray[np.uint8]

_NO_SURFACE = 8.0  # median difference of neighbouring 8-bit grays; photographs have 15 and more
_UNEVENNESS = 0.3  # of the lightness of such a picture, what is kept
_SAMPLE = 3  # every so many pixels of rows and columns are looked at for statistics


@dataclass(frozen=True, eq=False)
class Analysis:
    """lab: (size, size, 3) the picture. index: (size, size) the segment of each of its pixels.

    cut: the segments, found at the size of measuring; their edges are refined at the picture's.
    granules: the layout's, there.
    found: which colours the segments show. material: (N,) index of each segment's material.
    """

    lab: Floats
    index: SegmentMap
    cut: Segments
    granules: SegmentMap
    found: Classification
    material: NDArray[np.int64]
    materials: tuple[Material, ...]


def analyze(image: Image, layout: Layout, measured: ClassifiedImage) -> Analysis:
    """See a square picture; a flat or smooth one with a surface of the layout's granules.

    measured: what measuring the layout's colours has seen of it.
    """
    size = len(image)
    lab = cielab.rgb_to_lab(image)
    if bare := _has_no_surface(image):
        lab = _surfaced(lab, layout)
        image = cielab.lab_to_rgb(lab)
    if bare or len(measured.image) > size:
        small = min(image, shares.scale_for_measuring(image), key=len)
        measured = shares.segment_and_classify(small, layout.colors)
    granules = _resized(layout.granule_map(SURVEY), len(measured.image))
    cut = segmentation.split_large_segments(measured.cut, measured.lab, granules)
    found = measured.found if cut is measured.cut else classification.classify(cut, layout.colors)
    index = _resized(cut.map, size)
    material, materials = _materials(lab, index, cut, found)
    return Analysis(lab, index, cut, granules, found, material, materials)


def _resized(values: SegmentMap, size: int) -> SegmentMap:
    if len(values) == size:
        return values
    return np.asarray(cv2.resize(values, (size, size), interpolation=cv2.INTER_NEAREST), np.int32)


def _has_no_surface(image: Image) -> bool:
    """Whether a picture is flat or smooth, so that it shows nothing of granules."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    contrast = cv2.morphologyEx(gray, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return float(np.median(contrast[::_SAMPLE, ::_SAMPLE])) <= _NO_SURFACE


def _surfaced(lab: Floats, layout: Layout) -> Floats:
    """The picture with light and shade of the layout's own granules, as if all were gray.

    What it has of lightness is unevenness of the light rather than granules, and is kept in part.
    """
    gray = palette.load().find("LTGRAY")
    bare = replace(layout, colors=(gray,), shares=(1.0,), owner=np.zeros_like(layout.owner))
    light = cielab.rgb_to_lab(render.render_picture(bare, len(lab)))[..., 0]
    surfaced = lab.copy()
    even = np.median(lab[..., 0])
    surfaced[..., 0] = even + _UNEVENNESS * (lab[..., 0] - even)
    surfaced[..., 0] += light - np.float32(gray.lab[0])
    return np.clip(surfaced, (0, -127, -127), (100, 127, 127)).astype(np.float32)


def _materials(
    lab: Floats, index: SegmentMap, cut: Segments, found: Classification
) -> tuple[NDArray[np.int64], tuple[Material, ...]]:
    """(N,) index of each segment's material, and the materials."""
    present, material = np.unique(found.material, return_inverse=True)
    sample = lab[::_SAMPLE, ::_SAMPLE].reshape(-1, 3)
    kinds = material[index[::_SAMPLE, ::_SAMPLE].ravel()]
    materials = []
    for number, kind in enumerate(present.tolist()):
        pixels = sample[kinds == number]
        if not len(pixels):
            pixels = cut.lab[material == number].astype(np.float32)
        centre = cielab.as_lab(np.median(pixels, axis=0))
        p5, p50, p95 = np.percentile(pixels[:, 0], (5, 50, 95)).tolist()
        stray = pixels[:, 1:] - cielab.shade(centre, pixels[:, 0])
        chroma = float(np.sqrt((stray**2).sum(axis=1).mean()))
        color = kind if kind < len(found.centres) else NO_COLOR
        materials.append(Material(centre, (p5, p50, p95), chroma, color))
    return material, tuple(materials)
