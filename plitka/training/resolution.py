"""The resolution of a training: what is asked for, or the largest that the photographs bear."""

from plitka.training.draws import HALF_SIZE
from plitka.training.inspection import MOST_ENLARGED, Inspection, bears
from plitka.training.options import RESOLUTIONS

_EXCEPT = 10  # one photograph in so many need not bear it


def choose_resolution(asked: int, inspection: Inspection) -> int:
    """Choose the pixels a side of the samples. asked: one of RESOLUTIONS, 0 for the largest.

    The largest is what nine photographs in ten bear: at the scale of the render, or else as they
    are, with larger granules but with all of their sharpness.
    """
    if asked:
        return asked
    sides = sorted(
        min(one.size) * max(one.scale * MOST_ENLARGED, 1.0) for one in inspection.photographs
    )
    least = sides[len(sides) // _EXCEPT]
    return max([size for size in RESOLUTIONS if size <= least], default=RESOLUTIONS[0])


def bears_half_size(inspection: Inspection) -> bool:
    """Whether most photographs are large enough for samples as previews are.

    These show a whole tile on half the pixels; a part of one would teach granules twice as large.
    """
    large = [bears(one.size, one.scale / 2, HALF_SIZE) for one in inspection.photographs]
    return 2 * sum(large) >= len(large)
