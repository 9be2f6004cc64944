"""Plitka from Python: make a tile, measure a picture, match one to a recipe.

    from plitka import api

    recipe = api.Recipe({"black": 60, "white": 40}, angle=45, seed=7)
    tile = api.make(recipe, engine="render")
    tile.final.save("tile.png")
    print(tile.final.shares)

A face of the program, as the command line is one: it reads the settings once, when it first needs
them, and loads each engine once. docs/api.md tells more.

Imports: pipeline, settings.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from plitka import __version__, pipeline
from plitka.color.mix import MAX_COLORS
from plitka.color.palette import Color, Palette, UnknownColor
from plitka.engines import registry
from plitka.engines.base import Engine
from plitka.errors import EngineError
from plitka.ground.zones import sum_up_shares
from plitka.images import png
from plitka.images.errors import PictureError
from plitka.matching import match as matching
from plitka.measure.reading import load_photograph
from plitka.measure.shares import Measurement as ColorMeasurement
from plitka.measure.shares import TooSmall
from plitka.measure.shares import measure as measure_colors
from plitka.request import parsing
from plitka.request.recipe import DEFAULT_QUALITY, DRAW_SEED, Quality, RecipeError, draw_seed
from plitka.request.recipe import Recipe as ReadRecipe
from plitka.settings import Settings, read_settings
from plitka.tile.layout import lay

__all__ = [
    "EngineError",
    "Match",
    "Measurement",
    "Picture",
    "PictureError",
    "Recipe",
    "RecipeError",
    "Tile",
    "TooSmall",
    "UnknownColor",
    "make",
    "match",
    "measure",
    "prepare",
]

Pixels: TypeAlias = NDArray[np.uint8]
Source: TypeAlias = "str | PathLike[str] | Pixels"


@dataclass(frozen=True)
class Recipe:
    """What to make.

    colors: each colour's name, code or hex, and its proportion: percentages that add up to 100, or
    fractions that add up to 1. angle: of laying, 0 to 180 degrees. seed: 0 to 4294967295; -1 draws
    one. overrides, surface: as in a request. It is read, and faults are told, where it is used.
    """

    colors: Mapping[str, float]
    angle: float = 0.0
    quality: Quality = DEFAULT_QUALITY
    seed: int = DRAW_SEED
    overrides: Mapping[str, Any] = field(default_factory=dict)
    surface: Mapping[str, Any] | None = None

    def write_request(self) -> str:
        """Write the request for it, `params_json`, as servers and the command line take it."""
        colors = [
            {"hex" if name.startswith("#") else "name": name, "proportion": proportion}
            for name, proportion in self.colors.items()
        ]
        request: dict[str, Any] = {
            "colors": colors,
            "angle": self.angle,
            "quality": self.quality,
            "seed": self.seed,
            "overrides": dict(self.overrides),
        }
        if self.surface is not None:
            request["surface"] = dict(self.surface)
        return json.dumps(request)


Request: TypeAlias = Recipe | str | Mapping[str, Any]
"""A Recipe, a request's text, or a request as an object."""


@dataclass(frozen=True)
class Picture:
    """A picture of a tile.

    image: (size, size, 3) RGB, 0 to 255. shares: of the visible area, by the colours' names, 0 to
    1. record: how it was made, as its PNG file holds it.
    """

    image: Pixels
    shares: Mapping[str, float]
    record: Mapping[str, Any]

    def encode_png(self) -> bytes:
        """Encode the PNG file that `save` writes; equal for equal requests."""
        return png.encode_png(self.image, self.record)

    def save(self, path: "str | PathLike[str]") -> None:
        """Write a PNG file, whole or not at all. Raises PictureError where it cannot be."""
        png.save(self.image, Path(path), self.record)


@dataclass(frozen=True)
class Tile:
    """A tile: its three pictures, and the metrics, as a server's prediction has them.

    seed: with which it is drawn again.
    """

    preview: Picture
    final: Picture
    colormap: Picture
    seed: int
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class Measurement:
    """What a picture shows of the colours that were looked for, by the names they were given.

    shares: 0 to 1, together 1; all 0 where no granule shows any of them. intervals: in which the
    true share lies on 90% of pictures. groups: colours that this picture does not tell apart.
    undecided: of the picture, in granules of no colour that was looked for.
    """

    shares: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    groups: tuple[tuple[str, ...], ...]
    undecided: float


@dataclass(frozen=True)
class Match:
    """A picture in a recipe's colours and shares, and what it showed before and shows now."""

    picture: Picture
    before: Measurement
    after: Measurement


