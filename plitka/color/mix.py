"""What a mix of colours is: how many there may be, and when their proportions add up."""

import math
from collections.abc import Sequence

MAX_COLORS = 8

# Proportions add up to 100 or 1 within a hundredth of that; the rest is float dust (0.1 + 0.2).
_TOLERANCE = 0.01 + 1e-9


def adds_up_to(total: float, whole: float) -> bool:
    """Whether a sum is near enough to the whole that it should be."""
    return abs(total - whole) <= whole * _TOLERANCE


def find_whole(proportions: Sequence[float]) -> float | None:
    """The whole that proportions are parts of: 100 or 1, None where their sum is near neither."""
    total = math.fsum(proportions)
    return next((whole for whole in (100.0, 1.0) if adds_up_to(total, whole)), None)
