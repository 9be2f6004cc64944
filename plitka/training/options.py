"""What one training is asked to do, with the bounds of each option."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Captions: TypeAlias = Literal["audit", "as-given"]

CAPTIONS: tuple[Captions, ...] = get_args(Captions)
MOST_STEPS = 20_000
MOST_RANK = 128
MOST_BATCH = 32
FEWEST_VECTORS, MOST_VECTORS = 2, 8
RESOLUTIONS = (512, 768, 1024)
"""Pixels a side of the pictures that are trained on; 512 is what a preview has."""
MOST_AUGMENTED = 0.5
"""More than half of matched samples, and the marks of matching would become the style."""

# cog-sdxl takes 1,000 steps in all, Eden's trainer 300, ai-toolkit 500 to 4,000.
_STEPS_FOR_EACH = 40  # photograph
_FEWEST_BY_DEFAULT, _MOST_BY_DEFAULT = 600, 2000


@dataclass(frozen=True)
class TrainingOptions:
    """What one training is asked to do.

    steps: of the optimizer, 0 for a number that follows the photographs. rank: of the LoRA, which
    is its alpha as well. batch: samples a step, on all devices together. resolution: one of
    RESOLUTIONS, 0 for the largest that the photographs bear. seed: of all that is random. vectors:
    of the textual inversion. augment: the share of samples that are matched photographs, 0 to
    MOST_AUGMENTED. captions: whether those that lie are corrected ("audit"). render_aware: whether
    matched samples start from the render as pictures do. minutes: after which training ends with
    what it has; None for no limit. evaluate_every: steps from one evaluation to the next.

    Only tests change the following. rate: the LoRA's highest learning rate; the rows' is ten times
    as high. drawn: held-out recipes that an evaluation draws.
    """

    steps: int = 0
    rank: int = 16
    batch: int = 4
    resolution: int = 0
    seed: int = 0
    vectors: int = 2
    augment: float = 0.5
    captions: Captions = "audit"
    render_aware: bool = False
    minutes: float | None = None
    evaluate_every: int = 200
    rate: float = 1e-4
    drawn: int = 4


def count_training_steps(options: TrainingOptions, photographs: int) -> int:
    """Count the steps of a training on so many photographs."""
    if options.steps:
        return options.steps
    return min(max(_STEPS_FOR_EACH * photographs, _FEWEST_BY_DEFAULT), _MOST_BY_DEFAULT)
