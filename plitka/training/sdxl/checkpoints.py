"""States that may be chosen at the end: their averaged values, kept while they may still win."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from plitka.training.choice import Evaluation, list_contenders


def _name(folder: Path, step: int) -> Path:
    return folder / f"candidate-{step:06d}.safetensors"


def keep_candidate(folder: Path, step: int, values: Mapping[str, Tensor]) -> None:
    """Write the values of a step."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "candidate.part"
    save_file({name: value.detach().cpu().contiguous() for name, value in values.items()}, part)
    part.replace(_name(folder, step))


def drop_losers(folder: Path, evaluations: Sequence[Evaluation]) -> None:
    """Remove the values that can no longer be chosen.

    To be called once the state that holds these evaluations is written: one from before might
    choose otherwise.
    """
    if not evaluations:
        return
    contenders = {_name(folder, step) for step in list_contenders(evaluations)}
    for old in folder.glob("candidate-*.safetensors"):
        if old not in contenders:
            old.unlink()


def list_candidates(folder: Path, evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """List the evaluations whose values are there."""
    return [one for one in evaluations if _name(folder, one.step).is_file()]


def load_candidate(folder: Path, step: int) -> dict[str, Tensor]:
    """Read the values of a step that may be chosen."""
    values: dict[str, Tensor] = load_file(_name(folder, step))
    return values
