"""Times the stages of a run: one log line for each, and the seconds for the metrics."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger("plitka")


class Stages:
    """Times the stages of one run. seconds: stage -> wall-clock seconds, in order.

    memory: describes the memory in use at the end of a stage, for its log line.
    """

    def __init__(self, memory: Callable[[], str] | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._memory = memory

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time the block. A block that raises is neither recorded nor logged."""
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 3)
        memory = f", {self._memory()}" if self._memory else ""
        fields = {"stage": stage, "seconds": self.seconds[stage]}  # for lines of JSON
        log.info("%s: %.2f s%s", stage, self.seconds[stage], memory, extra=fields)
