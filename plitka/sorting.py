"""Segments -> colours: which of the requested colours each segment shows, and which show none.

The colours of a picture drift from the palette: light, camera, the maker's granules, a model. So
the colours that the picture itself has are found first, as the modes of its segments in L*a*b*,
and each requested colour then claims the mode that is nearest to it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka import cielab
from plitka.cielab import Doubles
from plitka.palette import Colour, Lab
from plitka.segments import Segments

NOBODY = -1
"""The owner of segments that show none of the colours."""

# Modes: a histogram in L*a*b*, blurred, and its local maxima.
_BIN = 2.0
_LOWEST = np.array([0.0, -104.0, -112.0])
_BINS = (51, 104, 108)
_BLUR = (2.0, 1.0, 1.0)  # standard deviation in bins
_APART = (3, 2, 2)  # bins within which there is one mode at most
_REACH = np.array([12.0, 8.0, 8.0])  # half axes of the ellipsoid whose area a mode has
_SHALLOWEST = 0.92  # valley over mode; less of a valley is chance
_DEEP = 0.4  # the modes of different colours in the photographs have valleys like this or deeper
_LEAST_MODE = 0.003  # of the picture's area
_MOST_MODES = 24

_DRIFT = 26.0  # CIEDE2000 from palette to picture; the green of the mixtures, as DKGREEN, has 21
_SHALLOW_DRIFT = 7.0  # of a mode without a deep valley: only the palette makes it believable
_SHALLOW_WEIGHT = 0.02
_CROWD = 4.0  # CIEDE2000 that a mode may be farther off for each e-fold of its area

# How far a segment lies off its colour, in a*, b* and in the lightness that light makes.
_CHROMA_SPREAD = 8.0
_DARKER, _LIGHTER = (0.30, 4.0), (0.12, 8.0)  # (of the colour's L*, plus)
_STRANGER = 4.0  # the same of a mode: farther from every claimed one, it is a colour of its own
_OWN_LIGHT = 0.5  # how much the colour's own photograph counts for that, against the average
_UNLIKELY = 5.5  # half the square of the distance; farther off, a segment is nobody's
SHADOW = 0.55  # of the colour's L*: darker is a gap or deep shadow, in black as in white


@dataclass(frozen=True, eq=False)
class Sorted:
    """centres: L*a*b* of each colour as this picture shows it, None for one that it does not show.

    strangers: colours of the picture that are none of those looked for.
    material: (N,) what each segment is nearest to: an index into `centres`, or after those into
    `strangers`; NOBODY where the picture has no colour of its own.
    owner: (N,) index of the colour that each segment surely shows, NOBODY for none of them.
    nearest: (N,) index of the colour that each segment is nearest to, gaps included; NOBODY only
    where no colour is shown.
    shadow: (N,) whether it is a gap or deep shadow.
    """

    centres: tuple[Lab | None, ...]
    strangers: tuple[Lab, ...]
    material: NDArray[np.int64]
    owner: NDArray[np.int64]
    nearest: NDArray[np.int64]
    shadow: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Modes:
    """The colours that a picture has.

    lab: (M, 3). weight: (M,) share of the area, descending. valley: (M,) the lowest density on the
    way to a higher mode, over the mode's own; the nearer to 1, the less it is a mode of its own.
    """

    lab: Doubles
    weight: Doubles
    valley: Doubles


def sort(segments: Segments, colours: Sequence[Colour]) -> Sorted:
    """Sort a picture's segments by the colours."""
    centres, strangers = _claimed(modes(segments), colours)
    count = len(segments.area)
    strangeness = np.full((count, len(centres) + len(strangers)), np.inf)
    for index, (centre, colour) in enumerate(zip(centres, colours, strict=True)):
        if centre is not None:
            strangeness[:, index] = distance(segments.lab, centre, spread_of_light(colour))
    for index, stranger in enumerate(strangers, start=len(centres)):
        strangeness[:, index] = distance(segments.lab, stranger)
    material = _closest(strangeness)
    nearest = _closest(strangeness[:, : len(centres)])
    shadow = np.ones(count, np.bool_)
    if (nearest != NOBODY).all():
        lightness = np.array([centre[0] if centre else 0.0 for centre in centres])
        shadow = segments.lab[:, 0] < SHADOW * lightness[nearest]
    sure = (material == nearest) & (strangeness.min(axis=1) < _UNLIKELY) & ~shadow
    owner = np.where(sure, nearest, NOBODY)
    return Sorted(centres, strangers, material, owner, nearest, shadow)


def _closest(strangeness: Doubles) -> NDArray[np.int64]:
    known = np.isfinite(strangeness).any(axis=1) if strangeness.size else False
    return np.where(known, strangeness.argmin(axis=1) if strangeness.size else NOBODY, NOBODY)


def modes(segments: Segments) -> Modes:
    """The modes of the segments' colours, each weighed by the area around it."""
    density = _density(segments)
    highest = _along_axes(
        density, lambda rows, axis: cv2.dilate(rows, np.ones((1, 2 * _APART[axis] + 1)))
    )
    bins = np.argwhere((density == highest) & (density > 0))
    order = np.argsort(-density[tuple(bins.T)], kind="stable")[: 4 * _MOST_MODES]
    bins, valley = _prominent(bins[order], density)
    lab = bins * _BIN + _LOWEST
    off = (segments.lab[None] - lab[:, None]) / _REACH
    weight = ((off**2).sum(axis=-1) < 1) @ segments.area / segments.area.sum()
    order = np.argsort(-weight, kind="stable")[:_MOST_MODES]
    order = order[weight[order] > _LEAST_MODE]
    return Modes(lab[order], weight[order], valley[order])


