"""What `train` tells: each event of a training as it comes, as lines for people or as JSON."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from rich import progress
from rich.table import Table

from plitka.cli import tables
from plitka.cli.console import Console
from plitka.cli.terminal import open_console, print_json_line, print_line
from plitka.measure.description import name_shares
from plitka.printable import make_printable
from plitka.training.inspection import Inspection, TrainingPhotograph
from plitka.training.progress import (
    Evaluated,
    Event,
    Inspected,
    Prepared,
    Saved,
    Started,
    Stepped,
    Warned,
)

_LEAST_WIDTH = 60  # columns of a terminal that has room for a bar


class Report(Protocol):
    """Tells the events of a training, in a `with` block."""

    def __enter__(self) -> "Report": ...

    def __exit__(self, *fault: object) -> None: ...

    def tell(self, event: Event) -> None:
        """Tell what has happened."""
        ...

    def end(self) -> None:
        """Take away what is shown only while it runs."""
        ...

    def sum_up(self, package: Path | None, out: Path) -> None:
        """Tell the outcome. package: None where the photographs were only inspected."""
        ...


class Json:
    """Each event as a line of JSON, {"event": "stepped", …}, and last {"summary": …}."""

    def __init__(self) -> None:
        self._inspected: dict[str, Any] = {}

    def __enter__(self) -> "Json":
        return self

    def __exit__(self, *fault: object) -> None:
        """Nothing is shown that would stay."""

    def tell(self, event: Event) -> None:
        value = write_event(event)
        if isinstance(event, Inspected):
            self._inspected = {
                "photographs": len(event.inspection.photographs),
                "held_out": len(event.inspection.held_out),
                "warnings": len(event.inspection.warnings),
            }
        print_json_line(value)

    def end(self) -> None:
        """Nothing is shown that would stay."""

    def sum_up(self, package: Path | None, out: Path) -> None:
        files = {} if package is None else _list_files(package, out)
        print_json_line({"summary": {**self._inspected, **files}})


class Lines:
    """Lines for people, and where standard error is a terminal a bar below them."""

    def __init__(self, verbose: bool) -> None:
        """verbose: whether the log has a line for each of the steps that are told."""
        self._console = open_console()
        together = sys.stdout.isatty()
        console = self._console if together else Console(stderr=True)
        self._has_bar = sys.stderr.isatty() and console.width >= _LEAST_WIDTH and not verbose
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rest]}"),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not self._has_bar,
        )
        self._task: progress.TaskID | None = None
        self._title = ""
        self._verbose = verbose

    def __enter__(self) -> "Lines":
        self._bar.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.end()

    def end(self) -> None:
        self._bar.stop()

    def tell(self, event: Event) -> None:
        if isinstance(event, Inspected):
            self._tell_inspection(event.inspection)
        elif isinstance(event, Prepared):
            self._advance("Preparing", event.done, event.total, "")
        elif isinstance(event, Started):
            begun = (
                f"Steps {event.first} to {event.steps}" if event.first else f"{event.steps} steps"
            )
            self._print(f"{begun}, plan {event.plan}, on {event.device} in {event.dtype}")
        elif isinstance(event, Stepped):
            left = f"loss {event.loss:.4f}, {_format_seconds(event.seconds_left)} left"
            self._advance("Training", event.step, event.steps, left)
            if not self._has_bar and not self._verbose:
                self._print(f"step {event.step} of {event.steps}: {left}")
        elif isinstance(event, Evaluated):
            one = event.evaluation
            self._print(
                f"step {one.step}: held-out loss {one.loss:.4f}, texture {one.texture:.2f},"
                f" shares off by {100 * one.total_variation:.1f}%"
            )
        else:  # the log tells warnings, and a state every minute is nothing for people
            assert isinstance(event, Warned | Saved)

    def sum_up(self, package: Path | None, out: Path) -> None:
        if package is None:
            print_line("Nothing stands in the way of training with these photographs.")
            return
        for file in _list_files(package, out).values():
            print_line(file)
        print_line(f"Draw with it: python -m plitka make --weights {package} --out tile …")

    def _tell_inspection(self, inspection: Inspection) -> None:
        rows = inspection.palette_rows
        if rows:
            tables.show(tables.tabulate_calibration(rows))
        changed = list_changed(inspection)
        if changed:
            tables.show(tabulate_captions(changed))
        for warning in inspection.warnings:
            self._print(f"Warning: {warning}")
        self._print(
            f"{len(inspection.photographs)} photographs, {len(inspection.held_out)} of them held"
            f" out to measure on; {_count(len(changed), 'caption')} corrected or measured"
        )

    def _print(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(make_printable(text), soft_wrap=True)

    def _advance(self, title: str, done: int, total: int, rest: str) -> None:
        if self._task is None or self._title != title:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(title, total=total, rest=rest)
            self._title = title
        self._bar.update(self._task, completed=done, total=total, rest=rest)


def list_changed(inspection: Inspection) -> tuple[TrainingPhotograph, ...]:
    """List the photographs whose caption is another than the one given."""
    return tuple(
        photograph
        for photograph in inspection.photographs
        if photograph.origin in ("corrected", "measured")
    )


def tabulate_captions(changed: Iterable[TrainingPhotograph]) -> Table:
    """Tabulate photographs with the caption that was given, and the one that is used."""
    table = Table("Photograph", "Given", "Used", "Measured", box=None, pad_edge=False)
    for one in changed:
        table.add_row(
            make_printable(one.name),
            make_printable(one.given or "none that can be read"),
            make_printable(describe_caption(one, one.shares)),
            make_printable(describe_caption(one, one.measured)),
        )
    return table


def describe_caption(photograph: TrainingPhotograph, shares: Sequence[float]) -> str:
    """Describe shares of a photograph's colours: "60% red, 40% blue"."""
    parts = zip(photograph.colors, shares, strict=True)
    return ", ".join(f"{100 * share:.0f}% {color.phrase}" for color, share in parts)


def write_event(event: Event) -> dict[str, Any]:
    """Write an event as JSON takes it."""
    name = type(event).__name__.lower()
    if isinstance(event, Inspected):
        return {"event": name, **_write_inspection(event.inspection)}
    if isinstance(event, Evaluated):
        one = event.evaluation
        means = {"texture": one.texture, "total_variation": one.total_variation}
        return {"event": name, **asdict(one), **means}
    return {"event": name, **asdict(event)}


def _write_inspection(inspection: Inspection) -> dict[str, Any]:
    held_out = set(inspection.held_out)
    return {
        "photographs": [
            _write_photograph(photograph, number in held_out)
            for number, photograph in enumerate(inspection.photographs)
        ],
        "calibrated": [
            {"code": row["code"], "phrase": row["caption"], "hex": row["median_srgb"]}
            for row in inspection.palette_rows
        ],
        "warnings": list(inspection.warnings),
    }


def _write_photograph(photograph: TrainingPhotograph, is_held_out: bool) -> dict[str, Any]:
    names = [color.phrase for color in photograph.colors]
    return {
        "file": photograph.name,
        "sha256": photograph.digest,
        "size": list(photograph.size),
        "given": photograph.given,
        "used": name_shares(photograph.shares, names),
        "origin": photograph.origin,
        "measured": name_shares(photograph.measured, names),
        "scale": round(photograph.scale, 4),
        "held_out": is_held_out,
    }


def _list_files(package: Path, out: Path) -> dict[str, str]:
    """List what a training has written, by what it is."""
    return {"package": str(package), "report": str(out / "report.html")}


def _format_seconds(seconds: float) -> str:
    """Format a time: "48 s", "12 min", "3 h 05 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
