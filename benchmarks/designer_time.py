"""Processor seconds of the pictures that the designer draws while somebody mixes a tile.

    python -m benchmarks.designer_time [--runs 10]

The calls are those that the page's server makes. Another mix keeps the granules and their light;
another angle or seed lays and lights them anew.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

from benchmarks.report import print_table
from plitka.color import palette
from plitka.designer.renderer import Renderer
from plitka.request import parsing
from plitka.request.recipe import Recipe

CHANGES: dict[str, Callable[[int], Recipe]] = {
    "another mix": lambda run: _make_recipe(share=20 + run),
    "another angle": lambda run: _make_recipe(angle=10 + run),
    "another seed": lambda run: _make_recipe(seed=100 + run),
}
PICTURES: dict[str, Callable[[Renderer, Recipe], object]] = {
    "512, shown while dragging": lambda renderer, recipe: renderer.draw_draft(
        recipe, _check_cancelled
    ),
    "512, measured": lambda renderer, recipe: renderer.make_picture(
        recipe, "preview", _check_cancelled
    ),
    "1024, measured": lambda renderer, recipe: renderer.make_picture(
        recipe, "final", _check_cancelled
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    rows = []
    for change, change_recipe in CHANGES.items():
        cells = []
        for draw in PICTURES.values():
            renderer = Renderer()
            draw(renderer, _make_recipe())
            seconds = [_measure_seconds(draw, renderer, change_recipe(run)) for run in range(runs)]
            cells.append(f"{statistics.median(seconds):.2f} ({max(seconds):.2f})")
        rows.append((change, *cells))
    print_table(("", *PICTURES), rows)


def _measure_seconds(
    draw: Callable[[Renderer, Recipe], object], renderer: Renderer, recipe: Recipe
) -> float:
    begun = time.process_time()
    draw(renderer, recipe)
    return time.process_time() - begun


def _make_recipe(share: int = 50, angle: int = 45, seed: int = 7) -> Recipe:
    """Three colours, one of them with this share."""
    shares = {"dark green": share, "beige": 80 - share, "terracotta": 20}
    colors = [{"name": name, "proportion": part} for name, part in shares.items()]
    return parsing.parse(
        json.dumps({"colors": colors, "angle": angle, "seed": seed}), palette.load()
    )


def _check_cancelled() -> None:
    """Somebody waits for every picture here."""


if __name__ == "__main__":
    main()
