"""What commands print: lines, JSON and errors that no file's name and no caption can garble.

A name may hold what no terminal should get (escape sequences, line feeds) and what is no UTF-8.
All of that is written as escapes: "\\x1b", "\\n", "\\xff".
"""

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plitka.printable import make_printable

if TYPE_CHECKING:
    from rich.console import Console


def write_what_fits() -> None:
    """Let streams write what their encoding does not have as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_line(text: object) -> None:
    """Print a line on standard output."""
    print(make_printable(str(text)))


def print_error(text: str) -> None:
    """Print one line or several on standard error."""
    print(*map(make_printable, text.split("\n")), sep="\n", file=sys.stderr)


def print_json(value: object) -> None:
    """Print JSON for people on standard output."""
    print(_write_json(value, indent=2))


def print_json_line(value: object) -> None:
    """Print JSON on one line of standard output, at once."""
    sys.stdout.write(_write_json(value, indent=None) + "\n")  # all of it, even if interrupted
    sys.stdout.flush()


def _write_json(value: object, indent: int | None) -> str:
    """Write JSON that is UTF-8 and printable: half characters, as of names, become escapes."""
    written = json.dumps(value, indent=indent, ensure_ascii=not _speaks_utf8())
    return "".join(
        letter if letter.isprintable() or letter == "\n" else _escape_in_json(letter)
        for letter in written
    )


def _escape_in_json(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _speaks_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def open_console() -> "Console":
    """Open standard output for tables: as wide as the terminal, in colours if it has them."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


@dataclass(frozen=True)
class Progress:
    """How far a command has come.

    console: for what it prints meanwhile. expect: is told how many steps there are. advance: is
    called after each.
    """

    console: "Console"
    expect: Callable[[int], None]
    advance: Callable[[], None]


@contextmanager
def show_progress(title: str, prints_lines: bool) -> Iterator[Progress]:
    """Show a bar while a command prints, where standard error is a terminal.

    On a terminal what is printed goes above the bar. prints_lines: whether that are raw lines,
    beside which no bar can stand on the same terminal.
    """
    from rich import progress
    from rich.console import Console

    console = open_console()
    together = sys.stdout.isatty()
    shown = sys.stderr.isatty() and not (together and prints_lines)
    with progress.Progress(
        progress.TextColumn(title),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        console=console if together else Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not shown,
    ) as bar:
        task = bar.add_task(title, total=None)
        yield Progress(
            console,
            lambda total: bar.update(task, total=total),
            lambda: bar.advance(task),
        )
