"""A picture of a tile -> a texture of its granules that repeats without a seam.

Image quilting (Efros and Freeman, "Image Quilting for Texture Synthesis and Transfer", 2001):
patches of the picture overlap, and each two meet along the seam of least error through their
overlap, which runs between granules. Here patches are taken at random, since granules have no
order that a patch would have to continue, and the texture wraps around in both directions.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats, Image

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


def quilt(image: Image, angle: float, seed: int) -> Image:
    """Make a seamless texture of the picture's granules, without joints.

    image: (size, size, 3) RGB, 0 to 255, of a tile, with joints that cross in its middle at `angle`
    degrees unless that is 0. Returns (SCALE * SIDES, SCALE * SIDES, 3) RGB, 0 to 255, which wraps
    around in both directions. seed: of the choice of patches.
    """
    picture = cv2.resize(image, (SCALE, SCALE), interpolation=cv2.INTER_AREA)
    picture = _even_out_brightness(np.asarray(picture, np.float32))
    patches = _sample_patches(picture, angle, seed)
    strips = _join(patches)  # (rows, patch, width, 3): joined from left to right
    turned = strips.transpose(0, 2, 1, 3)[None]
    texture = _join(turned, closed=True)[0].transpose(1, 0, 2)
    return np.asarray(np.clip(np.rint(texture), 0, 255), np.uint8)


def _even_out_brightness(picture: Floats) -> Floats:
    """Divide the picture by its blurred brightness, so that no side is brighter than another."""
    brightness = picture.mean(axis=2)
    blurred = cv2.GaussianBlur(
        brightness, (0, 0), _EVEN_SIGMA * SCALE, borderType=cv2.BORDER_REFLECT
    )
    return np.asarray(picture * (brightness.mean() / np.maximum(blurred, 1))[..., None], np.float32)


def _sample_patches(picture: Floats, angle: float, seed: int) -> Floats:
    """Copy patches at random places that no joint runs through.

    Returns (rows, columns, _PATCH, _PATCH, 3), for the grid of the texture.
    """
    corners = _find_corners(angle)
    count = SCALE * SIDES // _STEP
    rng = np.random.default_rng((seed, 7))
    top, left = corners[rng.integers(0, len(corners), (count, count))].transpose(2, 0, 1)
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


def _join(patches: Floats, closed: bool = False) -> Floats:
    """Join each patch to its right neighbour along the seam of least error; the last to the first.

    patches: (rows, columns, height, _PATCH, 3). Returns (rows, height, columns * _STEP, 3).
    closed: the lower border of a patch continues at its upper one, so that seams must, too.
    """
    before = patches[:, :, :, _STEP:]
    after = np.roll(patches, -1, axis=1)[:, :, :, :_OVERLAP]
    cost = ((before - after) ** 2).sum(axis=-1)
    seam = _find_seam(cost)
    if closed:
        seam = _find_seam(_close_seam(cost, seam[..., 0]))
    distance = np.arange(_OVERLAP, dtype=np.float32) - seam[..., None]
    alpha = np.clip(distance / (2 * _FEATHER) + 0.5, 0, 1)[..., None]
    blended = np.roll(before * (1 - alpha) + after * alpha, 1, axis=1)
    joined = np.concatenate([blended, patches[:, :, :, _OVERLAP:_STEP]], axis=3)
    rows, columns, height, width, _ = joined.shape
    return joined.transpose(0, 2, 1, 3, 4).reshape(rows, height, columns * width, 3)


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
