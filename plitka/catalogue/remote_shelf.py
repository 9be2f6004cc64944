"""A catalogue in any place that fsspec knows: s3://…, gs://…, az://…, file://…."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from plitka.catalogue.shelf import (
    RECORDS,
    THUMBNAILS,
    TILES,
    MadeTile,
    list_content,
    parse_record,
    write_record,
)
from plitka.errors import EngineError

_AT_ONCE = 500  # records that are read together


@dataclass(frozen=True)
class RemoteShelf:
    """A catalogue at an address. Nothing keeps a second run out of it.

    The stores that these addresses name write objects whole; a tile's record comes last.
    """

    address: str
    zipped: bool

    def _open(self) -> tuple[Any, str]:
        """Open the file system, which fsspec keeps; returns it with the folder's path in it."""
        try:
            from fsspec.core import url_to_fs

            system, root = url_to_fs(self.address)
        except (ImportError, ValueError) as fault:
            raise EngineError(f"--out {self.address}: cannot be written to ({fault})") from None
        return system, str(root).rstrip("/")

    @contextmanager
    def hold(self) -> Iterator[None]:
        system, root = self._open()
        for name in (TILES, THUMBNAILS, RECORDS):
            system.makedirs(f"{root}/{name}", exist_ok=True)
        yield

    @contextmanager
    def work(self) -> Iterator[None]:
        yield

    def put(self, tile: MadeTile) -> None:
        system, root = self._open()
        record = f"{root}/{RECORDS}/{tile.stem}.json"
        with suppress(FileNotFoundError):
            system.rm_file(record)  # of the tile that is replaced
        written = list_content(tile, self.zipped)
        for place, content in written.items():
            path = f"{root}/{place}"
            system.makedirs(path.rpartition("/")[0], exist_ok=True)
            system.pipe_file(path, content)
        system.pipe_file(record, write_record(tile, written))

    def read_records(self, stems: Sequence[str]) -> dict[str, dict[str, Any]]:
        system, root = self._open()
        there = self.list_stems()
        wanted = [stem for stem in stems if stem in there]
        records: dict[str, dict[str, Any]] = {}
        for at in range(0, len(wanted), _AT_ONCE):
            part = wanted[at : at + _AT_ONCE]
            paths = {f"{root}/{RECORDS}/{stem}.json": stem for stem in part}
            read = system.cat(list(paths), on_error="omit")
            for path, content in read.items():
                record = parse_record(content)
                if record is not None:
                    records[paths[path]] = record
        return records

    def list_stems(self) -> set[str]:
        system, root = self._open()
        system.invalidate_cache()
        names = (str(path).rpartition("/")[2] for path in system.ls(f"{root}/{RECORDS}", False))
        return {name.removesuffix(".json") for name in names if name.endswith(".json")}

    def read_thumbnail(self, stem: str) -> bytes:
        system, root = self._open()
        return bytes(system.cat_file(f"{root}/{THUMBNAILS}/{stem}.jpg"))

    def read_note(self, name: str) -> bytes | None:
        system, root = self._open()
        try:
            return bytes(system.cat_file(f"{root}/{name}"))
        except OSError:
            return None

    def write(self, name: str, content: bytes) -> None:
        system, root = self._open()
        system.pipe_file(f"{root}/{name}", content)
