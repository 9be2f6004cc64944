"""What a training tells while it runs: events, for a terminal, a log, or Cog's metrics."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from plitka.training.choice import Evaluation
from plitka.training.inspection import Inspection


class Interrupted(Exception):
    """A training was asked to end; its last state is written, and it can go on from there."""


@dataclass(frozen=True)
class Inspected:
    """The photographs were inspected, and nothing is wrong with them that would stop it."""

    inspection: Inspection


@dataclass(frozen=True)
class Prepared:
    """So many samples of all are made ready."""

    done: int
    total: int


@dataclass(frozen=True)
class Started:
    """The model is loaded, and the first step comes, or the next where it goes on."""

    first: int
    steps: int
    plan: str
    device: str
    dtype: str


@dataclass(frozen=True)
class Stepped:
    """A step is done. loss: the mean of the last fifty."""

    step: int
    steps: int
    loss: float
    seconds_left: float


@dataclass(frozen=True)
class Evaluated:
    """A state was evaluated."""

    evaluation: Evaluation


@dataclass(frozen=True)
class Saved:
    """A state was written, from which a training goes on."""

    step: int


@dataclass(frozen=True)
class Warned:
    """Something went otherwise than planned, in a sentence."""

    text: str


Event: TypeAlias = Inspected | Prepared | Started | Stepped | Evaluated | Saved | Warned
Observer: TypeAlias = Callable[[Event], None]
