"""Near duplicates: photographs that show the same granules, saved anew, resized, turned."""

from collections.abc import Sequence
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats

_SIDE = 16  # cells a side of a fingerprint; a cell shows some ten granules
_BROAD = 2.0  # standard deviation in cells; what changes over more is how the tile was lit
# Correlation of two fingerprints. 40 photographs of different tiles reach 0.22, however turned.
# Cut by 3% at two sides, each has 0.52 at least with itself; by 1% all round 0.87; saved as a poor
# JPEG 0.999.
_ALIKE = 0.5


def take_fingerprint(pixels: NDArray[np.uint8]) -> Floats:
    """Take the fingerprint of a photograph: where it is lighter and darker than around.

    pixels: (h, w, 3) sRGB. Returns (_SIDE, _SIDE) of mean 0 and length 1, or all 0 where nothing
    is lighter than anything.
    """
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(gray, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    fine = small - cv2.GaussianBlur(small, (0, 0), _BROAD)
    fine -= fine.mean()
    return np.asarray(fine / max(float(np.linalg.norm(fine)), 1e-6), np.float32)


def group_near_duplicates(fingerprints: Sequence[Floats]) -> list[list[int]]:
    """Group N photographs: those in a group are near duplicates of one another, by way of others.

    A photograph that was turned by quarters or mirrored is one as well. Returns the groups'
    indices, ascending, in the order of their first.
    """
    if not fingerprints:
        return []
    flat = np.stack([each.ravel() for each in fingerprints])
    likeness = np.max(
        [flat @ np.stack([turn(each).ravel() for each in fingerprints]).T for turn in _TURNS],
        axis=0,
    )
    group = list(range(len(fingerprints)))
    for one, other in np.argwhere(likeness > _ALIKE).tolist():
        first, second = sorted((group[one], group[other]))
        group = [first if each == second else each for each in group]
    return [
        [index for index, each in enumerate(group) if each == number]
        for number in sorted(set(group))
    ]


def _turn(quarters: int, mirrored: bool, fingerprint: Floats) -> Floats:
    turned = np.rot90(fingerprint, quarters)
    return turned[:, ::-1] if mirrored else turned


_TURNS = tuple(
    partial(_turn, quarters, mirrored) for quarters in range(4) for mirrored in (False, True)
)