def make(
    recipe: Request, *, engine: str | None = None, weights: "str | PathLike[str] | None" = None
) -> Tile:
    """Make a tile.

    engine: "render", "photo" or "sdxl"; else what PLITKA_ENGINE says. weights: a LoRA and
    embeddings, as the command line takes them; else what COG_WEIGHTS says. An engine is loaded
    once. Raises RecipeError, with a line for each fault, and EngineError, with the remedy.
    """
    loaded = _find_engine(engine, weights)
    read = _read_recipe(recipe, loaded.palette)
    overlap = _read_settings().options.overlap
    pictures: dict[str, Picture] = {}
    metrics: Mapping[str, Any] = {}
    names = [part.name for part in sum_up_shares(read)]
    for made in pipeline.make(read, loaded.engine, overlap):
        shares = dict(zip(names, made.shares, strict=True))
        pictures[made.kind] = Picture(made.image, shares, made.record)
        metrics = made.metrics
    return Tile(**pictures, seed=metrics["seed"], metrics=metrics)


def prepare(*, engine: str | None = None, weights: "str | PathLike[str] | None" = None) -> None:
    """Load an engine, with all that makes its pictures quick: before many tiles.

    engine, weights: as `make` takes them. The engine sdxl loads its ControlNets, and on a GPU
    captures CUDA graphs and warms up; each other one is loaded. Raises EngineError.
    """
    registry.prepare(_find_engine(engine, weights).engine)


def measure(picture: Source, colors: Sequence[str]) -> Measurement:
    """Measure the shares of colours on any picture of a tile.

    picture: a file, or (height, width, 3) RGB, 0 to 255. colors: names, codes or hexes. Raises
    UnknownColor, and PictureError or TooSmall for a picture that cannot be measured.
    """
    palette = _load_palette()
    found: dict[str, Color] = {}
    for name in colors:
        color = _read_color(name, palette)
        if any(color.srgb == other.srgb for other in found.values()):
            raise UnknownColor(f'"{name}" is there already, under this or another name')
        found[name] = color
    if not 1 <= len(found) <= MAX_COLORS:
        raise UnknownColor(f"got {len(found)} colours; allowed: 1 to {MAX_COLORS}")
    measured = measure_colors(_read_pixels(picture), list(found.values()))
    return _name_measurement(measured, list(found))


def match(picture: Source, recipe: Request) -> Match:
    """Give the middle of any picture the shares and colours of a recipe.

    picture: a file, or (height, width, 3) RGB, 0 to 255. Raises RecipeError, and PictureError or
    TooSmall for a picture that cannot be measured.
    """
    read = draw_seed(_read_recipe(recipe, _load_palette()))
    pixels = matching.crop_square(_read_pixels(picture))
    matched = matching.match(pixels, lay(read))
    names = [part.name for part in read.shares]
    before, after = (_name_measurement(one, names) for one in (matched.before, matched.after))
    record = {"version": __version__, "request": read.request()}
    return Match(Picture(matched.image, after.shares, record), before, after)


@dataclass(frozen=True)
class _Loaded:
    """An engine, and the colours that have names where it draws."""

    engine: Engine
    palette: Palette


@cache
def _read_settings() -> Settings:
    return read_settings()


def _find_engine(engine: str | None, weights: "str | PathLike[str] | None") -> _Loaded:
    package = _read_settings().package if weights is None else str(weights)
    return _load_engine(engine or _read_settings().engine, package)


@cache
def _load_engine(name: str, package: str | None) -> _Loaded:
    settings = _read_settings()
    choice = settings.choose_engine(package, registry.check_name(name))
    return _Loaded(choice.load(), settings.load_palette(package, name))


def _load_palette() -> Palette:
    settings = _read_settings()
    return settings.load_palette(settings.package)


def _read_recipe(recipe: Request, palette: Palette) -> ReadRecipe:
    if isinstance(recipe, Recipe):
        text = recipe.write_request()
    elif isinstance(recipe, str):
        text = recipe
    else:
        text = json.dumps(dict(recipe))
    return parsing.parse(text, palette)


def _read_color(name: str, palette: Palette) -> Color:
    """Read a colour as a request's are read. Raises UnknownColor."""
    try:
        (part,) = _read_recipe(Recipe({name: 100}), palette).shares
    except RecipeError as fault:
        raise UnknownColor(str(fault).removeprefix("colors[0].name: ")) from None
    return part.color


def _read_pixels(picture: Source) -> Pixels:
    """Read a file, or take pixels as they are. Raises PictureError, and TypeError for others."""
    if not isinstance(picture, np.ndarray):
        return load_photograph(Path(picture)).pixels
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise TypeError(
            f"pixels have to be (height, width, 3) of uint8; got {picture.shape} of {picture.dtype}"
        )
    return picture


def _name_measurement(measured: ColorMeasurement, names: Sequence[str]) -> Measurement:
    return Measurement(
        shares=dict(zip(names, measured.shares, strict=True)),
        intervals=dict(zip(names, measured.intervals, strict=True)),
        groups=tuple(tuple(names[color] for color in group) for group in measured.groups),
        undecided=measured.undecided,
    )
