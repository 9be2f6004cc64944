"""Reads files into the system's cache beside other work, so that whoever opens them need not wait.

Nothing depends on it: where it fails, it ends, and the files are read when they are needed.
"""

import os
import threading
import time
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

_WINDOW = 2**23  # bytes that are asked for at once
_WINDOWS = 4  # that are on their way at the same time
_REQUEST = 2**17  # bytes; Linux reads no more than a disk's own `read_ahead_kb` by one request


class ReadAhead:
    """A thread that reads files, in order, while the block lasts; a context manager.

    The process may end while it reads. most: bytes that it reads in all. size: bytes read so far.
    seconds: how long that took.
    """

    def __init__(self, files: Sequence[Path], most: int) -> None:
        self.size = 0
        self.seconds = 0.0
        self._files = files
        self._left = most
        self._stopped = False

    def __enter__(self) -> "ReadAhead":
        if self._files:
            threading.Thread(target=self._run, name="plitka-read-ahead", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True

    def _run(self) -> None:
        start = time.perf_counter()
        for path in self._files:
            try:
                with FileIO(path) as file:
                    self._read(file, start)
            except OSError:  # whoever needs the file says what is wrong with it
                continue

    def _read(self, file: FileIO, start: float) -> None:
        whole = os.fstat(file.fileno()).st_size
        end = min(whole, self._left)
        asked = 0
        for begin in range(0, end, _WINDOW):
            if self._stopped:
                return
            if hasattr(os, "posix_fadvise"):
                limit = min(begin + _WINDOWS * _WINDOW, end)
                for offset in range(asked, limit, _REQUEST):
                    os.posix_fadvise(file.fileno(), offset, _REQUEST, os.POSIX_FADV_WILLNEED)
                asked = limit
                file.seek(min(begin + _WINDOW, end) - 1)
                file.read(1)  # which waits for the window
            else:
                file.read(_WINDOW)
            self.size += min(_WINDOW, end - begin)
            self.seconds = time.perf_counter() - start
        self._left -= end
