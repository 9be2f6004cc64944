"""Writes what a training leaves: the files that Plitka and others load, and one archive of them.

Names and notes are those of kohya's trainer (networks.lora of sd-scripts), which Plitka, diffusers,
ComfyUI and A1111's web UI read alike; the notes for people are modelspec's.
"""

import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plitka import __version__, whole_file
from plitka.arrays import Floats
from plitka.errors import TrainingError
from plitka.measure.palette_calibration import format_rows
from plitka.training import pictures, report
from plitka.training.guide import write_guide
from plitka.training.inspection import Inspection
from plitka.training.record import TrainingFacts, write_record
from plitka.training.safetensors_file import encode_safetensors
from plitka.weights.lora_scale import NOTE as SCALE_NOTE

LORA_FILE = "lora.safetensors"
EMBEDDINGS_FILE = "embeddings.safetensors"
RECORD_FILE = "training.json"
REPORT_FILE = "report.html"
ARCHIVE = "trained_model.tar"

_SPECIAL_PARAMS, _PALETTE, _GUIDE = "special_params.json", "palette.csv", "README.md"
_CHUNK = 2**20
_BLOCK = 512  # of tar


@dataclass(frozen=True, eq=False)
class Adapter:
    """What was trained.

    lora: module of the UNet as diffusers names it ("mid_block.resnets.0.conv2") -> down and up, of
    a linear layer (rank, in) and (out, rank), of a convolution (rank, in, h, w) and
    (out, rank, 1, 1). Its alpha is its rank. rows: text encoder ("clip_l", "clip_g") ->
    (vectors, width).
    """

    lora: Mapping[str, tuple[Floats, Floats]]
    rows: Mapping[str, Floats]
    rank: int


def write_package(
    out: Path, adapter: Adapter, facts: TrainingFacts, inspection: Inspection
) -> Path:
    """Write the package into the training's folder; returns the archive of it.

    Each file is whole or as it was. The pictures of the evaluations are there already, see
    `pictures`. Raises TrainingError for numbers that half precision does not hold, and for what
    cannot be written.
    """
    steps = pictures.list_shown_steps(facts.evaluations, facts.chosen)
    count = len(facts.evaluation.drawings)
    changed = {one.name: one.file for one in inspection.photographs if one.origin in _CHANGED}
    shown = dict(list(changed.items())[: report.MOST_PHOTOGRAPHS])
    small = pictures.load_pictures(out, steps, count, shown)
    texts = {
        _SPECIAL_PARAMS: json.dumps({facts.subject.trigger: "".join(facts.subject.tokens)}) + "\n",
        RECORD_FILE: write_record(facts, inspection),
        _GUIDE: write_guide(facts, inspection),
        REPORT_FILE: report.write_report(facts, inspection, small),
    }
    if inspection.palette_rows:
        texts[_PALETTE] = format_rows(inspection.palette_rows)
    contents = {
        LORA_FILE: _encode_lora(adapter, facts),
        EMBEDDINGS_FILE: _encode_embeddings(adapter),
        **{name: text.encode() for name, text in texts.items()},
    }
    names = [*contents, *pictures.list_samples(out, steps, count)]
    try:
        out.mkdir(parents=True, exist_ok=True)
        if _PALETTE not in contents:  # of an earlier training in the same folder
            (out / _PALETTE).unlink(missing_ok=True)
        for name, content in contents.items():
            whole_file.write(out / name, content)
        whole_file.write_parts(out / ARCHIVE, _pack(out, names))
    except whole_file.Unwritable as why:
        raise TrainingError(str(why)) from None
    except OSError as why:
        raise TrainingError(f"{out}: the package cannot be written ({why.strerror})") from None
    return out / ARCHIVE


_CHANGED = ("corrected", "measured")


def _encode_lora(adapter: Adapter, facts: TrainingFacts) -> bytes:
    tensors: dict[str, NDArray[np.floating]] = {}
    for module, (down, up) in adapter.lora.items():
        name = f"lora_unet_{module.replace('.', '_')}"
        tensors[f"{name}.lora_down.weight"] = _halve(down, module)
        tensors[f"{name}.lora_up.weight"] = _halve(up, module)
        tensors[f"{name}.alpha"] = np.array(adapter.rank, np.float16)
    return encode_safetensors(tensors, _write_notes(adapter, facts))


def _encode_embeddings(adapter: Adapter) -> bytes:
    rows = {name: np.asarray(values, np.float32) for name, values in adapter.rows.items()}
    for name, values in rows.items():
        if not np.isfinite(values).all():
            raise _explain_overflow(f"the vectors of {name} hold")
    return encode_safetensors(rows, {"format": "pt"})


def _halve(values: Floats, module: str) -> NDArray[np.float16]:
    """Round to half precision. Raises TrainingError where a number is too large for it."""
    with np.errstate(over="ignore"):
        rounded = np.asarray(values).astype(np.float16)
    if not np.isfinite(rounded).all():
        raise _explain_overflow(f"{module} holds")
    return rounded


def _explain_overflow(what: str) -> TrainingError:
    return TrainingError(
        f"the trained LoRA: {what} numbers that are too large or not finite, so the training"
        " diverged; nothing was packed, train again with another seed"
    )


def _write_notes(adapter: Adapter, facts: TrainingFacts) -> dict[str, str]:
    """Write the notes of the LoRA's file: kohya's, modelspec's and Plitka's own."""
    convolution = {"conv_dim": str(adapter.rank), "conv_alpha": f"{float(adapter.rank)}"}
    return {
        "format": "pt",
        "ss_base_model_version": "sdxl_base_v1-0",
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(adapter.rank),
        "ss_network_alpha": f"{float(adapter.rank)}",
        "ss_network_args": json.dumps(convolution),
        "ss_steps": str(facts.chosen),
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
        "modelspec.implementation": "diffusers",
        "modelspec.title": f"{facts.subject.trigger}, rubber tiles by Plitka",
        "modelspec.resolution": f"{facts.resolution}x{facts.resolution}",
        "modelspec.prediction_type": "epsilon",
        "modelspec.trigger_phrase": facts.subject.trigger,
        "plitka_version": __version__,
        SCALE_NOTE: f"{facts.scale:g}",
    }


def _pack(folder: Path, names: Sequence[str]) -> Iterator[bytes]:
    """Pack files of a folder as a tar, bit by bit, without dates and owners."""
    for name in names:
        with (folder / name).open("rb") as file:
            entry = tarfile.TarInfo(name)
            entry.size = (folder / name).stat().st_size
            yield entry.tobuf(tarfile.USTAR_FORMAT)
            while chunk := file.read(_CHUNK):
                yield chunk
        yield bytes(-entry.size % _BLOCK)
    yield bytes(2 * _BLOCK)
