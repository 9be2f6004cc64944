"""Times the stages of a run: one log line for each, and the seconds for the metrics."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

log = logging.getLogger("plitka")


class Stages:
    """Times the stages of one run. seconds: stage -> wall-clock seconds, in order.

    memory: describes the memory in use at the end of a stage, for its log line; it may be set
    later than the stages begin.
    """

    def __init__(self, memory: Callable[[], str] | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self.memory = memory

    @contextmanager
    def __call__(self, stage: str, size: int = 0) -> Iterator[None]:
        """Time the block. A block that raises is neither recorded nor logged.

        size: bytes of files that it reads, where it does hardly anything else.
        """
        start = time.perf_counter()
        yield
        self.record(stage, time.perf_counter() - start, size)

    def record(self, stage: str, seconds: float, size: int = 0) -> None:
        """Record a stage that has ended."""
        self.seconds[stage] = round(seconds, 3)
        read = f", {describe_reading(size, seconds)}" if size else ""
        memory = f", {self.memory()}" if self.memory else ""
        fields: dict[str, Any] = {"stage": stage, "seconds": self.seconds[stage]}
        if size:  # for lines of JSON
            fields["bytes"] = size
        log.info("%s: %.2f s%s%s", stage, seconds, read, memory, extra=fields)


def describe_reading(size: int, seconds: float) -> str:
    """Describe how many bytes were read, and how fast."""
    amount = f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
    return f"{amount} at {size / 1e9 / max(seconds, 1e-3):.2f} GB/s"
