"""What stands in for a CUDA graph where there is no card: it does its work again, with numbers."""

from collections.abc import Callable
from typing import Any


class RerunGraph:
    """Work on the same tensors as it was captured with."""

    def __init__(self) -> None:
        self._work: Callable[[], None] | None = None

    def warm_up(self, work: Callable[[], Any]) -> Any:
        return work()

    def capture(self, work: Callable[[], None]) -> None:
        self._work = work

    def replay(self) -> None:
        assert self._work is not None
        self._work()
