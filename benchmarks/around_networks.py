"""What a prediction of the sdxl engine costs the processor around its networks, and what hides it.

    python -m benchmarks.around_networks [--angle 45] [--runs 9]

No network runs, and PyTorch is not imported: stand-ins are matched in place of what it draws. Two
kinds of them, for matching takes very different ways: one that follows the layout and its colours,
as image-to-image does, and one of other granules in other colours, all of which are dealt anew.

Prints processor seconds of each stage, of all threads, with nothing beside it, the medians of all
runs, and beside what the stage runs in a prediction: the network draws the other picture then, or
the other thread works. What runs beside nothing is not hidden.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import cv2
import numpy as np

from benchmarks.report import print_table
from plitka.arrays import Image
from plitka.images.png import encode_png
from plitka.matching.match import Classified, match
from plitka.request.plan import DRAWN_SIZES, PICTURE_SIZES, PictureKind
from plitka.request.recipe import Recipe
from plitka.tile import render
from plitka.tile.edge_maps import draw_soft_edges
from plitka.tile.layout import ScatteredLayout, lay
from tests.support.recipes import asked

T = TypeVar("T")

_MIX = {"red": 25.0, "blue": 25.0, "grsgrn": 25.0, "yellow": 25.0}
_OTHER_MIX = {"gray": 50.0, "white": 50.0}
_CAST = np.array([1.02, 0.97, 0.9], np.float32)
_GRAIN = 40.0  # 8-bit levels, before it is blurred

_BESIDE = {
    "guides_final": "the preview's networks",
    "colormap": "the preview's networks",
    "match_preview": "the final picture's networks",
    "save_preview": "the final picture's networks",
    "measure_drawn": "granules are found in the other thread",
}
"""Stages that something hides, and what does."""

_BEFORE = ("layout", "guides_preview")
"""Stages before the first network."""


@dataclass
class _Clock:
    """Processor seconds of the stages of each run."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def time(self, stage: str, work: Callable[[], T]) -> T:
        start = time.process_time()
        result = work()
        self.add(stage, time.process_time() - start)
        return result

    def add(self, stage: str, seconds: float) -> None:
        self.seconds.setdefault(stage, []).append(seconds)

    def summarize(self) -> dict[str, float]:
        return {stage: statistics.median(of) for stage, of in self.seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--angle", type=float, default=45.0, help="of laying, in degrees")
    parser.add_argument("--runs", type=int, default=5, help="of which the median is told")
    options = parser.parse_args()
    clocks = {"of the layout": _Clock(), "of another": _Clock()}
    for seed in range(options.runs + 1):
        recipe = asked(_MIX, options.angle, seed)
        for clock, shown in zip(clocks.values(), (recipe, _make_other(recipe)), strict=True):
            drawn = {size: _draw(shown, size) for size in DRAWN_SIZES}
            lay(_make_other(recipe))  # or the recipe's granules would be cut already
            lay(replace(recipe, seed=recipe.seed + 1000))
            _predict(recipe, drawn, clock if seed else _Clock())  # the first fills caches
    _print({name: clock.summarize() for name, clock in clocks.items()})


def _make_other(recipe: Recipe) -> Recipe:
    return asked(_OTHER_MIX, recipe.angle, recipe.seed + 2000)


def _draw(recipe: Recipe, size: int) -> Image:
    """Draw a stand-in for a picture by a model: softer than a render, with grain and a cast."""
    image = render.render_picture(lay(recipe), size).astype(np.float32)
    noise = np.random.default_rng(size).normal(size=image.shape).astype(np.float32)
    grain = _GRAIN * cv2.GaussianBlur(noise, (0, 0), 1.2)
    soft = cv2.GaussianBlur(image, (0, 0), 0.8) * _CAST
    return np.clip(soft + grain, 0, 255).astype(np.uint8)


def _predict(recipe: Recipe, drawn: dict[int, Image], clock: _Clock) -> None:
    """Do all that a prediction does around its networks, in the order of the pipeline."""
    layout = clock.time("layout", lambda: lay(recipe))
    clock.time("guides_preview", lambda: _make_guides(layout, PICTURE_SIZES["preview"]))
    clock.time("guides_final", lambda: _make_guides(layout, PICTURE_SIZES["final"]))
    colormap = clock.time("colormap", lambda: render.render_colormap(layout, 1024))
    preview = drawn[PICTURE_SIZES["preview"]]
    _save("preview", clock.time("match_preview", lambda: match(preview, layout).image), clock)
    _save("final", _match_final(drawn[PICTURE_SIZES["final"]], layout, clock), clock)
    _save("colormap", colormap, clock)


def _make_guides(layout: ScatteredLayout, size: int) -> Image:
    return draw_soft_edges(layout, render.render_picture(layout, size))


def _match_final(image: Image, layout: ScatteredLayout, clock: _Clock) -> Image:
    """Match the final picture; what the other thread does is a stage of its own."""
    start = time.process_time()

    def begin(work: Callable[[], Classified]) -> Callable[[], Classified]:
        result = clock.time("measure_drawn", work)
        return lambda: result

    matched = match(image, layout, begin)
    whole = time.process_time() - start
    clock.add("match_final", whole - clock.seconds["measure_drawn"][-1])
    return matched.image


def _save(kind: PictureKind, image: Image, clock: _Clock) -> None:
    clock.time(f"save_{kind}", lambda: encode_png(image, {"picture": kind}))


def _print(clocks: Mapping[str, Mapping[str, float]]) -> None:
    stages = list(next(iter(clocks.values())))
    alone = [stage for stage in stages if stage not in _BESIDE]
    after = [stage for stage in alone if stage not in _BEFORE]
    rows = {stage: [stage] for stage in stages}
    rows |= {"all": stages, "not hidden": alone, "after the last network": after}
    table = [
        [name, *(f"{sum(clock[stage] for stage in of):.3f}" for clock in clocks.values())]
        for name, of in rows.items()
    ]
    beside = [_BESIDE.get(name, "") for name in rows]
    print_table(
        ["stage", *clocks, "beside"],
        [[*row, what] for row, what in zip(table, beside, strict=True)],
    )


if __name__ == "__main__":
    main()
