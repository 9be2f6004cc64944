"""Tone table: a colour's L*, a*, b* from its darkest pixel to its lightest, as palettes keep it.

Without NumPy, since a palette is read wherever a recipe is.
"""

import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from plitka.color.srgb import Lab

RANKS = (
    *(0.0, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.08, 0.12, 0.16, 0.2),
    *(0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75),
    *(0.8, 0.84, 0.88, 0.92, 0.95, 0.965, 0.98, 0.99, 0.995, 0.998, 1.0),
)
"""The ranks of lightness that a tone tells, as fractions of the pixels that are darker.

Dense in the tails: pits and gleams are few pixels, and differ most from the rest.
"""

Tone: TypeAlias = tuple[Lab, ...]
"""L*, a*, b* at each of RANKS; L* does not fall."""

_BETWEEN = ";"  # ranks; commas part the cells of a palette file
_LOWEST, _HIGHEST = (0.0, -128.0, -128.0), (100.0, 127.0, 127.0)  # bounds of L*, a*, b*
_DECIMALS = 1


def parse_tone(cell: str) -> Tone:
    """Parse the tone of a palette file: "L a b" at each of RANKS, with ";" between.

    Raises ValueError with what is wrong, as the end of a sentence.
    """
    parts = cell.split(_BETWEEN)
    if len(parts) != len(RANKS):
        raise ValueError(f"has {len(parts)} colours; {len(RANKS)} are needed, with ; between")
    tone = tuple(_parse_colors(parts))
    for place in range(1, len(tone)):
        if tone[place][0] < tone[place - 1][0]:
            raise ValueError(f"L* falls at its colour {place + 1}; it must rise from dark to light")
    return tone


def format_tone(tone: Iterable[Sequence[float]]) -> str:
    """Format a tone as `parse_tone` reads it, to a tenth."""
    return _BETWEEN.join(
        " ".join(f"{round(value, _DECIMALS) + 0.0:.{_DECIMALS}f}" for value in color)
        for color in tone
    )


def _parse_colors(parts: Sequence[str]) -> Iterable[Lab]:
    for place, part in enumerate(parts, start=1):
        try:
            lightness, a, b = map(float, part.split())
        except ValueError:
            lightness = a = b = math.nan
        color = (lightness, a, b)
        if not all(
            low <= value <= high for low, value, high in zip(_LOWEST, color, _HIGHEST, strict=True)
        ):
            raise ValueError(
                f"its colour {place} must be L* from 0 to 100 and a*, b* from -128 to 127, such as"
                ' "48.6 49.0 33.6"'
            )
        yield color
