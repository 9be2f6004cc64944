"""Samples: crops of photographs with the recipes that they show, exact in every number.

Half of a training's samples are photographs as they are, under their audited captions. The others
are matched: recoloured to a recipe drawn at random, whose shares they then have.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.color.mix import MAX_COLORS
from plitka.color.palette import Color
from plitka.images import photograph
from plitka.matching.match import match
from plitka.request.recipe import MAX_SEED, Recipe
from plitka.request.shares import ColorShare
from plitka.tile.layout import lay
from plitka.tile.render import render_picture
from plitka.training.inspection import Inspection, TrainingPhotograph, bears

_PREVIEW = 512  # pixels a side of a preview, which shows the tile at half its size


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture to train on.

    pixels: (size, size, 3) sRGB, 0 to 255. recipe: what it shows, in whole percent, its colours in
    the order of its prompt. photograph: index into Inspection.photographs. render: (size, size, 3)
    the render of the layout that a matched picture was matched to, None for a photograph as it is.
    """

    pixels: NDArray[np.uint8]
    recipe: Recipe
    photograph: int
    render: NDArray[np.uint8] | None


def make_sample(inspection: Inspection, seed: int, number: int, size: int, matched: bool) -> Sample:
    """Make one sample: a random crop, turned and flipped at random, of one photograph.

    A function of its arguments alone. Consecutive numbers go round all photographs that are not
    held out, each round in an order of its own.
    size: pixels a side. matched: whether it is recoloured to a recipe of 1 to 8 of the colours that
    the photographs show. Raises PictureError where the photograph cannot be read any more.
    """
    rng = np.random.default_rng([seed, number, size, matched])
    index = _choose_photograph(inspection, seed, number)
    chosen = inspection.photographs[index]
    pixels = _turn(_crop(_scale(_load(chosen), find_factor(chosen, size), size), size, rng), rng)
    if not matched:
        recipe = _write_recipe(chosen.colors, chosen.shares, rng)
        return Sample(pixels, recipe, index, None)
    recipe = _draw_recipe(list_colors(inspection), rng)
    layout = lay(recipe)
    return Sample(match(pixels, layout).image, recipe, index, render_picture(layout, size))


def make_held_out(inspection: Inspection, index: int, size: int) -> Sample:
    """Make the sample of a held-out photograph: its middle, as it stands.

    index: of the photograph, one of Inspection.held_out. Its colours are in the order of its
    caption. Raises ValueError for a photograph that is trained on, PictureError where it cannot be
    read any more.
    """
    if index not in inspection.held_out:
        raise ValueError(f"photograph {index} is not held out")
    chosen = inspection.photographs[index]
    scaled = _scale(_load(chosen), find_factor(chosen, size), size)
    top, left = ((side - size) // 2 for side in scaled.shape[:2])
    pixels = np.ascontiguousarray(scaled[top : top + size, left : left + size])
    return Sample(pixels, _write_recipe(chosen.colors, chosen.shares, None), index, None)


def list_colors(inspection: Inspection) -> tuple[Color, ...]:
    """List the colours that the photographs show, in the palette's order."""
    shown = {color.code for each in inspection.photographs for color in each.colors}
    return tuple(color for color in inspection.palette.colors if color.code in shown)


def find_factor(chosen: TrainingPhotograph, size: int) -> float:
    """Find the factor by which a photograph is scaled for samples of so many pixels a side.

    Granules get the size that the final picture's render gives them, and in samples of a preview's
    size half of that, as in previews; the whole where the photograph is too small for the half.
    """
    if size == _PREVIEW and bears(chosen.size, chosen.scale / 2, size):
        return chosen.scale / 2
    return chosen.scale


def round_shares(shares: Sequence[float]) -> tuple[int, ...]:
    """Round shares to whole percent that add up to 100: those with most left over get one more."""
    percent = 100 * np.array(shares) / sum(shares)
    rounded = np.floor(percent + 1e-9).astype(int)
    most = np.argsort(rounded - percent, kind="stable")[: 100 - rounded.sum()]
    rounded[most] += 1
    return tuple(rounded.tolist())


def _choose_photograph(inspection: Inspection, seed: int, number: int) -> int:
    """Choose the photograph of a sample's number; gives its index."""
    held = set(inspection.held_out)
    trained = [index for index in range(len(inspection.photographs)) if index not in held]
    lap, place = divmod(number, len(trained))
    order = np.random.default_rng([seed, lap]).permutation(len(trained))
    return trained[int(order[place])]


def _load(chosen: TrainingPhotograph) -> NDArray[np.uint8]:
    return photograph.load(chosen.file).pixels


def _scale(pixels: NDArray[np.uint8], factor: float, size: int) -> NDArray[np.uint8]:
    """Scale a picture by a factor, or by as much more as makes it `size` pixels a side."""
    height, width = pixels.shape[:2]
    factor = max(factor, size / min(height, width))
    sides = max(round(width * factor), size), max(round(height * factor), size)
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, sides, interpolation=way), np.uint8)


def _crop(pixels: NDArray[np.uint8], size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    top, left = (int(rng.integers(side - size + 1)) for side in pixels.shape[:2])
    return pixels[top : top + size, left : left + size]


def _turn(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Turn a square picture by a random number of quarters, and flip it or not: no tile has a top.

    Light from one side then comes from any, as it does on photographs that are turned.
    """
    turned = np.rot90(pixels, int(rng.integers(4)))
    return np.ascontiguousarray(turned[:, ::-1] if rng.integers(2) else turned)


def _write_recipe(
    colors: Sequence[Color], shares: Sequence[float], rng: np.random.Generator | None
) -> Recipe:
    """Write the recipe of a caption in whole percent. rng: shuffles the colours, None leaves them.

    What rounds to nothing is left out.
    """
    pairs = zip(colors, round_shares(shares), strict=True)
    parts = [ColorShare(color, color.phrase, percent / 100) for color, percent in pairs if percent]
    if rng is not None:
        parts = [parts[place] for place in rng.permutation(len(parts))]
    return Recipe(tuple(parts), seed=0)


def _draw_recipe(colors: Sequence[Color], rng: np.random.Generator) -> Recipe:
    """Draw a recipe of 1 to MAX_COLORS of the colours, in any order, with any shares and a seed."""
    count = int(rng.integers(1, min(len(colors), MAX_COLORS) + 1))
    chosen = [colors[place] for place in rng.permutation(len(colors))[:count]]
    recipe = _write_recipe(chosen, rng.dirichlet(np.ones(count)).tolist(), None)
    return Recipe(recipe.shares, seed=int(rng.integers(MAX_SEED + 1)))
