"""Guided filter: moves the borders in a map of colours onto the edges of the picture itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats

_RADIUS = 3  # pixels of the map of segments around each over which borders are smoothed
_FLAT = 4.0  # standard deviation of L* below which there is no edge to keep to
_SAMPLE = 3  # every so many pixels of rows and columns are looked at for areas
_SWEEPS = 2  # over all colours, to find the offsets that keep their areas
_MOST_OFFSET = 0.4  # of a cover
_SPECK = 2 / 1024  # of the picture; as far around a pixel, most pixels have to be of its colour


def refine_labels(owner: NDArray[np.uint8], light: Floats, colors: int) -> NDArray[np.uint8]:
    """Move the borders of a map of colours onto the picture's own edges where those are near.

    Where the picture has no edge, borders are rounded: there a segment's outline is only the
    picture's grain. Specks are removed, and each colour keeps its area.

    owner: (s, s) colour index of each pixel, below `colors`; s may be less than size. light:
    (size, size) L* of the picture, 0 to 100. Returns (size, size) colour indices.

    The cover of each colour (0 to 1) goes through a guided filter with L* as guide, whose
    coefficients are fitted at the smaller size (He and Sun, "Fast Guided Filter", arXiv
    1505.00996); each pixel gets the colour of the largest cover.
    """
    if colors == 1:
        return np.zeros(light.shape, np.uint8)
    small_light = _resize(light, owner.shape[0])
    filters = _fit_filters(owner, small_light, colors)
    offsets = _balance_areas(filters, owner, small_light, colors)
    labels = _pick_largest_cover(filters, offsets, light)
    return _remove_specks(labels, colors)


@dataclass(frozen=True, eq=False)
class _Filter:
    """Coefficients of a guided filter: a colour's cover is slope * L* + level, pixel by pixel.

    slope, level: (s, s).
    """

    slope: Floats
    level: Floats


def _fit_filters(owner: NDArray[np.uint8], light: Floats, colors: int) -> list[_Filter]:
    """Fit the filters of all colours but the last, whose cover is what the others leave of 1.

    owner, light: (s, s).
    """
    mean = _box_blur(light)
    variance = _box_blur(np.asarray(light * light, np.float32)) - mean * mean
    damped = variance + np.float32(_FLAT**2)
    filters = []
    for color in range(colors - 1):
        cover = (owner == color).astype(np.float32)
        around = _box_blur(cover)
        covariance = _box_blur(light * cover) - mean * around
        slope = np.asarray(covariance / damped, np.float32)
        level = np.asarray(around - slope * mean, np.float32)
        filters.append(_Filter(_box_blur(slope), _box_blur(level)))
    return filters


def _balance_areas(
    filters: Sequence[_Filter], owner: NDArray[np.uint8], light: Floats, colors: int
) -> Floats:
    """Find offsets to the covers under which each colour keeps the area that it has in `owner`.

    owner, light: (s, s). Only a sample of the pixels is looked at. Returns (K,).
    """
    part = np.s_[::_SAMPLE, ::_SAMPLE]
    sample = [(each.slope[part] * light[part] + each.level[part]).ravel() for each in filters]
    covers = np.stack([*sample, 1 - np.sum(sample, axis=0, dtype=np.float32)])
    return _compute_offsets(covers, np.bincount(owner[part].ravel(), minlength=colors))


def _compute_offsets(covers: Floats, areas: NDArray[np.intp]) -> Floats:
    """Compute what to add to each cover, so that it is the largest on its colour's area.

    Small areas lose where borders are smoothed: what is around them outweighs them.
    covers: (K, n). areas: (K,) of the n pixels. Returns (K,), within _MOST_OFFSET.
    """
    offsets = np.zeros(len(covers), np.float32)
    for color in list(np.argsort(areas)) * _SWEEPS:
        if areas[color]:
            others = np.delete(np.arange(len(covers)), color)
            rival = (covers[others] + offsets[others, None]).max(axis=0)
            lead = covers[color] - rival
            offsets[color] = -np.partition(lead, -areas[color])[-areas[color]]
    return np.clip(offsets, -_MOST_OFFSET, _MOST_OFFSET)


def _pick_largest_cover(
    filters: Sequence[_Filter], offsets: Floats, light: Floats
) -> NDArray[np.uint8]:
    """Pick the colour of the largest cover plus offset at each pixel, the first of equals.

    One running maximum over all colours, with a running rest for the last one, keeps three planes
    in memory whatever the number of colours is. light: (size, size). Returns (size, size).
    """
    rest = np.full(light.shape, 1 + offsets[-1], np.float32)
    largest = np.full(light.shape, -np.inf, np.float32)
    labels = np.zeros(light.shape, np.uint8)
    for color, each in enumerate(filters):
        cover = _resize(each.slope, len(light))
        cover *= light
        cover += _resize(each.level, len(light))
        rest -= cover
        cover += offsets[color]
        labels[cover > largest] = color
        np.maximum(largest, cover, out=largest)
    labels[rest > largest] = len(filters)
    return labels


def _remove_specks(labels: NDArray[np.uint8], colors: int) -> NDArray[np.uint8]:
    """Give each pixel the colour that most pixels around it have. labels: (size, size)."""
    side = 2 * round(_SPECK * len(labels)) + 1
    most = np.zeros(labels.shape, np.uint8)
    major = np.zeros(labels.shape, np.uint8)
    for color in range(colors):
        cover = cv2.blur((labels == color) * np.uint8(255), (side, side))
        major[cover > most] = color
        np.maximum(most, cover, out=most)
    return major


def _box_blur(values: Floats) -> Floats:
    """Average values (s, s) over the _RADIUS around each pixel."""
    side = 2 * _RADIUS + 1
    return np.asarray(cv2.blur(values, (side, side)), np.float32)


def _resize(values: Floats, size: int) -> Floats:
    """Resize values (s, s) to (size, size), by linear interpolation."""
    return np.asarray(cv2.resize(values, (size, size)), np.float32)
