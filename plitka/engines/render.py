"""The render engine: the layout's own render is the picture. No weights, no GPU."""

from plitka import render
from plitka.engines import Drawn
from plitka.layout import Layout
from plitka.plan import Plan


class RenderEngine:
    name = "render"
    uses_controlnet = False

    def draw(self, plan: Plan, layout: Layout, size: int, steps: int) -> Drawn:
        return Drawn(render.picture(layout, size), steps=0)
