"""Lighting: how much light reaches each place of a relief, from a bright sky hidden by horizons.

The sky is brightest overhead, as the lamps over a photographed tile are. In each of some
directions the highest thing that stands in the way is the horizon, and what lies under it gives no
light (horizon mapping: Max 1988, "Horizon mapping: shadows for bump-mapped surfaces").
"""

import numpy as np

from plitka.arrays import Floats
from plitka.tile.relief import Relief

_DIRECTIONS = 12
_FIRST = 0.2  # radians: none of the directions runs along the pixels
_REACH = (0.1, 0.15, 0.25, 0.4, 0.6, 0.9)  # distances looked at, in granule diameters
# Brightness at elevation e over the horizon: _SKY sin e + _LAMP sin^3 e, in parts of all light.
_SKY, _LAMP = 0.5, 0.5
_TOWARDS = (-0.45, -0.55)  # where the brighter side of the sky is: the upper left
_BRIGHTER = 0.35  # by how much it is brighter there, and darker opposite
_SOFTNESS = 0.018  # standard deviation of the blur of heights, in granule diameters: no stairs
_BAND = 64  # rows worked on together, so that they stay in the processor's cache


def light_relief(relief: Relief) -> tuple[Floats, Floats]:
    """Compute the light on each pixel and how much of the sky it sees.

    Returns, each (size, size): irradiance, of which level, open ground gets about 1; the open part
    of the sky, 0 to 1.
    """
    size = relief.size
    pixels = relief.canvas.granule
    steps = list(dict.fromkeys(max(round(reach * pixels), 1) for reach in _REACH))
    pad = steps[-1] + 1
    smooth = relief.canvas.blur(relief.height, _SOFTNESS * pixels)
    height = relief.canvas.pad(smooth * np.float32(pixels), pad)
    light, openness = np.empty_like(relief.height), np.empty_like(relief.height)
    for top in range(0, size, _BAND):
        rows = slice(top, min(top + _BAND, size))
        light[rows], openness[rows] = _light_rows(relief, height, rows, pad, steps)
    return light, openness


def _light_rows(
    relief: Relief, height: Floats, rows: slice, pad: int, steps: list[int]
) -> tuple[Floats, Floats]:
    """Light some rows: see `light_relief`. height: in pixels, with `pad` more on every side."""
    size = relief.size
    right, down = relief.right[rows], relief.down[rows]
    here = height[pad + rows.start : pad + rows.stop, pad : pad + size]
    facing = np.asarray(1 / np.sqrt(1 + right * right + down * down), np.float32)
    light, openness = np.zeros_like(right), np.zeros_like(right)
    azimuths = _FIRST + np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS
    aside, below = np.cos(azimuths), np.sin(azimuths)
    brighter = np.array(_TOWARDS) / np.hypot(*_TOWARDS)
    gains = 1 + _BRIGHTER * (aside * brighter[0] + below * brighter[1])
    risen = np.empty_like(right)
    for x, y, gain in zip(aside.tolist(), below.tolist(), gains.tolist(), strict=True):
        rise = right * np.float32(x) + down * np.float32(y)
        horizon = np.maximum(rise, np.float32(0))  # tangent of its elevation
        for step in steps:
            column, row = round(x * step), round(y * step)
            from_row, from_column = pad + rows.start + row, pad + column
            there = height[from_row : from_row + len(right), from_column : from_column + size]
            np.subtract(there, here, out=risen)
            risen *= np.float32(1 / np.hypot(column, row))
            np.maximum(horizon, risen, out=horizon)
        _add_sky(light, openness, horizon, facing, rise * facing, gain)
    light *= np.float32(1 / _DIRECTIONS)
    openness *= np.float32(1 / _DIRECTIONS)
    return np.maximum(light, 0), openness


def _add_sky(
    light: Floats, openness: Floats, horizon: Floats, facing: Floats, leaning: Floats, gain: float
) -> None:
    """Add the light of one direction's slice of sky, in closed form, in place.

    horizon: tangent of its elevation. facing: the normal's part upwards. leaning: its part away
    from the direction. With s, c the sine and cosine of the horizon's elevation, the integral over
    elevations e above it of (facing sin e - leaning cos e) cos e, weighted by the sky's brightness,
    is taken for sin e and sin^3 e.
    """
    cosine2 = 1 / (1 + horizon * horizon)
    cosine = np.sqrt(cosine2)
    sine2 = 1 - cosine2
    cube = cosine2 * cosine
    risen3 = sine2 * (horizon * cosine)
    sky = facing * (1 - risen3) - leaning * cube
    lamp = facing * ((1 - risen3 * sine2) / 5)
    lamp -= leaning * cube * (np.float32(1 / 3) - cosine2 / 5)
    light += np.float32(gain * _SKY) * sky
    light += np.float32(gain * _LAMP * 5) * lamp
    openness += cosine2
