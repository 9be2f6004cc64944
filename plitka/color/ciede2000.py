"""CIEDE2000: the colour difference that an eye sees (CIE 142-2001; Sharma, Wu and Dalal 2005)."""

import math
from typing import Any


def compute_color_difference(
    one: tuple[Any, Any, Any], other: tuple[Any, Any, Any], functions: Any = math
) -> Any:
    """Compute the CIEDE2000 difference of two L*a*b* colours; 1 is about what an eye can just see.

    one, other: L* (0 to 100), a*, b* under D65, as numbers or as NumPy arrays that broadcast.
    functions: `math` for numbers, `numpy` for arrays, with the same formula. Returns 0 or more.
    """
    lightness1, a1, b1 = one
    lightness2, a2, b2 = other
    grayness = _compress_chroma((functions.hypot(a1, b1) + functions.hypot(a2, b2)) / 2, functions)
    a1, a2 = a1 * (1.5 - 0.5 * grayness), a2 * (1.5 - 0.5 * grayness)
    chroma1, chroma2 = functions.hypot(a1, b1), functions.hypot(a2, b2)
    hue1, turn = functions.atan2(b1, a1), functions.atan2(b2, a2) - functions.atan2(b1, a1)
    turn = (turn + math.pi) % (2 * math.pi) - math.pi
    # Of a gray the hue means nothing; the root of the chromas below makes its difference 0.
    hue = functions.degrees(hue1 + turn / 2) % 360
    chroma = (chroma1 + chroma2) / 2
    middle = ((lightness1 + lightness2) / 2 - 50) ** 2

    by_hue = 1 + (
        -0.17 * functions.cos(functions.radians(hue - 30))
        + 0.24 * functions.cos(functions.radians(2 * hue))
        + 0.32 * functions.cos(functions.radians(3 * hue + 6))
        - 0.20 * functions.cos(functions.radians(4 * hue - 63))
    )
    in_lightness = (lightness2 - lightness1) / (1 + 0.015 * middle / functions.sqrt(20 + middle))
    in_chroma = (chroma2 - chroma1) / (1 + 0.045 * chroma)
    in_hue = 2 * functions.sqrt(chroma1 * chroma2) * functions.sin(turn / 2)
    in_hue = in_hue / (1 + 0.015 * chroma * by_hue)
    of_blue = functions.radians(60 * functions.exp(-(((hue - 275) / 25) ** 2)))
    rotation = -2 * functions.sin(of_blue) * _compress_chroma(chroma, functions)
    # Positive definite: the rotation is never below -2 sin 60 degrees.
    return functions.sqrt(
        in_lightness**2 + in_chroma**2 + in_hue**2 + rotation * in_chroma * in_hue
    )


def _compress_chroma(chroma: Any, functions: Any) -> Any:
    """Compute sqrt(C**7 / (C**7 + 25**7)) of a chroma C: 0 for grays, near 1 for vivid colours."""
    power = chroma**7
    return functions.sqrt(power / (power + 25.0**7))
