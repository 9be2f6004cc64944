"""Cog's interface to training: a maker's photographs in, a LoRA with embeddings out."""

import secrets
from pathlib import Path as LocalPath
from typing import Any

from cog import BaseModel, Input, Path, current_scope

from plitka.color import palette
from plitka.errors import TrainingError
from plitka.runtime import logs
from plitka.runtime.timing import log
from plitka.settings import read_settings
from plitka.training import run
from plitka.training.options import CAPTIONS, TrainingOptions
from plitka.training.past_states import unpack_states
from plitka.training.progress import Evaluated, Event, Stepped


class TrainingOutput(BaseModel):
    """weights: an archive of the LoRA, the embeddings and what belongs to them."""

    weights: Path


def train(
    images: Path = Input(
        description="Photographs as a .zip or .tar, captioned by text files or by their names"
    ),
    steps: int = Input(
        description="Steps of training; 0 takes as many as the photographs call for",
        default=0,
        ge=0,
        le=10000,
    ),
    seed: int = Input(description="Of all that is random", default=0, ge=0, le=4294967295),
    rank: int = Input(description="Rank of the LoRA", default=16, ge=1, le=128),
    captions: str = Input(
        description="audit corrects captions that lie, as-given leaves them",
        choices=["audit", "as-given"],
        default="audit",
    ),
    augment: float = Input(
        description="Share of samples that are matched to drawn recipes",
        default=0.5,
        ge=0,
        le=0.5,
    ),
    resume: Path | None = Input(
        description="Folder of an earlier training as a .zip or .tar, to go on with",
        default=None,
    ),
) -> TrainingOutput:
    """Train on photographs.

    Writes states into a new folder below PLITKA_TRAINING, where they stay, however it ends. Raises
    ValueError for photographs or states that cannot be trained with, EngineError for what keeps the
    model from being trained.
    """
    settings = read_settings()
    logs.configure(settings.log)
    for name, file in (("images", images), ("resume", resume)):
        # Of a plain string, which could name any file here, Cog makes none.
        if file is not None and not isinstance(file, Path):
            raise ValueError(f"{name}: allowed: an http or https address, or a data: URI")
    out = settings.training_folder / f"training-{secrets.token_hex(6)}"
    log.info("the states of this training are kept in %s", out)
    audited = next(one for one in CAPTIONS if one == captions)
    options = TrainingOptions(steps=steps, seed=seed, rank=rank, captions=audited, augment=augment)
    request = run.TrainingRequest(LocalPath(images), out, options, resume=resume is not None)
    known = palette.load(settings.palette_file)
    try:
        if resume is not None:
            unpack_states(LocalPath(resume), out)
        written = run.train(request, settings.sdxl, known, _record)
    except TrainingError as fault:
        raise ValueError(str(fault)) from None  # Cog's error starts with the class's name
    assert written is not None
    return TrainingOutput(weights=Path(written))  # type: ignore[call-arg]  # Cog makes its __init__


def _record(event: Event) -> None:
    """Record what Cog shows beside a training while it runs, and afterwards."""
    metrics: dict[str, float] = {}
    if isinstance(event, Stepped):
        metrics = {"step": event.step, "steps": event.steps, "loss": event.loss}
    elif isinstance(event, Evaluated):
        metrics = {"heldout": event.evaluation.loss, "texture": event.evaluation.texture}
    scope: Any = current_scope()
    for name, value in metrics.items():
        scope.record_metric(name, value)
