"""Tone: what lightness and chroma a colour's granules have from their pits to their gleams.

Measured on photographs where there are some, else estimated from the colours that were measured.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from plitka.arrays import Doubles, Floats
from plitka.color import cielab, palette
from plitka.color.palette import Color
from plitka.color.srgb import LUMINANCE
from plitka.color.tone_table import RANKS

_RANKS = np.array(RANKS)
_PERCENTILES = np.array([5.0, 25.0, 50.0, 75.0, 95.0])  # of Color.lightness
_EVEN = np.linspace(0.0, 1.0, 1001)  # ranks of pixels that stand for all, to take a median of
_GRAY = 12.0  # chroma; the hue of less turns with every cast of the light, so tones are shifted
_BORDER_LOSS = 0.065  # of the median chroma; what renders of 9 photographs' mixtures had less
_REACH = 8.0  # CIEDE2000 over which a measured colour's weight in an estimate falls to 1/e


def measure_tone(lab: ArrayLike) -> Doubles:
    """Measure the tone of pixels of one colour. lab: (n, 3) L*a*b*, n of 1 or more.

    Returns (len(RANKS), 3): L* at each rank, at the ends that of the middle of the first and last
    band; a* and b* in the mean over the rank's band, which reaches halfway to the ranks beside it.
    Raises ValueError where there are no pixels.
    """
    pixels = np.asarray(lab, np.float64).reshape(-1, 3)
    count = len(pixels)
    if not count:
        raise ValueError("no pixels to measure a tone on")
    pixels = pixels[np.argsort(pixels[:, 0], kind="stable")]
    bounds = np.concatenate([[0.0], (_RANKS[1:] + _RANKS[:-1]) / 2, [1.0]])
    ranks = np.clip(_RANKS, bounds[1] / 2, (1 + bounds[-2]) / 2)  # no single pixel is an end
    lightness = np.interp(ranks * (count - 1), np.arange(count), pixels[:, 0])
    first = np.minimum(np.floor(bounds[:-1] * count).astype(int), count - 1)
    last = np.maximum(np.ceil(bounds[1:] * count).astype(int), first + 1)
    sums = np.concatenate([np.zeros((1, 2)), np.cumsum(pixels[:, 1:], axis=0)])
    chroma = (sums[last] - sums[first]) / (last - first)[:, None]
    return np.column_stack([lightness, chroma])


def compute_tone(color: Color) -> Doubles:
    """Compute the tone of a colour: (len(RANKS), 3) L*a*b*, L* of 0 to 100.

    It is the colour's own measured one, or the neighbour's that a free colour has, brought to the
    colour's percentiles of lightness and to its median chroma and hue. Where there is none, it is
    estimated from those of the built-in colours that were measured.
    """
    if color.tone:
        return adapt_tone(np.array(color.tone), color)
    return estimate_tone(color, _list_measured_tones())


@cache
def _list_measured_tones() -> tuple[tuple[Color, Doubles], ...]:
    """List the built-in colours whose tones were measured, with those."""
    return tuple((one, np.array(one.tone)) for one in palette.load().colors if one.tone)


def estimate_tone(color: Color, known: Sequence[tuple[Color, Doubles]]) -> Doubles:
    """Estimate the tone of a colour: (len(RANKS), 3) L*a*b*.

    known: other colours and their tones. What lightness is at which rank is the mean of theirs,
    bent to the colour's percentiles, the nearest counting most; chroma follows the colour's own
    shade, BOUNCES. Of 18 measured colours in turn L* came to 2.1 RMS over the ranks, and a*, b* to
    3.5, where the neighbours' chroma would be 5.2 off (benchmarks/measure_tones.py).
    """
    away = cielab.ciede2000([one.lab for one, _ in known], color.lab)
    weight = np.exp((away.min() - away) / _REACH)
    bent = np.stack([_bend(tone[:, 0], color.lightness) for _, tone in known])
    lightness = weight @ bent / weight.sum()
    linear = np.maximum(cielab.lab_to_linear(color.lab), cielab.DARKEST_CHANNEL)
    linear = linear ** np.interp(_RANKS, cielab.BOUNCE_RANK, cielab.BOUNCES)[:, None]
    linear *= (cielab.lightness_to_luminance(lightness) / (linear @ LUMINANCE))[:, None]
    shaded = cielab.linear_to_lab(linear)
    return adapt_tone(np.column_stack([lightness, shaded[:, 1:]]), color)


def make_ramp(color: Color, levels: int, share: float = 1.0) -> Floats:
    """Make a colour's ramp from its darkest to its lightest pixel, evenly over the ranks.

    share: of the colour in the recipe, 0 to 1. The smaller it is, the more of its pixels lie at
    borders with others and lose chroma there; the ramp has as much more, so that medians stay.
    Returns (levels, 3) linear RGB, 0 to 1; channels of colours outside sRGB are clipped, which
    keeps the median of pure blue or yellow nearer to it than to lessen their chroma would.
    """
    chroma = 1 + _BORDER_LOSS * (1 - share)
    tone = compute_tone(color) * (1, chroma, chroma)
    linear = cielab.lab_to_linear(_spread(tone, np.linspace(0, 1, levels)))
    return np.clip(linear, 0, 1).astype(np.float32)


def adapt_tone(tone: Doubles, color: Color) -> Doubles:
    """Bring a tone, (len(RANKS), 3) L*a*b*, to the percentiles and the medians of a colour."""
    lightness = _bend(tone[:, 0], color.lightness)
    median = np.median(_spread(tone, _EVEN)[:, 1:], axis=0)
    own = np.array(color.lab[1:])
    if min(np.hypot(*median), np.hypot(*own)) < _GRAY:
        return np.column_stack([lightness, tone[:, 1:] + (own - median)])
    turn = complex(*own) / complex(*median)
    turned = (tone[:, 1] + 1j * tone[:, 2]) * turn
    return np.column_stack([lightness, turned.real, turned.imag])


def _bend(lightness: Doubles, percentiles: tuple[float, ...]) -> Doubles:
    """Bend L* at RANKS so that it has these percentiles; black and white stay, and none falls."""
    has = np.interp(_PERCENTILES / 100, _RANKS, lightness)
    stops = np.concatenate([[0.0], has, [100.0]])
    wanted = np.concatenate([[0.0], percentiles, [100.0]])
    return np.asarray(np.interp(lightness, stops, wanted))


def _spread(tone: Doubles, ranks: Doubles) -> Doubles:
    """Interpolate a tone at ranks (n,), 0 to 1. Returns (n, 3)."""
    return np.column_stack([np.interp(ranks, _RANKS, channel) for channel in tone.T])
