"""Render: draws a layout without any model, as a photograph would show it or in flat colours."""

from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch

import numpy as np

from plitka.arrays import Floats, Image
from plitka.color.cielab import rgb_to_lab
from plitka.color.palette import Color
from plitka.tile.camera import photograph
from plitka.tile.layout import Layout, ScatteredLayout
from plitka.tile.lighting import Lighting, compute_lighting
from plitka.tile.shading import shade


def render_picture(layout: ScatteredLayout, size: int, light: Lighting | None = None) -> Image:
    """Render the tile as a photograph would show it. Returns (size, size, 3) sRGB.

    size: pixels a side. light: what `compute_lighting` returned for this seed, angle and size, in
    whatever colours; computed where it is not given.
    """
    light = light or compute_lighting(layout, size)
    return photograph(shade(layout, light), light.canvas)


@singledispatch
def draw_light(layout: Layout, color: Color, size: int) -> Floats:
    """Draw the L* that a tile has where all its granules are of one colour: (size, size).

    Each kind of layout registers its own way.
    """
    raise NotImplementedError(f"no light is known of {type(layout).__name__}")


@draw_light.register
def _(layout: ScatteredLayout, color: Color, size: int) -> Floats:
    bare = replace(layout, colors=(color,), shares=(1.0,), owner=np.zeros_like(layout.owner))
    return np.ascontiguousarray(rgb_to_lab(render_picture(bare, size))[..., 0])


def render_colormap(layout: Layout, size: int) -> Image:
    """Draw the layout in flat palette colours, joints in the darkest gray that none of them is.

    size: pixels a side. Returns (size, size, 3) sRGB.
    """
    return np.asarray(list_flat_colors(layout.colors)[layout.map_colors(size)])


def list_flat_colors(colors: Sequence[Color]) -> Image:
    """List the sRGB of K colours, and last, where NONE finds it, that of joints.

    Joints have the darkest gray that none of the colours is. Returns (K + 1, 3).
    """
    used = {color.srgb for color in colors}
    joint = next((v, v, v) for v in range(256) if (v, v, v) not in used)
    return np.array([*(color.srgb for color in colors), joint], np.uint8)
