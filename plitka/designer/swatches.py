"""The palette as the page shows it: one swatch for each colour of granules, sorted by hue."""

import math
from dataclasses import dataclass

from plitka.color.palette import Color, Palette
from plitka.color.srgb import RGB

_NEUTRAL_CHROMA = 8.5  # C* up to which an eye calls a granule white, gray or black
_FIRST_HUE = 15.0  # degrees in a*b*: reds come first, pinks and violets last


@dataclass(frozen=True)
class Swatch:
    """One colour.

    code, phrase: of its first name. hex: #rrggbb. names: codes, phrases and Russian names of all
    colours with this sRGB, the first one's first.
    """

    code: str
    phrase: str
    hex: str
    names: tuple[str, ...]


def list_swatches(palette: Palette) -> list[Swatch]:
    """List neutral colours from light to dark, then all others by hue."""
    by_srgb: dict[RGB, list[Color]] = {}
    for color in palette.colors:
        by_srgb.setdefault(color.srgb, []).append(color)
    ordered = sorted((alike[0] for alike in by_srgb.values()), key=_sort_key)
    return [
        Swatch(
            first.code,
            first.phrase,
            first.hex,
            tuple(
                name
                for alike in by_srgb[first.srgb]
                for name in (alike.code, alike.phrase, *alike.russian)
            ),
        )
        for first in ordered
    ]


def _sort_key(color: Color) -> tuple[bool, float]:
    lightness, a, b = color.lab
    is_colored = math.hypot(a, b) > _NEUTRAL_CHROMA
    hue = (math.degrees(math.atan2(b, a)) - _FIRST_HUE) % 360
    return is_colored, hue if is_colored else -lightness
