"""What `calibrate` tells: each photograph as it is ready, and then a summary."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plitka.bank.making import NotBanked
from plitka.cli import tables
from plitka.cli.audit_report import write_passed_over
from plitka.cli.terminal import print_line
from plitka.color import palette
from plitka.color.palette import Color
from plitka.measure.palette_calibration import ColorFolders, Event, LeftOut, Measured, Sampled


class Account:
    """What a calibration has told so far."""

    def __init__(self) -> None:
        self.folders = ColorFolders({}, (), {})
        self.rows: list[Mapping[str, str]] = []
        self.bank: tuple[tuple[str, ...], Path] | None = None  # codes of its colours, its folder
        self.left_out = 0
        self.not_banked: list[NotBanked] = []
        self._sampled: list[Path] = []

    @property
    def sampled(self) -> int:
        """How many photographs were measured."""
        return len(self._sampled)

    def list_photographs(self, rows: Sequence[Mapping[str, str]]) -> dict[Color, list[Path]]:
        """List the photographs of each colour that was measured, as a palette's rows have it."""
        listed: dict[Color, list[Path]] = {}
        for row in rows:
            color = palette.parse_row(row, "what is measured")
            listed[color] = sorted(f for f in self._sampled if f.parent.name == color.code)
        return listed

    def add(self, event: Event | NotBanked) -> None:
        if isinstance(event, ColorFolders):
            self.folders = event
        elif isinstance(event, Measured):
            self.rows.append(event.row)
        elif isinstance(event, Sampled):
            self._sampled.append(event.file)
        elif isinstance(event, NotBanked):
            self.not_banked.append(event)
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


def describe_event(event: Sampled | LeftOut | NotBanked, folder: Path) -> str:
    """Describe the same in a line for people; "" where there is nothing to say."""
    name = event.file.relative_to(folder)
    if isinstance(event, LeftOut):
        return f"{name}: left out: {event.reason}"
    if isinstance(event, NotBanked):
        return f"{name}: not in the bank: {event.reason}"
    return f"{name}: {'; '.join(event.notes)}" if event.notes else ""


def write_summary(account: Account, folder: Path, written: Path | None) -> dict[str, Any]:
    """Write the summary as JSON.

    folder: that the names of files are told from. written: the palette's file, None where none was
    written.
    """
    value = {
        "measured": account.sampled,
        "left_out": account.left_out,
        "colors": [
            {"code": row["code"], "phrase": row["caption"], "hex": row["median_srgb"]}
            for row in account.rows
        ],
        "passed_over": dict(account.folders.passed_over),
        "palette": None if written is None else str(written),
        "bank": None if account.bank is None else str(account.bank[1]),
        "bank_colors": [] if account.bank is None else list(account.bank[0]),
        "not_in_bank": {
            str(one.file.relative_to(folder)): one.reason for one in account.not_banked
        },
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
    if account.bank is not None:
        codes, folder = account.bank
        count = f"{len(codes)} colour{'' if len(codes) == 1 else 's'}"
        print_line(f"{folder}: photo bank of {count}; PLITKA_ENGINE=photo draws with it")
    elif written is not None and not account.not_banked:
        print_line("No photo bank was made; --bank names the folder of one")
    if written is not None:
        print_line(written)
