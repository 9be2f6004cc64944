"""The photo bank on the command line: calibrate makes it, check looks at it, make draws with it."""

import json
import os
from pathlib import Path

import pytest

from plitka.cli.main import main
from plitka.images import png
from tests.support.command_line import read_lines
from tests.support.photo_banks import draw_photograph, write_references, write_small_bank
from tests.support.recipes import request

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_references(tmp_path_factory.mktemp("refs"))


@pytest.fixture
def bank(tmp_path: Path, references: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write_small_bank(tmp_path / "bank", references)
    monkeypatch.setenv("PLITKA_BANK", str(folder))
    return folder


def test_calibrate_makes_a_bank_that_make_draws_with(
    references: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    bank = tmp_path / "ours.bank"
    own = ["--out", str(tmp_path / "ours.csv")]
    assert main(["calibrate", str(references), *own, "--bank", str(bank)]) == 0
    out = capsys.readouterr().out
    assert f"{bank}: photo bank of 2 colours; PLITKA_ENGINE=photo draws with it\n" in out
    monkeypatch.setenv("PLITKA_BANK", str(bank))
    asked = request({"blue": 70, "white": 30}, 45)
    tile = tmp_path / "tile"
    assert main(["make", asked, "--engine", "photo", "--out", str(tile), "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)
    assert (metrics["engine"], metrics["matched"]) == ("photo", False)
    assert metrics["total_variation"]["final"] < 0.001
    record = json.loads(png.read_record((tile / "final.png").read_bytes()) or "")
    assert (record["engine"], record["counted"]) == ("photo", True)


def test_a_photograph_that_is_too_small_for_the_bank_is_told_and_still_measured(
    tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "refs" / "BLUE").mkdir(parents=True)
    png.save(draw_photograph("BLUE")[:200, :200], tmp_path / "refs" / "BLUE" / "1.png", {})
    own = ["--out", str(tmp_path / "ours.csv"), "--bank", str(tmp_path / "ours.bank")]
    arguments = ["calibrate", str(tmp_path / "refs"), *own]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "BLUE/1.png: not in the bank: is too small for the bank: 200x200 pixels" in told
    assert "photo bank of" not in told
    assert main([*arguments, "--json"]) == 0
    lines, summary = read_lines(capsys.readouterr().out.encode())
    assert [line["verdict"] for line in lines.values()] == ["measured"]
    assert summary["bank"] is None
    assert "too small for the bank" in summary["not_in_bank"]["BLUE/1.png"]
    assert not (tmp_path / "ours.bank").exists()


@pytest.mark.parametrize("named", [False, True])
def test_a_palette_that_goes_elsewhere_has_a_bank_only_where_one_is_named(
    named: bool,
    references: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    bank = tmp_path / "there" / "bank"
    bank.parent.mkdir()
    if named:
        monkeypatch.setenv("PLITKA_BANK", str(bank))
    own = tmp_path / "here" / "ours.csv"
    own.parent.mkdir()
    assert main(["calibrate", str(references), "--out", str(own)]) == 0
    told = "photo bank of 2 colours" if named else "No photo bank was made; --bank names the folder"
    assert told in capsys.readouterr().out
    assert [file.name for file in own.parent.iterdir()] == ["ours.csv"]
    assert bank.exists() == named


def test_check_looks_at_every_file_of_the_bank(bank: Path, capsys: Capture) -> None:
    assert main(["check", "--engine", "photo"]) == 0
    assert f"ok     bank: {bank}: 2 colours" in capsys.readouterr().out
    (file,) = bank.glob("WHITE-1-granules-*.png")
    os.truncate(file, 100)
    assert main(["check", "--engine", "photo"]) == 1
    assert f"FAULT  bank: {file}: is not what was written; make the bank" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["make", "check"])
def test_without_a_bank_one_is_told_how_to_make_it(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("PLITKA_BANK", str(tmp_path / "none"))
    more = [request({"red": 100}), "--out", str(tmp_path)] if command == "make" else []
    assert main([command, "--engine", "photo", *more]) == 1
    told = "".join(capsys.readouterr())
    assert (
        f"{tmp_path / 'none'}: there is no photo bank; put photographs of your one-colour" in told
    )
    assert "python -m plitka calibrate refs" in told
