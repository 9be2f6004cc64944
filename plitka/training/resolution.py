"""The resolution of a training: what is asked for, or the largest that the photographs bear."""

from plitka.training.inspection import Inspection
from plitka.training.options import RESOLUTIONS

_ENLARGED = 1.15  # times; a little is not seen, more would blur


def choose_resolution(asked: int, inspection: Inspection) -> int:
    """Choose the pixels a side of the samples. asked: one of RESOLUTIONS, 0 for the largest.

    The largest is what all photographs but one in ten bear, at the scale of the render.
    """
    if asked:
        return asked
    sides = sorted(min(one.size) * one.scale * _ENLARGED for one in inspection.photographs)
    least = sides[len(sides) // 10]
    return max([size for size in RESOLUTIONS if size <= least], default=RESOLUTIONS[0])
