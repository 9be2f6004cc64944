"""Work done ahead, in one thread beside the one that hands out pictures."""

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Generic, TypeVar

T = TypeVar("T")

_LOOK_UP = 0.05  # seconds; what cancels a prediction can only be raised between two waits


class Stopped(Exception):
    """Raised by `Ahead.go_on` in work whose result nobody waits for any more."""


class Ahead:
    """Runs what is started in order, one at a time; leaving the block ends it and waits for it.

    No thread outlives the block, whatever ends it. Switched off, work is done when its result is
    asked for, by who asks.
    """

    def __init__(self, on: bool) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="plitka-ahead") if on else None
        self._ended = threading.Event()

    def __enter__(self) -> "Ahead":
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def start(self, work: Callable[[], T]) -> "Begun[T]":
        """Begin the work, as soon as what was started before it is done."""
        if self._pool is None:
            return Begun(work, None)
        here = contextvars.copy_context()  # by which logs find their prediction
        return Begun(work, self._pool.submit(here.run, work))

    def go_on(self) -> None:
        """Raise Stopped where nobody waits any more: for long work to call now and then."""
        if self._ended.is_set():
            raise Stopped


class Begun(Generic[T]):
    """Work that was started, and what comes of it."""

    def __init__(self, work: Callable[[], T], future: "Future[T] | None") -> None:
        self._work = work
        self._future = future

    def result(self) -> T:
        """Wait for it. Raises what the work has raised."""
        if self._future is None:
            return self._work()
        while True:
            try:
                return self._future.result(_LOOK_UP)
            except NotYet:
                if self._future.done():  # and the time-out is the work's own
                    return self._future.result()
