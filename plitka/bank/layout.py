"""The layout of a tile that is made of a bank's granules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Floats
from plitka.bank.bank import Bank, BankColor
from plitka.bank.heap import Heap, make_heap
from plitka.bank.tones import make_palette_tone, make_tone
from plitka.color.palette import Color
from plitka.request.recipe import Recipe
from plitka.tile.granule import make_rotation_matrix
from plitka.tile.layout import NONE, SURVEY, Layout, deal_colors
from plitka.tile.render import draw_light

_STREAM = 20  # of random numbers, beside those of a scattered layout
_REACH = 736  # pixels from the corner of four tiles, at the frame's centre, to the frame's corner
_BEYOND = 4  # pixels of the tiles outside the frame, for interpolation


@dataclass(frozen=True, eq=False)
class QuiltedLayout(Layout):
    """Granules of photographs.

    planes: (SURVEY, SURVEY, 3) the pixels as rank_pixels tells them. granules: (2 * SURVEY,
    2 * SURVEY) the granule of each quarter of a pixel, NONE in the joints.
    own: (N,) whether a granule's pixels are from photographs of the colour that it has. tones:
    (K, TONES, 3) L*a*b* of each colour by rank.
    """

    planes: Floats
    granules: NDArray[np.int32]
    own: NDArray[np.bool_]
    tones: Floats

    def map_granules(self, size: int) -> NDArray[np.int32]:
        if size == SURVEY:
            return self.granules[::2, ::2]
        resized = cv2.resize(self.granules, (size, size), interpolation=cv2.INTER_NEAREST)
        return np.asarray(resized, np.int32)


@draw_light.register
def _(layout: QuiltedLayout, color: Color, size: int) -> Floats:
    lightness = make_palette_tone(color)[:, 0]
    ranks = np.linspace(0, 1, len(lightness))
    light = np.interp(layout.planes[..., 0], ranks, lightness).astype(np.float32)
    light[layout.map_granules(SURVEY) == NONE] = lightness[0]
    way = cv2.INTER_AREA if size < SURVEY else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(light, (size, size), interpolation=way), np.float32)


def lay(bank: Bank, recipe: Recipe) -> QuiltedLayout:
    """Lay the granules of a recipe whose seed is drawn already (0 or more)."""
    colors = tuple(share.color for share in recipe.shares)
    shares = tuple(share.share for share in recipe.shares)
    banks = [bank.find(color) for color in colors]
    seed = (recipe.seed, _STREAM)
    if recipe.angle == 0:
        heap = make_heap(banks, shares, np.ones((SURVEY, SURVEY), bool), (*seed, 0))
        heap = replace(heap, granules=np.repeat(np.repeat(heap.granules, 2, axis=0), 2, axis=1))
    else:
        heap = _turn(_lay_four(banks, shares, recipe.angle, seed), recipe.angle)
    layout = QuiltedLayout(
        colors=colors,
        shares=shares,
        angle=recipe.angle,
        seed=recipe.seed,
        owner=heap.owner,
        planes=heap.planes,
        granules=heap.granules,
        own=heap.own,
        tones=np.stack([make_tone(*pair) for pair in zip(colors, banks, strict=True)]),
    )
    if recipe.angle != 0:
        inside, _ = layout.map_joints(2 * SURVEY)
        layout = replace(layout, granules=np.where(inside > 0, heap.granules, NONE))
    return _deal(
        _drop_hidden(layout), [one.is_own(color) for one, color in zip(banks, colors, strict=True)]
    )


def _lay_four(
    banks: Sequence[BankColor], shares: Sequence[float], angle: float, seed: tuple[int, int]
) -> Heap:
    """Lay the four tiles that meet at the frame's centre, as far as the frame shows them.

    Returns them at angle 0: (2 * _REACH, 2 * _REACH) pixels, the corner in the middle.
    """
    side = 2 * _REACH
    axis = np.arange(side, dtype=np.float32) + np.float32(0.5 - _REACH)
    turn = make_rotation_matrix(angle)
    most = SURVEY / 2 + _BEYOND
    x, y = (axis[None, :] * turn[0, place] + axis[:, None] * turn[1, place] for place in (0, 1))
    wanted = (np.abs(x) < most) & (np.abs(y) < most)
    whole = Heap(
        np.zeros((side, side, 3), np.float32),
        np.full((side, side), NONE, np.int32),
        np.zeros(0, np.uint8),
        np.zeros(0, bool),
    )
    for tile in range(4):
        down, right = divmod(tile, 2)
        part = np.s_[down * _REACH : (down + 1) * _REACH, right * _REACH : (right + 1) * _REACH]
        heap = make_heap(banks, shares, wanted[part], (*seed, tile))
        whole.planes[part] = heap.planes
        whole.granules[part] = np.where(
            heap.granules == NONE, NONE, heap.granules + np.int32(len(whole.owner))
        )
        whole = replace(
            whole,
            owner=np.concatenate([whole.owner, heap.owner]),
            own=np.concatenate([whole.own, heap.own]),
        )
    return whole


def _turn(heap: Heap, angle: float) -> Heap:
    """Turn four tiles by an angle in degrees, and cut out the frame; granules twice as large."""
    ways = cv2.INTER_CUBIC, cv2.INTER_LINEAR, cv2.INTER_NEAREST
    fine, linear, nearest = (way | cv2.WARP_INVERSE_MAP for way in ways)
    size, matrix = (SURVEY, SURVEY), _make_turn(angle, 1)
    planes = np.asarray(cv2.warpAffine(heap.planes, matrix, size, flags=fine), np.float32)
    ranks = np.ascontiguousarray(heap.planes[..., 0])
    _limit_overshoot(
        planes, np.asarray(cv2.warpAffine(ranks, matrix, size, flags=linear), np.float32)
    )
    numbers = heap.granules.astype(np.float32)  # exact below 2**24
    twice = (2 * SURVEY, 2 * SURVEY)
    granules = cv2.warpAffine(numbers, _make_turn(angle, 2), twice, flags=nearest, borderValue=NONE)
    return replace(heap, planes=planes, granules=granules.astype(np.int32))


def _limit_overshoot(planes: Floats, plain: Floats) -> None:
    """Limit ranks that were interpolated steeply to those around, in place.

    The lightest and the darkest rank are those of gleams and pits, which few pixels have. planes:
    see Heap. plain: (h, w) the ranks as linear interpolation has them.
    """
    around = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(plain, around), cv2.dilate(plain, around)
    planes[..., 0] = np.clip(planes[..., 0], low, high)


def _make_turn(angle: float, scale: int) -> Doubles:
    """Make the matrix (2, 3) from x, y in the frame, in pixels / scale, to those in four tiles."""
    matrix = np.empty((2, 3))
    matrix[:, :2] = make_rotation_matrix(-angle).T / scale
    matrix[:, 2] = _REACH - 0.5 - matrix[:, :2].sum(axis=1) * (SURVEY * scale / 2 - 0.5)
    return matrix


def _drop_hidden(layout: QuiltedLayout) -> QuiltedLayout:
    """Drop the granules that are not seen."""
    area = np.bincount(layout.granules.ravel() + 1, minlength=len(layout.owner) + 1)
    seen = area[1:] > 0
    number = np.append(np.cumsum(seen, dtype=np.int32) - 1, NONE).astype(np.int32)
    return replace(
        layout,
        granules=number[layout.granules],
        owner=layout.owner[seen],
        own=layout.own[seen],
    )


def _deal(layout: QuiltedLayout, is_own: Sequence[bool]) -> QuiltedLayout:
    """Deal the colours, in exact shares.

    Granules are dealt in the order of the colours that they were taken for, so that but a few get
    another one. is_own: (K,) whether the bank of each colour has that very colour.
    """
    seen = layout.map_granules(SURVEY)
    area = np.bincount(seen[seen != NONE], minlength=len(layout.owner))
    random = np.random.default_rng((layout.seed, _STREAM + 1))
    owner = deal_colors(area, layout.shares, layout.owner + random.random(len(layout.owner)))
    own = layout.own & (owner == layout.owner) & np.array(is_own)[owner]
    return replace(layout, owner=owner, own=own)
