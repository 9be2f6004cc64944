"""Texture distance: how far the texture of a picture is from that of a photograph.

The sliced Wasserstein distance between patches of Laplacian pyramids, by which Karras et al.,
"Progressive Growing of GANs" (2018), section 5, compare sets of pictures, with these differences:
it is taken in L*a*b* and in its units, so that colours count, on three levels (the outlines of
granules, their facets, their clumps), between one picture and one photograph.

A granule has to be about as many pixels wide in both. Of 40 photographs of 768 pixels, two halves
of one are 0.4 apart in the mean; a flat gray is 3 to 10 away, a tile of other colours 3 to 14.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Floats, Image
from plitka.color.cielab import rgb_to_lab

_LEVELS = 3
_PATCH = 7  # pixels a side, as in the paper
_PATCHES = 8192  # of each picture and level; the paper takes 128 of each of 16,384 pictures
_DIRECTIONS = 256  # of slices; the paper has 512 in all
_SEED = 0

SMALLEST = _PATCH << (_LEVELS - 1)
"""Pixels a side that a picture needs at the least: a patch on the coarsest level."""


def measure_texture_distance(image: Image, photograph: Image) -> float:
    """Measure the texture distance, 0 for the same picture, in units of L*a*b*.

    The mean over the levels. Sizes may differ. Deterministic. Raises ValueError for a picture of
    fewer than SMALLEST pixels a side.
    """
    levels = measure_texture_levels(image, photograph)
    return sum(levels) / len(levels)


def measure_texture_levels(image: Image, photograph: Image) -> tuple[float, ...]:
    """Measure the texture distance on each level: outlines, facets, clumps."""
    random = np.random.default_rng(_SEED)
    # The same places and directions for both: what is the same in both is then 0 apart, and of two
    # pictures the one that is nearer to a photograph is not told by chance.
    places = random.random((2, _PATCHES))
    directions = random.standard_normal((_PATCH * _PATCH * 3, _DIRECTIONS)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=0)
    return tuple(
        float(np.abs(one - other).mean())
        for one, other in zip(
            _slice_levels(image, places, directions),
            _slice_levels(photograph, places, directions),
            strict=True,
        )
    )


def _slice_levels(image: Image, places: Doubles, directions: Floats) -> list[Floats]:
    """Project the patches of each level on each direction, sorted: (patches, directions) each."""
    if min(image.shape[:2]) < SMALLEST:
        height, width = image.shape[:2]
        raise ValueError(
            f"a picture of {width}x{height} pixels has no texture to measure;"
            f" it takes {SMALLEST} a side"
        )
    return [
        np.sort(_cut_patches(level, places) @ directions, axis=0)
        for level in _split_levels(rgb_to_lab(image))
    ]


def _split_levels(lab: Floats) -> list[Floats]:
    """Split (h, w, 3) into a Laplacian pyramid, finest first; the last level keeps the rest."""
    levels: list[Floats] = []
    for _ in range(_LEVELS - 1):
        smaller = cv2.pyrDown(lab)
        height, width = lab.shape[:2]
        levels.append(np.subtract(lab, cv2.pyrUp(smaller, dstsize=(width, height))))
        lab = np.asarray(smaller, np.float32)
    return [*levels, lab]


def _cut_patches(level: Floats, places: Doubles) -> Floats:
    """Cut square patches, a row each. places: (2, patches), 0 to 1 of the way down and right."""
    height, width = level.shape[:2]
    top, left = (
        (place * (side - _PATCH + 1)).astype(np.intp)[:, None, None]
        for place, side in zip(places, (height, width), strict=True)
    )
    within: NDArray[np.intp] = np.arange(_PATCH)
    patches = level[top + within[:, None], left + within]
    return np.asarray(patches.reshape(len(patches), -1))
