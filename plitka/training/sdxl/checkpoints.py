"""States that may be chosen at the end: their averaged values, kept while they may still win."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from plitka.training.choice import Evaluation, list_contenders


def _name(folder: Path, step: int) -> Path:
    return folder / f"candidate-{step:06d}.safetensors"


def keep_candidate(
    folder: Path, step: int, values: Mapping[str, Tensor], evaluations: Sequence[Evaluation]
) -> None:
    """Write the values of a step, and remove those that can no longer be chosen."""
    part = folder / "candidate.part"
    save_file({name: value.detach().cpu().contiguous() for name, value in values.items()}, part)
    part.replace(_name(folder, step))
    contenders = {_name(folder, step) for step in list_contenders(evaluations)}
    for old in folder.glob("candidate-*.safetensors"):
        if old not in contenders:
            old.unlink()


def load_candidate(folder: Path, step: int) -> dict[str, Tensor]:
    """Read the values of a step that may be chosen."""
    values: dict[str, Tensor] = load_file(_name(folder, step))
    return values
