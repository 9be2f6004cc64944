"""The pictures of a training's evaluations: kept in samples/, and small for the report.

They are written as they are drawn, so that a training that goes on has those from before.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from plitka import whole_file
from plitka.arrays import Image
from plitka.errors import TrainingError
from plitka.images import photograph
from plitka.images.errors import PictureError
from plitka.images.jpeg import encode_jpeg
from plitka.training.choice import Evaluation

SAMPLES = "samples"
_QUALITY = 92
_SMALL = 288  # pixels a side, at most, of pictures in the report
_MOST_SHOWN = 5  # evaluations, the first and the last among them; and the chosen one


@dataclass(frozen=True, eq=False)
class Pictures:
    """Small pictures for the report.

    held_out: the photographs, in the order of each evaluation's drawings. drawings: by step, in
    the same order. photographs: by their names, those whose captions were not used as given.
    What is not there any more is missing.
    """

    held_out: tuple[Image, ...]
    drawings: Mapping[int, tuple[Image, ...]]
    photographs: Mapping[str, Image]


def save_held_out(out: Path, number: int, image: Image) -> None:
    """Save a photograph that drawings are compared with, as it is compared. number: from 0."""
    _save(out / _name_held_out(number), image)


def save_drawing(out: Path, step: int, number: int, image: Image) -> None:
    """Save a picture that was drawn at an evaluation. number: of the drawing, from 0."""
    _save(out / _name_drawing(step, number), image)


def list_shown_steps(evaluations: Sequence[Evaluation], chosen: int) -> list[int]:
    """List the steps whose pictures are packed and reported: some, evenly, and the chosen one."""
    steps = [evaluation.step for evaluation in evaluations]
    most = min(len(steps), _MOST_SHOWN)
    evenly = {steps[place] for place in np.linspace(0, len(steps) - 1, most).round().astype(int)}
    return sorted({*evenly, chosen})


def list_samples(out: Path, steps: Iterable[int], count: int) -> list[str]:
    """List those pictures of evaluations that are there, as paths in the training's folder."""
    names = [_name_held_out(number) for number in range(count)]
    names += [_name_drawing(step, number) for step in steps for number in range(count)]
    return [name for name in names if (out / name).is_file()]


def load_pictures(
    out: Path, steps: Iterable[int], count: int, photographs: Mapping[str, Path]
) -> Pictures:
    """Load pictures, small. count: of the drawings of an evaluation."""
    held_out = _load_all([out / _name_held_out(number) for number in range(count)])
    drawings: dict[int, tuple[Image, ...]] = {}
    for step in steps:
        if row := _load_all([out / _name_drawing(step, number) for number in range(count)]):
            drawings[step] = row
    shown = {
        name: image for name, file in photographs.items() if (image := _load(file)) is not None
    }
    return Pictures(held_out, drawings, shown)


def _name_held_out(number: int) -> str:
    return f"{SAMPLES}/photograph-{number + 1}.jpg"


def _name_drawing(step: int, number: int) -> str:
    return f"{SAMPLES}/step-{step:06d}-{number + 1}.jpg"


def _save(file: Path, image: Image) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        whole_file.write(file, encode_jpeg(image, _QUALITY))
    except (whole_file.Unwritable, OSError) as why:
        raise TrainingError(f"{file}: cannot be written ({why}); see that it has room") from None


def _load_all(files: Sequence[Path]) -> tuple[Image, ...]:
    """Load pictures; none of them where one is missing, for they belong together."""
    images = tuple(image for file in files if (image := _load(file)) is not None)
    return images if len(images) == len(files) else ()


def _load(file: Path) -> Image | None:
    """Load a picture, small; None where it is gone or cannot be read."""
    try:
        image = photograph.load(file).pixels
    except PictureError:
        return None
    height, width = image.shape[:2]
    factor = min(_SMALL / max(height, width), 1.0)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
