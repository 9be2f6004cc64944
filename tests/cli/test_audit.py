"""`audit` of folders as people have them: one bad file costs itself alone."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plitka.cli.main import main
from tests.support.command_line import (
    ROOT,
    list_workers,
    read_lines,
    run_program,
    start_program,
)
from tests.support.marks import long
from tests.support.odd_files import FAULTS, bind_socket

ORIENTATION = 274  # tag of EXIF
MANY = 16  # photographs: seconds of work


@pytest.fixture
def folder(tmp_path: Path, red_and_blue: Path) -> Path:
    """A folder with one photograph, whose caption is true."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "REDp60_BLUEp40.png").write_bytes(red_and_blue.read_bytes())
    return tmp_path / "photos"


@pytest.fixture
def many(tmp_path: Path, red_and_blue: Path) -> Path:
    """A folder with many photographs, whose captions are true."""
    (tmp_path / "many").mkdir()
    for number in range(MANY):
        (tmp_path / "many" / f"REDp60_BLUEp40_{number}.png").write_bytes(red_and_blue.read_bytes())
    return tmp_path / "many"


def audited(
    capsys: pytest.CaptureFixture[str], folder: Path, *options: str
) -> tuple[int, str, str]:
    status = main(["audit", str(folder), *options])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("kind", FAULTS)
