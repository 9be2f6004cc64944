"""Unpacks the states of an earlier training, from which another goes on."""

import shutil
import tempfile
from pathlib import Path, PurePosixPath

from plitka.errors import TrainingError, WeightsError
from plitka.weights.archive import Contents, unpack

STATES = "state"
"""The folder of the states in a training's own."""

_SUFFIXES = (".safetensors", ".json", ".jsonl", ".jpg")
_SAMPLES = "samples"
_STATE = "step-*/state.json"


def _is_wanted(name: str) -> bool:
    """Whether a file is unpacked: not the samples as the VAE encoded them, which are made anew."""
    path = PurePosixPath(name.replace("\\", "/"))
    is_encoded = path.suffix == ".safetensors" and path.parent.name == _SAMPLES
    return path.suffix in _SUFFIXES and not is_encoded


_CONTENTS = Contents(
    _is_wanted,
    taken="it has to be one of these with the folder of a training in it, or its folder state",
    needed="the folder of a training",
    most_files=4000,
    most_bytes=16 * 2**30,  # two states of a LoRA of rank 128 have 7
)


def refuse_folder(out: Path, resume: bool) -> None:
    """Raise TrainingError for a folder that holds states where a training begins, or none where
    one goes on.
    """
    folder = out / STATES
    has_states = any(folder.glob("step-*"))
    if has_states and not resume:
        raise TrainingError(
            f"{folder}: holds the states of a training; continue it with --resume, or name another"
            " folder for --out"
        )
    if resume and not has_states:
        raise TrainingError(f"{folder}: holds no state to continue from; leave --resume out")


def unpack_states(file: Path, out: Path) -> None:
    """Unpack the folder of an earlier training, or its states alone, into a new folder `out`.

    Raises TrainingError for an archive that holds no states, or those of two trainings.
    """
    try:
        out.mkdir(parents=True)
        with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=out) as name:
            folder = Path(name)
            unpack(file, "resume", folder, _CONTENTS)
            states = _find_states(folder)
            if states.name == STATES:
                for one in states.parent.iterdir():
                    shutil.move(one, out / one.name)
            else:
                shutil.copytree(states, out / STATES)
    except WeightsError as fault:
        raise TrainingError(str(fault)) from None
    except OSError as error:
        raise TrainingError(
            f"{out}: the states cannot be unpacked there ({error.strerror or error}); make room, or"
            " name another folder with PLITKA_TRAINING"
        ) from None


def _find_states(folder: Path) -> Path:
    """Find the folder that holds states."""
    found = sorted({file.parent.parent for file in folder.rglob(_STATE)})
    if not found:
        raise TrainingError(
            "resume: holds no state of a training; pack the folder that holds log.jsonl and state"
        )
    if len(found) > 1:
        raise TrainingError("resume: holds the states of two trainings; pack one of them")
    return found[0]
