"""`train` on the command line: its options, what it tells, how it ends."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plitka.cli import training_report
from plitka.cli.arguments import build_parser
from plitka.cli.main import main
from plitka.settings import read_settings
from plitka.training.options import TrainingOptions
from plitka.training.progress import (
    Evaluated,
    Event,
    Inspected,
    Prepared,
    Saved,
    Started,
    Stepped,
    Warned,
)
from tests.support.tile_photographs import MIXTURES, shrink, write_photograph, write_photographs
from tests.support.trainings import CALIBRATED, evaluated, inspected

if TYPE_CHECKING:
    from tests.support.small_sdxl import SmallSdxl

EVENTS: tuple[Event, ...] = (
    Inspected(inspected(palette_rows=(CALIBRATED,), warnings=("1.jpg: is dark",))),
    Prepared(3, 8),
    Started(0, 600, "fast", "a card", "bfloat16"),
    Saved(0),
    Stepped(10, 600, 0.1234, 3725.0),
    Warned("the learning rate was halved"),
    Evaluated(evaluated(10, 0.2, 0.5)),
)


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("--steps", "-1", "0 to 20000"),
        ("--steps", "1e3", "0 to 20000"),
        ("--rank", "0", "1 to 128"),
        ("--rank", "129", "1 to 128"),
        ("--batch", "33", "1 to 32"),
        ("--seed", "4294967296", "0 to 4294967295"),
        ("--vectors", "1", "2 to 8"),
        ("--augment", "0.6", "0 to 0.5"),
        ("--augment", "nan", "0 to 0.5"),
        ("--minutes", "0", "1 to 10080"),
        ("--resolution", "640", "512, 768, 1024"),
        ("--captions", "mine", "'audit', 'as-given'"),
        ("--out", "", "names nothing"),
    ],
)
def test_an_option_out_of_bounds_is_refused_with_what_is_allowed(
    option: str, value: str, allowed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "photographs", "--out", "ours", option, value])
    assert ended.value.code == 2
    assert allowed in capsys.readouterr().err


def test_what_is_not_said_is_as_the_options_have_it() -> None:
    parsed = build_parser(read_settings()).parse_args(["train", "photographs", "--out", "ours"])
    usual = TrainingOptions()
    for name in ("steps", "rank", "batch", "resolution", "seed", "vectors", "augment", "captions",
                 "render_aware", "minutes"):  # fmt: skip
        assert getattr(parsed, name) == getattr(usual, name), name


# What it tells


def test_each_event_is_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    report = training_report.Json()
    with report:
        for event in EVENTS:
            report.tell(event)
    report.sum_up(Path("ours/trained_model.tar"), Path("ours"))
    *lines, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert [line["event"] for line in lines] == [
        *("inspected", "prepared", "started", "saved", "stepped", "warned", "evaluated")
    ]
    told = lines[0]["photographs"]
    assert (told[1]["origin"], told[1]["given"]) == ("corrected", "70% red, 30% white")
    assert told[1]["used"] == {"red": 0.3, "white": 0.7}
    assert [photograph["held_out"] for photograph in told] == [False] * 3 + [True] * 2
    assert lines[0]["calibrated"] == [{"code": "BRICK", "phrase": "brick red", "hex": "#9c4a3c"}]
    assert lines[4] == {"event": "stepped", "step": 10, "steps": 600, "loss": 0.1234,
                        "seconds_left": 3725.0}  # fmt: skip
    assert lines[6]["texture"] == pytest.approx(0.5)
    assert last["summary"]["package"] == "ours/trained_model.tar"


def test_people_read_of_corrections_warnings_and_progress(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = training_report.Lines(verbose=False)
    with report:
        for event in EVENTS:
            report.tell(event)
    report.sum_up(Path("ours/trained_model.tar"), Path("ours"))
    said = capsys.readouterr().out
    for part in (
        "70% red, 30% white",
        "30% red, 70% white",
        "31% red, 69% white",
        "brick red",
        "Warning: 1.jpg: is dark",
        "5 photographs, 2 of them held out to measure on; 1 caption",
        "600 steps, plan fast, on a card in bfloat16",
        "step 10 of 600: loss 0.1234, 1 h 02 min left",
        "step 10: held-out loss 0.2000, texture 0.50, shares off by 4.0%",
        "ours/report.html",
        "make --weights ours/trained_model.tar",
    ):
        assert part in said, part


def test_the_log_has_the_steps_where_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    report = training_report.Lines(verbose=True)
    with report:
        report.tell(Stepped(10, 600, 0.1234, 3725.0))
    assert capsys.readouterr().out == ""


# Photographs, inspected


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten, of which one has its shares swapped, and one is named so that nobody can read it."""
    folder = write_photographs(tmp_path_factory.mktemp("trained") / "tiles", MIXTURES[:8])
    write_photograph(folder / "REDp35_BLACKp65.jpg", {"RED": 65, "BLACK": 35}, seed=8)
    write_photograph(folder / "tile.jpg", {"WHITE": 60, "RED": 40}, seed=9)
    return folder


