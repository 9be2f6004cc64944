"""Highlights of a floor: what is brighter than paper comes near white, without turning flat."""

import numpy as np

from plitka.arrays import Floats

_BRIGHT = 0.8  # linear light; below, a floor's colours are exactly those of the tile in that light


def tone_highlights(light: Floats) -> Floats:
    """Tone linear light of 0 and more: up to _BRIGHT as it is, above that ever nearer to 1."""
    bright = np.maximum(light - np.float32(_BRIGHT), 0) * np.float32(1 / (1 - _BRIGHT))
    return np.asarray(
        np.minimum(light, np.float32(_BRIGHT)) + (1 - _BRIGHT) * (1 - np.exp(-bright)), np.float32
    )
