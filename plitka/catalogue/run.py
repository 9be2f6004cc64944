"""Makes a catalogue: draws the tiles that are not there yet, then writes what tells of all."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from plitka.catalogue.drawing import Done, Drawer, Failed, Job, fingerprint, make_key
from plitka.catalogue.rows import BadRow, Row, Sheet
from plitka.catalogue.shelf import Shelf
from plitka.engines.registry import EngineChoice
from plitka.errors import EngineError
from plitka.printable import make_printable
from plitka.request.plan import PictureKind
from plitka.runtime.processes import Death, Work, do_jobs
from plitka.runtime.timing import log

_MOST_DEATHS = 3  # of workers at one tile, which then is given up
_MANY = 20  # tiles, from which on it pays to prepare the engine (an estimate)
_MEMORY = 2**29  # bytes; a worker with the render engine took 300 MB


@dataclass(frozen=True)
class Order:
    """What a catalogue is made of and by. pictures: in the order in which they are made."""

    sheet: Sheet
    choice: EngineChoice
    pictures: tuple[PictureKind, ...]
    overlap: bool


@dataclass(frozen=True)
class Entry:
    """What became of a row. tile: what is told of it, None where it was not drawn.

    files: below the catalogue's folder. error: why it was not drawn, "" where it was. seconds: that
    drawing it took.
    """

    number: int
    name: str
    stem: str
    tile: dict[str, Any] | None
    files: tuple[str, ...]
    error: str
    seconds: float | None

    @property
    def status(self) -> str:
        """What became of it, in a word: drawn, failed, or refused as a bad row."""
        if self.tile is not None:
            return "drawn"
        return "failed" if self.stem else "refused"


class Crew(Protocol):
    """Whoever draws tiles: processes of this machine, or machines of a cluster."""

    def draw(
        self, drawer: Drawer, jobs: Sequence[Job]
    ) -> Generator[tuple[Job, Done | Failed], None, None]:
        """Draw tiles; gives each as it is ready. Closed, it ends at once."""
        ...


@dataclass(frozen=True)
class Processes:
    """Worker processes of this machine. count: how many."""

    count: int

    def draw(
        self, drawer: Drawer, jobs: Sequence[Job]
    ) -> Generator[tuple[Job, Done | Failed], None, None]:
        """Draw tiles. A worker that dies costs its tile's time: another draws it."""
        work: Work[Job, Done | Failed] = Work(drawer.draw, drawer.load, _MEMORY)
        waiting = list(jobs)
        for attempt in range(1, _MOST_DEATHS + 1):
            died: list[Job] = []
            results = do_jobs(work, waiting, self.count)
            with closing(results):
                for job, result in results:
                    if not isinstance(result, Death):
                        yield job, result
                    elif attempt < _MOST_DEATHS:
                        died.append(job)
                    else:
                        yield job, Failed(f"{attempt} workers died of it: {result.reason}")
            if not died:
                return
            waiting = died


def find_missing(order: Order, shelf: Shelf) -> list[Job]:
    """Find the tiles that are not there, or not as they are asked for now."""
    made_by = fingerprint(order.choice, order.pictures, shelf.zipped)
    jobs = [Job(row, make_key(row, made_by)) for row in order.sheet.rows]
    records = shelf.read_records([job.row.stem for job in jobs])
    return [job for job in jobs if records.get(job.row.stem, {}).get("key") != job.key]


def draw_missing(
    order: Order, shelf: Shelf, jobs: Sequence[Job], crew: Crew
) -> Generator[tuple[Job, Done | Failed], None, None]:
    """Draw tiles; gives each as it is ready. Raises EngineError where none can be drawn."""
    if not jobs:
        return
    prepared = len(jobs) >= _MANY
    drawer = Drawer(order.choice, shelf, order.pictures, order.overlap, prepared)
    with closing(crew.draw(drawer, jobs)) as results:
        for job, result in results:
            if isinstance(result, Failed) and result.is_final:
                raise EngineError(result.reason)
            if isinstance(result, Done):
                log.info("%s: %.2f s", make_printable(job.row.name), result.seconds)
            yield job, result


def list_entries(
    sheet: Sheet, shelf: Shelf, failed: Iterable[tuple[Row, Failed]] = ()
) -> list[Entry]:
    """List what became of each row, in the order of the file."""
    why = {row.number: failure.reason for row, failure in failed}
    records = shelf.read_records([row.stem for row in sheet.rows if row.number not in why])
    entries = [_tell_row(row, records.get(row.stem), why.get(row.number, "")) for row in sheet.rows]
    entries += [_tell_bad(row) for row in sheet.bad]
    return sorted(entries, key=lambda entry: entry.number)


def _tell_row(row: Row, record: dict[str, Any] | None, error: str) -> Entry:
    if record is None:
        return Entry(row.number, row.name, row.stem, None, (), error or "not drawn", None)
    files = tuple(record["files"])
    return Entry(row.number, row.name, row.stem, record["tile"], files, "", record["seconds"])


def _tell_bad(row: BadRow) -> Entry:
    return Entry(row.number, row.name, "", None, (), "; ".join(row.reasons), None)
