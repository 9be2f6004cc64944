"""Whether the next prediction would succeed, as far as a cheap look can tell."""

from pathlib import Path

import psutil

from plitka.engines import Engine, EngineError
from plitka.pictures import Outbox

_LEAST_MEMORY = 256 * 2**20  # bytes; a tile of the render engine takes about 100 MiB
_CGROUP = Path("/sys/fs/cgroup")


def check(engine: Engine, outbox: Outbox) -> None:
    """Raise EngineError or PictureError, with what is wanting."""
    outbox.check()
    free = free_memory()
    if free < _LEAST_MEMORY:
        raise EngineError(
            f"memory: {free >> 20} MiB are free, and a picture needs {_LEAST_MEMORY >> 20}; end"
            " what else uses it, or give the container more"
        )
    engine.answer()


def free_memory(cgroup: Path = _CGROUP) -> int:
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
