"""Commands whose standard output or error is closed, or takes nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from plitka.images import photograph, png
from plitka.tile import render
from plitka.tile.layout import lay
from tests.support.command_line import ROOT
from tests.support.marks import long
from tests.support.recipes import asked

SILENT = ["palette", "palette --json", "--help", "--version", "plan --color red=100", "make --help"]


@pytest.fixture
def sand(tmp_path: Path) -> Path:
    file = tmp_path / "refs" / "SAND" / "1.png"
    file.parent.mkdir(parents=True)
    png.save(render.render_picture(lay(asked({"sand": 100})), 256), file, {})
    return file


def run(arguments: str, streams: str) -> subprocess.CompletedProcess[str]:
    """Run a command line as a shell does. streams: as it redirects them."""
    return subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -m plitka {arguments} {streams}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", SILENT)
def test_what_nobody_wants_to_hear_goes_nowhere(arguments: str) -> None:
    done = run(arguments, ">&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("arguments", SILENT)
def test_an_answer_that_could_not_be_written_is_told_as_such(arguments: str) -> None:
    done = run(arguments, "> /dev/full")
    assert done.returncode == 1
    assert done.stderr == "standard output: cannot be written (No space left on device)\n"


@pytest.mark.parametrize("streams", [long(">&-"), long(">&- 2>&-"), "<&- >&- 2>&-"])
def test_a_picture_is_written_whatever_is_closed(streams: str, sand: Path, tmp_path: Path) -> None:
    done = run(f"match {sand} --color sand=100 --out {tmp_path / 'x.png'}", streams)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert photograph.load(tmp_path / "x.png").pixels.shape[2] == 3


@pytest.mark.parametrize(
    "command", ["audit", long("calibrate --out x.csv"), long("measure --colors sand")]
)
def test_commands_that_tell_as_they_go_say_once_where_they_could_not(
    command: str, sand: Path, tmp_path: Path
) -> None:
    name, *options = command.replace("x.csv", str(tmp_path / "x.csv")).split()
    given = sand if name == "measure" else sand.parents[name == "calibrate"]
    for more in ([], ["--json"]):
        line = " ".join([name, str(given), *options, *more])
        done = run(line, "> /dev/full")
        assert done.returncode == 1
        assert done.stderr == "standard output: cannot be written (No space left on device)\n"
        closed = run(line, ">&-")
        assert (closed.returncode, closed.stdout, closed.stderr) == (0, "", "")


def test_an_error_that_nobody_wants_to_hear_does_not_come_with_the_answer() -> None:
    done = run("plan --color nonsense=100", "2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")
    done = run("plan --nonsense", "2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


INTERRUPTED = """
import signal
from plitka.cli import terminal

terminal.prepare_streams()
writing = False

def interrupt(*_):
    if writing:
        raise KeyboardInterrupt

signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
for number in range(5000):
    try:
        writing = True
        terminal.print_json_line(number)
        writing = False
    except KeyboardInterrupt:
        writing = False
signal.setitimer(signal.ITIMER_REAL, 0)
"""


def test_an_interrupt_while_a_line_is_written_writes_none_twice() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    numbers = list(map(int, done.stdout.splitlines()))
    assert len(numbers) > 1000
    assert numbers == sorted(set(numbers))
