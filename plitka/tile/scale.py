"""Scale: how long a frame's side is in millimetres. A layout itself counts in frame sides."""

from plitka.request.surface import DEFAULT_GRANULE_MM
from plitka.tile import granule


def measure_frame_mm(granule_mm: float = DEFAULT_GRANULE_MM) -> float:
    """Return the side of a frame in millimetres; granule_mm: mean diameter of its granules."""
    return granule_mm / granule.DIAMETER
