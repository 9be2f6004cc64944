"""What the benchmarks of colours look at: photographs, where there are some, and stand-ins."""

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from plitka.arrays import Image
from plitka.color import palette
from plitka.color.palette import Color
from plitka.images.photograph import load as load_photograph
from plitka.request.recipe import Recipe
from plitka.request.shares import ColorShare
from plitka.tile import render
from plitka.tile.layout import ScatteredLayout, lay

SIZE = 1024

# The 23 recipes of the published outputs of the system that Plitka replaces.
RECIPES = (
    "RED60+BLACK20+WHITE20",
    "GRSGRN40+BLACK30+YELLOW30",
    "RED50+BLACK30+WHITE20",
    "WHITE50+BLACK50",
    "RED25+BLUE25+DKGREEN25+YELLOW25",
    "RED25+BLUE25+GRSGRN25+WHITE25",
    "RED25+BLUE25+GRSGRN25+YELLOW25",
    "RED30+BLUE30+GRSGRN20+WHITE20",
    "RED40+BLUE30+GRSGRN20+WHITE10",
    "RED70+BLUE30",
    "LTGREEN60+BLUE40",
    "RED60+BLUE40",
    "RED50+BLUE50",
    "SAND40+TERCOT30+KHAKI20+BROWN10",
    "BROWN50+GRAY30+WHITE20",
    "DKGREEN60+LTGREEN40",
    "GRSGRN60+YELLOW40",
    "PEARL50+SALMON30+LTGRAY20",
    "SALMON50+ORANGE30+PINK20",
    "RED1+WHITE99",
    "RED10+WHITE90",
    "RED50+WHITE50",
    "RED60+WHITE40",
)


@dataclass(frozen=True)
class Labelled:
    """A picture whose shares are known. shares: in the order of the colours, 0 to 1."""

    name: str
    file: Path
    colors: tuple[Color, ...]
    shares: tuple[float, ...]


def photographs() -> Path | None:
    """The folder of photographs, where PLITKA_SHARED names one that holds it."""
    shared = os.environ.get("PLITKA_SHARED")
    return Path(shared) / "photos" if shared else None


def labelled() -> Iterator[Labelled]:
    """The photographs, with their true shares."""
    folder = photographs()
    if folder is None:
        return
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            colors = tuple(palette.load().find(code) for code in row["colours"].split("+"))
            shares = tuple(float(part) / 100 for part in row["percent_true"].split("+"))
            yield Labelled(row["file"], folder / row["file"], colors, shares)


def layout(recipe: str, seed: int) -> ScatteredLayout:
    """The layout of "RED60+BLUE40"."""
    parts = []
    for part in recipe.split("+"):
        code = part.rstrip("0123456789")
        color = palette.load().find(code)
        parts.append(ColorShare(color, color.phrase, int(part[len(code) :]) / 100))
    return lay(Recipe(tuple(parts), seed=seed))


def rendered(recipe: str, seed: int) -> Image:
    return render.render_picture(layout(recipe, seed), SIZE)


def photograph(name: str, otherwise: str) -> Image:
    """A photograph at SIZE, or the render of a recipe where there are none."""
    folder = photographs()
    if folder is None:
        return rendered(otherwise, 11)
    image = load_photograph(folder / name).pixels
    return np.asarray(cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), np.uint8)


SHOWN = {
    "photo, red": ("RED", "BLUE"),
    "photo, black and white": ("BLACK", "WHITE"),
    **dict.fromkeys(
        ("photo, four colours", "photo, darkened by 30%", "photo, yellow cast"),
        ("BLUE", "GREEN", "RED", "YELLOW"),
    ),
}
"""The colours of stand-ins that show more than one."""


def stand_ins() -> dict[str, Image]:
    """Pictures in place of the model's output; those whose name has "photo" show granules."""
    rng = np.random.default_rng(5)
    mix = photograph("BLUEp25_DKGREENp25_REDp25_YELLOWp25.jpg", "BLUE25+GREEN25+RED25+YELLOW25")
    red = photograph("REDp85_BLUEp15.jpg", "RED85+BLUE15")
    noise = rng.normal(size=(SIZE, SIZE, 3)).astype(np.float32)
    smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), 20), np.float32)
    cast = mix * np.array([1.05, 1.0, 0.55])
    return {
        "photo, red": red,
        "photo, pink": photograph("PINK.jpg", "PINK100"),
        "photo, black and white": photograph("BLACKp40_WHITEp60.jpg", "BLACK40+WHITE60"),
        "photo, four colours": mix,
        "photo, darkened by 30%": (0.7 * mix).astype(np.uint8),
        "photo, yellow cast": np.clip(cast, 0, 255).astype(np.uint8),
        "render, red": rendered("RED100", 11),
        "smooth noise": np.clip(128 + 45 * smooth / smooth.std(), 0, 255).astype(np.uint8),
        "white noise": rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8),
        "flat gray": np.full((SIZE, SIZE, 3), 128, np.uint8),
    }
