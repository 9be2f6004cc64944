"""Mat: a seamless piece of flooring of one mix, which a ground is laid with.

Lengths are in frame sides (see plitka.tile.scale), so that a mat serves granules of any size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats, Image
from plitka.color.srgb import decode_srgb
from plitka.ground import quilting
from plitka.ground.remap import look_up
from plitka.request.recipe import Recipe
from plitka.tile.layout import Layout, ScatteredLayout, lay_seamless, recolor_layout
from plitka.tile.lighting import Lighting, compute_lighting
from plitka.tile.render import render_picture

_FRAMES = 2.0  # a side of the mats that a Weaver makes, in frame sides
_PIXELS = 1024  # of that side: 10 for a granule
_FULL = 65535  # of linear light in mipmaps
_BLUR = 0.2  # levels by which a mipmap is read coarser than its pixels ask for: no shimmer


@dataclass(frozen=True, eq=False)
class Mat:
    """A seamless piece of one mix.

    picture: (side, side, 3) sRGB, which wraps around in both directions. granules: (side, side)
    which of N granules is at each pixel. owner: (N,) the index of each granule's colour in the
    mix. scale: pixels of a frame's side.
    """

    picture: Image
    granules: NDArray[np.int32]
    owner: NDArray[np.uint8]
    scale: float

    @property
    def side(self) -> float:
        """Length of a side."""
        return len(self.picture) / self.scale

    @cached_property
    def _mipmap(self) -> list[NDArray[np.uint16]]:
        """The picture in linear light, 0 to _FULL; each level half the size of the one before."""
        table = np.array([_FULL * decode_srgb(value / 255) for value in range(256)])
        levels = [table.astype(np.uint16)[self.picture]]
        while len(levels[-1]) % 2 == 0 and len(levels[-1]) > 4:
            half = (len(levels[-1]) // 2,) * 2
            smaller = cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA)
            levels.append(np.asarray(smaller, np.uint16))
        return levels

    def sample(self, right: Floats, down: Floats, footprint: Floats) -> Floats:
        """Sample linear RGB, 0 to 1, at places: (n,) each; footprint: what a pixel covers.

        Returns (n, 3).
        """
        pixels = np.maximum(footprint * np.float32(self.scale), np.float32(1e-6))
        last = len(self._mipmap) - 1
        level = np.clip(np.log2(pixels) + np.float32(_BLUR), 0, last)
        colors = np.zeros((len(right), 3), np.float32)
        for number in range(int(level.min()), int(np.ceil(level.max())) + 1):
            weight = np.clip(1 - np.abs(level - np.float32(number)), 0, 1)
            here = np.flatnonzero(weight > 0)
            if not len(here):
                continue
            picture = self._mipmap[number]
            scale = np.float32(self.scale / 2**number)
            x, y = (place[here] * scale - np.float32(0.5) for place in (right, down))
            colors[here] += look_up(picture, x, y, cv2.INTER_LINEAR) * weight[here, None]
        return np.asarray(colors * np.float32(1 / _FULL), np.float32)

    def find_granules(self, right: Floats, down: Floats) -> NDArray[np.int32]:
        """Find the granules at places, (n,) each. Returns (n,)."""
        side = len(self.granules)
        x, y = (
            np.floor(np.mod(place * np.float32(self.scale), np.float32(side))).astype(np.intp)
            for place in (right, down)
        )
        return np.asarray(self.granules[y % side, x % side])


Weave: TypeAlias = Callable[[Recipe], Mat]
"""Makes the mat of a recipe's own mix; its seed is drawn already."""


class Weaver:
    """Makes mats as the render engine draws tiles, of granules that are laid so that they repeat.

    Granules and light are the same for all mixes of a seed; those of the last seed are kept, so
    that another mix takes half the time.
    """

    def __init__(self) -> None:
        self._last: tuple[ScatteredLayout, Lighting] | None = None

    def __call__(self, recipe: Recipe) -> Mat:
        """Make the mat of a recipe's own mix; its seed is drawn already."""
        last = self._last
        if last is None or last[0].seed != recipe.seed:
            laid = lay_seamless(recipe, _FRAMES)
            self._last = last = laid, compute_lighting(laid, _PIXELS)
        layout, light = recolor_layout(last[0], recipe), last[1]
        granules = np.ascontiguousarray(light.granules[::2, ::2])
        picture = render_picture(layout, _PIXELS, light)
        return Mat(picture, granules, layout.owner, _PIXELS / _FRAMES)


def weave(recipe: Recipe) -> Mat:
    """Make one mat as a Weaver does; the recipe's seed is drawn already."""
    return Weaver()(recipe)


def weave_picture(picture: Image, layout: Layout) -> Mat:
    """Make a mat of any picture of a tile. layout: of what it shows, at 0 degrees."""
    granules = layout.map_granules(len(picture))
    quilt = quilting.quilt_granules(picture, granules, 0.0, layout.seed)
    owner = layout.owner[quilt.source]
    return Mat(quilt.picture, quilt.granules, owner, quilting.SCALE)
