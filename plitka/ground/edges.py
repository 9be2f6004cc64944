"""How far places lie from the edges of zones."""

import math
from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
import shapely

from plitka.arrays import Floats
from plitka.ground.remap import look_up
from plitka.ground.shapes import Region, outline_figure
from plitka.request.surface import Border, Circle, Shape, Stripe, Surface

Distance: TypeAlias = Callable[[Floats, Floats], Floats]
"""Places (n,) in mm, to the right and down -> how far outside of a zone each lies, in mm, (n,).

Negative inside.
"""

_MOST_PIXELS = 2048  # a side of the map of a figure's distances
_FINEST = 0.5  # mm of a pixel of it
_SHIFT = 4  # fractional bits of OpenCV's polygon coordinates
_MARGIN = 8  # pixels around a figure


def measure_distance(shape: Shape, surface: Surface) -> Distance:
    """Return the distance from a shape. A border on the surface's edge has no edge there."""
    if isinstance(shape, Border):
        return _measure_border(shape, surface)
    if isinstance(shape, Stripe):
        return _measure_stripe(shape)
    if isinstance(shape, Circle):
        x, y = shape.center_mm or (surface.width_mm / 2, surface.length_mm / 2)
        return lambda right, down: np.asarray(
            np.hypot(right - np.float32(x), down - np.float32(y)) - np.float32(shape.radius_mm),
            np.float32,
        )
    return _measure_figure(outline_figure(shape, surface))


def _measure_box(x: Floats, y: Floats, width: float, length: float) -> Floats:
    """Measure the distance from a box (0, 0) to (width, length)."""
    across = np.abs(x - np.float32(width / 2)) - np.float32(width / 2)
    along = np.abs(y - np.float32(length / 2)) - np.float32(length / 2)
    outside = np.hypot(np.maximum(across, 0), np.maximum(along, 0))
    return np.asarray(outside + np.minimum(np.maximum(across, along), 0), np.float32)


def _measure_border(border: Border, surface: Surface) -> Distance:
    def measure(right: Floats, down: Floats) -> Floats:
        inner = _measure_inset(border.inset_mm + border.width_mm, right, down)
        if border.inset_mm == 0:
            return -inner
        return np.maximum(_measure_inset(border.inset_mm, right, down), -inner)

    def _measure_inset(inset: float, right: Floats, down: Floats) -> Floats:
        width, length = surface.width_mm - 2 * inset, surface.length_mm - 2 * inset
        if min(width, length) <= 0:  # nothing is left inside
            return np.full(right.shape, np.inf, np.float32)
        return _measure_box(right - np.float32(inset), down - np.float32(inset), width, length)

    return measure


def _measure_stripe(stripe: Stripe) -> Distance:
    (left, top), (end_x, end_y) = stripe.from_mm, stripe.to_mm
    length = math.dist(stripe.from_mm, stripe.to_mm)
    cosine, sine = (end_x - left) / length, (end_y - top) / length

    def measure(right: Floats, down: Floats) -> Floats:
        x, y = right - np.float32(left), down - np.float32(top)
        along = x * np.float32(cosine) + y * np.float32(sine)
        across = y * np.float32(cosine) - x * np.float32(sine) + np.float32(stripe.width_mm / 2)
        return _measure_box(along, across, length, stripe.width_mm)

    return measure


def _measure_figure(figure: Region) -> Distance:
    """Measure distances from a figure on a map, and look them up."""
    if figure.is_empty:
        return lambda right, down: np.full(right.shape, np.inf, np.float32)
    left, top, end_x, end_y = figure.bounds
    pixel = max(max(end_x - left, end_y - top) / _MOST_PIXELS, _FINEST)
    left, top = left - _MARGIN * pixel, top - _MARGIN * pixel
    size = (
        math.ceil((end_y - top) / pixel) + _MARGIN,
        math.ceil((end_x - left) / pixel) + _MARGIN,
    )
    rings = [
        np.rint(((np.array(ring.coords) - (left, top)) / pixel - 0.5) * 2**_SHIFT).astype(np.int32)
        for part in _list_polygons(figure)
        for ring in (part.exterior, *part.interiors)
    ]
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, rings, 1, cv2.LINE_8, _SHIFT)
    outside, within = (
        cv2.distanceTransform(part, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for part in (1 - mask, mask)
    )
    distances = np.asarray((outside - within) * pixel, np.float32)
    distances -= np.sign(distances) * np.float32(pixel / 2)  # from the middles of pixels

    def measure(right: Floats, down: Floats) -> Floats:
        x, y = (
            (place - np.float32(first)) / np.float32(pixel) - np.float32(0.5)
            for place, first in ((right, left), (down, top))
        )
        found = np.full(right.shape, np.inf, np.float32)
        near = np.flatnonzero((x >= 0) & (y >= 0) & (x <= size[1] - 1) & (y <= size[0] - 1))
        found[near] = look_up(distances, x[near], y[near], cv2.INTER_LINEAR)[:, 0]
        return found

    return measure


def _list_polygons(figure: Region) -> list[Region]:
    return [part for part in shapely.get_parts(figure) if isinstance(part, shapely.Polygon)]
