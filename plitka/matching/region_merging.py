"""Segments -> pieces of granules, and how firmly neighbouring pieces hold together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles
from plitka.measure.segmentation import SegmentMap, Segments

_LARGEST_GRANULE = 1.0  # of the layout's mean granule; segments join up to this area
_ROUNDS = 3
_FIRMNESS = 2.5  # how fast bonds weaken with contrast, in median contrasts
_LAYOUT_EDGE = 0.4  # what an edge of the layout adds to a contrast, in median contrasts


@dataclass(frozen=True, eq=False)
class Regions:
    """number: (N,) the piece that each segment is a part of, 0 and up without gaps.

    one, other: (E,) pieces that touch. bond: (E,) the length in pixels along which they do, less
    where the picture shows an edge there.
    """

    number: NDArray[np.int64]
    one: NDArray[np.int64]
    other: NDArray[np.int64]
    bond: Doubles


def merge_segments(segments: Segments, granules: SegmentMap) -> Regions:
    """Join segments into pieces of granules.

    Two segments join where each has its faintest edge with the other, round by round. Where the
    picture itself shows no edges, those of the layout decide.
    """
    largest = _LARGEST_GRANULE * granules.size / max(int(granules.max()) + 1, 1)
    place = _place(segments, granules)
    group = np.arange(len(segments.area))
    area, lab = segments.area, segments.lab
    edges = _edges(segments)
    usual = 0.0
    for _ in range(_ROUNDS):
        one, other = edges.one, edges.other
        contrast = edges.contrast + np.linalg.norm(lab[one] - lab[other], axis=1)
        usual = usual or float(np.median(contrast)) + 1e-6 if len(one) else 1.0
        contrast += _LAYOUT_EDGE * usual * (place[one] != place[other])
        contrast[area[one] + area[other] > largest] = np.inf
        target = _mutual(one, other, contrast, len(area))
        if target is None:
            break
        _, number = np.unique(target, return_inverse=True)
        group = number[group]
        total = np.bincount(number, weights=area).astype(np.float64)
        heaviest = np.zeros(len(total), np.int64)
        order = np.argsort(area, kind="stable")
        heaviest[number[order]] = order
        lab = np.stack([np.bincount(number, weights=area * of) for of in lab.T], axis=1)
        lab /= total[:, None]
        place, area = place[heaviest], total
        edges = _merged(number[one], number[other], edges.contrast * edges.length, edges.length)
    firm = np.exp(-_FIRMNESS * edges.contrast / usual)
    return Regions(group, edges.one, edges.other, edges.length * firm)


@dataclass(frozen=True, eq=False)
class _Edges:
    """(E,) each: between which two segments, the picture's mean contrast there, and the length."""

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    contrast: Doubles
    length: Doubles


def _edges(segments: Segments) -> _Edges:
    index, contrast = segments.map, segments.contrast
    pairs = []
    for here, there in ((np.s_[::2, :-1], np.s_[::2, 1:]), (np.s_[:-1, ::2], np.s_[1:, ::2])):
        where = np.flatnonzero(index[here] != index[there])
        strength = contrast[here].ravel()[where] + contrast[there].ravel()[where]
        pairs.append((index[here].ravel()[where], index[there].ravel()[where], strength / 2))
    one, other, strength = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return _merged(
        one.astype(np.int64),
        other.astype(np.int64),
        strength.astype(np.float64),
        np.ones(len(one)),
    )


def _merged(
    one: NDArray[np.int64], other: NDArray[np.int64], contrast: Doubles, length: Doubles
) -> _Edges:
    """Each pair once; contrast is summed over lengths and comes back as a mean."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    between = np.flatnonzero(low != high)
    count = int(high.max(initial=0)) + 1
    key, index = np.unique((low * count + high)[between], return_inverse=True)
    total = np.bincount(index, weights=length[between], minlength=len(key)).astype(np.float64)
    strength = np.bincount(index, weights=contrast[between], minlength=len(key))
    return _Edges(key // count, key % count, strength / np.maximum(total, 1e-9), total)


def _mutual(
    one: NDArray[np.int64], other: NDArray[np.int64], contrast: Doubles, count: int
) -> NDArray[np.int64] | None:
    """(count,) whom each joins: itself, or the lower of the two that contrast least."""
    able = np.flatnonzero(np.isfinite(contrast))
    order = able[np.argsort(contrast[able], kind="stable")[::-1]]
    # The last one written is the one that contrasts least.
    best = np.arange(count)
    ends = np.stack([one[order], other[order]], axis=1)
    best[ends.ravel()] = ends[:, ::-1].ravel()
    itself = np.arange(count)
    mutual = (best[best] == itself) & (best != itself)
    if not mutual.any():
        return None
    return np.where(mutual, np.minimum(best, itself), itself).astype(np.int64)


def _place(segments: Segments, granules: SegmentMap) -> NDArray[np.int64]:
    """(N,) the granule of the layout that the middle of each segment lies on."""
    height, width = granules.shape
    index = segments.map.ravel()
    across = np.bincount(index, weights=np.tile(np.arange(width, dtype=np.float64), height))
    down = np.bincount(index, weights=np.repeat(np.arange(height, dtype=np.float64), width))
    column, row = (np.rint(total / segments.area).astype(int) for total in (across, down))
    return np.asarray(granules[row, column], np.int64)
