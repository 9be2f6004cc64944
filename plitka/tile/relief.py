"""Relief: the one description of how a tile rises and falls, of which all that is drawn is made."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats
from plitka.tile import granule
from plitka.tile.canvas import Canvas, halve
from plitka.tile.layout import NONE, Pieces, ScatteredLayout
from plitka.tile.noise import Noise

# Slopes are height over distance. Fitted to the texture of photographs (docs/benchmarks.md).
_RELIEF = 2.9  # from the lowest to the highest granule, in granule diameters
_HOLLOW = 0.12  # slope that a face gains from its granule's middle to its rim: torn rubber curls up
_WEAR = 0.02  # how far edges between facets are rounded, in granule diameters
_BUMPS = 0.08  # standard deviation of the slopes of bumps, of the median granule
_BUMPS_SPREAD = 0.5  # standard deviation of its logarithm from granule to granule
_ROUGHNESS_SPREAD = 0.5  # likewise, of how rough granules are to light
_STEP = 0.08  # of the way from the lowest to the highest granule: from here up a step is a cliff
_CONTACT_WIDTH = 0.06  # standard deviation of the line of contact, in granule diameters
_BAND = 32  # rows of a picture worked on together, so that they stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Relief:
    """The relief of a tile at one size.

    canvas: that its maps are drawn on.
    granules: (2 * size, 2 * size) the granule at each quarter of a pixel, NONE in the joints.
    height: (size, size) over the ground, in granule diameters; joints are the ground.
    right, down: (size, size) each, the slope: by how much it rises per distance to the right and
    downwards. contact: (size, size) how near to a granule that lies higher, 0 and up. roughness:
    (N + 1,) how rough each granule is to light, against the median; the last is the joints'.
    """

    canvas: Canvas
    granules: NDArray[np.int32]
    height: Floats
    right: Floats
    down: Floats
    contact: Floats
    roughness: Floats

    @property
    def size(self) -> int:
        """Pixels a side."""
        return len(self.height)

    def compute_normals(self) -> Floats:
        """Compute the unit normals: (size, size, 3), x to the right, y down, z to the viewer."""
        normals = np.stack([-self.right, -self.down, np.ones_like(self.right)], axis=-1)
        return np.asarray(normals / np.linalg.norm(normals, axis=-1, keepdims=True), np.float32)


def describe_relief(layout: ScatteredLayout, size: int, noise: Noise) -> Relief:
    """Describe the relief of a layout. size: pixels a side. noise: of this seed and size."""
    canvas = layout.make_canvas(size)
    pieces = layout.list_pieces()
    facets = layout.map_facets(2 * size)
    height, right, down = _map_relief(pieces, facets, canvas)
    granules = pieces.name_granules(facets // np.int32(granule.FACETS))
    del facets
    rng = np.random.default_rng((layout.seed, 1))
    count = len(layout.owner) + 1
    whole = np.ascontiguousarray(granules[::2, ::2])
    bumps = _map_bumps(noise.bumps, whole, count, rng)
    return Relief(
        canvas,
        granules,
        height,
        right + bumps.real,
        down + bumps.imag,
        _map_contact(layout, granules, canvas),
        np.exp(rng.normal(0, _ROUGHNESS_SPREAD, count)).astype(np.float32),
    )


def _map_relief(
    pieces: Pieces, facets: NDArray[np.int32], canvas: Canvas
) -> tuple[Floats, Floats, Floats]:
    """Map height, in granule diameters, and slopes: see Relief. (size, size) each.

    facets: (2 * size, 2 * size) of the pieces.
    """
    size = canvas.size
    planes, centres = pieces.chips.planes.astype(np.float64), pieces.centres[:, None]
    curve = _HOLLOW * 2 / granule.DIAMETER
    # height = level + across * x + along * y + curve / 2 * (x * x + y * y) is a bowl of which each
    # granule's middle is the bottom, on the plane of the facet.
    slopes = planes[..., 1:] - curve * centres
    level = planes[..., 0] - (planes[..., 1:] * centres).sum(-1)
    level += curve / 2 * (centres**2).sum(-1)
    level += pieces.height[:, None] * (_RELIEF * granule.DIAMETER)
    level, across, along = (
        np.append(part.ravel(), 0).astype(np.float32)
        for part in (level, slopes[..., 0], slopes[..., 1])
    )
    axis = (np.arange(2 * size, dtype=np.float32) + np.float32(0.5)) / np.float32(
        canvas.refine().frame
    )
    bent = np.float32(curve) * axis
    bowl = bent * axis / 2
    maps = tuple(np.empty((size, size), np.float32) for _ in range(3))
    for top in range(0, size, _BAND):
        rows = slice(2 * top, 2 * (top + _BAND))
        facet = facets[rows].astype(np.intp)
        right, down = across.take(facet), along.take(facet)
        height = level.take(facet)
        height += right * axis
        height += down * axis[rows, None]
        height += bowl + bowl[rows, None]
        height *= np.float32(1 / granule.DIAMETER)
        right += bent
        down += bent[rows, None]
        joint = facet == NONE
        for whole, part in zip(maps, (height, right, down), strict=True):
            part[joint] = 0
            whole[top : top + _BAND] = halve(part)
    height, right, down = maps
    wear = _WEAR * canvas.granule
    return height, canvas.blur(right, wear), canvas.blur(down, wear)


def _map_bumps(
    bumps: NDArray[np.complex64], granules: NDArray[np.int32], count: int, rng: np.random.Generator
) -> NDArray[np.complex64]:
    """Map the slopes of bumps: each granule has its own piece of the field, in its own strength.

    granules: (size, size), numbers below `count` - 1, or NONE. Returns (size, size).
    """
    size = len(granules)
    strength = (_BUMPS * np.exp(rng.normal(0, _BUMPS_SPREAD, count))).astype(np.float32)
    here = granules.astype(np.intp)
    axis = np.arange(size, dtype=np.int32)
    moved = []
    for place in (axis[:, None], axis[None, :]):
        offset = (rng.random(count) * size).astype(np.int32)
        at = offset.take(here) + place
        at -= (at >= size) * np.int32(size)
        moved.append(at)
    piece = bumps.ravel().take(moved[0] * np.int32(size) + moved[1])
    return np.asarray(piece * strength.take(here), np.complex64)


def _map_contact(layout: ScatteredLayout, granules: NDArray[np.int32], canvas: Canvas) -> Floats:
    """Map where a granule lies beside a higher one: 1 at a high step, blurred. (size, size)."""
    size, fine = canvas.size, canvas.refine()
    height = np.append(layout.height, np.float32(0))
    beside = fine.take_beside(np.arange(-1, fine.size + 1))  # edges go on beyond themselves
    line = np.empty((size, size), np.float32)
    for top in range(0, size, _BAND):
        first, last = 2 * top, min(2 * (top + _BAND), fine.size)
        rows = height.take(granules[beside[first : last + 2]].take(beside, axis=1))
        step = (cv2.dilate(rows, np.ones((3, 3), np.uint8)) - rows) * np.float32(1 / _STEP)
        line[top : top + _BAND] = halve(np.minimum(step, 1)[1:-1, 1:-1])
    # The line is as broad as a pixel; it is to be as strong at every size.
    line *= np.float32(canvas.granule / 20)
    return canvas.blur(line, _CONTACT_WIDTH * canvas.granule)
