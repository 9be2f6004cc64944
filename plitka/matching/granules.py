"""Granules: the single granules that a picture shows, each one apart from its neighbours.

They are told apart whatever their colours are: by creases, by gaps, by light and shade.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Floats, Image
from plitka.matching.region_merging import merge_basins
from plitka.matching.watershed import compute_edge_strength, find_basins
from plitka.measure.segmentation import SegmentMap

_SIDE = 1024  # pixels, at which granules have about 20 across; other pictures are scaled to this
_SMALLEST_SIDE = 700  # pixels; photographs of this size and up have granules as large
# What an edge of the layout adds to the picture's, in the usual strength of those: little in
# itself, more where the picture was drawn from the layout, so that the edges of both correlate.
_HINT, _FOLLOWED_HINT = 0.15, 3.0
_HINT_WIDTH = 2.0  # standard deviation in pixels of the layout's edges
_SAMPLE = 3  # every so many pixels of rows and columns are looked at for statistics
_UNSURE = 2  # pixels beside a border, at _SIDE, that a larger picture decides by its own edges


@dataclass(frozen=True, eq=False)
class Granules:
    """The N granules of a picture of size x size pixels.

    map: (size, size) the granule of each pixel, 0 to N - 1 without gaps. area: (N,) pixels. lab:
    (N, 3) mean L*a*b*.
    """

    map: SegmentMap
    area: Doubles
    lab: Doubles


def find_granules(image: Image, lab: Floats, laid: SegmentMap) -> Granules:
    """Find the granules of a square picture.

    Where the picture shows no edges, those of the layout decide; where it was drawn from the
    layout, they help.
    image: (size, size, 3) sRGB, 0 to 255. lab: the same in L*a*b*. laid: (s, s) the layout's
    granule at each pixel, of any size.
    """
    size = len(image)
    side = size if _SMALLEST_SIDE <= size <= _SIDE else _SIDE
    seen = lab if side == size else _resize(lab, side)
    strength = compute_edge_strength(seen)
    strength += _weigh_edges(strength, _draw_edges(resize_map(laid, side)))
    index = merge_basins(find_basins(strength), seen, strength)
    if size > side:
        index = _sharpen_borders(index, image)
    return measure_granules(resize_map(index, size), lab)


def measure_granules(index: SegmentMap, lab: Floats) -> Granules:
    """Measure the granules of a map.

    index: (size, size) the granule of each pixel, -1 for none: what has none becomes one granule.
    lab: (size, size, 3) L*a*b* of the picture.
    """
    flat = index.ravel() + np.intp(1)
    count = np.bincount(flat)
    present = count > 0
    flat = (np.cumsum(present) - 1).take(flat)
    area = count[present].astype(np.float64)
    sums = [np.bincount(flat, weights=plane.ravel()) for plane in cv2.split(lab)]
    numbered = flat.astype(np.int32).reshape(index.shape)
    return Granules(numbered, area, np.stack(sums, axis=1) / area[:, None])


def pair_granules(granules: Granules, laid: SegmentMap) -> NDArray[np.int64]:
    """Pair the picture's granules with those of the layout that lie in the same place.

    Two are a pair where each covers the other's centroid. laid: (s, s) the layout's granule at each
    pixel, -1 for none. Returns (N,) the layout's granule, -1 where there is none.
    """
    there = _look_up(laid, _locate(granules.map, len(granules.area)))
    back = _look_up(granules.map, _locate(laid, int(laid.max()) + 1))
    paired = (there >= 0) & (back[np.maximum(there, 0)] == np.arange(len(there)))
    return np.where(paired, there, -1)


def list_neighbours(granules: Granules) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """List pairs of granules that touch, the oftener the longer their border is.

    Every fourth row and column is looked at. Returns (n,) one and (n,) the other of each pair.
    """
    rows, columns = granules.map[::4], granules.map[:, ::4].T
    pairs = [(line[:, :-1].ravel(), line[:, 1:].ravel()) for line in (rows, columns)]
    one, other = (np.concatenate(ends) for ends in zip(*pairs, strict=True))
    touching = np.flatnonzero(one != other)
    return one[touching], other[touching]


def resize_map(values: SegmentMap, size: int) -> SegmentMap:
    """Resize a square map of indices to (size, size), by nearest neighbour."""
    if len(values) == size:
        return values
    return np.asarray(cv2.resize(values, (size, size), interpolation=cv2.INTER_NEAREST), np.int32)


def _locate(values: SegmentMap, count: int) -> Doubles:
    """Locate the centroids of the granules of a square map, on every second row and column.

    values: (s, s) indices below `count`, -1 for none. Returns (count, 2) rows and columns in frame
    sides; (0, 0) for what is not met with.
    """
    part = values[::2, ::2]
    flat = part.ravel().astype(np.intp) + 1
    axis = (np.arange(len(part)) + 0.5) / len(part)
    planes = np.repeat(axis, len(axis)), np.tile(axis, len(axis))
    area = np.bincount(flat, minlength=count + 1)
    sums = [np.bincount(flat, weights=plane, minlength=count + 1) for plane in planes]
    return np.stack(sums, axis=1)[1:] / np.maximum(area[1:, None], 1)


def _look_up(values: SegmentMap, places: Doubles) -> NDArray[np.int64]:
    """Look up a square map at places (n, 2), rows and columns in frame sides. Returns (n,)."""
    row, column = np.clip((places * len(values)).astype(int), 0, len(values) - 1).T
    return np.asarray(values[row, column], np.int64)


def _resize(lab: Floats, size: int) -> Floats:
    """Resize a square picture to (size, size)."""
    way = cv2.INTER_AREA if size < len(lab) else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(lab, (size, size), interpolation=way), np.float32)


def _draw_edges(index: SegmentMap) -> Floats:
    """Draw the borders of a map (h, w), blurred: 0 to about 1."""
    square = np.ones((2, 2), np.uint8)
    numbers = index.astype(np.float32)
    edges = (cv2.dilate(numbers, square) != cv2.erode(numbers, square)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(edges, (0, 0), _HINT_WIDTH), np.float32)


def _weigh_edges(strength: Floats, edges: Floats) -> Floats:
    """Weigh the layout's edges (h, w) against the strength (h, w) of the picture's."""
    sample = strength[::_SAMPLE, ::_SAMPLE], edges[::_SAMPLE, ::_SAMPLE]
    spread = float(sample[0].std() * sample[1].std())
    mean = float(sample[0].mean() * sample[1].mean())
    followed = max(float((sample[0] * sample[1]).mean()) - mean, 0) / max(spread, 1e-9)
    weight = (_HINT + _FOLLOWED_HINT * followed) * float(np.median(sample[0]))
    return np.asarray(np.float32(weight) * edges, np.float32)


def _sharpen_borders(index: SegmentMap, image: Image) -> SegmentMap:
    """Move the borders of a smaller map onto the edges of the picture, by a watershed from inside.

    index: (s, s). image: (size, size, 3). Returns (size, size).
    """
    numbers = index.astype(np.float32)
    square = np.ones((2 * _UNSURE - 1, 2 * _UNSURE - 1), np.uint8)
    inside = cv2.dilate(numbers, square) == cv2.erode(numbers, square)
    marks = resize_map(np.where(inside, index + 1, 0).astype(np.int32), len(image))
    whole = resize_map(index, len(image))
    sharp = cv2.watershed(image, marks.copy())
    # A granule too small to have an inside keeps its place, as do the watershed's own lines.
    kept = np.isin(whole, np.flatnonzero(np.bincount(marks.ravel())[1:] == 0)) | (sharp < 1)
    return np.asarray(np.where(kept, whole, sharp - 1), np.int32)
