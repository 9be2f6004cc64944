"""Stages of a run: one log line each, with its seconds, which are kept for the metrics."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger("plitka")


class Stages:
    """Times the stages of one run. seconds: stage -> wall-clock seconds, in order."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time the block, and log it under this name when it has ended well."""
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 3)
        log.info("%s: %.2f s", stage, self.seconds[stage])
