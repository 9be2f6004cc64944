"""Trainings as if they had run: their facts, their inspection, their pictures."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from plitka.color import palette
from plitka.request.prompt import Subject
from plitka.training import pictures
from plitka.training.choice import Drawing, Evaluation, ScaleTrial
from plitka.training.inspection import Inspection, TrainingPhotograph
from plitka.training.options import TrainingOptions
from plitka.training.package import Adapter
from plitka.training.record import TrainingFacts

CALIBRATED = {
    "code": "BRICK",
    "caption": "brick red",
    "median_srgb": "#9c4a3c",
    "L_median": "41.4",
    "a_median": "32.4",
    "b_median": "24.4",
    "L_p5": "20.0",
    "L_p25": "34.0",
    "L_p75": "47.0",
    "L_p95": "55.0",
    "a_std": "4.00",
    "b_std": "4.00",
    "measured_from": "2 photographs of a tile of this colour",
}


def photographed(name: str, shares: Mapping[str, float], **changed: Any) -> TrainingPhotograph:
    """A photograph of a mixture, "RED" -> 0.6, whose caption was true. changed: its fields."""
    known = palette.load()
    return replace(
        TrainingPhotograph(
            name=name,
            file=Path(name),
            digest=f"{abs(hash(name)) % 16**8:064x}",
            size=(1024, 768),
            colors=tuple(known.find(code) for code in shares),
            shares=tuple(shares.values()),
            given=", ".join(
                f"{share:.0%} {known.find(code).phrase}" for code, share in shares.items()
            ),
            origin="given",
            measured=tuple(shares.values()),
            scale=1.0,
        ),
        **changed,
    )


def inspected(*photographs: TrainingPhotograph, **changed: Any) -> Inspection:
    """An inspection; of five photographs, the last two held out, where none are given."""
    photographs = photographs or (
        photographed("1.jpg", {"RED": 0.6, "BLUE": 0.4}),
        photographed(
            "2.jpg",
            {"RED": 0.3, "WHITE": 0.7},
            given="70% red, 30% white",
            origin="corrected",
            measured=(0.31, 0.69),
        ),
        photographed("3.jpg", {"BLACK": 1.0}, given=None, origin="folder"),
        photographed("4.jpg", {"RED": 0.5, "BLUE": 0.5}),
        photographed("5.jpg", {"RED": 0.8, "BLACK": 0.2}),
    )
    held_out = tuple(range(len(photographs)))[-2:]
    return replace(Inspection(photographs, held_out, palette.load(), (), (), ()), **changed)


def evaluated(step: int, loss: float, texture: float, variation: float = 0.04) -> Evaluation:
    """An evaluation of two drawings, whose mean texture distance is this."""
    drawings = (
        Drawing("50% red, 50% blue", "4.jpg", variation, texture - 0.1, 0.02),
        Drawing("80% red, 20% black", "5.jpg", variation, texture + 0.1, 0.03),
    )
    return Evaluation(step, loss, drawings)


def trained(**changed: Any) -> TrainingFacts:
    """The facts of a training of 600 steps, whose state of step 400 was kept."""
    facts = TrainingFacts(
        options=TrainingOptions(steps=600, rank=4),
        subject=Subject(),
        steps=600,
        resolution=1024,
        seconds=1234.5,
        base="stabilityai/stable-diffusion-xl-base-1.0",
        versions={"plitka": "9.9.9", "torch": "2.0"},
        device="NVIDIA L4",
        dtype="bfloat16",
        plan="checkpointed",
        curve=tuple((step, 0.1 + 0.05 * 0.5 ** (step / 200)) for step in range(10, 601, 10)),
        evaluations=(
            evaluated(0, 0.151, 3.1, 0.21),
            evaluated(200, 0.124, 1.6, 0.11),
            evaluated(400, 0.1203, 1.02, 0.06),
            evaluated(600, 0.12, 1.1, 0.05),
        ),
        chosen=400,
        trials=(
            ScaleTrial(0.6, 1.21, 0.07),
            ScaleTrial(0.75, 1.02, 0.06),
            ScaleTrial(0.9, 1.04, 0.05),
            ScaleTrial(1.0, 1.12, 0.06),
        ),
        scale=0.75,
    )
    return replace(facts, **changed)


def adapter_for(modules: Mapping[str, tuple[int, ...]], rank: int = 4) -> Adapter:
    """An adapter with random numbers. modules: with dots -> shape of their weight."""
    random = np.random.default_rng(3)

    def draw(*shape: int) -> Any:
        return random.normal(0, 0.1, shape).astype(np.float32)

    pairs = {
        name: (draw(rank, *shape[1:]), draw(shape[0], rank, *[1] * (len(shape) - 2)))
        for name, shape in modules.items()
    }
    return Adapter(pairs, {"clip_l": draw(2, 768), "clip_g": draw(2, 1280)}, rank)


def save_pictures(out: Path, facts: TrainingFacts, size: int = 64) -> None:
    """Pictures of all evaluations, each of one gray."""
    for number in range(len(facts.evaluation.drawings)):
        pictures.save_held_out(out, number, np.full((size, size, 3), 200, np.uint8))
        for one in facts.evaluations:
            shade = 20 + (one.step // 10 + 60 * number) % 200
            pictures.save_drawing(out, one.step, number, np.full((size, size, 3), shade, np.uint8))
