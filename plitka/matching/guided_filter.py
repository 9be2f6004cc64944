"""A map of colours -> one whose edges are the picture's own."""

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats

_ROUNDING = 3  # pixels of the map of segments around each over which edges are rounded
_FLAT = 4.0  # standard deviation of L* below which there is no edge to keep to
_SAMPLE = 3  # every so many pixels of rows and columns are looked at for areas
_SWEEPS = 2  # over all colours, to find what keeps their areas
_MOST_FAVOUR = 0.4  # of a cover
_SPECK = 2 / 1024  # of the picture; as far around a pixel, most pixels have to be of its colour


def refine_labels(owner: NDArray[np.uint8], light: Floats, colors: int) -> NDArray[np.uint8]:
    """The map of colours with its edges moved onto the picture's own where those are near, and
    rounded where there are none: there a segment's outline is the picture's grain. No specks, and
    each colour keeps its area.

    owner: (h, w) or smaller. light: (h, w) L*. A guided filter of the cover of each colour, its
    coefficients found at the smaller size (He and Sun, "Fast Guided Filter", arXiv 1505.00996).
    """
    if colors == 1:
        return np.zeros(light.shape, np.uint8)
    small = _scaled(light, owner.shape[0])
    mean = _box(small)
    spread = _box(np.asarray(small * small, np.float32)) - mean * mean + np.float32(_FLAT**2)
    lines: list[tuple[Floats, Floats]] = []
    for color in range(colors - 1):
        cover = (owner == color).astype(np.float32)
        around = _box(cover)
        slope = np.asarray((_box(small * cover) - mean * around) / spread, np.float32)
        lines.append((_box(slope), _box(np.asarray(around - slope * mean, np.float32))))
    part = np.s_[::_SAMPLE, ::_SAMPLE]
    sample = [(slope[part] * small[part] + level[part]).ravel() for slope, level in lines]
    # The covers add up to 1, and so do the filtered ones.
    covers = np.stack([*sample, 1 - np.sum(sample, axis=0, dtype=np.float32)])
    favours = _favours(covers, np.bincount(owner[part].ravel(), minlength=colors))
    last = np.full(light.shape, 1 + favours[-1], np.float32)
    most = np.full(light.shape, -np.inf, np.float32)
    rounded = np.zeros(light.shape, np.uint8)
    for color, (slope, level) in enumerate(lines):
        cover = _scaled(slope, len(light))
        cover *= light
        cover += _scaled(level, len(light))
        last -= cover
        cover += favours[color]
        rounded[cover > most] = color
        np.maximum(most, cover, out=most)
    rounded[last > most] = colors - 1
    return _without_specks(rounded, colors)


def _favours(covers: Floats, areas: NDArray[np.intp]) -> Floats:
    """(K,) what to add to covers (K, n), so that each is the largest at its count of `areas` (K,).

    Small areas lose where edges are smoothed: what is around them outweighs them.
    """
    favours = np.zeros(len(covers), np.float32)
    for color in list(np.argsort(areas)) * _SWEEPS:
        if areas[color]:
            others = np.delete(np.arange(len(covers)), color)
            rival = (covers[others] + favours[others, None]).max(axis=0)
            lead = covers[color] - rival
            favours[color] = -np.partition(lead, -areas[color])[-areas[color]]
    return np.clip(favours, -_MOST_FAVOUR, _MOST_FAVOUR)


def _without_specks(owner: NDArray[np.uint8], colors: int) -> NDArray[np.uint8]:
    """Each pixel of the colour that most around it are of."""
    side = 2 * round(_SPECK * len(owner)) + 1
    most = np.zeros(owner.shape, np.uint8)
    major = np.zeros(owner.shape, np.uint8)
    for color in range(colors):
        cover = cv2.blur((owner == color) * np.uint8(255), (side, side))
        major[cover > most] = color
        np.maximum(most, cover, out=most)
    return major


def _box(values: Floats) -> Floats:
    side = 2 * _ROUNDING + 1
    return np.asarray(cv2.blur(values, (side, side)), np.float32)


def _scaled(values: Floats, size: int) -> Floats:
    return np.asarray(cv2.resize(values, (size, size)), np.float32)