@pytest.fixture(autouse=True)
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PLITKA_BASE", "PLITKA_VAE", "PLITKA_PALETTE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_check_corrects_captions_tells_of_them_and_trains_nothing(
    photographs: Path,
    small_sdxl: "SmallSdxl",
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in small_sdxl.settings().items():
        monkeypatch.setenv(name, value)
    arguments = ["train", str(photographs), "--out", str(tmp_path / "ours"), "--check"]
    assert main([*arguments, "--json"]) == 0
    inspection, last = map(json.loads, capsys.readouterr().out.splitlines())
    told = {photograph["file"]: photograph for photograph in inspection["photographs"]}
    swapped, unread = told["REDp35_BLACKp65.jpg"], told["tile.jpg"]
    assert (swapped["origin"], swapped["used"]) == ("corrected", {"red": 0.65, "black": 0.35})
    assert unread["origin"] == "measured"
    assert unread["used"] == pytest.approx({"red": 0.4, "white": 0.6}, abs=0.03)
    assert sum(photograph["origin"] == "given" for photograph in told.values()) == 8
    assert last["summary"]["photographs"] == 10
    assert any("its caption says 35% red" in warning for warning in inspection["warnings"])
    assert not (tmp_path / "ours").exists()

    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "35% red, 65% black" in said
    assert "2 captions corrected or measured" in said
    assert "Nothing stands in the way of training" in said


@pytest.mark.long
def test_check_tells_of_the_photographs_also_where_the_base_is_missing(
    photographs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["train", str(photographs), "--out", str(tmp_path / "ours"), "--check"]) == 1
    out, err = capsys.readouterr()
    assert "35% red, 65% black" in out
    assert "stabilityai/stable-diffusion-xl-base-1.0: no folder here" in err
    assert err.endswith(
        "\nThe photographs have no faults; only what is said above stands in the way of training.\n"
    )


def test_all_faults_are_told_at_once_before_a_model_is_loaded(
    photographs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = shutil.copytree(photographs, tmp_path / "tiles")
    (folder / "REDp60_WHITEp40.jpg").write_bytes(b"no picture")
    shrink(folder / "WHITEp75_BLACKp25.jpg", 64)
    arguments = ["train", str(folder), "--out", str(tmp_path / "ours"), "--captions", "as-given"]
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    faults = err.splitlines()
    for name in ("REDp60_WHITEp40.jpg: ", "WHITEp75_BLACKp25.jpg: ", "tile.jpg: ", "stabilityai/"):
        assert any(fault.startswith(name) for fault in faults), (name, err)
    assert out == ""
    assert "no faults" not in err
    assert not (tmp_path / "ours").exists()


def test_photographs_that_are_not_there_are_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["train", str(tmp_path / "none"), "--out", str(tmp_path / "ours")]) == 1
    err = capsys.readouterr().err
    assert "none" in err
    assert "Traceback" not in err
