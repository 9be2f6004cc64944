"""Inspects photographs before anything is loaded: what is wrong with them, and what they show."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from plitka.color.palette import Color, Palette
from plitka.training.options import TrainingOptions

Origin: TypeAlias = Literal["given", "corrected", "measured", "folder"]


@dataclass(frozen=True)
class TrainingPhotograph:
    """One photograph to train on.

    name: its path in the folder, with /. digest: SHA-256 of its content in hex. size: width and
    height in pixels. colors, shares: of the caption that is used; shares are 0 to 1, together 1.
    given: the caption as given, None where there was none that can be read. origin: where the
    caption that is used is from. measured: what was measured of `colors`, 0 to 1. scale: the factor
    that brings its granules to the size that a render of 1024 pixels gives them.
    """

    name: str
    file: Path
    digest: str
    size: tuple[int, int]
    colors: tuple[Color, ...]
    shares: tuple[float, ...]
    given: str | None
    origin: Origin
    measured: tuple[float, ...]
    scale: float


@dataclass(frozen=True)
class Inspection:
    """What was found of a folder of photographs.

    photographs: those that can be used, by name. held_out: their indices, ascending. palette: with
    the calibrated colours. palette_rows: of these. faults: each stops the training. warnings: each
    is told.
    """

    photographs: tuple[TrainingPhotograph, ...]
    held_out: tuple[int, ...]
    palette: Palette
    palette_rows: tuple[Mapping[str, str], ...]
    faults: tuple[str, ...]
    warnings: tuple[str, ...]


def inspect(
    folder: Path,
    options: TrainingOptions,
    palette: Palette,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Inspection:
    """Inspect a folder of photographs. tell: called with how many of how many are read."""
    raise NotImplementedError
