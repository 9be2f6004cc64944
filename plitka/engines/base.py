"""The engines' protocol, and the values that go in and out of an engine."""

from __future__ import annotations  # the types below are heavy to import, and only named here

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from plitka.request.plan import Plan
    from plitka.request.presets import Preset
    from plitka.request.prompt import Subject
    from plitka.request.recipe import Quality, Recipe
    from plitka.tile.layout import Layout


@dataclass(frozen=True)
class Guides:
    """Conditioning images: init image and control image. None where the plan does not use one.

    init: the layout as a Painter paints it, which image-to-image starts from. edges: the edge map
    that the ControlNet is conditioned on. Each (size, size, 3) RGB, 0 to 255.
    """

    init: NDArray[np.uint8] | None = None
    edges: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class DrawRequest:
    """One picture to draw.

    layout: laid from the plan's recipe. size: pixels a side. steps: length of the noise schedule,
    of which image-to-image runs the last part. guides: what `Engine.make_guides` made of this
    plan, layout and size.
    """

    plan: Plan
    layout: Layout
    size: int
    steps: int
    guides: Guides


@dataclass(frozen=True)
class Drawn:
    """One drawn picture.

    image: (size, size, 3) RGB, 0 to 255. steps: denoising steps that were run. metrics: what else
    the engine reports about this picture, in types that Cog takes as metrics.
    """

    image: NDArray[np.uint8]
    steps: int
    metrics: dict[str, Any] = field(default_factory=dict)


class Painter(Protocol):
    """Makes the picture that image-to-image starts from: lays a tile, and paints it."""

    def lay(self, recipe: Recipe) -> Layout:
        """Lay a recipe whose seed is drawn already."""
        ...

    def paint(self, layout: Layout, size: int) -> NDArray[np.uint8]:
        """Paint what `lay` has laid: (size, size, 3) RGB, 0 to 255."""
        ...


class Engine(Protocol):
    """Draws tiles. Everything that takes long to load is loaded when the engine is made.

    draws_exactly: whether its pictures show each granule where the layout has it, and in the
    layout's colour. Their shares are then counted on the layout; the pictures of other engines are
    matched to it.
    """

    name: str
    uses_controlnet: bool  # or ignores the plan's
    subject: Subject  # what the prompt begins with: the trigger word and the trained tokens
    presets: Mapping[Quality, Preset]  # what a quality sets
    draws_exactly: bool

    def check(self, recipe: Recipe) -> None:
        """Raise RecipeError if the recipe asks for something that this engine cannot do."""
        ...

    def lay(self, recipe: Recipe) -> Layout:
        """Lay the tile that `draw` is to draw. The recipe's seed is drawn already."""
        ...

    def health_check(self) -> None:
        """Raise EngineError if the engine could not draw now. Cheap; may run during `draw`."""
        ...

    def make_guides(self, plan: Plan, layout: Layout, size: int) -> Guides:
        """Make the conditioning images for `draw` on the CPU. May run during another `draw`.

        size: pixels a side.
        """
        ...

    def draw(self, request: DrawRequest, at_step: Callable[[], None] = lambda: None) -> Drawn:
        """Draw one picture.

        at_step: called after each denoising step; may raise to abort the picture.
        """
        ...
