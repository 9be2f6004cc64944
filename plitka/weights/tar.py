"""Opens a tar that may come from anywhere: a damaged one is an error, a hostile one is cheap.

Python's tarfile ends without a word at an entry that is damaged or cut off, so that half a package
would pass for a whole one. What stands before an entry (long names, attributes, maps of sparse
files) it reads whole, in one call for each header, however much there is of it.
"""

import io
import lzma
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tarfile import (  # type: ignore[attr-defined]
    InvalidHeaderError,
    ReadError,
    TarFile,
    TarInfo,
    TruncatedHeaderError,
)
from typing import IO, Any, Self, cast

from plitka.weights.xz import XzStream

_MOST_HEADER = 2**15  # bytes of one entry's headers, which are 512, and a few thousand at most


@contextmanager
def open_tar(path: Path) -> Iterator[TarFile]:
    """Open a tar, compressed or not, while the block lasts.

    Raises tarfile.TarError for what is none, and as damage shows itself EOFError, ValueError,
    zlib.error, lzma.LZMAError and OSError; so does what iterates over the entries.
    """
    with path.open("rb") as file, _Tar.open(fileobj=file) as archive:
        yield archive


class _Entry(TarInfo):
    """An entry whose damage is an error wherever it stands, and not the end."""

    @classmethod
    def fromtarfile(cls, tarfile: TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except (InvalidHeaderError, TruncatedHeaderError) as error:
            raise ReadError(str(error)) from None


class _Tar(TarFile):
    tarinfo = _Entry

    @classmethod
    def taropen(  # type: ignore[override]
        cls, name: None, mode: Any, fileobj: IO[bytes], **kwargs: Any
    ) -> Self:
        """Open what is no longer compressed: tarfile calls this, whatever the compression was."""
        return cls(name, mode, cast(IO[bytes], _Metered(fileobj)), **kwargs)

    @classmethod
    def xzopen(  # type: ignore[override]
        cls, name: None, mode: Any, fileobj: IO[bytes], preset: None = None, **kwargs: Any
    ) -> Self:
        """Open what is compressed by xz: tarfile tries this for each file."""
        try:
            return cls.taropen(name, mode, io.BufferedReader(XzStream(fileobj)), **kwargs)
        except (lzma.LZMAError, EOFError):
            raise ReadError("not an lzma file") from None

    def next(self) -> TarInfo | None:
        assert isinstance(self.fileobj, _Metered)
        before = self.offset
        is_known = self.firstmember is not None  # type: ignore[attr-defined] # since it was opened
        try:
            with self.fileobj.limit(_MOST_HEADER):
                entry = super().next()
        except (IndexError, KeyError, OverflowError, struct.error) as error:
            raise ReadError(f"a damaged entry, {error}") from None
        if entry is not None and self.offset <= before and not is_known:
            # Back over what is compressed, all is unpacked anew, again and again.
            raise ReadError("an entry of a negative size")
        return entry


class _Metered:
    """A stream of which no more than a number of bytes can be read in a while."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left: int | None = None  # bytes; None for any number

    @contextmanager
    def limit(self, most: int) -> Iterator[None]:
        """Raise tarfile.ReadError where more than `most` bytes are read while the block lasts."""
        self._left = most
        try:
            yield
        finally:
            self._left = None

    def read(self, size: int = -1) -> bytes:
        if self._left is not None:
            if not 0 <= size <= self._left:
                raise ReadError("an entry with a header that is too long")
            self._left -= size
        return self._stream.read(size)

    def seek(self, place: int, whence: int = 0) -> int:
        return self._stream.seek(place, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()
