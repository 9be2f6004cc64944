"""The render engine: the layout's own render is the picture. No weights, no GPU."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from plitka.engines.base import Drawn, DrawRequest, Guides
from plitka.request.plan import Plan
from plitka.request.presets import PRESETS
from plitka.request.prompt import DEFAULT_SUBJECT
from plitka.request.recipe import Recipe
from plitka.tile import render
from plitka.tile.layout import Layout, ScatteredLayout, lay


class RenderEngine:
    """Draws a layout by its own render, the same to the byte everywhere."""

    name = "render"
    uses_controlnet = False
    subject = DEFAULT_SUBJECT  # it stands in the prompt that is recorded, and nothing reads it
    draws_exactly = True
    presets = PRESETS

    def check(self, recipe: Recipe) -> None:
        """Accept every recipe: what only a diffusion model can do is ignored."""

    def health_check(self) -> None:
        """Do nothing: there is no device that could fail."""

    def lay(self, recipe: Recipe) -> Layout:
        return lay(recipe)

    def paint(self, layout: Layout, size: int) -> NDArray[np.uint8]:
        assert isinstance(layout, ScatteredLayout), "a layout of another engine"
        return render.render_picture(layout, size)

    def make_guides(self, plan: Plan, layout: Layout, size: int) -> Guides:
        return Guides()

    def draw(self, request: DrawRequest, at_step: Callable[[], None] = lambda: None) -> Drawn:
        return Drawn(self.paint(request.layout, request.size), steps=0)
