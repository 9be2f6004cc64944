"""Main memory: what is free, what is used, and what can be given back."""

import ctypes
import resource
import sys
from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")


def measure_free_main_memory(cgroup: Path = _CGROUP) -> int:
    """Bytes of main memory that can still be had, within the container's limit where it has one."""
    free = psutil.virtual_memory().available
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        used = int((cgroup / "memory.current").read_text())
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return free  # no second version of control groups here
    if limit == "max":
        return free
    cached = int(stat.get("inactive_file", 0))  # given back under pressure
    return min(free, max(int(limit) - used + cached, 0))


def trim_heap() -> None:
    """Give freed memory that the C library holds back to the system, where it can.

    It keeps what it calculates to be wanted again: up to 250 MiB after a tile, more or less with
    each, so that nobody can tell from outside whether a process grows.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if malloc_trim is not None:
        malloc_trim(0)


def measure_peak_memory_mb() -> float:
    """The most memory that this process has held so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return to_mib(peak * unit)


def format_gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"


def to_mib(size: float) -> float:
    return round(size / 2**20, 1)
