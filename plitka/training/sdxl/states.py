"""States of a training, from which it goes on: written while it runs, whole or not at all.

A machine may end at any moment, and a process that is killed is told nothing. So a state is written
under another name, put on the disk, and renamed; the two newest stay.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from plitka.errors import TrainingError

_NAME = re.compile(r"step-(\d{6})")
_TENSORS, _NOTES = "state.safetensors", "state.json"
_KEPT = 2
_HALF_WRITTEN = ".part"


@dataclass(frozen=True, eq=False)
class State:
    """All that a training needs to go on after `step` steps.

    tensors: what is trained, its average, and the optimizer's. notes: all else, as JSON has it.
    """

    step: int
    tensors: Mapping[str, Tensor]
    notes: Mapping[str, Any]


def save_state(folder: Path, state: State) -> None:
    """Write a state into a folder, and remove all but the two newest. Raises TrainingError."""
    final = folder / f"step-{state.step:06d}"
    part = final.with_suffix(_HALF_WRITTEN)
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        save_file({name: tensor.cpu() for name, tensor in state.tensors.items()}, part / _TENSORS)
        (part / _NOTES).write_text(json.dumps({"step": state.step, **state.notes}))
        for file in (part / _TENSORS, part / _NOTES, part):
            _flush(file)
        shutil.rmtree(final, ignore_errors=True)
        part.rename(final)
        _flush(folder)
    except OSError as error:
        raise TrainingError(
            f"{final}: the state cannot be written ({error.strerror or error}); the last one stays:"
            " make room, and go on with --resume"
        ) from None
    for old in _list_states(folder)[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    for half in folder.glob(f"step-*{_HALF_WRITTEN}"):
        shutil.rmtree(half, ignore_errors=True)


def load_state(folder: Path) -> State | None:
    """Load the newest state in a folder, None where there is none.

    Passes over one that is damaged, as only a failing disk leaves it, if there is another.
    """
    faults = []
    for place in _list_states(folder):
        try:
            notes = json.loads((place / _NOTES).read_text())
            return State(notes.pop("step"), load_file(place / _TENSORS), notes)
        except (OSError, ValueError, KeyError, SafetensorError) as fault:
            faults.append(f"{place}: damaged ({fault})")
    if faults:
        raise TrainingError("\n".join([*faults, "train anew, in another folder"]))
    return None


def _list_states(folder: Path) -> list[Path]:
    """List the whole states of a folder, newest first."""
    found = [place for place in folder.glob("step-*") if _NAME.fullmatch(place.name)]
    return sorted(found, reverse=True)


def _flush(path: Path) -> None:
    """Let the system put a file's or folder's content on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
