"""The render engine: the layout's own render is the picture. No weights, no GPU."""

from plitka import render
from plitka.engines import Drawn
from plitka.layout import Layout
from plitka.plan import Plan
from plitka.recipe import Recipe


class RenderEngine:
    name = "render"
    uses_controlnet = False
    tokens = True  # they stand in the prompt that is recorded, and nothing reads it

    def check(self, recipe: Recipe) -> None:
        """What belongs to a diffusion model is passed over: there is none."""

    def draw(self, plan: Plan, layout: Layout, size: int, steps: int) -> Drawn:
        return Drawn(render.picture(layout, size), steps=0)
