"""What comes from outside stands in every table and line as it is, and garbles nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from plitka.cli.main import main
from plitka.color.palette import COLUMNS, PALETTE_FILE, read_rows
from tests.support.command_line import ROOT, run_program
from tests.support.recipes import request

PHRASES = ["[z] ochre", "[red]ochre[/red]", "[/] ochre", "[link]ochre", ":smile: ochre"]


@pytest.fixture(params=PHRASES)
def phrase(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A phrase of a colour in the maker's own palette."""
    sand = next(row for row in read_rows(PALETTE_FILE) if row["code"] == "SAND")
    row = {**sand, "code": "OCHRE", "caption": request.param}
    lines = [",".join(COLUMNS), ",".join(row[column] for column in COLUMNS)]
    (tmp_path / "own.csv").write_text("\n".join(lines))
    monkeypatch.setenv("PLITKA_PALETTE", str(tmp_path / "own.csv"))
    monkeypatch.setenv("COLUMNS", "120")
    assert isinstance(request.param, str)
    return request.param


def test_a_phrase_is_no_markup(
    phrase: str, red_and_blue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, folder = str(red_and_blue), tmp_path / "photos"
    folder.mkdir()
    (folder / "OCHRE.png").write_bytes(red_and_blue.read_bytes())
    spelt = request({phrase: 60, "blue": 40})
    for arguments in (
        ["palette"],
        ["measure", picture, "--colors", f"{phrase},blue"],
        ["match", picture, spelt, "--out", str(tmp_path / "matched.png")],
        ["make", spelt, "--engine", "render", "--out", str(tmp_path / "tile")],
        ["audit", str(folder)],
    ):
        assert main(arguments) == 0
        assert phrase in capsys.readouterr().out, arguments


NAME = b"a\xff\x1b]0;t\x07\n[z]:smile:"
SHOWN = r"a\xff\x1b]0;t\x07\n[z]:smile:"


@pytest.mark.parametrize(
    "env", [{}, {"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii:strict"}], ids=str
)
@pytest.mark.parametrize(
    "arguments",
    [
        ["measure", NAME, "--colors", "red"],
        ["match", NAME, "--color", "red=100", "--out", "matched.png"],
        ["audit", NAME],
        ["calibrate", NAME],
        ["make", "--engine", "render", "--color", "red=100", "--out", NAME + b"/\xff"],
    ],
    ids=lambda arguments: str(arguments[0]),
)
def test_an_error_shows_any_name_on_one_line(
    tmp_path: Path, arguments: list[str | bytes], env: dict[str, str]
) -> None:
    (tmp_path / "file").touch()
    within = os.fsencode(tmp_path / "file") + b"/"
    done = run_program(*(within + a if isinstance(a, bytes) else a for a in arguments), **env)
    assert done.returncode == 1
    assert done.stdout == b""
    err = done.stderr.decode("utf-8")
    assert err.count("\n") == 1
    assert all(letter.isprintable() for letter in err[:-1])
    assert SHOWN in err


def test_an_argument_that_is_not_known_garbles_nothing() -> None:
    done = run_program("audit", "photos", b"--" + NAME.replace(b" ", b""))
    assert done.returncode == 2
    err = done.stderr.decode("utf-8")
    assert all(letter.isprintable() for letter in err if letter != "\n")
    assert r"\x1b]0;t\x07\n[z]" in err


def test_written_files_are_named_whatever_their_names_are(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/" + NAME
    arguments = ["--engine", "render", "--color", "red=100", "--quality", "preview"]
    done = run_program("make", *arguments, "--out", folder, PYTHONIOENCODING="ascii:strict")
    assert (done.returncode, done.stderr) == (0, b"")
    assert f"{tmp_path}/{SHOWN}/final.png\n".encode() in done.stdout


@pytest.mark.parametrize("arguments", ["--help", "make --help", "palette", "palette --json"])
def test_a_pipe_that_is_closed_early_ends_a_command_quietly(arguments: str) -> None:
    command = f"'{sys.executable}' -m plitka {arguments} | true"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, check=True)
    assert done.stderr == b""
