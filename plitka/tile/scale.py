"""Scale: how long a frame's side is in millimetres. A layout itself counts in frame sides."""

from plitka.tile import granule

GRANULE_MM = (1.0, 4.0)
"""The sizes of granules that floors are made of, least and greatest, in millimetres."""

DEFAULT_GRANULE_MM = 2.5


def measure_frame_mm(granule_mm: float = DEFAULT_GRANULE_MM) -> float:
    """Return the side of a frame in millimetres; granule_mm: mean diameter of its granules."""
    return granule_mm / granule.DIAMETER
