"""Which of a training's states is kept, and at which scale: chosen by what was measured."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from plitka.errors import TrainingError

AS_GOOD = 1.02
"""Times the least held-out loss; losses so near differ by chance."""


@dataclass(frozen=True)
class Drawing:
    """One held-out recipe, drawn with a state before matching, and measured.

    prompt: of the recipe. photograph: the name of the held-out one that shows this recipe.
    total_variation: of measured and asked shares, 0 to 1. texture: distance to the photograph, 0
    for the same texture. undecided: the share of the picture in other colours, 0 to 1.
    """

    prompt: str
    photograph: str
    total_variation: float
    texture: float
    undecided: float


@dataclass(frozen=True)
class Evaluation:
    """What a state is worth. loss: on held-out photographs at fixed noise and timesteps."""

    step: int
    loss: float
    drawings: tuple[Drawing, ...]

    @property
    def texture(self) -> float:
        """The mean texture distance of the drawings."""
        return sum(drawing.texture for drawing in self.drawings) / len(self.drawings)

    @property
    def total_variation(self) -> float:
        """The mean total variation of the drawings, 0 to 1."""
        return sum(drawing.total_variation for drawing in self.drawings) / len(self.drawings)


@dataclass(frozen=True)
class ScaleTrial:
    """What the chosen state is worth at one scale of its LoRA: means over the drawings."""

    scale: float
    texture: float
    total_variation: float


def list_contenders(evaluations: Sequence[Evaluation]) -> set[int]:
    """List the steps whose states may still be chosen, whatever evaluations come.

    One that is worse than another in both ways will not be, nor one that is not a number, nor the
    one before the first step, which is there to compare with. None where there is no other.
    """
    near = _list_near(evaluations)
    return {
        one.step
        for one in near
        if not any(other.loss <= one.loss and _rank(other) < _rank(one) for other in near)
    }


def choose_step(evaluations: Sequence[Evaluation]) -> int:
    """Choose the step with the least texture distance of those whose loss is near the least.

    The earliest of equals. Raises TrainingError where no loss is a number.
    """
    near = _list_near(evaluations)
    if not near:
        raise TrainingError(
            "no state of the training can draw: the loss on the held-out photographs is not a"
            " number; train with another seed"
        )
    return min(near, key=_rank).step


def _list_near(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """List those whose loss differs from the least by no more than chance."""
    sound = [one for one in evaluations if one.step and math.isfinite(one.loss + one.texture)]
    least = min((one.loss for one in sound), default=0.0)
    return [one for one in sound if one.loss <= least * AS_GOOD]


def _rank(evaluation: Evaluation) -> tuple[float, int]:
    return evaluation.texture, evaluation.step


def choose_scale(trials: Sequence[ScaleTrial]) -> float:
    """Choose the scale with the least texture distance, the smallest of equals."""
    return min(trials, key=lambda trial: (trial.texture, trial.scale)).scale
