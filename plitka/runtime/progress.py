"""Progress bars that a cancelled prediction does not leave locked.

tqdm holds a lock of its whole class while it writes a bar, and Python code acquires it. The
exception that cancels a prediction (background.py says where it is raised) comes, more often than
not, just then: right after a step is shown. The lock then stays taken, and the next bar of another
thread waits for it forever.
"""

from types import TracebackType

import tqdm


class _NoLock:
    """What tqdm takes for a lock, and nobody waits for."""

    def acquire(self, *_: object, **__: object) -> bool:
        return True

    def release(self) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        pass


class ProgressBar(tqdm.tqdm):  # type: ignore[misc]  # tqdm has no types
    """A bar of tqdm with neither a lock nor a thread; for one bar at a time."""

    monitor_interval = 0  # no thread starts within a prediction: background.py, start_thread
    _lock = _NoLock()
