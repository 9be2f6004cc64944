"""The ground: a recipe's surface, or its mix laid on and on, as it is seen at any place.

Places are in millimetres to the right of and below the surface's upper left corner, as seen from
above; without a surface, of the corner of a tile.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats
from plitka.ground.edges import Distance, measure_distance
from plitka.ground.laying import Tiles, find_tiles, move_pieces
from plitka.ground.mat import Mat, Weave, Weaver
from plitka.ground.noise import hash_places
from plitka.request.recipe import Recipe
from plitka.request.shares import ColorShare
from plitka.request.surface import (
    DEFAULT_GRANULE_MM,
    DEFAULT_TILES_MM,
    Laying,
    Line,
    LineKind,
    Surface,
    Zone,
)
from plitka.tile.scale import measure_frame_mm

NONE = -1
"""In maps of mixes: a joint or a line, where no granule lies."""

_JOINT_MM = 2.5  # width of the gap between tiles
_BEVEL_MM = 3.0  # width of a tile's worn edge
_JOINT_LIGHT = np.float32(0.12)  # in a gap, as a factor of the light on the tile
_BEVEL_LIGHT = np.float32(0.08)  # more on a worn edge, which faces the light
_TILE_VARIATION = np.float32(0.018)  # standard deviation of brightness from tile to tile
_LINE_COLORS: Mapping[LineKind, Floats] = {
    "metal": np.array([0.46, 0.455, 0.44], np.float32),
    "joint": np.array([0.01, 0.01, 0.01], np.float32),
}
"""Linear RGB of brushed metal, and of the bed under a joint."""
_FINEST_MM = 1e-3  # that a pixel covers
_CHUNK = 1 << 18  # places worked on together, so that they stay in the processor's cache

_Shares: TypeAlias = tuple[ColorShare, ...]


@dataclass(frozen=True, eq=False)
class GroundZone:
    """A zone of a ground: where it is, its mat, and what parts it from its surroundings."""

    distance: Distance
    mat: Mat
    line: Line | None


@dataclass(frozen=True, eq=False)
class Ground:
    """What lies on the ground.

    width_mm, length_mm: of the surface; None where it goes on and on. Beyond a surface's edge
    there is more of its own mix. tile_mm: None for a poured surface. angle: of laying, in degrees.
    mat: of the recipe's own mix. zones: later ones lie over earlier ones. frame_mm: the side of a
    mat's frame.
    """

    width_mm: float | None
    length_mm: float | None
    laying: Laying
    tile_mm: tuple[float, float] | None
    angle: float
    seed: int
    frame_mm: float
    mat: Mat
    zones: tuple[GroundZone, ...]

    def sample(self, right: Floats, down: Floats, footprint: Floats) -> Floats:
        """Sample the ground in full, even light: (..., 3) linear RGB, 0 to 1.

        right, down: (...) places in mm. footprint: (...), or one for all, how many mm a pixel
        covers; what is finer than that is averaged.
        """
        places = np.broadcast_arrays(right, down, np.asarray(footprint, np.float32))
        flat = [np.ascontiguousarray(place, np.float32).ravel() for place in places]
        colors = np.empty((flat[0].size, 3), np.float32)
        for first in range(0, len(colors), _CHUNK):
            part = slice(first, first + _CHUNK)
            colors[part] = self._sample(*(place[part] for place in flat))
        return colors.reshape(*places[0].shape, 3)

    def find_mixes(self, right: Floats, down: Floats) -> NDArray[np.int8]:
        """Find whose mix lies at places (n,): 0 for the ground's own, else a zone's number.

        Zones count from 1. NONE on lines and joints.
        """
        mixes = np.zeros(len(right), np.int8)
        for number, zone in enumerate(self.zones, 1):
            distance = zone.distance(right, down)
            mixes[distance < 0] = number
            if zone.line is not None:
                mixes[np.abs(distance) < zone.line.width_mm / 2] = NONE
        tiles = self._find_tiles(right, down)
        if tiles is not None:
            mixes[tiles.inside < _JOINT_MM / 2] = NONE
        return mixes

    def find_granules(self, mix: int, right: Floats, down: Floats) -> NDArray[np.int32]:
        """Find which granules of a mix's mat lie at places (n,). mix: as `find_mixes` has it."""
        mat = self.list_mats()[mix]
        return mat.find_granules(*self._move(self._find_tiles(right, down), right, down))

    def list_mats(self) -> list[Mat]:
        """List the mats of the ground's own mix and of its zones."""
        return [self.mat, *(zone.mat for zone in self.zones)]

    def _sample(self, right: Floats, down: Floats, footprint: Floats) -> Floats:
        footprint = np.maximum(footprint, np.float32(_FINEST_MM))
        tiles = self._find_tiles(right, down)
        x, y = self._move(tiles, right, down)
        fine = footprint / np.float32(self.frame_mm)
        colors = self.mat.sample(x, y, fine)
        lines = np.zeros((len(right), 4), np.float32)  # RGB times cover, and cover
        for zone in self.zones:
            distance = zone.distance(right, down)
            cover = _cover(distance, footprint)
            here = np.flatnonzero(cover > 0)
            if len(here):
                own = zone.mat.sample(x[here], y[here], fine[here])
                colors[here] += cover[here, None] * (own - colors[here])
                lines[here] *= 1 - cover[here, None]
            if zone.line is not None:
                _draw_line(lines, zone.line, distance, footprint)
        if tiles is not None:
            light = _shade_joints(tiles.inside, footprint) * self._vary(tiles)
            colors *= light[:, None]
        return np.asarray(colors * (1 - lines[:, 3:]) + lines[:, :3], np.float32)

    def _find_tiles(self, right: Floats, down: Floats) -> Tiles | None:
        if self.tile_mm is None:
            return None
        return find_tiles(self.laying, self.tile_mm, self.angle, right, down)

    def _move(self, tiles: Tiles | None, right: Floats, down: Floats) -> tuple[Floats, Floats]:
        """Move places to places on a mat, in frame sides."""
        side = self.mat.side * self.frame_mm
        x, y = move_pieces(self.seed, tiles, right, down, side)
        return x / np.float32(self.frame_mm), y / np.float32(self.frame_mm)

    def _vary(self, tiles: Tiles) -> Floats:
        """Vary the brightness from tile to tile: (n,) factors."""
        lots = hash_places(self.seed, 6, tiles.row, tiles.column)
        # Of even numbers, with the standard deviation that is wanted.
        spread = np.float32(np.sqrt(12)) * _TILE_VARIATION
        return np.asarray(1 + spread * (lots - np.float32(0.5)), np.float32)


