"""The photographs that renders and measurements are compared with, and what is known of them.

They are not in the repository. The folder that PLITKA_SHARED names holds them:

    photos/*.jpg                768 pixels a side, at the renders' own scale
    photos/labels.csv           file, colours (A+B), percent_true (30+70) and more
    tools/photo_distance.py     sliced Wasserstein distance between two pictures
"""

import csv
import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from plitka.images import photograph

# In mixtures the granules of this label are not those of the one-colour DKGREEN tile: their
# colour is that of the palette's GREEN, which was measured on them.
MIXED_NAMES = {"DKGREEN": "GREEN"}


@dataclass(frozen=True, eq=False)
class Photograph:
    """image: (height, width, 3) RGB, 0..255. percent: label -> share, adding up to 100."""

    name: str
    image: NDArray[np.uint8]
    percent: Mapping[str, float]

    @property
    def percent_by_eye(self) -> dict[str, float]:
        """The shares under the codes of the colours that the granules really have."""
        if len(self.percent) == 1:
            return dict(self.percent)
        return {MIXED_NAMES.get(code, code): share for code, share in self.percent.items()}


def folder() -> Path:
    """The folder that PLITKA_SHARED names; without it, says what is needed and exits with 2."""
    named = os.environ.get("PLITKA_SHARED")
    if named and (Path(named) / "photos" / "labels.csv").is_file():
        return Path(named)
    state = "is not set" if not named else f"is {named}, which has no photos/labels.csv"
    print(f"PLITKA_SHARED {state}. It must name the folder of the photographs:", file=sys.stderr)
    print((__doc__ or "").split("\n\n", 2)[2].rstrip(), file=sys.stderr)
    raise SystemExit(2)


def load() -> list[Photograph]:
    """All photographs, in the order of their labels."""
    place = folder() / "photos"
    with (place / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        Photograph(
            name=row["file"].removesuffix(".jpg"),
            image=photograph.load(place / row["file"]).pixels,
            percent=dict(
                zip(
                    row["colours"].split("+"),
                    map(float, row["percent_true"].split("+")),
                    strict=True,
                )
            ),
        )
        for row in rows
    ]


def distance_tool() -> ModuleType:
    """The module tools/photo_distance.py: `lab(bgr)` and `distance(image, photo)`."""
    path = folder() / "tools" / "photo_distance.py"
    spec = importlib.util.spec_from_file_location("photo_distance", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
