"""What `audit` tells: each photograph as it is ready, and then a summary."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plitka.cli import tables
from plitka.cli.terminal import print_line
from plitka.measure.caption_audit import Finding
from plitka.measure.description import name_groups, name_intervals, name_shares
from plitka.measure.photograph_folder import FOLDERS, HIDDEN, LINKS, OTHERS, TEXTS

_VERDICTS = ("true", "lies", "unread")
_KINDS = {
    FOLDERS: "folders",
    HIDDEN: "hidden files and folders",
    LINKS: "links to folders",
    TEXTS: "texts without a photograph",
    OTHERS: "other files",
}


class Tally:
    """What an audit has found so far. folder: that files' names are told from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.verdicts: Counter[str] = Counter()
        self.lies: list[str] = []
        self.broken = 0  # that are unread because a file could not be read

    @property
    def count(self) -> int:
        """How many photographs were looked at."""
        return self.verdicts.total()

    def add(self, finding: Finding) -> None:
        self.verdicts[finding.verdict] += 1
        self.broken += finding.broken
        if finding.verdict == "lies":
            self.lies.append(str(finding.file.relative_to(self.folder)))


def write_finding(finding: Finding, folder: Path) -> dict[str, Any]:
    """Write a finding as JSON. folder: that the file's name is told from."""
    value: dict[str, Any] = {
        "file": str(finding.file.relative_to(folder)),
        "verdict": finding.verdict,
        "reason": finding.reason,
    }
    if finding.caption and finding.measured and finding.total_variation is not None:
        codes = [color.code for color in finding.caption.colors]
        value["captioned"] = name_shares(finding.caption.shares, codes)
        value["measured"] = name_shares(finding.measured.shares, codes)
        value["intervals"] = name_intervals(finding.measured, codes)
        value["groups"] = name_groups(finding.measured, codes)
        value["total_variation"] = round(finding.total_variation, 5)
        value["notes"] = finding.notes
    return value


def write_summary(tally: Tally, total: int, passed_over: Mapping[str, int]) -> dict[str, Any]:
    """Write the summary as JSON. total: of photographs. passed_over: how many of each kind."""
    value = {
        **{verdict: tally.verdicts[verdict] for verdict in _VERDICTS},
        "lying": sorted(tally.lies),
        "passed_over": dict(passed_over),
        "finished": tally.count == total,
    }
    return {"summary": value}


def print_summary(tally: Tally, total: int, passed_over: Mapping[str, int]) -> None:
    """Print the summary for people; last the names of the photographs whose captions lie."""
    if tally.count > tally.verdicts["unread"]:
        tables.show("", tables.INTERVALS)
    if tally.count < total:
        tables.show(f"Interrupted: {tally.count} of {total} photographs were looked at.")
    if tally.verdicts["unread"]:
        tables.show(f"{tally.verdicts['unread']} of {tally.count} could not be read.")
    if passed_over:
        hint = "; --recursive looks into folders" if FOLDERS in passed_over else ""
        tables.show(f"{write_passed_over(passed_over)}{hint}.")
    print_line(f"{len(tally.lies)} of {tally.count} captions lie" + (":" if tally.lies else ""))
    for name in sorted(tally.lies):
        print_line(name)


def write_passed_over(passed_over: Mapping[str, int]) -> str:
    """Write how many things of each kind were passed over."""
    return "Passed over: " + ", ".join(
        f"{words} ({count})" for kind, words in _KINDS.items() if (count := passed_over.get(kind))
    )
