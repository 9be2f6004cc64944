"""Opens a zip that may come from anywhere, whose directory Python's zipfile reads whole at once."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MOST_DIRECTORY = 2**21  # bytes that describe all entries: 4,000 of 500


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip while the block lasts.

    Raises zipfile.LargeZipFile for one with a long directory, before it is in memory; for what is
    damaged zipfile.BadZipFile, NotImplementedError and what struct and codecs raise; and OSError.
    """
    with _Metered(io.FileIO(path)) as file, zipfile.ZipFile(file) as archive:
        file.left = None
        yield archive


class _Metered(io.BufferedReader):
    """A file of which no more than `left` bytes can be read; None for any number."""

    left: int | None = _MOST_DIRECTORY

    def read(self, size: int | None = -1, /) -> bytes:
        if self.left is None:
            return super().read(size)
        whole = size is None or size < 0 or size > self.left
        content = super().read(self.left + 1 if whole else size)
        if len(content) > self.left:
            raise zipfile.LargeZipFile("a long directory")
        self.left -= len(content)
        return content
