"""Lighting: the part of a render that no colour changes, and that takes most of the time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats
from plitka.tile.canvas import Canvas
from plitka.tile.horizon import light_relief
from plitka.tile.layout import Layout, ScatteredLayout
from plitka.tile.noise import Noise, make_noise
from plitka.tile.relief import Relief, describe_relief

# Fitted to the texture of the photographs (docs/benchmarks.md). Lengths are in granule diameters.
_CONTACT = 0.5  # how much a line of contact dims the light, in its logarithm
_GRANULE_VARIATION = 0.05  # standard deviation of log brightness from granule to granule
_HOLLOW_EXPONENT = 2.0  # of the hidden part of the sky: neighbours light hollows, hardly faces
_SOFTNESS = 0.04  # standard deviation of the blur of light: shadows have no stairs
_GLOSS_SOFTNESS = 0.12  # likewise of the slopes that mirror: a film of binder fills small bumps
_FILM = 0.6  # standard deviation of how strongly granules mirror, in its logarithm
_LAMP_AT = (-0.25, -0.30)  # where the lamp is mirrored: the slope of a ray, x right, y down
_GRAZING = 24.0  # how much more mirrors at grazing angles: Schlick's (1 - F0) / F0
_MOST_MIRRORED = 2.5  # times what the median granule mirrors: whole faces do not turn white
_TILE_EDGE = 4 / 1024  # breadth of a tile's worn edge, in frame sides
_TOWARDS = (-0.55, -0.60)  # where a tile's edge is brighter: the upper left

BOUNCE_REACH = 0.35
"""Standard deviation of the distance from which light of neighbours comes, in granule diameters."""


@dataclass(frozen=True, eq=False)
class Lighting:
    """The part of a render that does not depend on the colours; maps are (size, size).

    canvas: that they are drawn on.
    granules: (2 * size, 2 * size) the granule at each quarter of a pixel, NONE in the joints.
    light: irradiance, of which open ground has about 1. hollow: how much a place sees of its
    neighbours, 0 to 1. around: light on the surroundings. mirrored: how strongly a place could
    mirror the lamp, 0 and up. away: square of how far its mirrored ray passes the lamp.
    roughness: (N + 1,) of each granule, against the median. variation: (N + 1,) its brightness,
    likewise, which `light` has in it. noise: of the tile.
    """

    canvas: Canvas
    granules: NDArray[np.int32]
    light: Floats
    hollow: Floats
    around: Floats
    mirrored: Floats
    away: Floats
    roughness: Floats
    variation: Floats
    noise: Noise

    @property
    def size(self) -> int:
        """Pixels a side."""
        return len(self.light)


def compute_lighting(layout: ScatteredLayout, size: int) -> Lighting:
    """Compute how bright each pixel is: most of the work of a render, the same for all colours.

    The layout is drawn at twice the size and halved, so that edges are smooth. size: pixels a
    side of the picture.
    """
    noise = make_noise(layout.seed, layout.make_canvas(size))
    relief = describe_relief(layout, size, noise)
    return light_surface(layout, relief, noise)


def light_surface(layout: ScatteredLayout, relief: Relief, noise: Noise) -> Lighting:
    """Light the relief of a layout, as `compute_lighting` does. noise: of its seed and canvas."""
    canvas = relief.canvas
    rng = np.random.default_rng((layout.seed, 3))
    soft = _SOFTNESS * canvas.granule
    light, openness = light_relief(relief)
    openness = canvas.blur(openness, soft)
    hollow = (1 - openness) ** np.float32(_HOLLOW_EXPONENT)
    light += hollow * (canvas.blur(light, soft) - light)
    whole = relief.granules[::2, ::2]
    count = len(layout.owner) + 1
    variation = np.exp(rng.normal(0, _GRANULE_VARIATION, count)).astype(np.float32)
    film = np.exp(rng.normal(-(_FILM**2) / 2, _FILM, count)).astype(np.float32)
    light *= variation.take(whole)
    light *= np.exp(np.float32(-_CONTACT) * relief.contact)
    if layout.angle != 0:
        light *= _light_tile_edges(layout, canvas.size)
    smooth = _GLOSS_SOFTNESS * canvas.granule
    right, down = canvas.blur(relief.right, smooth), canvas.blur(relief.down, smooth)
    facing2 = 1 / (1 + right * right + down * down)
    away = (-2 * facing2 * right - np.float32(_LAMP_AT[0])) ** 2
    away += (-2 * facing2 * down - np.float32(_LAMP_AT[1])) ** 2
    grazing = 1 - np.sqrt(facing2)
    mirrored = (1 + np.float32(_GRAZING) * grazing**5) * film.take(whole)
    mirrored = np.minimum(mirrored, np.float32(_MOST_MIRRORED)) * openness**2
    return Lighting(
        canvas,
        relief.granules,
        light,
        np.asarray(hollow, np.float32),
        canvas.blur(light, BOUNCE_REACH * canvas.granule),
        np.asarray(mirrored, np.float32),
        np.asarray(away, np.float32),
        relief.roughness,
        variation,
        noise,
    )


def measure_open_sky(lighting: Lighting, relief: Relief) -> Floats:
    """Measure how much of the light from all around reaches each pixel: (size, size), 0 to 1.

    The open part of the sky, dimmed along lines of contact as the light is. lighting: of `relief`.
    """
    dimmed = measure_openness(lighting) * np.exp(np.float32(-_CONTACT) * relief.contact)
    return np.asarray(dimmed, np.float32)


def measure_openness(lighting: Lighting) -> Floats:
    """Measure the open part of the sky over each pixel: (size, size), 0 to 1."""
    return np.asarray(1 - lighting.hollow ** np.float32(1 / _HOLLOW_EXPONENT), np.float32)


def _light_tile_edges(layout: Layout, size: int) -> Floats:
    """Compute a factor on the light, (size, size): worn tile edges that face it are brighter."""
    inside, _ = layout.map_joints(size)
    down, right = np.gradient(inside, 1 / size)
    worn = np.clip(1 - inside / _TILE_EDGE, 0, 1)
    facing = -(right * _TOWARDS[0] + down * _TOWARDS[1])
    return np.asarray(np.exp(worn * (0.5 * facing - 0.25)), np.float32)
