"""The floor in a photograph: four corners whose distances are known, and what covers it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from plitka.arrays import Doubles, Floats
from plitka.scene.errors import UnusableFloor

Point: TypeAlias = tuple[float, float]
"""A place in a photograph, in parts of its width and height; it may lie outside."""

MAX_POINTS = 200
"""Of an outline."""

MAX_HOLES = 40
SIDES_M = (0.1, 500.0)
"""How long a side may be, least and most, in metres."""

_FARTHEST = 20.0  # widths or heights from the photograph to a corner
_LEAST_AREA = 1e-4  # of the quadrangle, in parts of the photograph's
_SUBPIXELS = 4  # bits of a place within a pixel, of OpenCV's polygons
_OVERSAMPLING = 2  # of masks, in each direction, on top of OpenCV's smooth lines


@dataclass(frozen=True)
class FloorArea:
    """A floor in a photograph.

    corners: of a rectangle on the floor: the far left one, far right, near right, near left.
    width_m, length_m: of the rectangle, along the far side and along the left side. outline: of the
    floor that is laid; without it, the rectangle is laid. holes: outlines of what stands on it.
    """

    corners: tuple[Point, Point, Point, Point]
    width_m: float
    length_m: float
    outline: tuple[Point, ...] = ()
    holes: tuple[tuple[Point, ...], ...] = ()


def check_area(area: FloorArea) -> None:
    """Raise UnusableFloor for an area that no photograph of a floor can have."""
    for side in (area.width_m, area.length_m):
        if not SIDES_M[0] <= side <= SIDES_M[1]:
            low, high = SIDES_M
            raise UnusableFloor("sides", f"a side of {side:g} m; allowed: {low:g} to {high:g} m")
    _check_points("corners", area.corners)
    turns = [_measure_turn(area.corners, at) for at in range(4)]
    if not (all(turn > 0 for turn in turns) or all(turn < 0 for turn in turns)):
        raise UnusableFloor("corners", "the corners do not make a convex quadrangle")
    if abs(_measure_polygon(area.corners)) < _LEAST_AREA:
        raise UnusableFloor("corners", "the corners lie on a line")
    if len(area.holes) > MAX_HOLES:
        raise UnusableFloor("outline", f"{len(area.holes)} holes; at most {MAX_HOLES} are read")
    for outline in filter(None, (area.outline, *area.holes)):
        _check_points("outline", outline)
        if not 3 <= len(outline) <= MAX_POINTS:
            raise UnusableFloor(
                "outline", f"an outline of {len(outline)} points; allowed: 3 to {MAX_POINTS}"
            )


def find_homography(area: FloorArea, width: int, height: int) -> Doubles:
    """Find the matrix (3, 3) from pixels (x, y, 1) to mm on the floor, from the far left corner.

    Pixels have their middle at .5. What is before the camera gets a third coordinate above 0.
    """
    seen = np.array(area.corners, np.float32) * np.array([width, height], np.float32)
    right, down = 1000 * area.width_m, 1000 * area.length_m
    laid = np.array([(0, 0), (right, 0), (right, down), (0, down)], np.float32)
    matrix = _solve(seen.astype(np.float64), laid.astype(np.float64))
    side = np.sign(matrix[2] @ [*seen.mean(axis=0), 1])
    return np.asarray(matrix * side, np.float64)


def _solve(seen: Doubles, laid: Doubles) -> Doubles:
    """Solve for the matrix that maps four points onto four others, each (4, 2)."""
    rows = []
    for (x, y), (u, v) in zip(seen.tolist(), laid.tolist(), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y, u], [0, 0, 0, x, y, 1, -v * x, -v * y, v]]
    system = np.array(rows)
    solved = np.linalg.solve(system[:, :8], system[:, 8])
    return np.append(solved, 1.0).reshape(3, 3)


def draw_mask(area: FloorArea, width: int, height: int) -> Floats:
    """Draw how much of each pixel is floor that is laid: (height, width), 0 to 1."""
    size = (_OVERSAMPLING * width, _OVERSAMPLING * height)
    mask = np.zeros((size[1], size[0]), np.uint8)
    _fill(mask, area.outline or area.corners, 255)
    for hole in area.holes:
        _fill(mask, hole, 0)
    small = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255)


def _fill(mask: np.ndarray, outline: Sequence[Point], value: int) -> None:
    scale = np.array([mask.shape[1], mask.shape[0]]) * 2**_SUBPIXELS
    points = np.rint(np.array(outline) * scale - 2 ** (_SUBPIXELS - 1)).astype(np.int32)
    cv2.fillPoly(mask, [points], (value,), cv2.LINE_AA, _SUBPIXELS)


def _check_points(reason: str, points: Sequence[Point]) -> None:
    for point in points:
        if not all(math.isfinite(place) and abs(place - 0.5) <= _FARTHEST for place in point):
            raise UnusableFloor(
                "corners" if reason == "corners" else "outline", "a point lies too far outside"
            )


def _measure_turn(corners: Sequence[Point], at: int) -> float:
    """Measure by how much the outline turns at a corner; its sign is the direction."""
    (ax, ay), (bx, by), (cx, cy) = (corners[(at + step) % len(corners)] for step in range(3))
    return (bx - ax) * (cy - by) - (by - ay) * (cx - bx)


def _measure_polygon(points: Sequence[Point]) -> float:
    """Measure the area of a polygon (shoelace formula); its sign is its direction."""
    following = [*points[1:], points[0]]
    return sum(a * d - b * c for (a, b), (c, d) in zip(points, following, strict=True)) / 2
