"""The plan view: a surface from above, to scale, and the exact layout of its colours."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Image
from plitka.ground.ground import NONE, Ground
from plitka.ground.noise import hash_places
from plitka.request.recipe import Recipe
from plitka.request.shares import ColorShare
from plitka.tile.camera import encode_linear
from plitka.tile.layout import deal_colors
from plitka.tile.render import list_flat_colors

_OVERSAMPLING = 2  # places a side of each pixel, of which it is the mean
_BAND = 128  # rows of a picture drawn together


@dataclass(frozen=True)
class PlanScale:
    """The size of a plan view: pixels, and mm that one of them shows."""

    width: int
    height: int
    mm_per_pixel: float


@dataclass(frozen=True, eq=False)
class ColorPlan:
    """The exact layout of a surface's colours, seen from above.

    colors: (height, width) index into `parts`, NONE on joints and lines. parts: the colours of all
    mixes, each once, with their shares of the whole surface. shares: for each mix, the recipe's
    own first, the counted share of each of its colours, 0 to 1; all 0 where none of it is seen.
    """

    colors: NDArray[np.int16]
    parts: tuple[ColorShare, ...]
    shares: tuple[tuple[float, ...], ...]

    def count_shares(self) -> tuple[float, ...]:
        """Count the share of each of `parts`, 0 to 1."""
        return _count(self.colors[self.colors != NONE], len(self.parts))


def measure_scale(ground: Ground, size: int) -> PlanScale:
    """Measure a surface's plan view. size: pixels of its longer side."""
    sides = [side for side in (ground.width_mm, ground.length_mm) if side is not None]
    assert len(sides) == 2, "a ground without a surface has no plan"
    scale = max(sides) / size
    width, height = (max(round(side / scale), 1) for side in sides)
    return PlanScale(width, height, scale)


def draw_plan(ground: Ground, size: int) -> Image:
    """Draw a surface from above in even light: (height, width, 3) sRGB.

    size: pixels of its longer side.
    """
    plan = measure_scale(ground, size)
    step = np.float32(plan.mm_per_pixel / _OVERSAMPLING)
    across = (np.arange(plan.width * _OVERSAMPLING, dtype=np.float32) + np.float32(0.5)) * step
    picture = np.empty((plan.height, plan.width, 3), np.uint8)
    for top in range(0, plan.height, _BAND):
        rows = min(_BAND, plan.height - top)
        lines = np.arange(top * _OVERSAMPLING, (top + rows) * _OVERSAMPLING, dtype=np.float32)
        down = (lines + np.float32(0.5)) * step
        linear = ground.sample(across[None, :], down[:, None], np.asarray(step))
        small = cv2.resize(linear, (plan.width, rows), interpolation=cv2.INTER_AREA)
        picture[top : top + rows] = encode_linear(np.asarray(small, np.float32))
    return picture


def deal_plan(ground: Ground, recipe: Recipe, parts: Sequence[ColorShare], size: int) -> ColorPlan:
    """Deal the colours of each mix to what is seen of it, so that its shares are met exactly.

    Nearly all granules keep the colour that the ground's own mats give them. recipe: of the ground.
    parts: the colours of all mixes. size: pixels of the longer side.
    """
    plan = measure_scale(ground, size)
    across, down = np.meshgrid(
        *(
            (np.arange(count, dtype=np.float32) + np.float32(0.5)) * np.float32(plan.mm_per_pixel)
            for count in (plan.width, plan.height)
        )
    )
    right, below = across.ravel(), down.ravel()
    mixes = ground.find_mixes(right, below)
    colors = np.full(len(right), NONE, np.int16)
    places = {part.color.srgb: place for place, part in enumerate(parts)}
    zones = recipe.surface.zones if recipe.surface is not None else ()
    counted = []
    for number, shares in enumerate((recipe.shares, *(zone.shares for zone in zones))):
        (here,) = np.nonzero(mixes == number)
        found = ground.find_granules(number, right[here], below[here])
        owner = _deal(found, ground.list_mats()[number].owner, shares, ground.seed)
        mine = owner.take(found)
        names = np.array([places[part.color.srgb] for part in shares], np.int16)
        colors[here] = names.take(mine)
        counted.append(_count(mine, len(shares)))
    return ColorPlan(colors.reshape(plan.height, plan.width), tuple(parts), tuple(counted))


def draw_color_plan(plan: ColorPlan) -> Image:
    """Draw a plan in flat palette colours: (height, width, 3) sRGB, joints and lines in a gray."""
    return np.asarray(list_flat_colors([part.color for part in plan.parts])[plan.colors])


def _deal(
    found: NDArray[np.int32], owner: NDArray[np.uint8], shares: Sequence[ColorShare], seed: int
) -> NDArray[np.uint8]:
    """Deal colours to a mat's granules by how much is seen of each.

    found: (n,) granules at places. owner: (N,) the colours that they have. Returns (N,).
    """
    area = np.bincount(found, minlength=len(owner))
    granules = np.arange(len(owner), dtype=np.int32)
    lots: Doubles = owner.astype(np.float64) + hash_places(seed, 7, granules)
    return deal_colors(area, [part.share for part in shares], lots)


def _count(colors: NDArray[np.integer], count: int) -> tuple[float, ...]:
    """Count the shares of `count` colours among their indices; all 0 where there are none."""
    area = np.bincount(colors.ravel(), minlength=count)
    return tuple((area / max(area.sum(), 1)).tolist())
