"""Optimal transport: who gets which colour, so that the areas meet the shares at the least cost."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles

_SOFTNESS = (0.3, 0.1, 0.03)  # of the choice between costs, from round to round
_STEPS = 10
_DAMPING = 0.5  # of the way that what holds neighbours together goes, from step to step
_REPAIRS = 400


@dataclass(frozen=True, eq=False)
class Bonds:
    """(E,) pairs of pieces, and what it costs when the two get different columns."""

    pieces: int
    one: NDArray[np.int64]
    other: NDArray[np.int64]
    cost: Doubles

    def apart(self, share: Doubles) -> Doubles:
        """(K, N) what it costs each piece to get a column, with the others as in `share`."""
        shared = np.empty_like(share)
        for column, of in zip(shared[:-1], share[:-1], strict=True):
            column[:] = self._with(of)
        shared[-1] = self._whole - shared[:-1].sum(axis=0)  # shares add up to 1
        return np.asarray(self._whole - shared)

    @cached_property
    def _whole(self) -> Doubles:
        return self._with(np.ones(self.pieces))

    def _with(self, share: Doubles) -> Doubles:
        """(N,) what ties each piece to others, of which only a share (N,) counts."""
        count = self.pieces
        ones = np.bincount(self.one, weights=self.cost * share.take(self.other), minlength=count)
        others = np.bincount(self.other, weights=self.cost * share.take(self.one), minlength=count)
        return np.asarray(ones + others)


def assign_by_transport(
    cost: Doubles, area: Doubles, target: Doubles, bonds: Bonds
) -> NDArray[np.int64]:
    """(N,) the column that each of N pieces gets.

    cost: (N, K), of giving a unit of a piece's area to a column. area: (N,). target: (K,) the
    area that each column shall have, adding up to that of the pieces. Prices for the columns are
    found by entropic transport (Sinkhorn), and where the neighbours go by mean field, both under
    less and less entropy; what is left of the differences is repaired piece by piece, where that
    costs least.
    """
    price = np.zeros(len(target))
    columns = np.ascontiguousarray(cost.T)
    wanted = np.maximum(target, 1e-9)
    size = np.maximum(area, 1.0)
    held = np.zeros_like(columns)
    for softness in _SOFTNESS:
        for _ in range(_STEPS):
            favour = (price[:, None] - columns - held) / softness
            share = np.exp(favour - favour.max(axis=0))
            share /= share.sum(axis=0)
            step = np.log(wanted / np.maximum(share @ area, 1e-9))
            price += softness * np.clip(step, -2, 2)
            held += _DAMPING * (bonds.apart(share) / size - held)
    priced = cost + held.T - price
    return repair_areas(priced.argmin(axis=1), priced, area, target)


def repair_areas(
    owner: NDArray[np.int64], cost: Doubles, area: Doubles, target: Doubles
) -> NDArray[np.int64]:
    """(N,) `owner` with pieces moved, where it costs least, until the areas meet `target`."""
    pieces = np.arange(len(area))
    owner = owner.copy()
    surplus = np.bincount(owner, weights=area, minlength=len(target)) - target
    for _ in range(_REPAIRS):
        most, least = int(surplus.argmax()), int(surplus.argmin())
        room = min(surplus[most], -surplus[least])
        # A move must leave both nearer to their targets than they were.
        able = pieces[(owner == most) & (area < 2 * room) & (area > 0)]
        if not len(able):
            break
        regret = (cost[able, least] - cost[able, most]) / np.sqrt(area[able])
        moved = able[regret.argmin()]
        owner[moved] = least
        surplus[most] -= area[moved]
        surplus[least] += area[moved]
    return owner
