"""Granules: the shape of one crumb of rubber, a convex, faceted chip as the cutter leaves it.

Lengths are in frame sides (the picture's side is 1) and x runs right, y down, so that a
granule is the same thing at every picture size.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Floats

DIAMETER = 20 / 1024
"""Mean equivalent diameter: 20 px at 1024, as on the photographs at their own scale."""

CORNERS = 6
FACETS = CORNERS + 2
"""One facet slopes down from each side of the outline; the top face is folded into two."""

# Shape, fitted so that renders have the texture of the photographs (docs/benchmarks.md).
_SIZE_SPREAD = 0.26  # standard deviation of log diameter
_CORNER_REGULARITY = 1.5  # shape of the gamma law of the angles between corners
_ELONGATION = 0.42  # standard deviation of log aspect ratio
_HEIGHT = (0.5, 1.0)  # of the radius, lowest and highest
_RIM = 0.2  # height of the outline, where the chip is broadest, over that of the top
_BEVEL = (0.30, 1.00)  # how far the sloping facets reach towards the apex
_APEX_OFFSET = 0.8  # of the radius: chips are lopsided
_INSIDE = 0.85  # how far out, on the way from the middle to the outline, an apex may lie
_TILT = 0.28  # standard deviation of the slope at which a chip lies
_FOLD = 0.24  # standard deviation of the slope between the two halves of the top


@dataclass(frozen=True, eq=False)
class Chips:
    """The shapes of N granules, each with its own centre as origin; lengths in frame sides.

    outline: (N, CORNERS, 2) x, y of the corners, ordered by their direction from the apex.
    apex: (N, 2) the point within the outline towards which the sloping facets rise.
    reach: (N,) how far they reach from the outline towards the apex, 0 to 1.
    planes: (N, FACETS, 3) a, b, c of each facet's height over the ground, a + b*x + c*y.
    """

    outline: Floats
    apex: Floats
    reach: Floats
    planes: Floats

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Chips":
        """Select chips by a mask (N,) or by indices (n,)."""
        return Chips(
            self.outline[chosen], self.apex[chosen], self.reach[chosen], self.planes[chosen]
        )

    def rotate(self, degrees: float) -> "Chips":
        """Rotate each chip about its centre, counter-clockwise as seen. Returns new chips."""
        turn = make_rotation_matrix(degrees)
        planes = self.planes.copy()
        planes[..., 1:] = self.planes[..., 1:] @ turn
        return Chips(self.outline @ turn, self.apex @ turn, self.reach, planes)


def make_rotation_matrix(degrees: float) -> Floats:
    """Make the matrix R (2, 2) for which `points @ R` is rotated counter-clockwise as seen.

    points: (..., 2) x, y, where y runs down.
    """
    angle = np.deg2rad(degrees)
    sine, cosine = np.sin(angle), np.cos(angle)
    return np.array([[cosine, -sine], [sine, cosine]], np.float32)


def cut_chips(scale: Doubles, rng: np.random.Generator) -> Chips:
    """Cut a chip of random shape for each entry of `scale` (N,), which multiplies its size.

    A chip is a lopsided frustum: an irregular convex outline with corners on an ellipse, the same
    outline shrunk towards an apex as its top face, folded once, the whole tilted a little.
    """
    count = len(scale)
    outline = _draw_outlines(count, rng) * scale[:, None, None]
    radius = np.sqrt(_measure_polygon_areas(outline) / np.pi)

    apex = rng.uniform(-1, 1, (count, 2)) * (_APEX_OFFSET * radius)[:, None]
    apex = _pull_inside(apex, outline)
    reach = rng.uniform(*_BEVEL, count)
    top = outline + (apex[:, None] - outline) * reach[:, None, None]
    tilt = rng.normal(0, _TILT, (count, 2))
    height = radius * rng.uniform(*_HEIGHT, count)

    following = np.roll(outline, -1, axis=1)
    planes = np.concatenate(
        [
            _fit_side_planes(outline, following, apex, reach, height),
            _fit_top_planes(top, height, rng),
        ],
        axis=1,
    )
    planes[..., 1:] += tilt[:, None]
    return Chips(*(a.astype(np.float32) for a in (outline, apex, reach, planes)))


def _draw_outlines(count: int, rng: np.random.Generator) -> Doubles:
    """Draw random convex outlines, their corners on ellipses. Returns (count, CORNERS, 2)."""
    steps = np.cumsum(rng.gamma(_CORNER_REGULARITY, 1, (count, CORNERS)), axis=1)
    angles = 2 * np.pi * steps / steps[:, -1:] + rng.uniform(0, 2 * np.pi, (count, 1))
    stretch = np.exp(rng.normal(0, _ELONGATION / 2, (count, 1)))
    x, y = np.cos(angles) * stretch, np.sin(angles) / stretch
    lie = rng.uniform(0, np.pi, (count, 1))
    points = np.stack([x * np.cos(lie) - y * np.sin(lie), x * np.sin(lie) + y * np.cos(lie)], -1)
    points -= points.mean(axis=1, keepdims=True)

    size = np.exp(rng.normal(-(_SIZE_SPREAD**2), _SIZE_SPREAD, count))
    scale = DIAMETER * size * np.sqrt(np.pi / 4 / _measure_polygon_areas(points))
    return np.asarray(points * scale[:, None, None])


def _pull_inside(apex: Doubles, outline: Doubles) -> Doubles:
    """Move apexes (N, 2) that lie outside their outline, or at its very edge, inside.

    On the line from the middle, the origin, to the outline (N, CORNERS, 2), an apex may lie
    _INSIDE of the way out. Returns (N, 2).
    """
    along = np.roll(outline, -1, axis=1) - outline
    middle = compute_cross_product(along, -outline)
    nearer = middle - compute_cross_product(along, apex[:, None] - outline)
    with np.errstate(divide="ignore"):
        limit = np.where(nearer > 0, _INSIDE * middle / nearer, np.inf)
    return np.asarray(apex * np.minimum(limit.min(axis=1), 1)[:, None])


def compute_cross_product(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """Compute the cross product of vectors in the plane, (..., 2) each. Returns (...).

    Positive where `other` lies clockwise of `one` as seen (y runs down).
    """
    return np.asarray(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0])


def _measure_polygon_areas(polygons: Doubles) -> Doubles:
    """Measure the areas of polygons (..., corners, 2). Returns (...), in frame sides squared."""
    x, y = polygons[..., 0], polygons[..., 1]
    return np.asarray(0.5 * np.abs(np.sum(x * np.roll(y, -1, -1) - y * np.roll(x, -1, -1), -1)))


def _fit_side_planes(
    outline: Doubles,
    following: Doubles,
    apex: Doubles,
    reach: Doubles,
    height: Doubles,
) -> Doubles:
    """Fit the planes that rise from the rim, at each side of the outline, to the top face.

    outline, following: (N, CORNERS, 2) start and end of each side. apex, reach: see Chips. height:
    (N,) of the top face. Returns (N, CORNERS, 3), as Chips.planes.
    """
    along = following - outline
    inward = np.stack([-along[..., 1], along[..., 0]], -1)
    inward /= np.linalg.norm(inward, axis=-1, keepdims=True) + 1e-12
    breadth = np.sum((apex[:, None] - outline) * inward, -1) * reach[:, None]
    facing = np.sign(breadth)[..., None] * inward
    rise = (1 - _RIM) * height[:, None]
    slope = rise / (np.abs(breadth) + 0.05 * rise)
    gradient = facing * slope[..., None]
    base = _RIM * height[:, None, None] - np.sum(outline * gradient, -1, keepdims=True)
    return np.concatenate([base, gradient], -1)


def _fit_top_planes(top: Doubles, height: Doubles, rng: np.random.Generator) -> Doubles:
    """Fit the two planes of the top face, which meet on the chord from its corner 0 to corner 3.

    top: (N, CORNERS, 2) corners of the top face. height: (N,). Returns (N, 2, 3), as Chips.planes.
    """
    start, chord = top[:, 0], top[:, 3] - top[:, 0]
    across = np.stack([-chord[:, 1], chord[:, 0]], -1)
    across /= np.linalg.norm(across, axis=-1, keepdims=True) + 1e-12
    slope = rng.normal(0, _FOLD, (len(top), 2, 1))
    gradient = across[:, None] * slope
    base = height[:, None] - np.sum(start[:, None] * gradient, -1)
    return np.concatenate([base[..., None], gradient], -1)
