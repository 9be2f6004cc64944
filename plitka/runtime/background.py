"""Work done ahead, in one thread beside the one that hands out pictures.

What cancels a prediction, Cog's exception or Ctrl-C, is raised between any two bytecodes of the
thread that waits. `concurrent.futures` and `threading.Event` wait within locks that are taken in
Python code, and such an exception can leave one of these taken for good: the next to come waits
forever. So threads meet here in nothing but a plain lock, a flag and a `SimpleQueue`, which are C.
"""

import contextvars
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.05  # seconds; what cancels a prediction can only be raised between two waits


class Cancelled(Exception):
    """Raised by `Ahead.go_on` in work whose result nobody waits for any more."""


class _Thread:
    """A thread that does what is put into `works`, in order, for as long as the process lives."""

    def __init__(self) -> None:
        self._user: BackgroundWorker | None = None
        self.works: SimpleQueue[Future[Any]] = SimpleQueue()
        threading.Thread(target=self._toil, name="plitka-ahead", daemon=True).start()

    def _toil(self) -> None:
        while True:
            self.works.get().do()

    @property
    def free(self) -> bool:
        """Whether its user has ended.

        One that was cancelled on its very way out has not said so; but who is here has left it.
        """
        user = self._user
        return user is None or user.ended or user.thread == threading.get_ident()

    def taken(self, user: "BackgroundWorker") -> "_Thread":
        before, self._user = self._user, user
        if before is not None and before.thread == user.thread:
            before.ended = True
        return self


_threads: list[_Thread] = []


def _find_free_thread() -> _Thread:
    for hand in _threads:
        if hand.free:
            return hand
    _threads.append(_Thread())
    return _threads[-1]


def start_thread() -> None:
    """Start the thread for what is done ahead, so that none has to start in a prediction.

    Cog cancels by raising an exception in the thread of the prediction. CPython 3.11 gives a thread
    that is just being started the number of the one that starts it, and so the exception may reach
    the new thread: that dies before it has said that it runs, and the other waits for that forever.
    """
    _find_free_thread()


class BackgroundWorker:
    """Runs what is started in order, one at a time; leaving the block ends it and waits for it.

    No work outlives the block, whatever ends it; its thread is kept for the next one. Switched
    off, work is done when its result is asked for, by who asks.
    """

    def __init__(self, on: bool) -> None:
        self._on = on
        self._hand: _Thread | None = None
        self._begun: list[Future[Any]] = []
        self.ended = False
        self.thread = threading.get_ident()

    def __enter__(self) -> "BackgroundWorker":
        if self._on:
            self._hand = _find_free_thread().taken(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.ended = True
        for begun in self._begun:
            begun.wait()
        self._begun.clear()

    def start(self, work: Callable[[], T]) -> "Future[T]":
        """Begin the work, as soon as what was started before it is done."""
        begun = Future(work, self)
        if self._hand is not None:
            self._begun.append(begun)
            self._hand.works.put(begun)
        return begun

    def go_on(self) -> None:
        """Raise Stopped where nobody waits any more: for long work to call now and then."""
        if self.ended:
            raise Cancelled

    @property
    def on(self) -> bool:
        """Whether another thread does the work."""
        return self._hand is not None


class Future(Generic[T]):
    """Work that was started, and what comes of it."""

    def __init__(self, work: Callable[[], T], ahead: BackgroundWorker) -> None:
        self._work = work
        self._ahead = ahead
        self._here = contextvars.copy_context()  # by which logs find their prediction
        self._made: list[T] = []
        self._fault: BaseException | None = None
        self._over = False
        self._running = threading.Lock()
        self._running.acquire()

    def do(self) -> None:
        """Do the work, if it is still wanted."""
        try:
            self._ahead.go_on()
            self._made.append(self._here.run(self._work))
        except BaseException as fault:  # noqa: BLE001  # it belongs to who asks for the result
            self._fault = fault
        self._over = True
        self._running.release()

    def wait(self) -> None:
        """Wait until it is done or has failed."""
        while not self._over:
            if self._running.acquire(timeout=_POLL_SECONDS):
                self._running.release()

    def result(self) -> T:
        """Wait for it. Raises what the work has raised."""
        if not self._ahead.on:
            return self._work()
        self.wait()
        if self._fault is None:
            return self._made[0]
        try:
            raise self._fault
        finally:
            del self  # which the fault's traceback would hold, and so itself
