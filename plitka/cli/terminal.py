"""What commands print: lines, JSON and errors that no file's name and no caption can garble.

A name may hold what no terminal should get (escape sequences, line feeds) and what is no UTF-8.
All of that is written as escapes: "\\x1b", "\\n", "\\xff".
"""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plitka.printable import make_printable

if TYPE_CHECKING:
    from plitka.cli.console import Console


_LEAST_WIDTH, _USUAL_WIDTH, _MOST_WIDTH = 60, 80, 1000  # columns of a terminal


class OutputError(OSError):
    """Standard output cannot be written; the message says why."""


@contextmanager
def _tell_faults() -> Iterator[None]:
    """Have faults say that it is standard output that cannot be written."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        why = error.strerror or error
        raise OutputError(f"standard output: cannot be written ({why})") from None


class _Output(io.TextIOWrapper):
    """Standard output, whose faults say so.

    They are told here, above the buffer, and not in a file below it: an interrupt in Python code
    there can come when bytes are written and the buffer does not know yet, which writes them again.
    """

    def write(self, text: str) -> int:
        with _tell_faults():
            return super().write(text)

    def flush(self) -> None:
        with _tell_faults():
            super().flush()


def prepare_streams() -> None:
    """Let streams write what their encoding does not have as escapes, and say which one fails.

    What the caller has closed, as those who start daemons do, goes nowhere.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            discard(number)
            nowhere = io.BufferedWriter(io.FileIO(number, "w", closefd=False))
            setattr(sys, name, io.TextIOWrapper(nowhere, encoding="utf-8"))
    if sys.__stdout__ is not None and sys.stdout is sys.__stdout__:
        sys.stdout = _Output(
            io.BufferedWriter(io.FileIO(1, "w", closefd=False)),
            encoding=sys.__stdout__.encoding,
            line_buffering=sys.__stdout__.line_buffering,
        )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard(number: int) -> None:
    """Let all that is written to a file descriptor from now on go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    if nowhere == number:
        os.set_inheritable(number, True)
    else:
        os.close(nowhere)


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


def print_bytes(content: bytes) -> None:
    """Write bytes on standard output, at once."""
    sys.stdout.flush()
    with _tell_faults():
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


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
    """Open standard output for tables: as wide as the terminal, in colours if it has them.

    A terminal that is narrower than tables can be breaks their lines by itself, and loses nothing.
    """
    from plitka.cli.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    told = console.width  # 0 where a terminal does not say
    width = min(max(told, _LEAST_WIDTH), _MOST_WIDTH) if told > 0 else _USUAL_WIDTH
    if width != told:
        console.width = width
    return console


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
    """Show a bar with rate and time left while a command prints, where stderr is a terminal.

    On a terminal what is printed goes above the bar. prints_lines: whether that are raw lines,
    beside which no bar can stand on the same terminal.
    """
    from rich import progress

    from plitka.cli.console import Console, RateColumn

    console = open_console()
    together = sys.stdout.isatty()
    shown = sys.stderr.isatty() and not (together and prints_lines)
    shown = shown and Console(stderr=True).width >= _LEAST_WIDTH  # else its line would be broken
    with progress.Progress(
        progress.TextColumn(title),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        RateColumn(),
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
