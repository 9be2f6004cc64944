"""Work done ahead, in one thread beside the one that hands out pictures."""

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as NotYet
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_LOOK_UP = 0.05  # seconds; what cancels a prediction can only be raised between two waits


class Stopped(Exception):
    """Raised by `Ahead.go_on` in work whose result nobody waits for any more."""


_idle: list[ThreadPoolExecutor] = []  # each has one thread, which has started


def prepare() -> None:
    """Start the thread for what is done ahead, so that none has to start in a prediction.

    Cog cancels by raising an exception in the thread of the prediction. CPython 3.11 gives a thread
    that is just being started the number of the one that starts it, and so the exception may reach
    the new thread: that dies before it has said that it runs, and the other waits for that forever.
    """
    if not _idle:
        _idle.append(_started())


def _started() -> ThreadPoolExecutor:
    pool = ThreadPoolExecutor(1, thread_name_prefix="plitka-ahead")
    pool.submit(int).result()
    return pool


class Ahead:
    """Runs what is started in order, one at a time; leaving the block ends it and waits for it.

    No work outlives the block, whatever ends it; its thread is kept for the next one. Switched
    off, work is done when its result is asked for, by who asks.
    """

    def __init__(self, on: bool) -> None:
        self._on = on
        self._pool: ThreadPoolExecutor | None = None
        self._begun: list[Future[Any]] = []
        self._ended = threading.Event()

    def __enter__(self) -> "Ahead":
        if self._on:
            self._pool = _idle.pop() if _idle else _started()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._pool is None:
            return
        try:
            wait([future for future in self._begun if not future.cancel()])
        finally:
            _idle.append(self._pool)

    def start(self, work: Callable[[], T]) -> "Begun[T]":
        """Begin the work, as soon as what was started before it is done."""
        if self._pool is None:
            return Begun(work, None)
        here = contextvars.copy_context()  # by which logs find their prediction
        future = self._pool.submit(here.run, work)
        self._begun.append(future)
        return Begun(work, future)

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
