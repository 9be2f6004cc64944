"""The record of a training: training.json when it is done, log.jsonl while it runs."""

import errno
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plitka import whole_file
from plitka.errors import TrainingError
from plitka.request.prompt import Subject
from plitka.training.choice import Drawing, Evaluation, ScaleTrial
from plitka.training.inspection import Inspection, TrainingPhotograph
from plitka.training.options import TrainingOptions

LOG_FILE = "log.jsonl"
_FORM = 1  # version of training.json's layout
_STEP = "step"  # the key of a log's line by which it is cut


@dataclass(frozen=True)
class TrainingFacts:
    """What a training did, for its record and its report.

    options: as it was asked. steps: of the optimizer, that were done. resolution: pixels a side of
    the largest samples. seconds: of work, over all times that it was resumed. base: the title of
    the model. versions: of the programs, by name. device, dtype, plan: where and how it ran; the
    memory plan is the last one used. curve: (step, loss), the loss being the mean of the steps up
    to the next one. evaluations: in the order of their steps. chosen: the step of the state that
    was kept. trials: of the LoRA's scale. scale: the one that was chosen. warnings: what was told
    while it ran. ended: why before all steps were done, a sentence; "" where they were.
    """

    options: TrainingOptions
    subject: Subject
    steps: int
    resolution: int
    seconds: float
    base: str
    versions: Mapping[str, str]
    device: str
    dtype: str
    plan: str
    curve: tuple[tuple[int, float], ...]
    evaluations: tuple[Evaluation, ...]
    chosen: int
    trials: tuple[ScaleTrial, ...]
    scale: float
    warnings: tuple[str, ...] = ()
    ended: str = ""

    @property
    def evaluation(self) -> Evaluation:
        """The evaluation of the state that was kept."""
        return next(one for one in self.evaluations if one.step == self.chosen)


def write_record(facts: TrainingFacts, inspection: Inspection) -> str:
    """Write training.json: the same text for the same facts, and no path of this machine."""
    held_out = {inspection.photographs[index].name for index in inspection.held_out}
    record = {
        "form": _FORM,
        "options": asdict(facts.options),
        "subject": {"trigger": facts.subject.trigger, "vectors": facts.subject.vectors},
        "base": facts.base,
        "versions": dict(sorted(facts.versions.items())),
        "device": {"name": facts.device, "dtype": facts.dtype, "plan": facts.plan},
        "steps": facts.steps,
        "resolution": facts.resolution,
        "seconds": round(facts.seconds, 1),
        "ended": facts.ended,
        "chosen": {"step": facts.chosen, "scale": facts.scale},
        "photographs": [
            _record_photograph(one, one.name in held_out) for one in inspection.photographs
        ],
        "palette": [dict(row) for row in inspection.palette_rows],
        "curve": [{"step": step, "loss": loss} for step, loss in facts.curve],
        "evaluations": [record_evaluation(one) for one in facts.evaluations],
        "trials": [asdict(trial) for trial in facts.trials],
        "warnings": [*inspection.warnings, *facts.warnings],
    }
    return _format_json(record, indent=2)


def _record_photograph(one: TrainingPhotograph, is_held_out: bool) -> dict[str, Any]:
    measured = one.measured or (None,) * len(one.shares)
    return {
        "name": one.name,
        "sha256": one.digest,
        "size": list(one.size),
        "scale": one.scale,
        "held_out": is_held_out,
        "given": one.given,
        "origin": one.origin,
        "colors": [
            {"code": color.code, "name": color.phrase, "share": share, "measured": seen}
            for color, share, seen in zip(one.colors, one.shares, measured, strict=True)
        ],
    }


def record_evaluation(evaluation: Evaluation) -> dict[str, Any]:
    """Write an evaluation as JSON has it, with the means over its drawings."""
    return {
        **asdict(evaluation),
        "drawings": [asdict(drawing) for drawing in evaluation.drawings],
        "texture": evaluation.texture,
        "total_variation": evaluation.total_variation,
    }


def read_evaluation(record: Mapping[str, Any]) -> Evaluation:
    """Read what `record_evaluation` wrote. Raises KeyError or TypeError for anything else."""
    drawings = tuple(Drawing(**drawing) for drawing in record["drawings"])
    return Evaluation(record["step"], record["loss"], drawings)


class Log:
    """The lines of log.jsonl: one JSON object each, whole even where the process is killed."""

    def __init__(self, out: Path, resumed: int | None) -> None:
        """Begin the log of a training, or take up that of one that goes on.

        out: the training's folder. resumed: the step of the state from which it goes on, None for a
        new training. Lines of later steps are cut, for these steps are done again, and so is a last
        line that is not whole. Raises TrainingError where the file cannot be written.
        """
        self._path = out / LOG_FILE
        kept = [] if resumed is None else cut_log(read_log(out), resumed)
        try:
            whole_file.write(self._path, "".join(map(_format_line, kept)).encode())
        except whole_file.Unwritable as why:
            raise TrainingError(str(why)) from None

    def append(self, line: Mapping[str, Any]) -> None:
        """Append a line, in one write. Raises TrainingError where there is no room."""
        try:
            target = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                content = _format_line(line).encode()
                if os.write(target, content) < len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            finally:
                os.close(target)
        except OSError as error:
            raise TrainingError(
                f"{self._path}: cannot be written ({error.strerror or error}); check that its"
                " folder exists and has room, and continue with --resume"
            ) from None


def read_log(out: Path) -> list[dict[str, Any]]:
    """Read the whole lines of a training's log; of none where there is no log."""
    try:
        content = (out / LOG_FILE).read_bytes()
    except FileNotFoundError:
        return []
    lines: list[dict[str, Any]] = []
    for text in content.split(b"\n")[:-1]:  # after the last line's end is nothing, or what was cut
        try:
            line = json.loads(text)
        except ValueError:  # of bytes that are no UTF-8 as well
            continue  # a line that a full disk cut, before one that found room again
        if isinstance(line, dict):
            lines.append(line)
    return lines


def cut_log(lines: Sequence[dict[str, Any]], step: int) -> list[dict[str, Any]]:
    """Leave out the lines of steps after this one; those without a step stay."""
    return [line for line in lines if line.get(_STEP, 0) <= step]


def _format_line(line: Mapping[str, Any]) -> str:
    return _format_json(line, indent=None)


def _format_json(value: object, indent: int | None) -> str:
    """Format as JSON; what it has no number for, as the loss of a step that failed, is null."""
    sound = _replace_nonfinite(value)
    return json.dumps(sound, ensure_ascii=False, indent=indent, allow_nan=False) + "\n"


def _replace_nonfinite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _replace_nonfinite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_nonfinite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
