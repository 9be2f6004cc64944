"""Reads xz that may come from anywhere in a bounded memory.

What packed a file says how much memory takes to unpack it, up to 4 GiB in one of a few hundred KB,
and Python's own LZMAFile takes that.
"""

import io
import lzma
from typing import IO, Any

_MOST_MEMORY = 320 * 2**20  # bytes; `xz -9` takes 65 MiB, the most of other packers 256 MiB
_MOST_STREAMS = 1000  # one behind the other; packers write one
_CHUNK = 2**16


class XzStream(io.RawIOBase):
    """What an xz or lzma file holds, as LZMAFile reads it.

    Raises lzma.LZMAError for what is none, is damaged or takes too much memory, and EOFError where
    it is cut off.
    """

    def __init__(self, packed: IO[bytes]) -> None:
        super().__init__()
        self._packed = packed
        self._rewind()

    def _rewind(self) -> None:
        self._packed.seek(0)
        self._place = 0
        self._streams = 0
        self._decoder = lzma.LZMADecompressor(memlimit=_MOST_MEMORY)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place by reading up to it, anew from the start where it lies behind."""
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the end is not known")
        place = offset + (self._place if whence == io.SEEK_CUR else 0)
        if place < self._place:
            self._rewind()
        while self._place < place:
            content = self._decode(min(place - self._place, _CHUNK))
            if not content:
                break
            self._place += len(content)
        return self._place

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        content = self._decode(len(view))
        view[: len(content)] = content
        self._place += len(content)
        return len(content)

    def _decode(self, most: int) -> bytes:
        """The next bytes, of which there are none at the end alone."""
        content = b""
        while most and not content:
            if self._decoder.eof:
                packed = self._decoder.unused_data or self._packed.read(_CHUNK)
                if not packed:
                    break
                self._streams += 1
                if self._streams > _MOST_STREAMS:  # zeros make one of each 13 bytes
                    raise lzma.LZMAError("too many streams")
                following = lzma.LZMADecompressor(memlimit=_MOST_MEMORY)
                try:
                    content = following.decompress(packed, most)
                except lzma.LZMAError:
                    break  # no further stream, such as what fills up a block of a tape
                self._decoder = following
                continue
            packed = self._packed.read(_CHUNK) if self._decoder.needs_input else b""
            if self._decoder.needs_input and not packed:
                raise EOFError("a compressed file that ends early")
            content = self._decoder.decompress(packed, most)
        return content
