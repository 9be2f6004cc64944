"""Chips: granules that lie whole on top in a photograph, cut out to be laid elsewhere."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Floats

RIM = 6
"""Pixels of surroundings around a chip, on which its shadow falls."""

# A chip's outline: smoothed over this standard deviation in pixels, and made steeper again.
_SMOOTH, _STEEP = 0.8, 1.6
_SHADOW, _SHADOW_SCALE = 0.8, 2.0  # of a chip on ranks beside it; standard deviation in pixels
_SHADOW_GAIN = 1.6  # how much of that is reached at the chip's edge


@dataclass(frozen=True, eq=False)
class Chip:
    """One granule.

    planes: (h, w, 3) its pixels as rank_pixels tells them. cover: (h, w) how much of each pixel it
    covers, 0 to 1. shadow: (h, w) what its shadow of contact leaves of the rank of what it lies on.
    area: pixels. centre: row and column of its centroid. form: (3,) variances of
    row and column and their covariance, over its area.
    """

    planes: NDArray[np.float16]
    cover: Floats
    shadow: Floats
    area: int
    centre: tuple[float, float]
    form: Doubles


def cut_chip(planes: Floats, mask: NDArray[np.uint8]) -> Chip:
    """Cut a granule out of its box. planes: (h, w, 3). mask: (h, w) 1 on the granule, else 0."""
    rows, columns = np.nonzero(mask)
    spread = np.cov(np.stack([rows, columns])) / len(rows)
    whole = mask.astype(np.float32)
    soft = cv2.GaussianBlur(whole, (0, 0), _SMOOTH)
    shade = cv2.GaussianBlur(whole, (0, 0), _SHADOW_SCALE)
    return Chip(
        planes=planes.astype(np.float16),
        cover=np.asarray(np.clip((soft - 0.5) * _STEEP + 0.5, 0, 1), np.float32),
        shadow=np.asarray(1 - _SHADOW * np.minimum(_SHADOW_GAIN * shade, 1), np.float32),
        area=len(rows),
        centre=(float(rows.mean()), float(columns.mean())),
        form=np.array([spread[0, 0], spread[1, 1], spread[0, 1]]),
    )
