"""Which shares a picture really has: measured on the picture, without knowledge of its layout."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.palette import Colour

_POOL = 3.5 / 1024  # radius over which pixels of a granule vote together, in frame sides
_CHROMA_SPREAD = 9.0  # standard deviation of a granule's a*, b* around its palette colour
_SHADE_CHROMA = (0.70, 1.08)  # chroma of lit and shaded pixels over that of the median
_LIGHTNESS_SPREAD = 1.3  # standard deviation of L*, in those of the colour's own photograph
_WORST = 6.0  # a pixel (a glint, a speck of dust) can speak against a colour only so much
_SHADOW = 0.35  # pixels darker than this share of their colour's median L* are gaps
_SHADOW_OF_BLACK = 4.0  # L* under which even a black granule is a gap


@dataclass(frozen=True)
class Measurement:
    """Shares of granule area, in the order of the colours that were looked for.

    shares: each 0 to 1, together 1 (all 0 where no granule is seen).
    gaps: share of the picture that belongs to no colour: gaps, joints, deep shadow.
    """

    shares: tuple[float, ...]
    gaps: float


def total_variation(measured: Sequence[float], requested: Sequence[float]) -> float:
    """Half the sum of absolute differences: 0 (equal) to 1 (nothing in common)."""
    return 0.5 * sum(abs(m - r) for m, r in zip(measured, requested, strict=True))


def measure(image: NDArray[np.uint8], colours: Sequence[Colour]) -> Measurement:
    """Measure the shares of `colours` on a picture of a tile.

    image: (height, width, 3) RGB, 0..255; its longer side is taken for the frame's.
    """
    pixels = image.astype(np.float32) / 255
    lab = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB), np.float32)
    owner = _classify(lab, colours)
    median = np.array([colour.lab[0] for colour in colours], np.float32)
    shadow = np.maximum(_SHADOW * median, _SHADOW_OF_BLACK)
    seen = cv2.GaussianBlur(lab[..., 0], (0, 0), 1) > shadow[owner]
    area = np.bincount(owner[seen], minlength=len(colours))
    shares = area / max(int(area.sum()), 1)
    return Measurement(tuple(shares.tolist()), float(1 - seen.mean()))


def _classify(lab: NDArray[np.float32], colours: Sequence[Colour]) -> NDArray[np.uint8]:
    """(height, width) index of the colour that each pixel and its surroundings speak for."""
    radius = _POOL * max(lab.shape[:2])
    best = np.full(lab.shape[:2], np.inf, np.float32)
    owner = np.zeros(lab.shape[:2], np.uint8)
    for index, colour in enumerate(colours):
        strangeness = np.minimum(_strangeness(lab, colour), _WORST)
        strangeness = cv2.GaussianBlur(strangeness, (0, 0), radius)
        better = strangeness < best
        best[better] = strangeness[better]
        owner[better] = index
    return owner


def _strangeness(lab: NDArray[np.float32], colour: Colour) -> NDArray[np.float32]:
    """(height, width) negative log-likelihood of each pixel in a granule of this colour.

    Light and shade move a granule's L* widely, its a* and b* only towards or away from gray.
    """
    p5, p25, _, p75, p95 = colour.lightness
    spread = _LIGHTNESS_SPREAD * max((p95 - p5) / 3.29, (p75 - p25) / 1.35, 6.0)
    lightness = (lab[..., 0] - colour.lab[0]) / spread
    chroma = np.array(colour.lab[1:], np.float32)
    along = lab[..., 1] * chroma[0] + lab[..., 2] * chroma[1]
    factor = np.clip(along / max(float(chroma @ chroma), 1.0), *_SHADE_CHROMA)
    off = np.hypot(lab[..., 1] - factor * chroma[0], lab[..., 2] - factor * chroma[1])
    off /= _CHROMA_SPREAD
    return np.asarray(0.5 * lightness**2 + 0.5 * off**2 + np.log(spread))
