"""Cutting: from a photograph of a one-colour tile to a source, whose granules are told apart."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats, Image
from plitka.bank.bank import CUT, NATURAL, Source
from plitka.bank.chips import RIM
from plitka.color.cielab import lab_to_rgb, rgb_to_lab
from plitka.matching.region_merging import merge_basins
from plitka.matching.watershed import compute_edge_strength, find_basins

_UNEVEN = 3 * NATURAL  # standard deviation in pixels: light that changes more slowly is evened
_SMOOTHNESS = 1.3  # standard deviation in pixels over which the borders of granules are smoothed
_REACH = 4  # pixels around a granule within which smoothing may move its border

# Which granules are fit to be laid elsewhere: whole, compact, in the light, with a clear outline.
_LEAST_AREA, _MOST_AREA = 70, 1100  # pixels
_COMPACT = 0.8  # of the area of its convex hull
_LIT = 0.35  # median rank of lightness
_KEPT = 0.45  # of those, the share with the clearest outline
_COMPACT_WEIGHT, _CALM_WEIGHT = 2.0, 0.5  # of compactness, and of creases inside, in clearness


def even_light(pixels: Image) -> Image:
    """Even out the light of a photograph (h, w, 3) of one colour."""
    lab = rgb_to_lab(pixels)
    slow = cv2.GaussianBlur(lab, (0, 0), _UNEVEN)
    return lab_to_rgb(np.asarray(lab - slow + lab.reshape(-1, 3).mean(axis=0), np.float32))


def cut_granules(pixels: Image) -> Source:
    """Tell the granules of a photograph apart.

    pixels: (h, w, 3), of even light and NATURAL scale, with fewer than 65,535 granules.
    """
    lab = rgb_to_lab(pixels)
    strength = compute_edge_strength(lab)
    found = _smooth_borders(merge_basins(find_basins(strength), lab, strength))
    edges = np.concatenate([found[0], found[-1], found[:, 0], found[:, -1]])
    cut = np.zeros(int(found.max()) + 1, bool)
    cut[edges] = True
    return Source(pixels, np.where(cut[found], CUT, found + 1).astype(np.uint16))


def choose_whole(source: Source, ranks: Floats, most: int) -> list[int]:
    """Choose the granules that are fit to be laid elsewhere; returns their numbers.

    ranks: (h, w) of lightness. most: that are chosen.
    """
    strength = compute_edge_strength(rgb_to_lab(source.pixels))
    strength /= np.float32(np.median(strength))
    clearness = {}
    numbers = range(CUT + 1, int(source.granules.max()) + 1)
    for box in list_boxes(source.granules, numbers):
        mask = box.mask
        if not _LEAST_AREA <= int(mask.sum()) <= _MOST_AREA:
            continue
        hull = cv2.convexHull(np.asarray(cv2.findNonZero(mask)))
        # A polygon through the centres of pixels leaves out half of those on it.
        whole = cv2.contourArea(hull) + cv2.arcLength(hull, True) / 2 + 1
        compact = float(mask.sum() / whole)
        on = mask > 0
        if compact < _COMPACT or np.median(ranks[box.place][on]) < _LIT:
            continue
        outline = on & (cv2.erode(mask, np.ones((3, 3), np.uint8)) == 0)
        inside = cv2.erode(mask, np.ones((5, 5), np.uint8)) > 0
        if not inside.any():
            continue
        around = strength[box.place]
        clear = np.median(around[outline]) - _CALM_WEIGHT * around[inside].mean()
        clearness[box.number] = float(clear) + _COMPACT_WEIGHT * compact
    best = sorted(clearness, key=lambda number: -clearness[number])
    return sorted(best[: min(int(np.ceil(_KEPT * len(best))), most)])


@dataclass(frozen=True, eq=False)
class Box:
    """A granule's place in a map, with RIM around it. mask: 1 on its largest connected part."""

    number: int
    place: tuple[slice, slice]
    mask: NDArray[np.uint8]


def list_boxes(granules: NDArray[np.uint16], numbers: Iterable[int]) -> Iterator[Box]:
    """List those of the granules of a map (h, w) that have RIM pixels around them within it."""
    height, width = granules.shape
    bounds = _find_bounds(granules)
    for number in numbers:
        top, left, bottom, right = bounds[number].tolist()
        top, left, bottom, right = top - RIM, left - RIM, bottom + RIM, right + RIM
        if bottom - top <= 2 * RIM or min(top, left) < 0 or bottom > height or right > width:
            continue
        place = (slice(top, bottom), slice(left, right))
        mask = (granules[place] == number).astype(np.uint8)
        parts, marks, sizes, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        if parts > 2:
            largest = 1 + int(sizes[1:, cv2.CC_STAT_AREA].argmax())
            mask = (marks == largest).astype(np.uint8)
        yield Box(number, place, mask)


def _find_bounds(granules: NDArray[np.integer]) -> NDArray[np.intp]:
    """Find the bounds of each granule: (N, 4) first row and column, and those after the last."""
    height, width = granules.shape
    count = int(granules.max()) + 1
    rows, columns = np.divmod(np.arange(granules.size), width)
    number = granules.ravel()
    bounds = np.zeros((count, 4), np.intp)
    bounds[:, 0], bounds[:, 1] = height, width
    for axis, places in enumerate((rows, columns)):
        np.minimum.at(bounds[:, axis], number, places)
        np.maximum.at(bounds[:, 2 + axis], number, places + 1)
    return bounds


def _smooth_borders(granules: NDArray[np.int32]) -> NDArray[np.int32]:
    """Smooth the borders of a map (h, w): each pixel goes to the granule that surrounds it most."""
    height, width = granules.shape
    most = np.zeros((height, width), np.float32)
    smooth = granules.copy()
    for number, (top, left, bottom, right) in enumerate(_find_bounds(granules)):
        place = np.s_[
            max(top - _REACH, 0) : min(bottom + _REACH, height),
            max(left - _REACH, 0) : min(right + _REACH, width),
        ]
        mine = (granules[place] == number).astype(np.float32)
        around = cv2.GaussianBlur(mine, (0, 0), _SMOOTHNESS, borderType=cv2.BORDER_REPLICATE)
        more = around > most[place]
        most[place][more] = around[more]
        smooth[place][more] = number
    return smooth
