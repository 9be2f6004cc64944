"""Quilting: a surface of any size from photographs, without seam or visible repeat.

Blocks are laid row by row, each where it fits what lies there already (Efros and Freeman, "Image
Quilting for Texture Synthesis and Transfer", 2001). But no seam runs through a granule: those of a
block that lie mostly beyond the seam lie whole, over what was there before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Floats, Image
from plitka.bank.bank import NATURAL, Source
from plitka.tile.layout import NONE

_BLOCK = 9 * NATURAL  # pixels a side of what is laid at once
_OVERLAP = 2 * NATURAL  # pixels that a block shares with those before it
_STEP = _BLOCK - _OVERLAP
_MARGIN = NATURAL  # pixels around a block that its granules may reach out to
_COARSE = 4  # pixels a side of the cells on which blocks are compared and seams are found
_TRIES = 96  # places that are compared for each block
_REPEAT = 16 * NATURAL  # pixels; nearer than this the same place is not laid again if it can be
_REPEAT_COST = 4.0  # usual errors, for a block that lies just beside the same one
_LEAST_REPEAT = 0.1  # of that cost, at any distance
_FEATHER = 0.6  # standard deviation in pixels of the edge of granules laid over others
_FAINTEST = 0.01  # of a granule's cover, below which nothing is blended
_LEAST_ERROR = 1.0  # 8-bit gray levels squared, of a surface without any grain

SMALLEST = _BLOCK + 2 * _MARGIN + 2 * _COARSE
"""Pixels a side that a source needs at the least."""


@dataclass(frozen=True, eq=False)
class Surface:
    """A surface quilted of sources.

    pixels: (h, w, 3) sRGB. granules: (h, w) the granule of each pixel, 0 to N - 1 without gaps,
    NONE where no surface was wanted.
    """

    pixels: Image
    granules: NDArray[np.int32]


def quilt(sources: Sequence[Source], wanted: NDArray[np.bool_], seed: Sequence[int]) -> Surface:
    """Quilt a surface.

    sources: one or more, each SMALLEST pixels a side or larger. wanted: (h, w) where the surface is
    needed; blocks that lie wholly elsewhere are not laid. seed: of all that is random.
    """
    random = np.random.default_rng(seed)
    photographs = [_shrink(source) for source in sources]
    canvas = _Canvas.clear(*wanted.shape)
    laid = _Laid()
    for top in range(0, wanted.shape[0], _STEP):
        for left in range(0, wanted.shape[1], _STEP):
            reach = np.s_[
                max(top - _MARGIN, 0) : top + _BLOCK + _MARGIN,
                max(left - _MARGIN, 0) : left + _BLOCK + _MARGIN,
            ]
            if wanted[reach].any():
                tries = _draw_places(photographs, random)
                place, over = _choose(photographs, tries, canvas, laid, (top, left))
                canvas.lay(sources[place[0]], place, over, (top, left))
                laid.add(place, (top, left))
    return canvas.finish(wanted)


@dataclass(frozen=True, eq=False)
class _Laid:
    """The blocks that are laid: source, row and column of each; row and column in the surface."""

    rows: list[tuple[int, int, int, int, int]] = field(default_factory=list)

    def add(self, place: tuple[int, int, int], target: tuple[int, int]) -> None:
        self.rows.append((*place, *target))

    def rate_repeats(self, places: NDArray[np.intp], target: tuple[int, int]) -> Doubles:
        """Rate how much places (n, 3) would repeat what lies near: (n,), 0 (nothing) to 1."""
        if not self.rows:
            return np.zeros(len(places))
        there = np.array(self.rows, np.float64)
        source, row, column = (places[:, axis, None] for axis in range(3))
        shared = np.clip(1 - np.abs(row - there[:, 1]) / _BLOCK, 0, 1)
        shared *= np.clip(1 - np.abs(column - there[:, 2]) / _BLOCK, 0, 1)
        shared *= source == there[:, 0]
        away = np.hypot(there[:, 3] - target[0], there[:, 4] - target[1]) / _REPEAT
        return np.asarray((shared * np.clip(1.5 - away, _LEAST_REPEAT, 1)).max(axis=1))


def _shrink(source: Source) -> Floats:
    """Average the gray of a source over cells of _COARSE pixels."""
    gray = cv2.cvtColor(source.pixels, cv2.COLOR_RGB2GRAY)
    height, width = (side // _COARSE for side in gray.shape)
    whole = gray[: height * _COARSE, : width * _COARSE]
    small = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _draw_places(photographs: Sequence[Floats], random: np.random.Generator) -> NDArray[np.intp]:
    """Draw places for a block: (_TRIES, 3) source, row and column in its pixels."""
    room = [
        [side - (_BLOCK + 2 * _MARGIN) // _COARSE + 1 for side in photograph.shape]
        for photograph in photographs
    ]
    weight = np.array([rows * columns for rows, columns in room], np.float64)
    source = random.choice(len(room), _TRIES, p=weight / weight.sum())
    rows, columns = np.array(room)[source].T
    row, column = (np.floor(random.random(_TRIES) * side) for side in (rows, columns))
    corner = np.stack([row, column], axis=1) * _COARSE + _MARGIN
    return np.column_stack([source, corner]).astype(np.intp)


def _choose(
    photographs: Sequence[Floats],
    tries: NDArray[np.intp],
    canvas: "_Canvas",
    laid: _Laid,
    target: tuple[int, int],
) -> tuple[tuple[int, int, int], NDArray[np.bool_]]:
    """Choose the place of `tries` that fits best what lies at the target, and repeats least.

    Returns the place, and where its block lies on top, (_BLOCK, _BLOCK) / _COARSE.
    """
    there = canvas.look(target)
    known = ~np.isnan(there)
    across = _BLOCK // _COARSE
    blocks = np.empty((len(tries), across, across), np.float32)
    for number, photograph in enumerate(photographs):
        (mine,) = np.nonzero(tries[:, 0] == number)
        windows = np.lib.stride_tricks.sliding_window_view(photograph, (across, across))
        blocks[mine] = windows[tries[mine, 1] // _COARSE, tries[mine, 2] // _COARSE]
    off = (blocks[:, known] - there[known]) ** 2
    error = off.sum(axis=1, dtype=np.float64) / max(np.count_nonzero(known), 1)
    usual = max(float(np.median(error)), _LEAST_ERROR)
    best = int((error + _REPEAT_COST * usual * laid.rate_repeats(tries, target)).argmin())
    source, row, column = tries[best].tolist()
    misfit = np.where(known, (blocks[best] - there) ** 2, 0)
    over = ~known | _find_seam(misfit, above=target[0] > 0, before=target[1] > 0)
    return (source, row, column), over


def _find_seam(misfit: Floats, above: bool, before: bool) -> NDArray[np.bool_]:
    """Find where a block lies on top: beyond the cheapest path through each of its overlaps.

    misfit: (n, n) in cells. above, before: whether there is an overlap above and to the left.
    """
    overlap = _OVERLAP // _COARSE
    over = np.ones(misfit.shape, bool)
    if before:
        over[:, :overlap] &= _cut(misfit[:, :overlap])
    if above:
        over[:overlap] &= _cut(misfit[:overlap].T).T
    return over


def _cut(misfit: Floats) -> NDArray[np.bool_]:
    """Cut an overlap (h, w) along the cheapest path from top to bottom; True on and beyond it."""
    cost = misfit.astype(np.float64)
    padded = np.full(cost.shape[1] + 2, np.inf)
    for row in range(1, len(cost)):
        padded[1:-1] = cost[row - 1]
        cost[row] += np.minimum(np.minimum(padded[:-2], padded[2:]), padded[1:-1])
    beyond = np.zeros(cost.shape, bool)
    at = int(cost[-1].argmin())
    for row in range(len(cost) - 1, -1, -1):
        beyond[row, at:] = True
        low = max(at - 1, 0)
        at = low + int(cost[row - 1, low : at + 2].argmin())
    return beyond


@dataclass(eq=False)
class _Canvas:
    """The surface as far as it is laid, with _MARGIN before it, and a block and more after it.

    pixels: (H, W, 3) sRGB. granules: (H, W), NONE where nothing lies yet. coarse: (H, W) /
    _COARSE gray, NaN where nothing lies. count: of granules.
    """

    pixels: Image
    granules: NDArray[np.int32]
    coarse: Floats
    count: int

    @staticmethod
    def clear(rows: int, columns: int) -> "_Canvas":
        """Make the canvas for a surface of this size."""
        height, width = (
            -(-side // _STEP) * _STEP + _BLOCK + 2 * _MARGIN for side in (rows, columns)
        )
        return _Canvas(
            np.zeros((height, width, 3), np.uint8),
            np.full((height, width), NONE, np.int32),
            np.full((height // _COARSE, width // _COARSE), np.nan, np.float32),
            0,
        )

    def look(self, target: tuple[int, int]) -> Floats:
        """Look at what lies where a block is to be laid: (_BLOCK, _BLOCK) / _COARSE gray."""
        row, column = ((place + _MARGIN) // _COARSE for place in target)
        across = _BLOCK // _COARSE
        return self.coarse[row : row + across, column : column + across]

    def lay(
        self,
        source: Source,
        place: tuple[int, int, int],
        over: NDArray[np.bool_],
        target: tuple[int, int],
    ) -> None:
        """Lay the granules of a block: those that are mostly `over`, and where nothing lies yet.

        place: source, row and column of the block. over: (_BLOCK, _BLOCK) / _COARSE.
        """
        side = _BLOCK + 2 * _MARGIN
        here = np.s_[target[0] : target[0] + side, target[1] : target[1] + side]
        _, row, column = place
        there = np.s_[
            row - _MARGIN : row - _MARGIN + side, column - _MARGIN : column - _MARGIN + side
        ]
        index = source.granules[there].astype(np.int32)
        empty = self.granules[here] == NONE

        inside = np.zeros((side, side), bool)
        whole = np.repeat(np.repeat(over, _COARSE, axis=0), _COARSE, axis=1)
        inside[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN] = whole
        area = np.bincount(index.ravel())
        laid = 2 * np.bincount(index[inside], minlength=len(area)) > area
        # What the next blocks do not cover.
        first = tuple(_MARGIN if before else 0 for before in target)
        core = np.s_[first[0] : _MARGIN + _STEP, first[1] : _MARGIN + _STEP]
        laid[index[core][empty[core]]] = True

        on = laid[index]
        cover = cv2.GaussianBlur(on.astype(np.float32), (0, 0), _FEATHER)
        soft = np.nonzero(~empty & (cover > _FAINTEST) & (cover < 1 - _FAINTEST))
        pixels, weight = self.pixels[here], cover[soft][:, None]
        blend = pixels[soft] * (1 - weight) + source.pixels[there][soft] * weight
        pixels[on] = source.pixels[there][on]
        pixels[soft] = np.rint(blend).astype(np.uint8)
        self.granules[here][on] = index[on] + self.count
        self.count += len(area)
        self._average(here)

    def _average(self, here: tuple[slice, slice]) -> None:
        """Bring `coarse` up to date."""
        gray = cv2.cvtColor(self.pixels[here], cv2.COLOR_RGB2GRAY)
        across = (gray.shape[1] // _COARSE, gray.shape[0] // _COARSE)
        small = cv2.resize(gray, across, interpolation=cv2.INTER_AREA).astype(np.float32)
        empty = (self.granules[here] == NONE).astype(np.float32)
        small[cv2.resize(empty, across, interpolation=cv2.INTER_AREA) > 0] = np.nan
        row, column = (part.start // _COARSE for part in here)
        self.coarse[row : row + across[1], column : column + across[0]] = small

    def finish(self, wanted: NDArray[np.bool_]) -> Surface:
        """Cut out what was wanted, and number its granules."""
        rows, columns = wanted.shape
        inside = np.s_[_MARGIN : _MARGIN + rows, _MARGIN : _MARGIN + columns]
        granules = np.where(wanted, self.granules[inside], NONE)
        present = np.bincount(granules.ravel() + 1, minlength=self.count + 1) > 0
        present[0] = False
        number = np.cumsum(present, dtype=np.int32) - np.int32(1)
        number[0] = NONE
        return Surface(self.pixels[inside].copy(), np.asarray(number.take(granules + 1), np.int32))
