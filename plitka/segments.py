"""A picture -> its segments: small areas of one colour, bounded by the picture's own edges.

A granule is a handful of segments, one or two for each of its facets.
"""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.cielab import Doubles, Floats

Map: TypeAlias = NDArray[np.int32]
"""(h, w): the index of the segment that each pixel belongs to."""

_DENOISE = 0.8  # standard deviation in pixels; granules have 12 and more, edges stay
_SEED_SLACK = 2  # of summed 8-bit L*a*b* contrast: below the grain of a JPEG


@dataclass(frozen=True, eq=False)
class Segments:
    """map: see Map. area: (N,) pixels. lab: (N, 3) mean L*a*b*.

    contrast: (h, w) how much the picture changes at each pixel, in 8-bit L*a*b* levels.
    """

    map: Map
    area: Doubles
    lab: Doubles
    contrast: Floats


def cut(image: NDArray[np.uint8], lab: Floats, reach: int = 2) -> Segments:
    """Cut a picture along its edges: a watershed from where it changes least.

    image: (h, w, 3) sRGB; lab: the same in L*a*b*. reach: pixels; one segment grows from where
    the picture changes least within this reach.
    """
    smooth = cv2.cvtColor(cv2.GaussianBlur(image, (0, 0), _DENOISE), cv2.COLOR_RGB2LAB)
    contrast = cv2.morphologyEx(smooth, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    contrast = cv2.transform(contrast.astype(np.float32), np.ones((1, 3), np.float32))
    contrast = cv2.GaussianBlur(contrast, (0, 0), _DENOISE)
    lowest = cv2.erode(contrast, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    seeds = (contrast <= lowest + _SEED_SLACK).astype(np.uint8)
    _, marks = cv2.connectedComponents(seeds, connectivity=4, ltype=cv2.CV_32S)
    marks = cv2.watershed(smooth, marks)
    return gathered(_without_borders(marks), lab, contrast)


def gathered(index: Map, lab: Floats, contrast: Floats) -> Segments:
    """The segments of a map whose numbers may have gaps between them."""
    flat = index.ravel()
    present = np.bincount(flat) > 0
    number = (np.cumsum(present) - 1).astype(np.int32)
    flat = number[flat]
    area = np.bincount(flat).astype(np.float64)
    sums = [np.bincount(flat, weights=lab[..., axis].ravel()) for axis in range(3)]
    mean = np.stack(sums, axis=1) / area[:, None]
    return Segments(flat.reshape(index.shape), area, mean, contrast)


def _without_borders(marks: Map) -> Map:
    """Watershed's lines (-1), one pixel broad, given to a segment beside them."""
    line = marks < 1
    beside = cv2.dilate(marks.astype(np.float32), np.ones((3, 3), np.uint8))
    return np.where(line, np.maximum(beside.astype(np.int32), 0), marks)
