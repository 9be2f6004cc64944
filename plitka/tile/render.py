"""Render: draws a layout without any model, as a photograph would show it or in flat colours."""

import numpy as np

from plitka.arrays import Image
from plitka.tile.camera import photograph
from plitka.tile.layout import Layout, ScatteredLayout
from plitka.tile.lighting import Lighting, compute_lighting
from plitka.tile.shading import shade


def render_picture(layout: ScatteredLayout, size: int, light: Lighting | None = None) -> Image:
    """Render the tile as a photograph would show it. Returns (size, size, 3) sRGB.

    size: pixels a side. light: what `compute_lighting` returned for this seed, angle and size, in
    whatever colours; computed where it is not given.
    """
    return photograph(shade(layout, light or compute_lighting(layout, size)))


def render_colormap(layout: Layout, size: int) -> Image:
    """Draw the layout in flat palette colours, joints in the darkest gray that none of them is.

    size: pixels a side. Returns (size, size, 3) sRGB.
    """
    used = {color.srgb for color in layout.colors}
    joint = next((v, v, v) for v in range(256) if (v, v, v) not in used)
    flat = np.array([color.srgb for color in layout.colors] + [joint], np.uint8)
    return np.asarray(flat[layout.map_colors(size)])
