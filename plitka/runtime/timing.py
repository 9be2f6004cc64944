"""Stages of a run: one log line each, with its seconds, which are kept for the metrics."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger("plitka")


class Stages:
    """Times the stages of one run. seconds: stage -> wall-clock seconds, in order.

    `memory` gives, in words, what is in use at the end of a stage, for its line.
    """

    def __init__(self, memory: Callable[[], str] | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._memory = memory

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time the block, and log it under this name when it has ended well."""
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 3)
        memory = f", {self._memory()}" if self._memory else ""
        told = {"stage": stage, "seconds": self.seconds[stage]}  # fields of a line of JSON
        log.info("%s: %.2f s%s", stage, self.seconds[stage], memory, extra=told)
