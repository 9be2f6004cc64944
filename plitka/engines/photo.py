"""The photo engine: granules of the maker's own photographs. No weights, no GPU."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from plitka.bank.bank import Bank
from plitka.bank.layout import QuiltedLayout, lay
from plitka.bank.painting import paint
from plitka.engines.base import Drawn, DrawRequest, Guides
from plitka.request.plan import Plan
from plitka.request.presets import PRESETS
from plitka.request.prompt import DEFAULT_SUBJECT
from plitka.request.recipe import Recipe
from plitka.tile.layout import Layout


class PhotoEngine:
    """Draws tiles of a bank's granules, the same to the byte for the same bank."""

    name = "photo"
    uses_controlnet = False
    subject = DEFAULT_SUBJECT  # it stands in the prompt that is recorded, and nothing reads it
    draws_exactly = True
    presets = PRESETS

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    def check(self, recipe: Recipe) -> None:
        """Accept every recipe: what only a diffusion model can do is ignored."""

    def health_check(self) -> None:
        """Do nothing: there is no device that could fail."""

    def lay(self, recipe: Recipe) -> Layout:
        return lay(self._bank, recipe)

    def paint(self, layout: Layout, size: int) -> NDArray[np.uint8]:
        assert isinstance(layout, QuiltedLayout), "a layout of another engine"
        return paint(layout, size)

    def make_guides(self, plan: Plan, layout: Layout, size: int) -> Guides:
        return Guides()

    def draw(self, request: DrawRequest, at_step: Callable[[], None] = lambda: None) -> Drawn:
        return Drawn(self.paint(request.layout, request.size), steps=0)
