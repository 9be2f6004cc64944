"""`train` on the command line: its options, what it tells, how it ends."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
from tests.support.tile_photographs import MIXTURES, write_photograph, write_photographs
from tests.support.trainings import CALIBRATED, evaluated, inspected

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


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Ten, of which one has its shares swapped, and one is named so that nobody can read it."""
    folder = write_photographs(tmp_path / "photographs", MIXTURES[:8])
    write_photograph(folder / "REDp35_BLACKp65.jpg", {"RED": 65, "BLACK": 35}, seed=8)
    write_photograph(folder / "tile.jpg", {"WHITE": 60, "RED": 40}, seed=9)
    return folder


Check = Callable[..., tuple[int, str, str]]


@pytest.fixture
def check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Check:
    """`train --check`: its status and what it prints. No model is there."""
    for name in ("PLITKA_BASE", "PLITKA_VAE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
        status = main(["train", str(folder), "--out", str(tmp_path / "o"), "--check", *arguments])
        return status, *capsys.readouterr()

    return run
