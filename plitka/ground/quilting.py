"""A picture of a tile -> a texture of its granules that repeats without a seam.

Image quilting (Efros and Freeman, "Image Quilting for Texture Synthesis and Transfer", 2001):
patches of the picture overlap, and each two meet along the seam of least error through their
overlap, which runs between granules. Here patches are taken at random, since granules have no
order that a patch would have to continue, and the texture wraps around in both directions.
"""

import math
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats, Image

T = TypeVar("T", np.float32, np.int32)

SCALE = 640
"""Pixels of the texture for a side of the picture."""
SIDES = 2
"""Length of a side of the texture, in sides of the picture."""

_STEP = 64  # pixels from patch to patch
_OVERLAP = 32
_PATCH = _STEP + _OVERLAP
_JOINT_WIDTH = 14 / 1024  # of a joint with its worn edges, in sides of the picture
_EVEN_SIGMA = 0.2  # standard deviation of the blur that is evened out, in sides of the picture
_FEATHER = 0.8  # pixels to each side of a seam over which one patch fades into the next


@dataclass(frozen=True, eq=False)
class Quilt:
    """A texture that wraps around in both directions.

    picture: (SCALE * SIDES, SCALE * SIDES, 3) RGB, 0 to 255. granules: (SCALE * SIDES, SCALE *
    SIDES) which of its N granules is at each pixel. source: (N,) the number of each in the picture
    that the texture is made of.
    """

    picture: Image
    granules: NDArray[np.int32]
    source: NDArray[np.int32]


def quilt(image: Image, angle: float, seed: int) -> Image:
    """Make a seamless texture of the picture's granules, without joints.

    image: (size, size, 3) RGB, 0 to 255, of a tile, with joints that cross in its middle at `angle`
    degrees unless that is 0. Returns (SCALE * SIDES, SCALE * SIDES, 3) RGB, 0 to 255, which wraps
    around in both directions. seed: of the choice of patches.
    """
    return quilt_granules(image, np.zeros(image.shape[:2], np.int32), angle, seed).picture


def quilt_granules(image: Image, granules: NDArray[np.int32], angle: float, seed: int) -> Quilt:
    """Make a seamless texture as `quilt` does, with the granules that its pixels show.

    granules: (size, size) the number of each pixel's granule, 0 and up where there is no joint.
    """
    side = (SCALE, SCALE)
    picture = cv2.resize(image, side, interpolation=cv2.INTER_AREA)
    picture = _even_out_brightness(np.asarray(picture, np.float32))
    numbers = np.asarray(cv2.resize(granules, side, interpolation=cv2.INTER_NEAREST), np.int32)
    corners = _choose_corners(angle, seed)
    patches, labels = _cut_patches(picture, corners), _cut_patches(numbers[..., None], corners)
    most = int(numbers.max()) + 1
    labels += most * np.arange(labels.shape[0] * labels.shape[1], dtype=np.int32).reshape(
        (*labels.shape[:2], 1, 1, 1)
    )
    alpha = _find_alpha(patches)
    strips = _turn(_blend(patches, alpha)), _turn(_choose(labels, alpha))
    alpha = _find_alpha(strips[0], closed=True)
    texture = _blend(strips[0], alpha)[0].transpose(1, 0, 2)
    shown = _choose(strips[1], alpha)[0].transpose(1, 0, 2)[..., 0]
    kinds, found = np.unique(shown, return_inverse=True)
    return Quilt(
        np.asarray(np.clip(np.rint(texture), 0, 255), np.uint8),
        np.asarray(found.reshape(shown.shape), np.int32),
        np.asarray(kinds % most, np.int32),
    )


def _even_out_brightness(picture: Floats) -> Floats:
    """Divide the picture by its blurred brightness, so that no side is brighter than another."""
    brightness = picture.mean(axis=2)
    blurred = cv2.GaussianBlur(
        brightness, (0, 0), _EVEN_SIGMA * SCALE, borderType=cv2.BORDER_REFLECT
    )
    return np.asarray(picture * (brightness.mean() / np.maximum(blurred, 1))[..., None], np.float32)


def _choose_corners(angle: float, seed: int) -> NDArray[np.intp]:
    """Choose a place for each patch of the texture's grid, at random, that no joint runs through.

    Returns (rows, columns, 2): row and column of its upper left corner.
    """
    corners = _find_corners(angle)
    count = SCALE * SIDES // _STEP
    rng = np.random.default_rng((seed, 7))
    return corners[rng.integers(0, len(corners), (count, count))]


def _cut_patches(picture: NDArray[T], corners: NDArray[np.intp]) -> NDArray[T]:
    """Cut patches out of a picture (SCALE, SCALE, n).

    Returns (rows, columns, _PATCH, _PATCH, n).
    """
    top, left = corners.transpose(2, 0, 1)
    offset = np.arange(_PATCH)
    rows = top[..., None, None] + offset[:, None]
    columns = left[..., None, None] + offset
    return np.asarray(picture[rows, columns])


