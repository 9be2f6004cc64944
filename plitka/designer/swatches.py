"""The palette as the page shows it: one swatch for each granule, neighbours alike."""

import math
from dataclasses import dataclass

from plitka.color.palette import Color, Palette
from plitka.color.srgb import RGB

_NEUTRAL = 8.5  # C* up to which an eye calls a granule white, gray or black
_FIRST_HUE = 15.0  # degrees: reds come first, pinks and violets last


@dataclass(frozen=True)
class Swatch:
    """names: what the granule may be called, its own code first."""

    code: str
    phrase: str
    hex: str
    names: tuple[str, ...]


def list_swatches(palette: Palette) -> list[Swatch]:
    """Neutral granules from light to dark, then all others round the circle of hues."""
    granules: dict[RGB, list[Color]] = {}
    for color in palette.colors:
        granules.setdefault(color.srgb, []).append(color)
    ordered = sorted((alike[0] for alike in granules.values()), key=_place)
    return [
        Swatch(
            first.code,
            first.phrase,
            first.hex,
            tuple(name for alike in granules[first.srgb] for name in (alike.code, alike.phrase)),
        )
        for first in ordered
    ]


def _place(color: Color) -> tuple[bool, float]:
    lightness, a, b = color.lab
    colored = math.hypot(a, b) > _NEUTRAL
    hue = (math.degrees(math.atan2(b, a)) - _FIRST_HUE) % 360
    return colored, hue if colored else -lightness
