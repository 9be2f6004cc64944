"""What `calibrate` tells: each photograph as it is ready, and then a summary."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plitka.cli import tables
from plitka.cli.audit_report import write_passed_over
from plitka.cli.terminal import print_line
from plitka.measure.palette_calibration import ColorFolders, Event, LeftOut, Measured, Sampled


class Account:
    """What a calibration has told so far."""

    def __init__(self) -> None:
        self.folders = ColorFolders({}, (), {})
        self.rows: list[Mapping[str, str]] = []
        self.sampled = 0
        self.left_out = 0

    def add(self, event: Event) -> None:
        if isinstance(event, ColorFolders):
            self.folders = event
        elif isinstance(event, Measured):
            self.rows.append(event.row)
        elif isinstance(event, Sampled):
            self.sampled += 1
        else:
            self.left_out += 1


def write_event(event: Sampled | LeftOut, folder: Path) -> dict[str, Any]:
    """Write what became of a photograph or a colour's folder as JSON.

    folder: that the file's name is told from.
    """
    name = str(event.file.relative_to(folder))
    if isinstance(event, Sampled):
        return {"file": name, "verdict": "measured", "reason": "", "notes": event.notes}
    return {"file": name, "verdict": "left out", "reason": event.reason}


def describe_event(event: Sampled | LeftOut, folder: Path) -> str:
    """Describe the same in a line for people; "" where there is nothing to say."""
    name = event.file.relative_to(folder)
    if isinstance(event, LeftOut):
        return f"{name}: left out: {event.reason}"
    return f"{name}: {'; '.join(event.notes)}" if event.notes else ""


def write_summary(account: Account, written: Path | None) -> dict[str, Any]:
    """Write the summary as JSON. written: the palette's file, None where none was written."""
    value = {
        "measured": account.sampled,
        "left_out": account.left_out,
        "colors": [
            {"code": row["code"], "phrase": row["caption"], "hex": row["median_srgb"]}
            for row in account.rows
        ],
        "passed_over": dict(account.folders.passed_over),
        "palette": None if written is None else str(written),
        "finished": written is not None,
    }
    return {"summary": value}


def print_summary(account: Account, written: Path | None) -> None:
    """Print the summary for people: the colours, what does not count, and the palette's file."""
    if account.rows:
        tables.show(tables.tabulate_calibration(account.rows))
    if account.left_out:
        tables.show(f"{account.left_out} left out, see above.")
    if account.folders.passed_over:
        tables.show(f"{write_passed_over(account.folders.passed_over)}.")
    if written is not None:
        print_line(written)
