"""Mix: how many colours a mix may have, and when their proportions add up."""

import math
from collections.abc import Sequence

MAX_COLORS = 8
"""Colours of one recipe, or of one caption."""

MOST_PERCENT = 101
"""The greatest that percentages may add up to, and so the greatest of them."""

# Proportions add up to 100 or 1 within a hundredth of that; the rest is float dust (0.1 + 0.2).
_TOLERANCE = 0.01 + 1e-9


def adds_up_to(total: float, whole: float) -> bool:
    """Whether a sum is the whole that it should be, within 1% of that."""
    return abs(total - whole) <= whole * _TOLERANCE


def find_whole(proportions: Sequence[float]) -> float | None:
    """Find what proportions add up to: 100 or 1, or None where their sum is near neither."""
    total = math.fsum(proportions)
    return next((whole for whole in (100.0, 1.0) if adds_up_to(total, whole)), None)