def _find_corners(angle: float) -> NDArray[np.intp]:
    """Find the upper left corners (row, column) of all patches that no joint runs through: (N, 2).

    angle: of the joints, in degrees.
    """
    joints = np.zeros((SCALE, SCALE), np.float32)
    if angle % 180:
        axis = (np.arange(SCALE) + 0.5) / SCALE - 0.5
        turn = math.radians(angle)
        across = axis[None, :] * math.cos(turn) - axis[:, None] * math.sin(turn)
        along = axis[None, :] * math.sin(turn) + axis[:, None] * math.cos(turn)
        joints = (np.minimum(abs(across), abs(along)) < _JOINT_WIDTH / 2).astype(np.float32)
    integral = cv2.integral(joints)
    area = integral[_PATCH:, _PATCH:] - integral[:-_PATCH, _PATCH:]
    area += integral[:-_PATCH, :-_PATCH] - integral[_PATCH:, :-_PATCH]
    return np.argwhere(area < 0.5)


def _find_alpha(patches: Floats, closed: bool = False) -> Floats:
    """Find where each patch gives way to its right neighbour; the last to the first.

    patches: (rows, columns, height, _PATCH, 3). Returns (rows, columns, height, _OVERLAP, 1): how
    much of the neighbour is seen, 0 to 1, along the seam of least error. closed: the lower border
    of a patch continues at its upper one, so that seams must, too.
    """
    before = patches[:, :, :, _STEP:]
    after = np.roll(patches, -1, axis=1)[:, :, :, :_OVERLAP]
    cost = ((before - after) ** 2).sum(axis=-1)
    seam = _find_seam(cost)
    if closed:
        seam = _find_seam(_close_seam(cost, seam[..., 0]))
    distance = np.arange(_OVERLAP, dtype=np.float32) - seam[..., None]
    return np.asarray(np.clip(distance / (2 * _FEATHER) + 0.5, 0, 1)[..., None], np.float32)


def _blend(patches: Floats, alpha: Floats) -> Floats:
    """Join pictures of patches from left to right. Returns (rows, height, columns * _STEP, 3)."""
    before = patches[:, :, :, _STEP:]
    after = np.roll(patches, -1, axis=1)[:, :, :, :_OVERLAP]
    return _assemble(patches, np.asarray(before * (1 - alpha) + after * alpha, np.float32))


def _choose(labels: NDArray[np.int32], alpha: Floats) -> NDArray[np.int32]:
    """Join numbers of patches as `_blend` joins pictures, each from the patch that is seen most."""
    before = labels[:, :, :, _STEP:]
    after = np.roll(labels, -1, axis=1)[:, :, :, :_OVERLAP]
    return _assemble(labels, np.where(alpha > 0.5, after, before))


def _assemble(patches: NDArray[T], overlaps: NDArray[T]) -> NDArray[T]:
    """Put the patches of each row side by side; overlaps: what is seen to the right of each."""
    joined = np.concatenate(
        [np.roll(overlaps, 1, axis=1), patches[:, :, :, _OVERLAP:_STEP]], axis=3
    )
    rows, columns, height, width, parts = joined.shape
    return joined.transpose(0, 2, 1, 3, 4).reshape(rows, height, columns * width, parts)


def _turn(strips: NDArray[T]) -> NDArray[T]:
    """Turn rows (rows, height, width, n) to columns that `_find_alpha` takes as one row."""
    return strips.transpose(0, 2, 1, 3)[None]


def _close_seam(cost: Floats, column: Floats) -> Floats:
    """Make all seams infinitely costly but those that begin in `column` and end next to it.

    cost: (..., height, width). column: (...).
    """
    distance = np.abs(np.arange(cost.shape[-1]) - column[..., None])
    cost = cost.copy()
    cost[..., 0, :][distance > 0] = np.inf
    cost[..., -1, :][distance > 1] = np.inf
    return cost


def _find_seam(cost: Floats) -> Floats:
    """Find the seam of least cost from top to bottom, by dynamic programming.

    cost: (..., height, width), of each pixel. Returns the seam's column in each row,
    (..., height); from row to row it moves by one column at most.
    """
    total = [cost[..., 0, :]]
    for row in range(1, cost.shape[-2]):
        total.append(cost[..., row, :] + _take_min_of_neighbors(total[-1]))
    column = total[-1].argmin(axis=-1)
    seam = [column]
    for above in reversed(total[:-1]):
        beside = np.clip(column[..., None] + np.arange(-1, 2), 0, cost.shape[-1] - 1)
        least = np.take_along_axis(above, beside, axis=-1).argmin(axis=-1)
        column = np.take_along_axis(beside, least[..., None], axis=-1)[..., 0]
        seam.append(column)
    return np.stack(seam[::-1], axis=-1).astype(np.float32)


def _take_min_of_neighbors(values: Floats) -> Floats:
    """Return the least of each value and its left and right neighbour. values: (..., width)."""
    wide = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(1, 1)], constant_values=np.inf)
    return np.asarray(np.minimum(np.minimum(wide[..., :-2], wide[..., 2:]), values))
