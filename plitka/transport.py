"""Optimal transport: who gets which colour, so that the areas meet the shares at the least cost."""

import numpy as np
from numpy.typing import NDArray

from plitka.cielab import Doubles

_SOFTNESS = (0.3, 0.1, 0.03)  # of the choice between costs, from round to round
_STEPS = 10
_REPAIRS = 400


def assign(cost: Doubles, area: Doubles, target: Doubles) -> NDArray[np.int64]:
    """(N,) the column that each of N pieces gets.

    cost: (N, K), of giving a piece to a column. area: (N,). target: (K,) the area that each column
    shall have, adding up to that of the pieces. Prices for the columns are found by entropic
    transport (Sinkhorn), under less and less entropy; what is left of the differences is repaired
    piece by piece, where that costs least.
    """
    price = np.zeros(len(target))
    columns = np.ascontiguousarray(cost.T)
    wanted = np.maximum(target, 1e-9)
    for softness in _SOFTNESS:
        for _ in range(_STEPS):
            favour = (price[:, None] - columns) / softness
            share = np.exp(favour - favour.max(axis=0))
            got = (share / share.sum(axis=0)) @ area
            step = np.log(wanted / np.maximum(got, 1e-9))
            price += softness * np.clip(step, -2, 2)
    return _repaired(cost - price, area, target)


def _repaired(cost: Doubles, area: Doubles, target: Doubles) -> NDArray[np.int64]:
    pieces = np.arange(len(area))
    owner = cost.argmin(axis=1).astype(np.int64)
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
    return np.asarray(owner, np.int64)
