"""Files are read beside other work; nothing depends on it."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from plitka.runtime import reading_ahead
from plitka.runtime.reading_ahead import ReadAhead


@pytest.fixture(autouse=True)
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_ahead, "_WINDOW", 4096)


def read_all(files: list[Path], most: int = 10**9) -> int:
    with ReadAhead(files, most) as reading:
        for thread in threading.enumerate():
            if thread.name == "plitka-read-ahead":
                thread.join()
    return reading.size


def test_every_byte_is_read_and_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    first, empty, last = (tmp_path / name for name in ("first", "empty", "last"))
    first.write_bytes(bytes(10_000))
    empty.touch()
    last.write_bytes(bytes(4096))
    assert read_all([first, tmp_path / "absent", tmp_path, empty, last]) == 14_096
    assert read_all([]) == 0


def test_no_more_is_read_than_is_allowed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(10_000))
    assert read_all([file, file], most=15_000) == 15_000


def test_a_process_ends_while_files_are_read(tmp_path: Path) -> None:
    """A pipe, of which nobody writes the other end, is read for ever."""
    code = (
        "import os, sys; from pathlib import Path;"
        "from plitka.runtime.reading_ahead import ReadAhead;"
        "os.mkfifo(sys.argv[1]); ReadAhead([Path(sys.argv[1])], 100).__enter__()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "pipe")], capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
