"""Bank: what is known of a maker's granules, from photographs of one-colour tiles.

A pixel of a photograph is told by its rank of lightness among all pixels of its colour, and by how
far its a*, b* stray from what the colour has at that rank. Ranks can be given to any colour.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats, Image
from plitka.bank.chips import Chip
from plitka.color.cielab import ciede2000, rgb_to_lab
from plitka.color.palette import Color
from plitka.color.srgb import Lab

NATURAL = 20
"""Pixels across a granule in a source: as many as the final picture of 1024 pixels has."""

CUT = 0
"""In a source's map of granules: what the edge of the photograph cuts through."""

TONES = 257
"""Ranks of lightness at which a colour's tone is measured, evenly from darkest to lightest."""

_LEAST_RISE = 1e-4  # L* between ranks, so that each L* has one rank
_STEPS = 50  # of a table for each unit of L*
_OWN = 12.0  # CIEDE2000; a recipe's colour that is nearer to a bank's is the same granule


@dataclass(frozen=True, eq=False)
class Source:
    """One photograph of a one-colour tile, its light evened, at NATURAL pixels across a granule.

    pixels: (h, w, 3) sRGB. granules: (h, w) the granule of each pixel, 1 and up, or CUT.
    """

    pixels: Image
    granules: NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class BankColor:
    """One colour of a bank.

    lab: its median L*a*b*. tone: (TONES, 3) L*a*b* by rank, L* ascending. sources: its photographs.
    chips: its clean whole granules.
    """

    code: str
    lab: Lab
    tone: Floats
    sources: tuple[Source, ...]
    chips: tuple[Chip, ...]

    def is_own(self, color: Color) -> bool:
        """Whether a recipe's colour is that of these granules."""
        return color.code == self.code or float(ciede2000(color.lab, self.lab)) < _OWN


@dataclass(frozen=True, eq=False)
class Bank:
    """One colour or more, in the order of their codes."""

    colors: tuple[BankColor, ...]

    def find(self, color: Color) -> BankColor:
        """Find the granules of a colour: its own, else those whose colour is nearest."""
        for own in self.colors:
            if own.code == color.code:
                return own
        return min(self.colors, key=lambda one: float(ciede2000(color.lab, one.lab)))


def measure_tone(labs: Sequence[Floats]) -> Floats:
    """Measure the tone of a colour on the pixels of its photographs, (n, 3) L*a*b* each."""
    lab = np.concatenate(labs)
    lab = lab[np.argsort(lab[:, 0], kind="stable")]
    knots = np.linspace(0, len(lab) - 1, TONES).astype(np.intp)
    lightness = lab[knots, 0]
    half = max(len(lab) // (2 * TONES), 1)
    sums = np.concatenate([np.zeros((1, 2)), np.cumsum(lab[:, 1:], axis=0, dtype=np.float64)])
    low, high = np.maximum(knots - half, 0), np.minimum(knots + half + 1, len(lab))
    chroma = (sums[high] - sums[low]) / (high - low)[:, None]
    rising = np.maximum.accumulate(lightness + np.arange(TONES) * _LEAST_RISE)
    return np.column_stack([rising, chroma]).astype(np.float32)


def rank_pixels(pixels: Image, tone: Floats) -> Floats:
    """Tell pixels (h, w, 3) by their colour's tone. Returns (h, w, 3): rank, stray a*, stray b*."""
    lab = rgb_to_lab(np.ascontiguousarray(pixels))
    light = np.linspace(0, 100, 100 * _STEPS + 1)
    step = np.rint(lab[..., 0] * np.float32(_STEPS)).astype(np.int32)
    ranks = np.interp(light, tone[:, 0], np.linspace(0, 1, TONES)).astype(np.float32)
    lab[..., 0] = ranks.take(step)
    for plane in (1, 2):
        usual = np.interp(light, tone[:, 0], tone[:, plane]).astype(np.float32)
        lab[..., plane] -= usual.take(step)
    return lab
