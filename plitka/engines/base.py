"""The engines' protocol, and the values that go in and out of an engine."""

from __future__ import annotations  # the types below are heavy to import, and only named here

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from plitka.request.plan import Plan
    from plitka.request.recipe import Recipe
    from plitka.tile.layout import Layout


@dataclass(frozen=True)
class Drawn:
    """image: (size, size, 3) RGB, 0..255. steps: denoising steps that were really run.

    metrics: what else the engine tells of this picture, in types that Cog takes as metrics.
    """

    image: NDArray[np.uint8]
    steps: int
    metrics: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Guides:
    """What a picture is drawn after: (size, size, 3), 0..255, each where the plan has a use for it.

    init: the layout's render. edges: the ControlNet's condition.
    """

    init: NDArray[np.uint8] | None = None
    edges: NDArray[np.uint8] | None = None


class Engine(Protocol):
    """Draws a tile. Everything that takes long to load is loaded when the engine is made."""

    name: str
    uses_controlnet: bool  # or passes the plan's over
    tokens: bool  # whether it knows the prompt's <s0><s1>

    def check(self, recipe: Recipe) -> None:
        """Raise RecipeError where the recipe asks for what this engine cannot do."""
        ...

    def answer(self) -> None:
        """Raise EngineError where the engine could not draw now. Cheap, safe beside `draw`."""
        ...

    def guides(self, plan: Plan, layout: Layout, size: int) -> Guides:
        """What `draw` needs of the layout, made on the CPU; safe beside a running `draw`."""
        ...

    def draw(
        self,
        plan: Plan,
        layout: Layout,
        size: int,
        steps: int,
        guides: Guides | None = None,
        at_step: Callable[[], None] = lambda: None,
    ) -> Drawn:
        """Draw the layout at `size` pixels a side, on a schedule of `steps`.

        guides: those of this plan, layout and size; they are made where they are not given.
        at_step: is called after each step, and may raise to end the picture.
        """
        ...
