"""Segmentation: a picture cut into small areas of one colour, along the picture's own edges.

A granule is a handful of segments, one or two for each of its facets.
"""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Floats, Image

SegmentMap: TypeAlias = NDArray[np.int32]
"""(h, w): the index of the segment, or of the granule, that each pixel belongs to."""

_DENOISE = 0.8  # standard deviation in pixels; granules have 12 and more, edges stay
_REACH = 2  # pixels; a segment grows from each place that changes least within this distance
_SEED_SLACK = 2  # of summed 8-bit L*a*b* contrast: below the grain of a JPEG
_FLAT = 5.0  # of the same: pixels that change less count alike for a segment's inside


@dataclass(frozen=True, eq=False)
class Segments:
    """The N segments of a picture.

    map: (h, w) the index of each pixel's segment, 0 to N - 1 without gaps. area: (N,) pixels.
    lab: (N, 3) mean L*a*b*. contrast: (h, w) how much the picture changes at each pixel: the
    range within 3x3 pixels, summed over L*, a* and b* in 8-bit levels, smoothed.
    """

    map: SegmentMap
    area: Doubles
    lab: Doubles
    contrast: Floats


def segment(image: Image, lab: Floats) -> Segments:
    """Cut a picture along its edges: a watershed from where it changes least.

    image: (h, w, 3) sRGB, 0 to 255. lab: (h, w, 3) the same in L*a*b*.
    """
    smooth = cv2.cvtColor(cv2.GaussianBlur(image, (0, 0), _DENOISE), cv2.COLOR_RGB2LAB)
    steps = cv2.morphologyEx(smooth, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    total = cv2.transform(steps.astype(np.float32), np.ones((1, 3), np.float32))
    contrast = np.asarray(cv2.GaussianBlur(total, (0, 0), _DENOISE), np.float32)
    lowest = cv2.erode(contrast, np.ones((2 * _REACH + 1, 2 * _REACH + 1), np.uint8))
    seeds = (contrast <= lowest + _SEED_SLACK).astype(np.uint8)
    _, marks = cv2.connectedComponents(seeds, connectivity=4, ltype=cv2.CV_32S)
    index = _fill_watershed_lines(np.asarray(cv2.watershed(smooth, marks), np.int32))
    return _number_segments(index, lab, contrast)


def measure_insides(segments: Segments, lab: Floats) -> Doubles:
    """Measure the L*a*b* of the insides of segments, without the blurred edges around them.

    The less the picture changes at a pixel, the more the pixel counts. lab: (h, w, 3) L*a*b* of
    the picture. Returns (N, 3).
    """
    flat = segments.map.ravel().astype(np.intp)
    weight = (segments.contrast.ravel() + np.float32(_FLAT)) ** -4
    sums = [np.bincount(flat, weights=weight * plane.ravel()) for plane in cv2.split(lab)]
    return np.stack(sums, axis=1) / np.bincount(flat, weights=weight)[:, None]


def _number_segments(index: SegmentMap, lab: Floats, contrast: Floats) -> Segments:
    """Number the segments of a map anew, without gaps, and measure them.

    index: (h, w) numbers of 0 and up. lab: (h, w, 3). contrast: see Segments.
    """
    count = np.bincount(index.ravel())
    present = count > 0
    flat = (np.cumsum(present) - 1).take(index.ravel())
    area = count[present].astype(np.float64)
    sums = [np.bincount(flat, weights=plane.ravel()) for plane in cv2.split(lab)]
    numbered = flat.astype(np.int32).reshape(index.shape)
    return Segments(numbered, area, np.stack(sums, axis=1) / area[:, None], contrast)


def _fill_watershed_lines(marks: SegmentMap) -> SegmentMap:
    """Give the one pixel wide lines of cv2.watershed (-1) to a segment beside them.

    marks: (h, w) as cv2.watershed leaves them, segments from 1 up.
    """
    line = marks < 1
    beside = cv2.dilate(marks.astype(np.float32), np.ones((3, 3), np.uint8))
    return np.where(line, np.maximum(beside.astype(np.int32), 0), marks)
