"""Watershed: cuts a picture into basins, which meet in its creases, gaps and steps of colour."""

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats
from plitka.measure.segmentation import SegmentMap

# Weights and scales are those under which the regions of gray photographs of mixed tiles, merged to
# the size of granules, are purest in colour; around them the purity changes little.
_BLUR = 0.9  # standard deviation in pixels, before differences are taken; granules have 20
_VALLEY = 0.7  # weight of a valley of lightness, against that of a step of lightness
_STEP = (1.0, 0.3, 0.3)  # weights of the squares of steps in L*, a*, b*
_AROUND = 31  # pixels a side, over which lightness is averaged: black granules have faint creases
_DARKEST = 10.0  # L*; what is darker counts as this
_SMOOTHNESS = 1.1  # standard deviation in pixels: each minimum that is left makes a basin

_WAYS = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]
_BAND = 64  # rows worked on together, so that they stay in the processor's cache


def compute_edge_strength(lab: Floats) -> Floats:
    """Compute how likely the border of two granules runs through each pixel; 0 (not) and up.

    Granules part in dark creases, which are valleys of lightness, and where one lies over another
    of a different colour or in a different light, which is a step. Both are seen against the
    lightness around. lab: (h, w, 3) L*a*b*. Returns (h, w).
    """
    smooth = np.asarray(cv2.GaussianBlur(lab, (0, 0), _BLUR), np.float32)
    light = np.asarray(cv2.extractChannel(smooth, 0), np.float32)
    strength = _measure_steps(smooth)
    strength += np.float32(_VALLEY) * _measure_valleys(light)
    strength /= np.maximum(cv2.blur(light, (_AROUND, _AROUND)), np.float32(_DARKEST))
    return np.asarray(cv2.GaussianBlur(strength, (0, 0), _SMOOTHNESS), np.float32)


def find_basins(height: Floats) -> SegmentMap:
    """Cut a landscape into the basins of its minima: each pixel drains to its lowest neighbour.

    Rainfalling watershed; of equally low neighbours the last one counts, and a pixel that has none
    lower is a minimum. height: (h, w). Returns (h, w) the basin of each pixel, 0 and up.
    """
    outlet = _find_outlets(height).ravel()
    steps = np.array([0, *(down * height.shape[1] + right for down, right in _WAYS)], np.int32)
    target = steps.take(outlet)
    target += np.arange(height.size, dtype=np.int32)
    basins = _number(outlet == 0).take(_follow(target))
    return np.asarray(basins.reshape(height.shape), np.int32)


def _find_outlets(height: Floats) -> NDArray[np.uint8]:
    """Find by which of _WAYS, counted from 1, each pixel (h, w) drains; 0 for a minimum."""
    rows, columns = height.shape
    around = cv2.copyMakeBorder(height, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=np.inf)
    lowest = cv2.erode(height, np.ones((3, 3), np.uint8))
    outlets = np.zeros(height.shape, np.uint8)
    for top in range(0, rows, _BAND):
        band = slice(top, min(top + _BAND, rows))
        outlet, least = outlets[band], lowest[band]
        for number, (down, right) in enumerate(_WAYS, start=1):
            beside = around[1 + down :][band, 1 + right : 1 + right + columns]
            np.maximum(outlet, (beside == least).view(np.uint8) * np.uint8(number), out=outlet)
        outlet *= least < height[band]
    return outlets


def _measure_steps(lab: Floats) -> Floats:
    """Measure how strongly colour and lightness change at each pixel: (h, w)."""
    right, down = (
        np.asarray(cv2.Sobel(lab, cv2.CV_32F, *way, scale=1 / 8), np.float32)
        for way in ((1, 0), (0, 1))
    )
    right *= right
    down *= down
    right += down
    steps = cv2.transform(right, np.array([_STEP], np.float32))
    return np.asarray(cv2.sqrt(steps), np.float32)


def _measure_valleys(light: Floats) -> Floats:
    """Measure how strongly lightness curves upwards across its sharpest direction, (h, w)."""
    across, along, mixed = (
        np.asarray(cv2.Sobel(light, cv2.CV_32F, *way, scale=1 / 4), np.float32)
        for way in ((2, 0), (0, 2), (1, 1))
    )
    valleys = across + along
    valleys /= 2
    across -= along
    across /= 2
    valleys += cv2.magnitude(across, mixed)
    np.maximum(valleys, 0, out=valleys)
    return valleys


def _follow(target: NDArray[np.int32]) -> NDArray[np.int32]:
    """Follow each pixel's target to the end of the way; target: (n,) an index. Returns (n,)."""
    while True:
        further = target.take(target)
        if np.array_equal(further, target):
            return target
        target = further


def _number(chosen: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Number the chosen (n,) from 0 on, in order."""
    return np.cumsum(chosen, dtype=np.int32) - np.int32(1)
