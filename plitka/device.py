"""What the machine gives: for now, how much memory this process has needed."""

import resource
import sys


def peak_memory_mb() -> float:
    """The most memory that this process has held so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return round(peak * unit / 2**20, 1)
