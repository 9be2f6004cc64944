"""The designer's pictures: those of the program, from work that is kept."""

import json
from dataclasses import replace

import numpy as np
import pytest

from plitka import pipeline
from plitka.designer.renderer import Renderer
from plitka.engines.procedural import RenderEngine
from plitka.images.png import encode_png
from plitka.request.recipe import Recipe
from plitka.tile import layout, render
from plitka.tile.lighting import compute_lighting
from tests.support.recipes import parse


def mixed(mix: dict[str, float], angle: float = 0, seed: int = 7) -> Recipe:
    colors = [{"name": name, "proportion": share} for name, share in mix.items()]
    return parse(json.dumps({"colors": colors, "angle": angle, "seed": seed}))


def check_cancelled() -> None:
    """Somebody waits for the picture."""


def test_a_layout_recolored_is_the_one_that_is_laid() -> None:
    first = mixed({"red": 20, "blue": 80}, 30)
    second = mixed({"white": 50, "black": 30, "green": 20}, 30)
    recolored = layout.recolor_layout(layout.lay(first), second)
    laid = layout.lay(second)
    assert np.array_equal(recolored.owner, laid.owner)
    assert (recolored.colors, recolored.shares) == (laid.colors, laid.shares)


def test_kept_light_gives_the_picture_that_is_drawn_afresh() -> None:
    laid = layout.lay(mixed({"red": 100}, 45))
    light = compute_lighting(laid, 256)
    other = layout.recolor_layout(laid, mixed({"sand": 60, "brown": 40}, 45))
    assert np.array_equal(
        render.render_picture(other, 256, light), render.render_picture(other, 256)
    )


def test_every_picture_has_the_bytes_that_the_command_line_writes() -> None:
    renderer = Renderer()
    wanted = mixed({"terracotta": 70, "beige": 30})
    for warm in (mixed({"pink": 100}), replace(wanted, quality="high")):
        renderer.make_picture(warm, "final", check_cancelled)
    for made in pipeline.make(wanted, RenderEngine()):
        content, shown = renderer.make_picture(wanted, made.kind, check_cancelled)
        assert content == encode_png(made.image, made.record), made.kind
        assert shown.counted
        assert tuple(shown.shares.values()) == pytest.approx(made.shares, abs=1e-5)
