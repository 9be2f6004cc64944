"""The render engine: the layout's own render is the picture. No weights, no GPU."""

from collections.abc import Callable

from plitka.engines.base import Drawn, Guides
from plitka.request.plan import Plan
from plitka.request.recipe import Recipe
from plitka.tile import render
from plitka.tile.layout import Layout


class RenderEngine:
    name = "render"
    uses_controlnet = False
    tokens = True  # they stand in the prompt that is recorded, and nothing reads it

    def check(self, recipe: Recipe) -> None:
        """What belongs to a diffusion model is passed over: there is none."""

    def answer(self) -> None:
        """There is no device that could be gone."""

    def guides(self, plan: Plan, layout: Layout, size: int) -> Guides:
        return Guides()

    def draw(
        self,
        plan: Plan,
        layout: Layout,
        size: int,
        steps: int,
        guides: Guides | None = None,
        at_step: Callable[[], None] = lambda: None,
    ) -> Drawn:
        return Drawn(render.render_picture(layout, size), steps=0)