def make_ground(recipe: Recipe, make_mat: Weave | None = None) -> Ground:
    """Make the ground of a recipe whose seed is drawn already (0 or more).

    Without a surface, it is the recipe's mix in square tiles, without end. make_mat: makes the mat
    of a recipe's own mix; called once for each mix of the surface. As the render engine draws them
    where it is not given.
    """
    surface = recipe.surface
    make_mat = make_mat or Weaver()
    mats: dict[_Shares, Mat] = {}

    def find_mat(shares: _Shares) -> Mat:
        if shares not in mats:
            tile = Recipe(shares, 0.0, recipe.quality, recipe.seed, recipe.overrides)
            mats[shares] = make_mat(tile)
        return mats[shares]

    def make_zone(surface: Surface, zone: Zone) -> GroundZone:
        return GroundZone(measure_distance(zone.shape, surface), find_mat(zone.shares), zone.line)

    zones = [] if surface is None else [make_zone(surface, zone) for zone in surface.zones]
    return Ground(
        width_mm=None if surface is None else surface.width_mm,
        length_mm=None if surface is None else surface.length_mm,
        laying="square" if surface is None else surface.laying,
        tile_mm=DEFAULT_TILES_MM["square"] if surface is None else surface.tile_mm,
        angle=recipe.angle,
        seed=recipe.seed,
        frame_mm=measure_frame_mm(DEFAULT_GRANULE_MM if surface is None else surface.granule_mm),
        mat=find_mat(recipe.shares),
        zones=tuple(zones),
    )


def _cover(distance: Floats, footprint: Floats) -> Floats:
    """Compute how much of a pixel an edge leaves inside: 0 to 1."""
    return np.asarray(np.clip(np.float32(0.5) - distance / footprint, 0, 1), np.float32)


def _shade_joints(inside: Floats, footprint: Floats) -> Floats:
    """Compute the factor on the light: dark in gaps between tiles, a little brighter on edges.

    inside: how far inside its tile a place lies, in mm. A line that is thinner than a pixel is as
    much fainter.
    """
    gap = _cover_strip(inside, _JOINT_MM, footprint)
    edge = np.clip(1 - np.abs(inside - np.float32(_BEVEL_MM)) / np.float32(_BEVEL_MM), 0, 1)
    edge *= np.minimum(1, np.float32(_BEVEL_MM) / footprint)
    return np.asarray((1 - (1 - _JOINT_LIGHT) * gap) * (1 + _BEVEL_LIGHT * edge), np.float32)


def _cover_strip(distance: Floats, width: float, footprint: Floats) -> Floats:
    """Compute how much of a pixel a strip covers: 0 to 1. distance: from the strip's middle."""
    half, reach = np.float32(width / 2), footprint / 2
    overlap = np.minimum(distance + reach, half) - np.maximum(distance - reach, -half)
    return np.asarray(np.maximum(overlap, 0) / footprint, np.float32)


def _draw_line(lines: Floats, line: Line, distance: Floats, footprint: Floats) -> None:
    """Draw a line over others, in place. lines: (n, 4) linear RGB times cover, and cover."""
    cover = _cover_strip(distance, line.width_mm, footprint)
    here = np.flatnonzero(cover > 0)
    over = cover[here, None]
    lines[here] *= 1 - over
    lines[here] += over * np.append(_LINE_COLORS[line.kind], np.float32(1))