def _prominent(
    bins: NDArray[np.intp], density: NDArray[np.float32]
) -> tuple[NDArray[np.intp], Doubles]:
    """Of the maxima, highest first, those with a valley before every higher one; and the valleys.

    A valley is as deep as it is on the straight way.
    """
    kept: list[NDArray[np.intp]] = []
    valleys: list[float] = []
    for peak in bins:
        steps = np.linspace(0, 1, 24)[:, None]
        ways = [np.rint(peak + steps * (higher - peak)).astype(int) for higher in kept]
        lowest = [float(density[tuple(way.T)].min() / density[tuple(peak)]) for way in ways]
        valley = max(lowest, default=0.0)
        if valley < _SHALLOWEST:
            kept.append(peak)
            valleys.append(valley)
    return np.array(kept).reshape(-1, 3), np.array(valleys)


def _claimed(
    found: Modes, colours: Sequence[Colour]
) -> tuple[tuple[Lab | None, ...], tuple[Lab, ...]]:
    """The mode that each colour claims, and the modes that none of the colours explains.

    Each mode goes to one colour at most, so that the sum of what speaks for the claims is highest.
    """
    palette = np.array([colour.lab for colour in colours])
    far = cielab.difference(palette[:, None], found.lab[None])
    worth = _DRIFT - far + _CROWD * np.log(found.weight / _LEAST_MODE)
    believable = np.where(found.weight > _SHALLOW_WEIGHT, _SHALLOW_DRIFT, 0)
    worth[far > np.where(found.valley < _DEEP, _DRIFT, believable)] = -np.inf
    choice = _assigned(worth)
    centres = tuple(None if mode is None else as_lab(found.lab[mode]) for mode in choice)
    strangers = tuple(
        as_lab(lab)
        for mode, lab in enumerate(found.lab)
        if mode not in choice
        and found.valley[mode] < _DEEP
        and all(distance(lab[None], centre)[0] > _STRANGER for centre in centres if centre)
    )
    return centres, strangers


def _assigned(worth: Doubles) -> list[int | None]:
    """One mode or None for each colour, no mode twice, so that the sum of worths is highest.

    worth: (K, M), -inf where a claim is out of the question. Dynamic programming over the sets
    of colours that are served already.
    """
    colours = len(worth)
    sets = np.arange(1 << colours)
    best = np.where(sets == 0, 0.0, -np.inf)
    taken: list[NDArray[np.int64]] = []
    for of_colours in worth.T:
        options = [best]
        for colour in range(colours):
            without = sets & ~(1 << colour)
            option = np.where(sets == without, -np.inf, best[without] + of_colours[colour])
            options.append(option)
        taken.append(np.argmax(options, axis=0))
        best = np.max(options, axis=0)
    choice: list[int | None] = [None] * colours
    served = int(np.argmax(best))
    for mode in reversed(range(worth.shape[1])):
        option = int(taken[mode][served])
        if option:
            choice[option - 1] = mode
            served &= ~(1 << (option - 1))
    return choice


def as_lab(lab: Doubles) -> Lab:
    return float(lab[0]), float(lab[1]), float(lab[2])


def distance(lab: Doubles, centre: Lab, light: tuple[float, float] | None = None) -> Doubles:
    """(N,) half the square of how far colours (N, 3) lie off the shade curve of `centre`.

    light: how far a granule gets darker and lighter than `centre`, standard deviations of L*;
    without it, those of an average colour.
    """
    lightness = lab[:, 0] - centre[0]
    usual = (_DARKER[0] * centre[0] + _DARKER[1], _LIGHTER[0] * centre[0] + _LIGHTER[1])
    darker, lighter = (
        _OWN_LIGHT * own + (1 - _OWN_LIGHT) * average
        for own, average in zip(light or usual, usual, strict=True)
    )
    lightness = lightness / np.where(lightness < 0, darker, lighter)
    off = (lab[:, 1:] - cielab.shaded(centre, lab[:, 0])) / _CHROMA_SPREAD
    return np.asarray(0.5 * (off**2).sum(axis=1) + 0.5 * lightness**2)


def spread_of_light(colour: Colour) -> tuple[float, float]:
    """Standard deviations of L* below and above the median, on the colour's own photograph."""
    p5, _, p50, _, p95 = colour.lightness
    return (p50 - p5) / 1.645, (p95 - p50) / 1.645


def _density(segments: Segments) -> NDArray[np.float32]:
    place = np.rint((segments.lab - _LOWEST) / _BIN).astype(int)
    place = np.clip(place, 0, np.array(_BINS) - 1)
    flat = np.ravel_multi_index(tuple(place.T), _BINS)
    count = np.bincount(flat, weights=segments.area, minlength=int(np.prod(_BINS)))
    density = count.reshape(_BINS).astype(np.float32)
    kernels = [cv2.getGaussianKernel(2 * round(3 * s) + 1, s, cv2.CV_32F) for s in _BLUR]
    blank = cv2.BORDER_CONSTANT
    return _along_axes(
        density, lambda rows, axis: cv2.filter2D(rows, -1, kernels[axis].T, borderType=blank)
    )


def _along_axes(
    volume: NDArray[np.float32],
    one_way: Callable[[NDArray[np.float32], int], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Filter a volume along each of its axes in turn; `one_way` filters rows."""
    for axis in range(volume.ndim):
        turned = np.ascontiguousarray(np.moveaxis(volume, axis, -1))
        rows = one_way(turned.reshape(-1, turned.shape[-1]), axis)
        volume = np.moveaxis(rows.reshape(turned.shape), -1, axis)
    return np.ascontiguousarray(volume)
