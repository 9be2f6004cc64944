"""Tones: the L*a*b* that a colour has at each rank of lightness, from what a bank knows of it."""

import numpy as np

from plitka.arrays import Floats
from plitka.bank.bank import TONES, BankColor
from plitka.color.cielab import linear_to_lab
from plitka.color.palette import Color
from plitka.color.tone import make_ramp


def make_tone(color: Color, near: BankColor) -> Floats:
    """Make the tone of a recipe's colour: (TONES, 3) L*a*b* by rank.

    near: the bank's colour that its granules are taken from. Where that is the colour itself, its
    measured tone is moved to the median that the palette has; else the palette's own is taken.
    """
    if not near.is_own(color):
        return make_palette_tone(color)
    light, chroma = near.tone[:, 0], near.tone[:, 1:]
    moved = np.interp(light, (0, near.lab[0], 100), (0, color.lab[0], 100))
    faded = np.clip(light / max(near.lab[0], 1.0), 0, 1)[:, None]
    shifted = chroma + faded * np.subtract(color.lab[1:], near.lab[1:])
    return np.column_stack([moved, shifted]).astype(np.float32)


def make_palette_tone(color: Color) -> Floats:
    """Make the tone of a colour from what the palette knows of it: (TONES, 3) L*a*b* by rank."""
    return np.asarray(linear_to_lab(make_ramp(color, TONES)), np.float32)