def test_a_photograph_that_cannot_be_read_is_a_line_and_the_rest_is_done(
    folder: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make, reason = FAULTS[kind]
    make(folder / "BLUEp60_REDp40.png")
    status, out, err = audited(capsys, folder, "--json")
    assert (status, err) == (0, "")
    told, summary = read_lines(out.encode())
    assert told["REDp60_BLUEp40.png"]["verdict"] == "true"
    unread = told["BLUEp60_REDp40.png"]
    assert unread["verdict"] == "unread"
    assert reason in unread["reason"]
    assert [summary[verdict] for verdict in ("true", "lies", "unread")] == [1, 0, 1]
    assert summary["finished"] is True
    table = audited(capsys, folder)[1]
    assert "1 of 2 could not be read." in table
    assert "0 of 2 captions lie\n" in table


def test_all_faults_at_once_cost_themselves_alone(many: Path, red_and_blue: Path) -> None:
    for number, (make, _) in enumerate(FAULTS.values()):
        make(many / f"BLUEp60_REDp40_{number}.png")
    whole = red_and_blue.read_bytes()
    (many / "BLUEp60_REDp40_cut.png").write_bytes(whole[: len(whole) // 2])
    done = run_program("audit", many, "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    told, summary = read_lines(done.stdout)
    assert summary["true"] == MANY
    assert summary["unread"] == len(FAULTS) + 1
    assert len(told) == MANY + len(FAULTS) + 1


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda file: file.mkdir(), "is a folder"),
        (os.mkfifo, "is a pipe"),
        (bind_socket, "is a socket"),
        (lambda file: file.symlink_to("nowhere"), "cannot be read (No such file"),
        (lambda file: file.symlink_to("/dev/zero"), "is a device"),
        (
            lambda file: file.write_bytes(b"\0" * 100_000),
            "has 100,000 bytes; at most 65,536 are read",
        ),
        (lambda file: file.write_bytes(b"60% red \x98"), "is no text"),
    ],
    ids=["folder", "pipe", "socket", "dangling link", "device", "huge", "no text"],
)
def test_a_caption_that_cannot_be_read_is_told_and_not_passed_over(
    folder: Path,
    make: Callable[[Path], object],
    reason: str,
    red_and_blue: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folder / "REDp60_BLUEp40_2.png").write_bytes(red_and_blue.read_bytes())
    make(folder / "REDp60_BLUEp40_2.txt")
    status, out, err = audited(capsys, folder, "--json")
    assert (status, err) == (0, "")
    told, summary = read_lines(out.encode())
    unread = told["REDp60_BLUEp40_2.png"]
    assert unread["verdict"] == "unread"
    assert f"its caption REDp60_BLUEp40_2.txt {reason}" in unread["reason"]
    assert (summary["true"], summary["passed_over"]) == (1, {})


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_where_nothing_can_be_read_the_audit_has_failed(
    tmp_path: Path, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "RED.png").mkdir()
    (tmp_path / "BLUE.png").write_bytes(b"")
    status, out, err = audited(capsys, tmp_path, *options)
    assert status == 1
    assert "BLUE.png" in out
    assert err == f"{tmp_path}: none of its photographs could be read\n"


def test_what_is_passed_over_is_counted_by_kind(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "REDp60_BLUEp40.txt").write_text("60% red, 40% blue")  # is a caption
    for name in ("notes.md", "clip.mov", ".REDp60_BLUEp40.png", "lone.txt"):
        (folder / name).write_text("")
    (folder / "more").mkdir()
    (folder / ".cache").mkdir()
    (folder / "loop").symlink_to(".")
    _, out, _ = audited(capsys, folder, "--json")
    _, summary = read_lines(out.encode())
    assert summary["passed_over"] == {
        "folders": 1,
        "hidden": 2,
        "links": 1,
        "texts": 1,
        "other_files": 2,
    }
    table = " ".join(audited(capsys, folder)[1].split())
    assert (
        "Passed over: folders (1), hidden files and folders (2), links to folders (1), texts"
        " without a photograph (1), other files (2); --recursive looks into folders."
    ) in table


def test_folders_in_a_folder_are_looked_into_where_asked_and_links_lead_nowhere(
    folder: Path, red_and_blue: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "a/b", "WHITE.jpg", ".hidden"):
        (folder / name).mkdir()
        (folder / name / "REDp40_BLUEp60.PNG").write_bytes(red_and_blue.read_bytes())
    (folder / "a" / "REDp40_BLUEp60.TXT").write_text("60% red, 40% blue")
    (folder / "a" / "up").symlink_to("..")
    (folder / "a" / "b" / "itself").symlink_to("itself")
    status, out, _ = audited(capsys, folder, "--json", "--recursive")
    assert status == 0
    told, summary = read_lines(out.encode())
    assert {name: line["verdict"] for name, line in told.items()} == {
        "REDp60_BLUEp40.png": "true",
        "WHITE.jpg": "unread",
        "WHITE.jpg/REDp40_BLUEp60.PNG": "lies",
        "a/REDp40_BLUEp60.PNG": "true",
        "a/b/REDp40_BLUEp60.PNG": "lies",
    }
    assert summary["lying"] == ["WHITE.jpg/REDp40_BLUEp60.PNG", "a/b/REDp40_BLUEp60.PNG"]
    assert summary["passed_over"] == {"hidden": 1, "links": 1, "other_files": 1}


NAMES = [
    b"REDp60_BLUEp40_\xff.png",
    b"REDp60_BLUEp40_\xd0.png",
    b"REDp60_BLUEp40\n2.png",
    b"REDp60_BLUEp40_\x1b]0;title\x07.png",
    b"REDp60_BLUEp40_\x1b[2J.png",
    b"REDp60_BLUEp40_\xc2\x9b31m.png",
    b"REDp60_BLUEp40_\xe2\x80\xae.png",
    b"REDp60_BLUEp40_[z].png",
    b"REDp60_BLUEp40_[red].png",
    b"[link=https:example]a[-link].png",
    b"REDp60_BLUEp40_:smile:.png",
    "REDp60_BLUEp40_плитка.png".encode(),
]


@pytest.fixture
def oddly_named(folder: Path, red_and_blue: Path) -> Path:
    for number, name in enumerate(NAMES):
        file = folder / os.fsdecode(name)
        file.write_bytes(red_and_blue.read_bytes())
        red = 60 if number % 2 else 40  # half of them lie
        file.with_suffix(".txt").write_text(f"{red}% red, {100 - red}% blue")
    return folder


@pytest.mark.parametrize(
    "env",
    [{"LC_ALL": "C"}, long({"PYTHONIOENCODING": "cp1251"})],
    ids=str,
)
def test_json_is_utf_8_and_its_names_are_those_of_the_files(
    oddly_named: Path, env: dict[str, str]
) -> None:
    done = run_program("audit", oddly_named, "--json", **env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert all(letter.isprintable() for letter in done.stdout.decode("utf-8") if letter != "\n")
    told, summary = read_lines(done.stdout)
    assert {os.fsencode(name) for name in told} == {*NAMES, b"REDp60_BLUEp40.png"}
    assert sorted(map(os.fsencode, summary["lying"])) == sorted(NAMES[::2])


@pytest.mark.parametrize("env", [long({"LC_ALL": "C"}), {"PYTHONIOENCODING": "ascii"}], ids=str)
def test_names_stand_in_the_table_as_they_are_and_garble_nothing(
    oddly_named: Path, env: dict[str, str]
) -> None:
    done = run_program("audit", oddly_named, COLUMNS="200", **env)
    assert (done.returncode, done.stderr) == (0, b"")
    out = done.stdout.decode("ascii" if "PYTHONIOENCODING" in env else "utf-8")
    assert all(letter.isprintable() for letter in out if letter != "\n")
    table, lies = out.split("captions lie:\n")
    for shown in (
        *(r"_\xff.png", r"_\xd0.png", r"BLUEp40\n2.png", r"_\x1b]0;title\x07.png"),
        *(r"_\x1b[2J.png", r"_\x9b31m.png", r"_\u202e.png", "_[z].png", "_[red].png"),
        *("[link=https:example]a[-link].png", "_:smile:.png"),
    ):
        assert shown in table
    assert len(lies.splitlines()) == len(NAMES[::2])
    assert "REDp60_BLUEp40_:smile:.png" in lies
    plain = r"\u043f\u043b" if "PYTHONIOENCODING" in env else "плитка"
    assert plain in table


def test_what_was_found_before_an_interrupt_is_told_and_all_ends_at_once(many: Path) -> None:
    with start_program("audit", many, "--json") as process:
        assert process.stdout
        first = process.stdout.readline()
        workers = list_workers(process.pid)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    told, summary = read_lines(first + out)
    assert process.returncode == 130
    assert err == b""
    assert summary["finished"] is False
    assert 1 <= len(told) <= summary["true"] <= len(told) + 1 < MANY
    assert workers
    assert not any(worker.is_running() for worker in workers)


def test_an_interrupted_table_has_its_summary_too(many: Path) -> None:
    with start_program("audit", many) as process:
        assert process.stdout
        seen = b""
        while b"true" not in seen:
            seen += process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, err) == (130, b"")
    assert f" of {MANY} photographs were looked at.".encode() in out
    assert b"captions lie" in out


def test_a_worker_that_is_killed_costs_its_file_alone(many: Path) -> None:
    with start_program("audit", many, "--json") as process:
        assert process.stdout
        first = process.stdout.readline()
        killed = list_workers(process.pid)
        for worker in killed:
            worker.kill()
        out, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    told, summary = read_lines(first + out)
    assert len(told) == MANY
    unread = [line for line in told.values() if line["verdict"] == "unread"]
    assert 1 <= len(unread) <= len(killed)
    assert {line["reason"] for line in unread} == {
        "its process was ended (Killed; too little memory?)"
    }
    assert summary["true"] == MANY - len(unread)


@pytest.mark.parametrize("options", ["", "--json"])
def test_a_reader_that_has_seen_enough_gets_no_complaint(many: Path, options: str) -> None:
    command = f"'{sys.executable}' -m plitka audit '{many}' {options} | head -n 1"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, check=True)
    assert done.stderr == b""
    assert done.stdout.count(b"\n") == 1


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_terminal_sees_how_far_it_has_come_and_a_file_does_not(
    folder: Path, options: tuple[str, ...]
) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "plitka", "audit", str(folder), *options],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        out, _ = process.communicate()
    shown = b""
    while part := _read(ours):
        shown += part
    os.close(ours)
    assert process.returncode == 0
    assert b"Measuring" in shown
    assert b"1/1" in shown
    assert b"\x1b[?25l" not in shown  # the cursor: who is killed could not show it again
    assert b"Measuring" not in out
    assert b"\x1b" not in out
    assert b"REDp60_BLUEp40.png" in out


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # as Linux says that nobody writes any more
        return b""


def test_a_picture_that_memory_does_not_suffice_for_is_unread(folder: Path) -> None:
    Image.fromarray(np.zeros((8000, 8000, 3), np.uint8)).save(folder / "BLACK.png")
    command = f"ulimit -v 1100000; exec '{sys.executable}' -m plitka audit '{folder}' --json"
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, env=env, capture_output=True, check=True)
    told, summary = read_lines(done.stdout)
    assert "memory" in told["BLACK.png"]["reason"]
    assert (summary["true"], summary["unread"]) == (1, 1)


def test_what_was_done_to_a_photograph_is_told(
    folder: Path, red_and_blue: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    with Image.open(red_and_blue) as picture:
        picture.save(folder / "REDp60_BLUEp40_2.png", exif=exif)
    told, _ = read_lines(audited(capsys, folder, "--json")[1].encode())
    assert told["REDp60_BLUEp40_2.png"]["notes"] == ["turned upright"]
    assert told["REDp60_BLUEp40.png"]["notes"] == []
    assert "true; turned" in audited(capsys, folder)[1]
