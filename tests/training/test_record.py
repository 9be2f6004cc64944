"""The record of a training, and its log, whatever ends it."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plitka.errors import TrainingError
from plitka.training.record import (
    LOG_FILE,
    Log,
    read_evaluation,
    read_log,
    record_evaluation,
    write_record,
)
from tests.support.trainings import CALIBRATED, evaluated, inspected, trained


def test_the_record_holds_what_was_trained_on_and_what_came_of_it() -> None:
    inspection = inspected(warnings=("1.jpg: is small",), palette_rows=(CALIBRATED,))
    facts = trained(warnings=("memory ran out",))
    record = json.loads(write_record(facts, inspection))
    assert record["options"]["rank"] == 4
    assert record["chosen"] == {"step": 400, "scale": 0.75}
    assert [one["name"] for one in record["photographs"] if one["held_out"]] == ["4.jpg", "5.jpg"]
    corrected = record["photographs"][1]
    assert corrected["given"] == "70% red, 30% white"
    assert corrected["origin"] == "corrected"
    assert corrected["sha256"] == inspection.photographs[1].digest
    assert corrected["colors"] == [
        {"code": "RED", "name": "red", "share": 0.3, "measured": 0.31},
        {"code": "WHITE", "name": "white", "share": 0.7, "measured": 0.69},
    ]
    assert record["palette"] == [CALIBRATED]
    assert len(record["curve"]) == 60
    assert [one["step"] for one in record["evaluations"]] == [0, 200, 400, 600]
    assert [one["scale"] for one in record["trials"]] == [0.6, 0.75, 0.9, 1.0]
    assert record["warnings"] == ["1.jpg: is small", "memory ran out"]


def test_the_record_is_the_same_text_each_time_and_names_no_folder(tmp_path: Path) -> None:
    text = write_record(trained(), inspected())
    assert write_record(trained(), inspected()) == text
    assert str(tmp_path) not in text
    assert "file" not in json.loads(text)["photographs"][0]


def test_an_evaluation_comes_back_from_json() -> None:
    evaluation = evaluated(200, 0.12, 1.5)
    text = json.dumps(record_evaluation(evaluation))
    assert read_evaluation(json.loads(text)) == evaluation


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    log = Log(tmp_path, None)
    log.append({"event": "started", "device": "CPU"})
    log.append({"event": "stepped", "step": 10, "loss": 0.5})
    log.append({"event": "warned", "step": 10, "text": "жёлтый\nёж"})
    assert read_log(tmp_path) == [
        {"event": "started", "device": "CPU"},
        {"event": "stepped", "step": 10, "loss": 0.5},
        {"event": "warned", "step": 10, "text": "жёлтый\nёж"},
    ]


def test_a_new_training_begins_a_new_log(tmp_path: Path) -> None:
    Log(tmp_path, None).append({"step": 10})
    Log(tmp_path, None)
    assert read_log(tmp_path) == []


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_null_in_json(value: float, tmp_path: Path) -> None:
    Log(tmp_path, None).append({"step": 10, "loss": value})
    assert read_log(tmp_path) == [{"step": 10, "loss": None}]


@pytest.mark.parametrize("torn", ["", '{"step": 30, "lo', '{"step": 30}', "\xff\n[1]\n"])
def test_a_training_that_goes_on_cuts_torn_lines_and_those_of_steps_it_does_again(
    torn: str, tmp_path: Path
) -> None:
    log = Log(tmp_path, None)
    log.append({"event": "started"})
    for step in (10, 20, 30, 40):
        log.append({"step": step})
    with (tmp_path / LOG_FILE).open("a", encoding="latin-1") as file:
        file.write(torn)
    Log(tmp_path, 20).append({"step": 30, "again": True})
    assert read_log(tmp_path) == [
        {"event": "started"},
        {"step": 10},
        {"step": 20},
        {"step": 30, "again": True},
    ]
    text = (tmp_path / LOG_FILE).read_text(encoding="utf-8")
    assert text.count("\n") == 4


def test_a_kill_leaves_whole_lines(tmp_path: Path) -> None:
    """A process is killed while it appends; what it had appended is there, line by line."""
    code = f"""
from itertools import count
from pathlib import Path
from plitka.training.record import Log
log = Log(Path({str(tmp_path)!r}), None)
for step in count():
    log.append({{"step": step, "text": "x" * 500}})
    if step == 200:
        print("going", flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    lines = read_log(tmp_path)
    assert len(lines) > 200
    assert [line["step"] for line in lines] == list(range(len(lines)))


def test_a_log_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    log = Log(tmp_path, None)
    (tmp_path / LOG_FILE).unlink()
    (tmp_path / LOG_FILE).mkdir()
    with pytest.raises(TrainingError, match=r"log\.jsonl: cannot be written"):
        log.append({"step": 1})
    with pytest.raises(TrainingError, match=r"log\.jsonl: is a folder"):
        Log(tmp_path, None)
