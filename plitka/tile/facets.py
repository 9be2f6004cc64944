"""Facets: finds which facet of its granule is seen at each pixel of a picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats
from plitka.tile.granule import CORNERS, FACETS, Chips, compute_cross_product

# Around an apex; a step is half a pixel at the outline of a large granule at 2048. A power of 2.
_DIRECTIONS = 256
_BAND = 1 << 15  # pixels looked at together, so that they stay in the processor's cache


def map_facets(
    chips: Chips, centres: Floats, granules: NDArray[np.int32], x: Floats, y: Floats, none: int
) -> NDArray[np.int32]:
    """Find the facet of its granule that is seen at each pixel.

    A chip is its outline shrunk towards the apex. So the direction from the apex tells which side
    a pixel belongs to, and its distance from that side whether it lies on the slope or on the top.

    centres: (N, 2) x, y of the chips in frame sides. granules: (h, w) index of the granule at
    each pixel, or `none`. x, y: (h, w) the place of each pixel in frame sides. Returns (h, w)
    granule * FACETS + facet, or `none` where `granules` has it.
    """
    start, table = _tabulate_sides(chips)
    slope, fold = _fit_borders(chips, centres)
    slope, fold = slope.T.copy(), fold.T.copy()
    apex_x, apex_y = (chips.apex + centres).T.copy()
    facets = np.empty_like(granules)
    band = max(1, _BAND // granules.shape[1])
    for top in range(0, len(granules), band):
        rows = slice(top, top + band)
        right, down = x[rows], y[rows]
        at = np.maximum(granules[rows], 0).astype(np.intp)
        turn = cv2.phase(right - apex_x.take(at), down - apex_y.take(at))
        turn -= start.take(at)
        turn *= np.float32(_DIRECTIONS / (2 * np.pi))
        direction = turn.astype(np.intp)
        direction &= _DIRECTIONS - 1
        direction += at * _DIRECTIONS
        facet = table.take(direction)
        half = _measure_signed_distance(fold, at, right, down) > 0
        on_top = _measure_signed_distance(slope, at * CORNERS + facet, right, down) >= 0
        np.copyto(facet, half + np.uint8(CORNERS), where=on_top)
        np.add(at * FACETS, facet, out=facets[rows], casting="unsafe")
    facets[granules == none] = none
    return facets


def _measure_signed_distance(
    borders: Floats, at: NDArray[np.intp], right: Floats, down: Floats
) -> Floats:
    """Measure how far places lie beyond a border, negative before it; see `_fit_borders`.

    borders: (3, M). at: (h, w) index of each place's border. right, down: (h, w) its x and y in
    frame sides. Returns (h, w).
    """
    across, along, offset = borders
    far = across.take(at) * right
    far += along.take(at) * down
    far += offset.take(at)
    return np.asarray(far, np.float32)


def _tabulate_sides(chips: Chips) -> tuple[Floats, NDArray[np.uint8]]:
    """Tabulate which side of a chip is met in each direction from its apex.

    Returns (N,) the direction of corner 0 in radians, and (N, _DIRECTIONS) the side in each
    direction from there on; side i lies between the corners i and i + 1.
    """
    spokes = chips.outline.astype(np.float64) - chips.apex[:, None]
    angle = np.arctan2(spokes[..., 1], spokes[..., 0]) % (2 * np.pi)
    turns = (angle - angle[:, :1]) / (2 * np.pi) % 1
    corner = np.rint(turns * _DIRECTIONS).astype(np.intp)
    cells = corner + np.arange(len(corner))[:, None] * (_DIRECTIONS + 1)
    count = np.bincount(cells.ravel(), minlength=len(corner) * (_DIRECTIONS + 1))
    passed = count.astype(np.uint8).reshape(len(corner), -1)[:, :_DIRECTIONS]
    side = np.cumsum(passed, axis=1, dtype=np.uint8) - np.uint8(1)
    # Directions are cut off rather than rounded when they are looked up.
    return (angle[:, 0] - np.pi / _DIRECTIONS).astype(np.float32), side


def _fit_borders(chips: Chips, centres: Floats) -> tuple[Floats, Floats]:
    """Fit the lines at which sloping facets end and tops are folded, as a*x + b*y + c = 0.

    centres: (N, 2) of the chips. Returns (N * CORNERS, 3) of the slopes, negative on the slope, and
    (N, 3) of the folds, negative on the first half of the top. Frame sides.
    """
    corners = (chips.outline + centres[:, None]).astype(np.float64)
    apex = (chips.apex + centres)[:, None].astype(np.float64)
    along = np.roll(corners, -1, axis=1) - corners
    height = compute_cross_product(along, apex - corners)
    slope = np.stack([-along[..., 1], along[..., 0], -compute_cross_product(along, corners)], -1)
    slope /= height[..., None]
    slope[..., 2] -= chips.reach[:, None]

    tops = corners + (apex - corners) * chips.reach[:, None, None]
    chord = tops[:, CORNERS // 2] - tops[:, 0]
    fold = np.stack([-chord[:, 1], chord[:, 0], -compute_cross_product(chord, tops[:, 0])], -1)
    return slope.reshape(-1, 3).astype(np.float32), fold.astype(np.float32)
