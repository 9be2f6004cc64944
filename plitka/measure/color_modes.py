"""The colours that a picture has of its own: the modes of its segments in L*a*b*."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Floats
from plitka.measure.segmentation import Segments


@dataclass(frozen=True)
class Resolution:
    """How closely to look: `blur`, standard deviations in L*, a*, b*; `purity`, the power of their
    area with which segments count: large ones are the insides of granules, small ones mixed edges.
    """

    blur: tuple[float, float, float]
    purity: float


COARSE = Resolution((4.0, 2.0, 2.0), 1.0)
"""Finds each colour of a photograph once."""
FINE = Resolution((3.0, 1.6, 1.6), 2.0)
"""Tells near colours apart (pearl from light gray), and finds some that are none."""

DEEP = 0.4
"""The modes of different colours in the photographs have valleys like this or deeper."""

# A histogram, blurred, and its local maxima.
_BIN = 2.0
_MARGIN = 7  # bins around what the picture has; the broadest kernel reaches 6
_APART = (3, 2, 2)  # bins within which there is one mode at most
_REACH = np.array([12.0, 8.0, 8.0])  # half axes of the ellipsoid whose area a mode has
_SHALLOWEST = 0.92  # valley over mode; less of a valley is chance
_LEAST = 0.003  # of the picture's area
_MOST = 16


@dataclass(frozen=True, eq=False)
class Modes:
    """lab: (M, 3). weight: (M,) share of the area, descending. valley: (M,) the lowest density on
    the way to a higher mode, over the mode's own; the nearer to 1, the less a mode of its own.
    """

    lab: Doubles
    weight: Doubles
    valley: Doubles


def find_modes(segments: Segments, look: Resolution) -> Modes:
    """The modes of the segments' colours, each weighed by the area around it."""
    density, lowest = _density(segments, look)
    highest = _along_axes(
        density, lambda rows, axis: cv2.dilate(rows, np.ones((1, 2 * _APART[axis] + 1)))
    )
    bins = np.argwhere((density == highest) & (density > 0))
    order = np.argsort(-density[tuple(bins.T)], kind="stable")[: 3 * _MOST]
    bins, valley = _prominent(bins[order], density)
    lab, valley = bins[:_MOST] * _BIN + lowest, valley[:_MOST]
    weight = np.array([_area_around(segments, centre) for centre in lab])
    order = np.argsort(-weight, kind="stable")
    order = order[weight[order] > _LEAST]
    return Modes(lab[order], weight[order], valley[order])


def _area_around(segments: Segments, centre: Doubles) -> float:
    off = (segments.lab - centre) / _REACH
    return float(segments.area[(off**2).sum(axis=1) < 1].sum() / segments.area.sum())


def _prominent(bins: NDArray[np.intp], density: Floats) -> tuple[NDArray[np.intp], Doubles]:
    """Of the maxima, highest first, those with a valley before every higher one; and the valleys.

    A valley is as deep as it is on the straight way.
    """
    kept: list[NDArray[np.intp]] = []
    valleys: list[float] = []
    steps = np.linspace(0, 1, 24)[:, None]
    for peak in bins:
        ways = [np.rint(peak + steps * (higher - peak)).astype(int) for higher in kept]
        lowest = [float(density[tuple(way.T)].min() / density[tuple(peak)]) for way in ways]
        valley = max(lowest, default=0.0)
        if valley < _SHALLOWEST:
            kept.append(peak)
            valleys.append(valley)
    return np.array(kept).reshape(-1, 3), np.array(valleys)


def _density(segments: Segments, look: Resolution) -> tuple[Floats, Doubles]:
    """The blurred histogram of where the picture has colours, and the L*a*b* of its first bin."""
    place = np.rint(segments.lab / _BIN).astype(int)
    first = place.min(axis=0) - _MARGIN
    place -= first
    bins = tuple((place.max(axis=0) + 1 + _MARGIN).tolist())
    flat = np.ravel_multi_index(tuple(place.T), bins)
    weight = segments.area**look.purity
    count = np.bincount(flat, weights=weight, minlength=int(np.prod(bins)))
    kernels = [_kernel(spread / _BIN) for spread in look.blur]
    density = _along_axes(
        count.reshape(bins).astype(np.float32),
        lambda rows, axis: cv2.filter2D(rows, -1, kernels[axis], borderType=cv2.BORDER_CONSTANT),
    )
    return density, first * _BIN


def _kernel(spread: float) -> Floats:
    column = cv2.getGaussianKernel(2 * round(3 * spread) + 1, spread, cv2.CV_32F)
    return np.asarray(column, np.float32).T


def _along_axes(volume: Floats, one_way: Callable[[Floats, int], cv2.typing.MatLike]) -> Floats:
    """Filter a volume along each of its axes in turn; `one_way` filters rows."""
    for axis in range(volume.ndim):
        turned = np.ascontiguousarray(np.moveaxis(volume, axis, -1))
        rows = np.asarray(one_way(turned.reshape(-1, turned.shape[-1]), axis), np.float32)
        volume = np.moveaxis(rows.reshape(turned.shape), -1, axis)
    return np.ascontiguousarray(volume)
