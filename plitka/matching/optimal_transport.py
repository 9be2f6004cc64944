"""Optimal transport: assigns a column to each row under area constraints, at the least cost.

Rows are the regions of a picture, columns the colours of a recipe.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles

_SOFTNESS = (0.3, 0.1, 0.03)  # in units of cost: entropy's weight, from round to round
_STEPS = 10  # of each round
_DAMPING = 0.5  # the fraction of a change of the neighbours' costs that each step takes over
_REPAIRS = 400  # moves of one row at most


@dataclass(frozen=True, eq=False)
class Bonds:
    """Pairs of rows that should preferably get the same column.

    count: of the rows, N. one, other: (E,) the rows of each pair. cost: (E,) what it costs when
    the two get different columns.
    """

    count: int
    one: NDArray[np.int64]
    other: NDArray[np.int64]
    cost: Doubles

    def compute_costs(self, share: Doubles) -> Doubles:
        """Compute the expected cost of broken bonds for each row that gets each column.

        share: (K, N) the probability that each row gets each column; over K they add up to 1.
        Returns (K, N).
        """
        kept = np.empty_like(share)
        for column, of_column in zip(kept[:-1], share[:-1], strict=True):
            column[:] = self._sum_to_neighbours(of_column)
        kept[-1] = self._total - kept[:-1].sum(axis=0)  # probabilities add up to 1
        return np.asarray(self._total - kept)

    @cached_property
    def _total(self) -> Doubles:
        """(N,) the sum of each row's bonds."""
        return self._sum_to_neighbours(np.ones(self.count))

    def _sum_to_neighbours(self, weight: Doubles) -> Doubles:
        """Sum each row's bonds, each times the weight (N,) of the row at its other end: (N,)."""
        count = self.count
        ones = np.bincount(self.one, weights=self.cost * weight.take(self.other), minlength=count)
        others = np.bincount(self.other, weights=self.cost * weight.take(self.one), minlength=count)
        return np.asarray(ones + others)


def assign_by_transport(
    cost: Doubles, area: Doubles, target: Doubles, bonds: Bonds
) -> NDArray[np.int64]:
    """Assign one of K columns to each of N rows, so that the columns' areas meet their targets.

    cost: (N, K) of giving a unit of a row's area to a column. area: (N,) of the rows, 0 or more.
    target: (K,) the area that each column should get; they add up to that of the rows. bonds: pairs
    of rows that should preferably get the same column. Returns (N,) column indices.

    Prices of the columns are found by entropic transport (Sinkhorn; Cuturi 2013), the cost of
    broken bonds by mean field, both under less and less entropy. What then is missing of the
    targets is repaired row by row.
    """
    price = np.zeros(len(target))
    columns = np.ascontiguousarray(cost.T)
    wanted = np.maximum(target, 1e-9)
    size = np.maximum(area, 1.0)
    broken = np.zeros_like(columns)
    for softness in _SOFTNESS:
        for _ in range(_STEPS):
            favour = (price[:, None] - columns - broken) / softness
            share = np.exp(favour - favour.max(axis=0))
            share /= share.sum(axis=0)
            step = np.log(wanted / np.maximum(share @ area, 1e-9))
            price += softness * np.clip(step, -2, 2)
            broken += _DAMPING * (bonds.compute_costs(share) / size - broken)
    priced = cost + broken.T - price
    return repair_areas(priced.argmin(axis=1), priced, area, target)


def repair_areas(
    owner: NDArray[np.int64], cost: Doubles, area: Doubles, target: Doubles
) -> NDArray[np.int64]:
    """Move rows to other columns, where that costs least, until the areas meet their targets.

    owner: (N,) the column that each row has. cost, area, target: see `assign_by_transport`. Returns
    (N,) the columns afterwards; the areas are as near to their targets as such moves bring them.
    """
    rows = np.arange(len(area))
    owner = owner.copy()
    surplus = np.bincount(owner, weights=area, minlength=len(target)) - target
    for _ in range(_REPAIRS):
        most, least = int(surplus.argmax()), int(surplus.argmin())
        room = min(surplus[most], -surplus[least])
        # A move must leave both nearer to their targets than they were.
        able = rows[(owner == most) & (area < 2 * room) & (area > 0)]
        if not len(able):
            break
        regret = (cost[able, least] - cost[able, most]) / np.sqrt(area[able])
        moved = able[regret.argmin()]
        owner[moved] = least
        surplus[most] -= area[moved]
        surplus[least] += area[moved]
    return owner
