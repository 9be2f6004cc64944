"""What comes from outside stands in every table and line as it is, and garbles nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import ROOT, run_program

PHRASES = ["[z] ochre", "[red]ochre[/red]", "[/] ochre", "[link]ochre", ":smile: ochre"]


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
