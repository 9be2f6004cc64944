"""Heap: the granules of a mixture, each from its own colour's photographs where there are any.

The commonest colour is quilted. Where that has granules that are to be of another colour, chips of
that colour are laid over them, and throw a shadow of contact on what they lie on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Floats
from plitka.bank.bank import BankColor, rank_pixels
from plitka.bank.chips import Chip
from plitka.bank.quilting import quilt
from plitka.tile.layout import NONE, deal_colors

_LEAST_AREA = 100  # pixels; what is seen of a granule below others keeps its form
# Chips of a share c that are asked for cover c + _OVERHANG * c * (1 - c): 0.21 to 0.23 in five
# mixtures of 2 to 4 colours.
_OVERHANG = 0.22
_GROWN = 1.15  # area of a chip over that of the granule that it covers
_FORM, _CHANCE = 6.0, 0.5  # of form, and of chance, against area (its logarithm) in a chip's choice
_HEIGHT_CHANCE = 0.3  # of rank: the lighter a granule is, the later its chip is laid


@dataclass(frozen=True, eq=False)
class Heap:
    """N granules of K colours.

    planes: (h, w, 3) see rank_pixels. granules: (h, w) 0 to N - 1, or NONE. owner: (N,) the
    colour that each was taken for. own: (N,) whether its pixels are from that colour's bank.
    """

    planes: Floats
    granules: NDArray[np.int32]
    owner: NDArray[np.uint8]
    own: NDArray[np.bool_]


def make_heap(
    banks: Sequence[BankColor],
    shares: Sequence[float],
    wanted: NDArray[np.bool_],
    seed: Sequence[int],
) -> Heap:
    """Make a heap. banks: K. shares: K, together 1; met about. wanted: (h, w). seed: of chance."""
    base = int(np.argmax(shares))
    surface = quilt(banks[base].sources, wanted, (*seed, 0))
    planes = rank_pixels(surface.pixels, banks[base].tone)
    random = np.random.default_rng((*seed, 1))
    if len(banks) == 1:
        count = int(surface.granules.max()) + 1
        return Heap(planes, surface.granules, np.zeros(count, np.uint8), np.ones(count, bool))
    laid = _measure(surface.granules, planes[..., 0])
    wished = _allow_for_overhang(np.array(shares), base)
    owner = deal_colors(laid.area, wished, random.random(len(laid.area)))
    covered = np.flatnonzero((owner != base) & (laid.area >= _LEAST_AREA))
    height = laid.rank[covered] + _HEIGHT_CHANCE * random.random(len(covered))
    covered = covered[np.argsort(height, kind="stable")]
    choices = [_Choice.list(bank.chips) for bank in banks]
    chosen = [choices[owner[one]].choose(laid, one, random) for one in covered.tolist()]
    granules = surface.granules.copy()
    for number, (one, chip) in enumerate(zip(covered.tolist(), chosen, strict=True), len(owner)):
        _lay(chip, laid.centre[one], planes, granules, number)
    granules[~wanted] = NONE
    own = np.concatenate([owner == base, np.ones(len(covered), bool)])
    return Heap(planes, granules, np.concatenate([owner, owner[covered]]), own)


def _allow_for_overhang(shares: Doubles, base: int) -> Doubles:
    """Lessen the shares of the colours of chips, so that these meet them with their overhang."""
    covered = 1 - shares[base]
    half = (1 + _OVERHANG) / 2
    lessened = (half - np.sqrt(half**2 - _OVERHANG * covered)) / _OVERHANG
    wished = shares * (lessened / covered)
    wished[base] = 1 - lessened
    return np.asarray(wished)


@dataclass(frozen=True, eq=False)
class _Measured:
    """N granules: area in pixels (N,), mean rank (N,), centroid (N, 2), form (N, 3) as a Chip's."""

    area: Doubles
    rank: Doubles
    centre: Doubles
    form: Doubles


def _measure(granules: NDArray[np.int32], ranks: Floats) -> _Measured:
    """Measure the granules of a map (h, w)."""
    rows, columns = np.nonzero(granules >= 0)
    number = granules[rows, columns]
    area = np.bincount(number).astype(np.float64)

    def average(values: NDArray[np.number]) -> Doubles:
        return np.asarray(np.bincount(number, weights=values) / area)

    row, column = average(rows), average(columns)
    down, right = rows - row[number], columns - column[number]
    form = np.stack([average(down * down), average(right * right), average(down * right)], axis=1)
    rank = average(ranks[rows, columns])
    return _Measured(area, rank, np.stack([row, column], axis=1), form / area[:, None])


@dataclass(frozen=True, eq=False)
class _Choice:
    """The chips of one colour, C, with the logarithms of their areas (C,) and forms (C, 3)."""

    chips: Sequence[Chip]
    log_area: Doubles
    form: Doubles

    @staticmethod
    def list(chips: Sequence[Chip]) -> "_Choice":
        log_area = np.log([chip.area for chip in chips])
        return _Choice(chips, log_area, np.stack([chip.form for chip in chips]))

    def choose(self, laid: _Measured, one: int, random: np.random.Generator) -> Chip:
        """Choose the chip that is about as large as granule `one`, and lies as it does."""
        off = np.abs(self.log_area - np.log(_GROWN * laid.area[one]))
        off += _FORM * np.abs(self.form - laid.form[one]).sum(axis=1)
        off += _CHANCE * random.random(len(off))
        return self.chips[int(off.argmin())]


def _lay(
    chip: Chip, centre: Doubles, planes: Floats, granules: NDArray[np.int32], number: int
) -> None:
    """Lay a chip with its centroid at `centre`, in place. number: its number among granules."""
    height, width = chip.cover.shape
    top, left = (round(float(at) - own) for at, own in zip(centre, chip.centre, strict=True))
    rows = slice(max(top, 0), min(top + height, granules.shape[0]))
    columns = slice(max(left, 0), min(left + width, granules.shape[1]))
    part = np.s_[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    below, cover = planes[rows, columns], chip.cover[part]
    below[..., 0] *= chip.shadow[part]
    below += (chip.planes[part] - below) * cover[..., None]
    granules[rows, columns][cover > 0.5] = number
