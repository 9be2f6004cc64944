"""A picture of a tile -> a surface without end: granules that go on over all of its borders.

Image quilting (Efros and Freeman, "Image Quilting for Texture Synthesis and Transfer", 2001):
patches from all over the picture overlap, and each two meet along the line on which they differ
least, which runs between granules. Here patches are taken at random, since granules have no
order that a patch would have to continue, and the surface closes in on itself both ways.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats, Image

SCALE = 640
"""Pixels of the surface to a side of the picture."""
SIDES = 2
"""Sides of the picture to a side of the surface."""

_STEP = 64  # pixels from patch to patch
_OVERLAP = 32
_PATCH = _STEP + _OVERLAP
_JOINT = 14 / 1024  # how far around a joint its worn edges reach, in sides of the picture
_EVEN = 0.2  # over what distance, in sides of the picture, brightness is made even
_FEATHER = 0.8  # pixels over which one patch goes over into the next


def quilt(image: Image, angle: float, seed: int) -> Image:
    """(SCALE * SIDES, the same, 3): a surface of the picture's granules, without joints.

    image: (size, size, 3) RGB of a tile, with joints that cross in its middle at this angle unless
    that is 0. The surface goes on from its right border to its left one, and likewise downwards.
    """
    picture = cv2.resize(image, (SCALE, SCALE), interpolation=cv2.INTER_AREA)
    picture = _even(np.asarray(picture, np.float32))
    patches = _patches(picture, angle, seed)
    strips = _joined(patches)  # (rows, patch, width, 3): neighbours to the right joined
    turned = strips.transpose(0, 2, 1, 3)[None]
    surface = _joined(turned, closed=True)[0].transpose(1, 0, 2)
    return np.asarray(np.clip(np.rint(surface), 0, 255), np.uint8)


def _even(picture: Floats) -> Floats:
    """The picture without what is brighter on one side of it than on the other."""
    light = picture.mean(axis=2)
    slow = cv2.GaussianBlur(light, (0, 0), _EVEN * SCALE, borderType=cv2.BORDER_REFLECT)
    return np.asarray(picture * (light.mean() / np.maximum(slow, 1))[..., None], np.float32)


def _patches(picture: Floats, angle: float, seed: int) -> Floats:
    """(rows, columns, patch, patch, 3) from random places that no joint runs through."""
    free = _free_of_joints(angle)
    many = SCALE * SIDES // _STEP
    rng = np.random.default_rng((seed, 7))
    top, left = free[rng.integers(0, len(free), (many, many))].transpose(2, 0, 1)
    within = np.arange(_PATCH)
    rows = top[..., None, None] + within[:, None]
    columns = left[..., None, None] + within
    return np.asarray(picture[rows, columns])


def _free_of_joints(angle: float) -> NDArray[np.intp]:
    """(N, 2) the upper left corners of all patches that no joint runs through."""
    joints = np.zeros((SCALE, SCALE), np.float32)
    if angle % 180:
        axis = (np.arange(SCALE) + 0.5) / SCALE - 0.5
        turn = math.radians(angle)
        across = axis[None, :] * math.cos(turn) - axis[:, None] * math.sin(turn)
        along = axis[None, :] * math.sin(turn) + axis[:, None] * math.cos(turn)
        joints = (np.minimum(abs(across), abs(along)) < _JOINT / 2).astype(np.float32)
    total = cv2.integral(joints)
    inside = total[_PATCH:, _PATCH:] - total[:-_PATCH, _PATCH:]
    inside += total[:-_PATCH, :-_PATCH] - total[_PATCH:, :-_PATCH]
    return np.argwhere(inside < 0.5)


def _joined(patches: Floats, closed: bool = False) -> Floats:
    """(rows, columns, height, patch, 3) -> (rows, height, columns * _STEP, 3), closed in itself.

    Each patch hands over to the next one along the line on which they differ least.
    closed: whether the patches' lower borders go on at their upper ones, so lines must, too.
    """
    before = patches[:, :, :, _STEP:]
    after = np.roll(patches, -1, axis=1)[:, :, :, :_OVERLAP]
    cost = ((before - after) ** 2).sum(axis=-1)
    line = _least_line(cost)
    if closed:
        line = _least_line(_meeting(cost, line[..., 0]))
    where = np.arange(_OVERLAP, dtype=np.float32) - line[..., None]
    cover = np.clip(where / (2 * _FEATHER) + 0.5, 0, 1)[..., None]
    met = np.roll(before * (1 - cover) + after * cover, 1, axis=1)
    whole = np.concatenate([met, patches[:, :, :, _OVERLAP:_STEP]], axis=3)
    rows, columns, height, width, _ = whole.shape
    return whole.transpose(0, 2, 1, 3, 4).reshape(rows, height, columns * width, 3)


def _meeting(cost: Floats, column: Floats) -> Floats:
    """The cost of lines that begin in this column and end beside it."""
    aside = np.abs(np.arange(cost.shape[-1]) - column[..., None])
    cost = cost.copy()
    cost[..., 0, :][aside > 0] = np.inf
    cost[..., -1, :][aside > 1] = np.inf
    return cost


def _least_line(cost: Floats) -> Floats:
    """(..., height) columns of the line from top to bottom that costs least.

    cost: (..., height, width) of each pixel; the line moves a column to the side at most.
    """
    total = [cost[..., 0, :]]
    for row in range(1, cost.shape[-2]):
        total.append(cost[..., row, :] + _least_of_three(total[-1]))
    column = total[-1].argmin(axis=-1)
    line = [column]
    for above in reversed(total[:-1]):
        beside = np.clip(column[..., None] + np.arange(-1, 2), 0, cost.shape[-1] - 1)
        least = np.take_along_axis(above, beside, axis=-1).argmin(axis=-1)
        column = np.take_along_axis(beside, least[..., None], axis=-1)[..., 0]
        line.append(column)
    return np.stack(line[::-1], axis=-1).astype(np.float32)


def _least_of_three(values: Floats) -> Floats:
    wide = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(1, 1)], constant_values=np.inf)
    return np.asarray(np.minimum(np.minimum(wide[..., :-2], wide[..., 2:]), values))
