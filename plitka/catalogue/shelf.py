"""Where a catalogue is kept: each tile whole or not at all, with a record of what is done.

DIR/tiles/NAME/          preview.png, final.png, colormap.png, tile.json; or tiles/NAME.zip
DIR/thumbnails/NAME.jpg
DIR/.plitka/NAME.json    the record of a tile: written last, so a tile that has one is whole
"""

import fcntl
import io
import json
import os
import secrets
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from plitka import whole_file
from plitka.errors import CatalogueError
from plitka.printable import make_printable

TILES, THUMBNAILS, RECORDS = "tiles", "thumbnails", ".plitka"

_PART = ".part-"  # what names of unfinished tiles begin with
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold: of all files in it
_MODE = 0o644 << 16
_ATTEMPTS = 5  # at putting a tile in the place of one that is there


@dataclass(frozen=True)
class MadeTile:
    """A tile as it is kept. files: by their names, pictures and tile.json. record: as JSON."""

    stem: str
    files: Mapping[str, bytes]
    thumbnail: bytes
    record: Mapping[str, Any]


class Shelf(Protocol):
    """Keeps tiles, by the stems of their names, and the files of the whole catalogue."""

    @property
    def zipped(self) -> bool:
        """Whether a tile is a zip, not a folder."""
        ...

    def hold(self) -> AbstractContextManager[None]:
        """Make the folders, and keep others out while a catalogue is made, where that can be."""
        ...

    def work(self) -> AbstractContextManager[None]:
        """Tell that a process works here: it may outlive the one that has started it."""
        ...

    def put(self, tile: MadeTile) -> None:
        """Put a tile in its place, and the record after it."""
        ...

    def read_records(self, stems: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Read the records of those tiles that are whole, by their stems."""
        ...

    def read_note(self, name: str) -> bytes | None:
        """Read a file that `write` has written; None where there is none."""
        ...

    def list_stems(self) -> set[str]:
        """List the stems of all tiles that have a record."""
        ...

    def read_thumbnail(self, stem: str) -> bytes:
        """Read the thumbnail of a tile that has a record."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a file of the whole catalogue."""
        ...


def name_files(stem: str, names: Mapping[str, bytes] | list[str], zipped: bool) -> list[str]:
    """Name a tile's files below the catalogue's folder."""
    if zipped:
        return [f"{TILES}/{stem}.zip"]
    return [f"{TILES}/{stem}/{name}" for name in names]


def list_content(tile: MadeTile, zipped: bool) -> dict[str, bytes]:
    """List all that is written of a tile but for its record, by its place below the folder."""
    files = {f"{TILES}/{tile.stem}/{name}": content for name, content in tile.files.items()}
    if zipped:
        files = {f"{TILES}/{tile.stem}.zip": pack(tile)}
    return {**files, f"{THUMBNAILS}/{tile.stem}.jpg": tile.thumbnail}


def write_record(tile: MadeTile, written: Mapping[str, bytes]) -> bytes:
    """Write the record of a tile, with the sizes of what was written."""
    sizes = {place: len(content) for place, content in written.items()}
    return json.dumps({**tile.record, "files": sizes}, ensure_ascii=False).encode()


def parse_record(content: bytes) -> dict[str, Any] | None:
    """Parse a record; None for what is none."""
    try:
        record = json.loads(content)
    except ValueError:
        return None
    whole = isinstance(record, dict) and isinstance(record.get("files"), dict)
    return record if whole else None


def pack(tile: MadeTile) -> bytes:
    """Pack a tile into a zip, the same to the byte for the same files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:  # PNGs are compressed
        for name, content in tile.files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr, entry.create_system = _MODE, 3
            archive.writestr(entry, content)
    return packed.getvalue()


@dataclass(frozen=True)
class LocalShelf:
    """A catalogue in a folder of this machine."""

    folder: Path
    zipped: bool

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep others out while a catalogue is made, and clear away what a killed run left.

        Raises CatalogueError where another run works there. Waits until its workers have ended
        where it was killed.
        """
        for name in (TILES, THUMBNAILS, RECORDS):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        with (self.folder / RECORDS / ".lock").open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                name = make_printable(str(self.folder))
                raise CatalogueError(
                    f"{name}: another run is making this catalogue; wait for it, or name another"
                    " folder"
                ) from None
            with self._lock_work(fcntl.LOCK_EX):
                for unfinished in (self.folder / TILES).glob(f"{_PART}*"):
                    _remove(unfinished)
            yield

    @contextmanager
    def work(self) -> Iterator[None]:
        """Tell that a process works here: it may outlive the one that has started it."""
        with self._lock_work(fcntl.LOCK_SH):
            yield

    @contextmanager
    def _lock_work(self, kind: int) -> Iterator[None]:
        with (self.folder / RECORDS / ".work").open("wb") as lock:
            fcntl.flock(lock, kind)
            yield

    def put(self, tile: MadeTile) -> None:
        written = list_content(tile, self.zipped)
        record = self._place_record(tile.stem)
        with suppress(FileNotFoundError):
            record.unlink()  # of the tile that is replaced
        if self.zipped:
            whole_file.write(self.folder / TILES / f"{tile.stem}.zip", next(iter(written.values())))
        else:
            self._put_folder(tile)
        whole_file.write(self.folder / THUMBNAILS / f"{tile.stem}.jpg", tile.thumbnail)
        whole_file.write(record, write_record(tile, written))

    def _put_folder(self, tile: MadeTile) -> None:
        """Write a folder beside the tile's place, and move it there."""
        part = self.folder / TILES / f"{_PART}{secrets.token_hex(8)}"
        part.mkdir()
        try:
            for name, content in tile.files.items():
                (part / name).write_bytes(content)
            _move(part, self.folder / TILES / tile.stem)
        finally:
            _remove(part)

    def read_records(self, stems: Sequence[str]) -> dict[str, dict[str, Any]]:
        read = {stem: self._read_record(stem) for stem in stems}
        return {stem: record for stem, record in read.items() if record is not None}

    def _read_record(self, stem: str) -> dict[str, Any] | None:
        try:
            record = parse_record(self._place_record(stem).read_bytes())
        except OSError:
            return None
        if record is None:
            return None
        whole = all(self._has(place, size) for place, size in record["files"].items())
        return record if whole else None

    def _has(self, place: str, size: object) -> bool:
        try:
            return (self.folder / place).stat().st_size == size
        except OSError:
            return False

    def list_stems(self) -> set[str]:
        return {record.stem for record in (self.folder / RECORDS).glob("*.json")}

    def read_thumbnail(self, stem: str) -> bytes:
        return (self.folder / THUMBNAILS / f"{stem}.jpg").read_bytes()

    def read_note(self, name: str) -> bytes | None:
        try:
            return (self.folder / name).read_bytes()
        except OSError:
            return None

    def write(self, name: str, content: bytes) -> None:
        whole_file.write(self.folder / name, content)

    def _place_record(self, stem: str) -> Path:
        return self.folder / RECORDS / f"{stem}.json"


def _move(part: Path, target: Path) -> None:
    """Move a folder into the place of another, or of none."""
    for _ in range(_ATTEMPTS):
        try:
            part.rename(target)
        except OSError:
            if not os.path.lexists(target):
                raise
        else:
            return
        old = target.with_name(f"{_PART}{secrets.token_hex(8)}")
        with suppress(FileNotFoundError):
            target.rename(old)
        _remove(old)
    raise OSError(f"{make_printable(str(target))}: something else keeps writing it")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
