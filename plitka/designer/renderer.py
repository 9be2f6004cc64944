"""Draws the page's tiles with the render engine; layouts and lighting are cached."""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from plitka import pipeline
from plitka.designer.shown_shares import ShownShares, read_shares
from plitka.engines.procedural import RenderEngine
from plitka.ground.ground import Ground, make_ground
from plitka.ground.mat import Mat, Weaver
from plitka.ground.plan_view import draw_plan
from plitka.images.jpeg import encode_jpeg
from plitka.images.png import encode_png
from plitka.request.plan import PICTURE_SIZES, PictureKind
from plitka.request.recipe import Recipe
from plitka.request.shares import ColorShare
from plitka.runtime.lru_cache import LruCache
from plitka.runtime.memory import trim_heap
from plitka.tile import render
from plitka.tile.layout import Layout, ScatteredLayout, lay, recolor_layout
from plitka.tile.lighting import Lighting, compute_lighting

CheckCancelled: TypeAlias = Callable[[], None]
"""Called between two steps of a work; raises Cancelled if nobody waits for it any more."""

T = TypeVar("T")

_MAX_LAYOUTS = 6  # of one seed and angle each, some 6 MB
_MAX_LIGHTINGS = 6  # of one seed, angle and size each; 5 MB at 512, 18 MB at 1024
_MAX_MATS = 8  # of one seed and mix each, some 15 MB
_DRAFT_QUALITY = 90  # of JPEG, 0 to 100


class Renderer:
    """Draws tiles with the render engine, the same to the byte as `python -m plitka make`.

    Seed and angle determine layout and lighting. Both are cached for the last few, so that another
    mix of colours costs a fraction of a picture. Several threads may use one renderer.
    """

    def __init__(self) -> None:
        self._layouts: LruCache[tuple[int, float], ScatteredLayout] = LruCache(_MAX_LAYOUTS)
        self._weave = Weaver()
        self._mats: LruCache[tuple[int, tuple[ColorShare, ...]], Mat] = LruCache(_MAX_MATS)
        self._lightings: LruCache[tuple[int, float, int], Lighting] = LruCache(_MAX_LIGHTINGS)

    def draw_draft(
        self, recipe: Recipe, check_cancelled: CheckCancelled, size: int = PICTURE_SIZES["preview"]
    ) -> bytes:
        """Draw the tile as JPEG at once, not measured; `size` pixels a side.

        The recipe's seed must be drawn already.
        """
        image = self._render(self._lay(recipe, check_cancelled), size, check_cancelled)
        return encode_jpeg(image, _DRAFT_QUALITY)

    def make_picture(
        self, recipe: Recipe, kind: PictureKind, check_cancelled: CheckCancelled
    ) -> tuple[bytes, ShownShares]:
        """Make a picture as `pipeline.make` does; the recipe's seed must be drawn already.

        Returns the PNG file, and what it shows of its colours.
        """
        engine = _CachingEngine(self._render, check_cancelled)
        picture = pipeline.make_one(kind, recipe, engine, self._lay(recipe, check_cancelled))
        check_cancelled()
        png = encode_png(picture.image, picture.record)
        trim_heap()  # for drafts as well, which come often and leave little each
        return png, read_shares(picture.record)

    def draw_plan(self, recipe: Recipe, check_cancelled: CheckCancelled) -> bytes:
        """Draw the recipe's surface from above as JPEG, as large as `pipeline.make` does.

        The recipe's seed must be drawn already.
        """
        ground = self.make_ground(recipe, check_cancelled)
        check_cancelled()
        image = _make_and_trim(draw_plan, ground, PICTURE_SIZES["final"])
        return encode_jpeg(image, _DRAFT_QUALITY)

    def make_ground(self, recipe: Recipe, check_cancelled: CheckCancelled) -> Ground:
        """Make the ground of a recipe; its seed must be drawn already."""

        def make_mat(tile: Recipe) -> Mat:
            check_cancelled()
            return self._mats.get(
                (tile.seed, tile.shares), lambda: _make_and_trim(self._weave, tile)
            )

        return make_ground(recipe, make_mat)

    def _lay(self, recipe: Recipe, check_cancelled: CheckCancelled) -> ScatteredLayout:
        laid = self._layouts.get((recipe.seed, recipe.angle), lambda: _make_and_trim(lay, recipe))
        check_cancelled()
        return recolor_layout(laid, recipe)

    def _render(
        self, layout: ScatteredLayout, size: int, check_cancelled: CheckCancelled
    ) -> NDArray[np.uint8]:
        key = (layout.seed, layout.angle, size)
        light = self._lightings.get(key, lambda: _make_and_trim(compute_lighting, layout, size))
        check_cancelled()
        return render.render_picture(layout, size, light)


class _CachingEngine(RenderEngine):
    """The render engine, with the renderer's cached lighting."""

    def __init__(
        self,
        render_picture: Callable[[ScatteredLayout, int, CheckCancelled], NDArray[np.uint8]],
        check_cancelled: CheckCancelled,
    ) -> None:
        self._render = render_picture
        self._check_cancelled = check_cancelled

    def paint(self, layout: Layout, size: int) -> NDArray[np.uint8]:
        assert isinstance(layout, ScatteredLayout), "a layout of another engine"
        return self._render(layout, size, self._check_cancelled)


def _make_and_trim(make: Callable[..., T], *arguments: object) -> T:
    """Make a value, and give back the memory that was used on the way."""
    value = make(*arguments)
    trim_heap()
    return value
