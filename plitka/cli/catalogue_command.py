"""What `catalogue` does: reads the table, draws what is missing, writes what tells of all.

What draws, and rich, are imported when the command runs.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from plitka.cli.terminal import print_error, print_json, print_line, show_progress
from plitka.engines import registry
from plitka.engines.registry import EngineChoice
from plitka.errors import CatalogueError, EngineError
from plitka.printable import make_printable
from plitka.request.plan import PICTURE_SIZES
from plitka.settings import Settings

if TYPE_CHECKING:
    from plitka.catalogue.drawing import Done, Failed, Job
    from plitka.catalogue.rows import Row, Sheet
    from plitka.catalogue.run import Crew, Order
    from plitka.catalogue.shelf import Shelf

_AT_ONCE = 4  # predictions on Replicate
_MOST_TOLD = 200  # bad rows, or tiles that failed; all of them are in catalogue.csv


def run_catalogue(options: argparse.Namespace, settings: Settings) -> None:
    """Make a catalogue. Raises CatalogueError for bad rows, EngineError for tiles that failed."""
    from plitka.catalogue import report, rows
    from plitka.catalogue.run import Order

    choice = _choose_engine(options, settings)
    report.check_libraries()
    palette = settings.load_palette(options.weights, choice.name)
    sheet = rows.read_sheet(options.recipes, palette, choice.check)
    _tell_sheet(sheet, options.keep_going, options.json)
    pictures = tuple(kind for kind in PICTURE_SIZES if kind in options.pictures)
    order = Order(sheet, choice, pictures, settings.options.overlap)
    shelf = _open_shelf(options)
    with shelf.hold():
        _make(order, shelf, _choose_crew(options, settings, choice.sdxl is not None), options)


def _choose_engine(options: argparse.Namespace, settings: Settings) -> EngineChoice:
    """Choose who draws each tile. Raises EngineError for options that nobody would read."""
    if options.replicate is not None:
        if options.engine is not None or options.weights != settings.package:
            raise EngineError("--engine, --weights: the deployment has its own; leave them out")
        name = f"replicate:{options.replicate}"
        return EngineChoice(name, None, None, registry.DEFAULT_INIT, None)
    choice = settings.choose_engine(options.weights, options.engine)
    if choice.name in registry.WITHOUT_WEIGHTS and options.weights != settings.package:
        raise EngineError(f"--weights: would not be read by the engine {choice.name}; leave it out")
    return choice


def _open_shelf(options: argparse.Namespace) -> "Shelf":
    """Open what --out names: a folder, or an address."""
    from plitka.catalogue.shelf import LocalShelf

    if isinstance(options.out, Path):
        return LocalShelf(options.out, options.zip)
    from plitka.catalogue.remote_shelf import RemoteShelf

    return RemoteShelf(options.out, options.zip)


def _choose_crew(options: argparse.Namespace, settings: Settings, needs_gpu: bool) -> "Crew":
    """Choose who draws: processes of this machine, a cluster, or a deployment on Replicate."""
    if options.replicate is not None:
        return _open_deployment(options, settings)
    if options.ray is None:
        from plitka.catalogue.run import Processes

        return Processes(options.workers or 1)
    from plitka.catalogue.cluster import Cluster

    return Cluster(options.ray, options.workers or 0, int(needs_gpu))


def _open_deployment(options: argparse.Namespace, settings: Settings) -> "Crew":
    """Open a deployment. Raises EngineError where there is no token."""
    from plitka.catalogue.deployment import Deployment
    from plitka.catalogue.replicate_api import ADDRESS, Server

    told = settings.photographer
    if not told.replicate_token:
        raise EngineError("--replicate: needs Replicate's API token, in REPLICATE_API_TOKEN")
    server = Server(told.replicate_address or ADDRESS, told.replicate_token)
    return Deployment(options.replicate, server, options.workers or _AT_ONCE)


def _tell_sheet(sheet: "Sheet", keep_going: bool, as_json: bool) -> None:
    """Tell what was understood, and what was not. Raises CatalogueError where that ends it."""
    if not as_json:
        for told in sheet.understood:
            print_line(told)
    _print_some(sheet.describe_faults())
    count = len(sheet.rows) + len(sheet.bad)
    if sheet.bad and not keep_going:
        raise CatalogueError(
            f"{len(sheet.bad)} of {count} rows are bad, and nothing was drawn; mend them, or draw"
            " the others with --keep-going"
        )
    if not sheet.rows:
        raise CatalogueError(f"all of {count} rows are bad")


def _print_some(lines: Sequence[str]) -> None:
    for line in lines[:_MOST_TOLD]:
        print_error(line)
    if len(lines) > _MOST_TOLD:
        print_error(f"and {len(lines) - _MOST_TOLD} more")


def _make(order: "Order", shelf: "Shelf", crew: "Crew", options: argparse.Namespace) -> None:
    """Draw what is missing, write the report, and sum up."""
    from plitka.catalogue import report, run

    start = time.perf_counter()
    missing = run.find_missing(order, shelf)
    outcome = _draw(order, shelf, crew, missing)
    entries = run.list_entries(order.sheet, shelf, outcome.failed)
    files = report.write_report(entries, shelf)
    gone = shelf.list_stems() - {row.stem for row in order.sheet.rows}
    there = len(order.sheet.rows) - len(missing)
    seconds = time.perf_counter() - start
    if options.json:
        print_json(
            {
                "drawn": len(outcome.done),
                "there_already": there,
                "failed": outcome.describe_failures(order.sheet.place),
                "refused": order.sheet.describe_faults(),
                "of_rows_that_are_gone": sorted(gone),
                "seconds": round(seconds, 1),
                "seconds_of_tiles": round(sum(one.seconds for one in outcome.done), 1),
                "seconds_of_engines": round(sum(one.engine_seconds for one in outcome.done), 1),
                "files": [f"{options.out}/{name}" for name in files],
            }
        )
    else:
        drawn = f"{len(outcome.done)} tiles drawn in {seconds / 60:.1f} minutes"
        print_line(f"{drawn}, {there} were there already")
        if gone:
            print_line(f"{len(gone)} tiles belong to rows that are gone; they stay as they are")
        for name in files:
            print_line(f"{options.out}/{name}")
    if outcome.failed:
        _print_some(outcome.describe_failures(order.sheet.place))
        raise EngineError(
            f"{len(outcome.failed)} tiles could not be drawn; the same command tries again"
        )


@dataclass
class _Outcome:
    """What became of the tiles that were missing."""

    done: "list[Done]" = field(default_factory=list)
    failed: "list[tuple[Row, Failed]]" = field(default_factory=list)

    def describe_failures(self, place: str) -> list[str]:
        return [
            make_printable(f"{place} {row.number} ({row.name}): {failure.reason}")
            for row, failure in self.failed
        ]


def _draw(order: "Order", shelf: "Shelf", crew: "Crew", missing: "Sequence[Job]") -> _Outcome:
    """Draw tiles, with a bar. Raises KeyboardInterrupt, and says what is left."""
    from plitka.catalogue import run
    from plitka.catalogue.drawing import Failed

    outcome = _Outcome()
    try:
        with show_progress("Drawing", prints_lines=False) as progress:
            progress.expect(len(missing))
            for job, result in run.draw_missing(order, shelf, missing, crew):
                if isinstance(result, Failed):
                    outcome.failed.append((job.row, result))
                else:
                    outcome.done.append(result)
                progress.advance()
    except KeyboardInterrupt:
        drawn = len(outcome.done)
        left = len(missing) - drawn
        print_error(f"{drawn} tiles drawn, {left} are left; the same command goes on with them")
        raise
    return outcome
