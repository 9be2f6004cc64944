"""Layings: which tile lies at a place, how far inside it that is, and what is shown there."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats
from plitka.ground.noise import hash_places, wave
from plitka.request.surface import Laying

_CELL = 0.37  # side of a piece of mat that is shown unbroken, in sides of the mat
_WARP = 0.3  # how far the edges of such pieces wander, in their sides
_TATTER = 0.03  # likewise, from granule to granule


@dataclass(frozen=True, eq=False)
class Tiles:
    """The tiles at n places.

    row, column: (n,) numbers of each tile; together they are no other's. inside: (n,) how far
    inside its tile each place lies, in mm.
    """

    row: NDArray[np.int32]
    column: NDArray[np.int32]
    inside: Floats


def find_tiles(
    laying: Laying, tile_mm: tuple[float, float], angle: float, right: Floats, down: Floats
) -> Tiles:
    """Find the tiles at places (n,) in mm; angle: by which the laying is turned, in degrees.

    One tile has a corner at (0, 0). Not for a poured surface.
    """
    turn = math.radians(angle)
    cosine, sine = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    u, v = right * cosine - down * sine, right * sine + down * cosine
    width, length = tile_mm
    if laying == "herringbone":
        return _find_herringbone(u, v, width, length)
    row = np.floor(v / np.float32(length))
    shift = np.float32(width / 2) * (row % 2) if laying == "brick" else np.float32(0)
    column = np.floor((u - shift) / np.float32(width))
    x, y = u - shift - column * np.float32(width), v - row * np.float32(length)
    inside = _measure_inside(x, y, width, length)
    return Tiles(row.astype(np.int32), column.astype(np.int32), inside)


def _find_herringbone(u: Floats, v: Floats, length: float, width: float) -> Tiles:
    """Find bricks of herringbone, which lie along u and along v by turns.

    A brick along u that begins at (0, 0) is repeated at k * (width, width) + m * (length, -length);
    one along v begins at (length, width - length), and is repeated likewise.
    """
    row, column = np.zeros(u.shape, np.int32), np.zeros(u.shape, np.int32)
    inside = np.full(u.shape, -1, np.float32)
    bricks = ((0.0, 0.0, length, width), (length, width - length, width, length))
    for number, (left, top, across, along) in enumerate(bricks):
        x, y = u - np.float32(left), v - np.float32(top)
        first = np.ceil((x + y - np.float32(across + along)) / np.float32(2 * width))
        for step in range(math.ceil((across + along) / (2 * width)) + 1):
            k = first + np.float32(step)
            m = np.floor((x - y + np.float32(along)) / np.float32(2 * length))
            for back in (0, 1):
                n = m - np.float32(back)
                here_x = x - k * np.float32(width) - n * np.float32(length)
                here_y = y - k * np.float32(width) + n * np.float32(length)
                found = _measure_inside(here_x, here_y, across, along)
                better = found > inside
                np.copyto(inside, found, where=better)
                np.copyto(row, k, where=better, casting="unsafe")
                np.copyto(column, 2 * n + number, where=better, casting="unsafe")
    return Tiles(row, column, np.maximum(inside, 0))


def _measure_inside(x: Floats, y: Floats, width: float, length: float) -> Floats:
    """Measure how far inside a tile of this size places lie; negative outside."""
    across = np.minimum(x, np.float32(width) - x)
    return np.asarray(np.minimum(across, np.minimum(y, np.float32(length) - y)), np.float32)


def move_pieces(
    seed: int, tiles: Tiles | None, right: Floats, down: Floats, side: float
) -> tuple[Floats, Floats]:
    """Move places (n,) to places on a mat, so that nothing repeats.

    A tile, or a poured surface, shows pieces of the mat from places of their own, which meet along
    lines that wander. side: of the mat, in mm.
    """
    cell = np.float32(_CELL * side)
    x, y = right / cell, down / cell
    warped = []
    for stream, place in ((0, x), (2, y)):
        bend = np.float32(_WARP) * wave(seed, stream, x, y)
        tatter = np.float32(_TATTER) * wave(seed, stream + 1, 9 * x, 9 * y)
        warped.append(place + bend + tatter)
    row = np.floor(warped[1])
    column = np.floor(warped[0] + (row % 2) / 2)
    keys = [row.astype(np.int32), column.astype(np.int32)]
    if tiles is not None:
        keys += [tiles.row, tiles.column]
    over, below = (hash_places(seed, stream, *keys) * np.float32(side) for stream in (4, 5))
    return right + over, down + below
