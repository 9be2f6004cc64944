"""Packing: the files of a texture -> a zip file, made part by part as they come."""

import io
import zipfile
from collections.abc import Iterable, Iterator

from plitka.texture.making import TextureFile

_DAY = (1980, 1, 1, 0, 0, 0)  # the first that a zip file knows: equal files have equal bytes
_READABLE = 0o644 << 16


def pack(files: Iterable[TextureFile], folder: str) -> Iterator[bytes]:
    """Pack files into a folder of a zip file. Yields its bytes, a part for each file and the end.

    They are stored as they are, for PNG files are compressed already.
    """
    window = _Window()
    with zipfile.ZipFile(window, "w", zipfile.ZIP_STORED) as packed:
        for file in files:
            entry = zipfile.ZipInfo(f"{folder}/{file.name}", _DAY)
            entry.external_attr = _READABLE
            packed.writestr(entry, file.content)
            yield window.take()
    yield window.take()


class _Window(io.BytesIO):
    """A file of which only what was not yet taken is kept; nobody goes back further than that."""

    def __init__(self) -> None:
        super().__init__()
        self._start = 0

    def take(self) -> bytes:
        """Take what was written since the last time."""
        content = self.getvalue()
        self._start += len(content)
        super().seek(0)
        self.truncate()
        return content

    def tell(self) -> int:
        return self._start + super().tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET:
            offset -= self._start
        return self._start + super().seek(offset, whence)
