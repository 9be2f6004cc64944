"""Optimal transport: parts the areas of rows among columns, at the least cost.

Rows are the kinds of a picture's granules, columns the colours of a recipe.
"""

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles

_COOLING = (10.0, 3.0, 1.0)  # times the softness that is asked for, from round to round
_STEPS = 60  # of each round
_REPAIRS = 40  # times that rows are moved from one column to another, at most


def plan_transport(cost: Doubles, area: Doubles, target: Doubles, softness: float) -> Doubles:
    """Plan which part of each row's area goes to each column, so that columns meet their targets.

    cost: (C, K) of giving a unit of a row's area to a column. area: (C,) of the rows, 0 or more.
    target: (K,) the area that each column should get; together those of the rows. softness: the
    weight of entropy, in units of cost: near 0 the plan costs least, and of plans that cost the
    same it is the one that mixes most; the higher, the more rows are dealt alike. Returns (C, K)
    fractions of each row, together 1.

    Entropic transport (Sinkhorn; Cuturi 2013).
    """
    price = np.zeros(len(target))
    wanted = np.maximum(target, 1e-9)
    parts = np.full(cost.shape, 1 / len(target))
    for heat in _COOLING:
        for _ in range(_STEPS):
            favour = (price - cost) / (heat * softness)
            parts = np.exp(favour - favour.max(axis=1, keepdims=True))
            parts /= parts.sum(axis=1, keepdims=True)
            step = np.log(wanted / np.maximum(area @ parts, 1e-9))
            price += heat * softness * np.clip(step, -2, 2)
    return parts


def repair_areas(
    owner: NDArray[np.int64], cost: Doubles, area: Doubles, target: Doubles
) -> NDArray[np.int64]:
    """Move rows to other columns, where that costs least, until the areas meet their targets.

    owner: (N,) the column that each row has. cost: (N, K) of giving a unit of a row's area to a
    column. area: (N,) of the rows. target: (K,) of the columns. Returns (N,) the columns
    afterwards; the areas are as near to their targets as such moves bring them.
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
        order = able[np.argsort(regret, kind="stable")]
        moved = order[: max(int(np.searchsorted(np.cumsum(area[order]), room)), 1)]
        owner[moved] = least
        surplus[most] -= area[moved].sum()
        surplus[least] += area[moved].sum()
    return owner
