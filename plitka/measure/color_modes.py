"""Colour modes: the colours that a picture itself has, where its segments crowd in L*a*b*."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Floats
from plitka.measure.segmentation import Segments


@dataclass(frozen=True)
class ModeSearch:
    """How finely to look for modes.

    blur: standard deviations in L*, a*, b* of the Gaussian over the histogram. area_power: the
    power of its area with which a segment counts: large segments are the insides of granules,
    small ones mixed edges.
    """

    blur: tuple[float, float, float]
    area_power: float


COARSE = ModeSearch((4.0, 2.0, 2.0), 1.0)
"""Finds each colour of a photograph once."""
FINE = ModeSearch((3.0, 1.6, 1.6), 2.0)
"""Tells near colours apart (pearl from light gray), and finds some that are not there."""

DEEP = 0.4
"""Modes of different colours on the photographs have a `Modes.valley` of this at most."""

# A histogram, blurred, and its local maxima.
_BIN = 2.0  # L*, a*, b*
_MARGIN = 7  # bins around what the picture has; the broadest kernel reaches 6
_APART = (3, 2, 2)  # bins to each side of a mode, in L*, a*, b*, without another mode
_REACH = np.array([12.0, 8.0, 8.0])  # half axes of the ellipsoid whose area a mode has
_SHALLOWEST = 0.92  # valley over mode; less of a valley is chance
_LEAST = 0.003  # of the picture's area
_MOST = 16  # modes


@dataclass(frozen=True, eq=False)
class Modes:
    """The M modes of a picture, by descending weight.

    lab: (M, 3) L*a*b*. weight: (M,) share of the picture's area around each mode, 0 to 1. valley:
    (M,) 0 to 1, the lowest density on the way to a higher mode over the mode's own density, 0 for
    the highest; near 1, the mode may be chance.
    """

    lab: Doubles
    weight: Doubles
    valley: Doubles


def find_modes(segments: Segments, search: ModeSearch) -> Modes:
    """Find the modes of the segments' colours: local maxima of a blurred L*a*b* histogram.

    At most 16 modes, each with at least 0.3% of the picture's area around it; maybe none.
    """
    density, lowest = _compute_density(segments, search)
    highest = _filter_axes(
        density, lambda rows, axis: cv2.dilate(rows, np.ones((1, 2 * _APART[axis] + 1)))
    )
    bins = np.argwhere((density == highest) & (density > 0))
    order = np.argsort(-density[tuple(bins.T)], kind="stable")[: 3 * _MOST]
    bins, valley = _select_prominent(bins[order], density)
    lab, valley = bins[:_MOST] * _BIN + lowest, valley[:_MOST]
    planes = np.ascontiguousarray(segments.lab.T)
    weight = np.array([_measure_area_around(planes, segments.area, centre) for centre in lab])
    order = np.argsort(-weight, kind="stable")
    order = order[weight[order] > _LEAST]
    return Modes(lab[order], weight[order], valley[order])


def _measure_area_around(lab: Doubles, area: Doubles, centre: Doubles) -> float:
    """Measure the share of the picture, 0 to 1, in segments within _REACH of a colour (3,).

    lab: (3, N) of the segments. area: (N,) pixels.
    """
    off = (lab - centre[:, None]) / _REACH[:, None]
    off *= off
    return float(area[off[0] + off[1] + off[2] < 1].sum() / area.sum())


def _select_prominent(bins: NDArray[np.intp], density: Floats) -> tuple[NDArray[np.intp], Doubles]:
    """Select the maxima that a valley parts from every higher one that is selected.

    bins: (n, 3) bins of local maxima, highest first. Returns (m, 3) those selected, and (m,) their
    valleys as Modes has them, measured along the straight line between two bins.
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


def _compute_density(segments: Segments, search: ModeSearch) -> tuple[Floats, Doubles]:
    """Compute the blurred histogram of the segments' colours, cropped to where there are any.

    Returns a volume over L*, a*, b* in bins of _BIN, and (3,) the L*a*b* of its first bin.
    """
    place = np.rint(segments.lab / _BIN).astype(int)
    first = place.min(axis=0) - _MARGIN
    place -= first
    bins = tuple((place.max(axis=0) + 1 + _MARGIN).tolist())
    flat = np.ravel_multi_index(tuple(place.T), bins)
    weight = segments.area**search.area_power
    count = np.bincount(flat, weights=weight, minlength=int(np.prod(bins)))
    kernels = [_make_gaussian(spread / _BIN) for spread in search.blur]
    density = _filter_axes(
        count.reshape(bins).astype(np.float32),
        lambda rows, axis: cv2.filter2D(rows, -1, kernels[axis], borderType=cv2.BORDER_CONSTANT),
    )
    return density, first * _BIN


def _make_gaussian(spread: float) -> Floats:
    """Make a Gaussian kernel (1, n) of this standard deviation in bins, out to three of them."""
    column = cv2.getGaussianKernel(2 * round(3 * spread) + 1, spread, cv2.CV_32F)
    return np.asarray(column, np.float32).T


def _filter_axes(
    volume: Floats, filter_rows: Callable[[Floats, int], cv2.typing.MatLike]
) -> Floats:
    """Filter a volume along each of its axes in turn.

    filter_rows: is given (n, length) rows that run along an axis, and the number of the axis.
    """
    for axis in range(volume.ndim):
        turned = np.ascontiguousarray(np.moveaxis(volume, axis, -1))
        rows = np.asarray(filter_rows(turned.reshape(-1, turned.shape[-1]), axis), np.float32)
        volume = np.moveaxis(rows.reshape(turned.shape), -1, axis)
    return np.ascontiguousarray(volume)
