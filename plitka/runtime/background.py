"""A worker thread that works in the background while the caller hands out pictures.

A prediction is cancelled by an exception that Cog, or Python for Ctrl-C, raises in the thread that
makes it, between any two bytecodes. `concurrent.futures` and `threading.Event` wait inside locks
that Python code acquires; such an exception can leave one of them locked for good, and whoever
waits for it next hangs. So the threads here share only a plain lock, flags and a `SimpleQueue`,
which are implemented in C.
"""

import contextvars
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.05  # longest single wait; the exception that cancels is raised only between waits


class Cancelled(Exception):
    """Raised by `BackgroundWorker.check_cancelled` in work whose result is not needed any more."""


class _WorkerThread:
    """A thread that runs the futures in its queue, in order, until the process ends."""

    def __init__(self) -> None:
        self._owner: BackgroundWorker | None = None
        self.queue: SimpleQueue[Future[Any]] = SimpleQueue()
        threading.Thread(target=self._run_queue, name="plitka-background", daemon=True).start()

    def _run_queue(self) -> None:
        while True:
            self.queue.get().run()

    @property
    def is_free(self) -> bool:
        """Whether no worker uses this thread any more.

        A worker whose block was cancelled just as it ended may not have set `ended`. But if its
        caller is the thread that asks here, that thread must have left the block.
        """
        owner = self._owner
        return owner is None or owner.ended or owner.caller == threading.get_ident()

    def assign(self, worker: "BackgroundWorker") -> None:
        """Hand the thread over to a worker, and end the one before it on the same caller."""
        before, self._owner = self._owner, worker
        if before is not None and before.caller == worker.caller:
            before.ended = True


_threads: list[_WorkerThread] = []  # they are never given up: see start_thread


def _find_free_thread() -> _WorkerThread:
    """Return a thread that no worker uses; start one if there is none."""
    for thread in _threads:
        if thread.is_free:
            return thread
    _threads.append(_WorkerThread())
    return _threads[-1]


def start_thread() -> None:
    """Start the first worker thread at setup, so that no thread starts within a prediction.

    Cog cancels by raising an exception in the prediction's thread, which it names by its number.
    CPython 3.11 gives a thread that is starting the number of the thread that starts it, so the
    exception can reach the new thread instead. That one dies before it has reported that it runs,
    and the thread that started it waits for the report forever.
    """
    _find_free_thread()


class BackgroundWorker:
    """Runs what is submitted in one thread, in order; a context manager.

    Leaving the block cancels what has not run yet and waits for what is running: no work outlives
    the block, however it ends. The thread is kept for the next worker. A worker that is off has no
    thread: each piece of work runs in the caller's thread when its result is asked for.
    """

    def __init__(self, on: bool) -> None:
        self._on = on
        self._thread: _WorkerThread | None = None
        self._futures: list[Future[Any]] = []
        self.ended = False
        self.caller = threading.get_ident()

    def __enter__(self) -> "BackgroundWorker":
        if self._on:
            thread = _find_free_thread()
            thread.assign(self)
            self._thread = thread
        return self

    def __exit__(self, *_: object) -> None:
        self.ended = True
        for future in self._futures:
            future.wait()
        self._futures.clear()

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Run the work after everything that was submitted before it."""
        future = Future(work, self)
        if self._thread is not None:
            self._futures.append(future)
            self._thread.queue.put(future)
        return future

    def check_cancelled(self) -> None:
        """Raise Cancelled if the block has been left; long work calls this now and then."""
        if self.ended:
            raise Cancelled

    @property
    def has_thread(self) -> bool:
        """Whether work runs in another thread, and not when its result is asked for."""
        return self._thread is not None


class Future(Generic[T]):
    """Work that was submitted, and later its result."""

    def __init__(self, work: Callable[[], T], worker: BackgroundWorker) -> None:
        self._work = work
        self._worker = worker
        self._context = contextvars.copy_context()  # holds the prediction's id for the log
        self._results: list[T] = []  # one, once the work has succeeded
        self._error: BaseException | None = None
        self._done = False
        self._running = threading.Lock()  # held until the work is done
        self._running.acquire()

    def run(self) -> None:
        """Run the work, unless its worker has ended. Called by the worker's thread."""
        try:
            self._worker.check_cancelled()
            self._results.append(self._context.run(self._work))
        except BaseException as error:  # noqa: BLE001  # raised again where the result is asked for
            self._error = error
        self._done = True
        self._running.release()

    def wait(self) -> None:
        """Wait until the work has succeeded or failed."""
        while not self._done:
            if self._running.acquire(timeout=_POLL_SECONDS):
                self._running.release()

    def result(self) -> T:
        """Wait for the result. Raises what the work has raised."""
        if not self._worker.has_thread:
            return self._work()
        self.wait()
        if self._error is None:
            return self._results[0]
        try:
            raise self._error
        finally:
            del self  # the error's traceback refers to this frame, and self to the error: a cycle
