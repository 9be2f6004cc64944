"""Asked to end: by Ctrl-C or SIGTERM, a training ends after its step, with its state written."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def catch_stop() -> Iterator[Callable[[], bool]]:
    """Yield what says whether the process was asked to end; a second signal ends it at once.

    For the main thread of a program of our own.
    """
    asked = threading.Event()

    def ask(number: int, frame: object) -> None:
        asked.set()
        for one in _SIGNALS:
            signal.signal(one, before[one])

    before = {one: signal.signal(one, ask) for one in _SIGNALS}
    try:
        yield asked.is_set
    finally:
        for one in _SIGNALS:
            signal.signal(one, before[one])
