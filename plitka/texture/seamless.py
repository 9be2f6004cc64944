"""Seamless: the picture of a recipe that repeats in both directions.

    render_seamless(recipe, size, frames=1.0, granule_mm=2.5) -> Seamless

The granules lie on a torus: those that reach over an edge come back at the opposite one, and so do
the noise, the light and the blurs of the camera. Nothing is blended.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Image
from plitka.request.recipe import Recipe, draw_seed
from plitka.request.surface import DEFAULT_GRANULE_MM, GRANULE_MM
from plitka.texture.errors import TextureError
from plitka.tile import granule, render
from plitka.tile.layout import LEAST_PERIOD, ScatteredLayout, deal_on_map, lay_seamless
from plitka.tile.lighting import compute_lighting
from plitka.tile.scale import measure_frame_mm

GRANULE_PIXELS = (8.0, 41.0)
"""Least and greatest mean diameter of a granule in pixels: smaller ones blur into each other, and
larger ones have no more to show."""


@dataclass(frozen=True, eq=False)
class Seamless:
    """A picture that repeats to the right and downwards, and what it shows.

    image: (size, size, 3) sRGB, as `tile.render` draws a tile. granules: (size, size) the number of
    the granule at each pixel, below len(layout.owner). colors: (size, size) the index of its colour
    in `layout.colors`. shares: of the K colours, counted on `colors`, 0 to 1. side_mm: its side.
    layout: of the granules; it has the seed that was drawn, its angle is 0, and its colours are
    dealt so that shares are exact on this very map.
    """

    image: Image
    granules: NDArray[np.int32]
    colors: NDArray[np.uint8]
    shares: tuple[float, ...]
    side_mm: float
    layout: ScatteredLayout


def render_seamless(
    recipe: Recipe, size: int, frames: float = 1.0, granule_mm: float = DEFAULT_GRANULE_MM
) -> Seamless:
    """Render a recipe's granules as a photograph would show them, on a torus.

    size: pixels a side. frames: the side in frame sides, of 51.2 granules each; so 1.0 has 20 px a
    granule at 1024, and every size of the same seed and frames shows the same granules.
    granule_mm: mean diameter of the granules; it changes `side_mm` alone. The recipe's angle is not
    looked at: there are no joints. Raises TextureError, see `check_scale`.
    """
    check_scale(size, frames, granule_mm)
    layout = lay_seamless(draw_seed(recipe), frames)
    light = compute_lighting(layout, size)
    granules = np.ascontiguousarray(light.granules[::2, ::2])
    layout = deal_on_map(layout, granules)
    colors = layout.owner.take(granules)
    return Seamless(
        image=render.render_picture(layout, size, light),
        granules=granules,
        colors=colors,
        shares=count_shares(colors, len(layout.colors)),
        side_mm=frames * measure_frame_mm(granule_mm),
        layout=layout,
    )


def check_scale(size: int, frames: float, granule_mm: float) -> None:
    """Check how large a texture and its granules are. Raises TextureError."""
    check_granules(granule_mm)
    frame_mm = measure_frame_mm(granule_mm)
    fewest, most_pixels = GRANULE_PIXELS
    bounds = (
        max(size / most_pixels * granule.DIAMETER, LEAST_PERIOD),
        size / fewest * granule.DIAMETER,
    )
    if not bounds[0] <= frames <= bounds[1]:
        low, high = (bound * frame_mm for bound in bounds)
        raise TextureError(
            f"a side of {frames * frame_mm:g} mm at {size} pixels: with granules of"
            f" {granule_mm:g} mm it can be {np.ceil(low):g} to {np.floor(high):g} mm"
        )


def check_granules(granule_mm: float) -> None:
    """Check the mean diameter of granules. Raises TextureError."""
    least, most = GRANULE_MM
    if not least <= granule_mm <= most:
        raise TextureError(f"granules of {granule_mm:g} mm: allowed are {least:g} to {most:g} mm")


def count_shares(colors: NDArray[np.uint8], count: int) -> tuple[float, ...]:
    """Count the shares of `count` colours on a map of their indices. Returns parts of 1."""
    area = np.bincount(colors.ravel(), minlength=count)
    return tuple((area / area.sum()).tolist())
