"""Draws the page's tiles: most of each picture comes from what was drawn a moment ago."""

import io
from collections.abc import Callable
from typing import Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from plitka import images, pipeline
from plitka.engines.base import Drawn, DrawRequest
from plitka.engines.procedural import RenderEngine
from plitka.request.plan import PICTURE_SIZES, PictureKind
from plitka.request.recipe import Recipe
from plitka.runtime.lru_cache import LruCache
from plitka.runtime.memory import trim_heap
from plitka.tile import render
from plitka.tile.layout import Layout, lay, recolor_layout

Product: TypeAlias = Literal["draft", "preview", "final", "colormap"]
"""What may be asked for: a draft is the preview at once, not measured, as JPEG."""

CheckCancelled: TypeAlias = Callable[[], None]
"""Called between two steps of a work; raises where nobody waits for it any more."""

T = TypeVar("T")

_LAYOUTS = 6  # of one seed and angle each, some 6 MB
_LIGHTS = 6  # of one seed, angle and size each; 5 MB at 512, 18 MB at 1024
_DRAFT_QUALITY = 90


class Renderer:
    """Draws tiles with the render engine, the same to the byte as `python -m plitka make`.

    Seed and angle decide where granules lie and how light falls on them. Both are kept for the
    last few, so that another mix of colours costs a fraction of a picture.
    """

    def __init__(self) -> None:
        self._layouts: LruCache[tuple[int, float], Layout] = LruCache(_LAYOUTS)
        self._lights: LruCache[tuple[int, float, int], render.Lighting] = LruCache(_LIGHTS)

    def draft(
        self, recipe: Recipe, go_on: CheckCancelled, size: int = PICTURE_SIZES["preview"]
    ) -> bytes:
        """The tile as JPEG. The recipe's seed must be drawn already."""
        image = self._picture(self._layout(recipe, go_on), size, go_on)
        return encode_jpeg(image, _DRAFT_QUALITY)

    def picture(
        self, recipe: Recipe, kind: PictureKind, go_on: CheckCancelled
    ) -> tuple[bytes, tuple[float, ...]]:
        """A PNG file and the shares measured on it. The recipe's seed must be drawn already."""
        engine = _CachingEngine(self._picture, go_on)
        made = pipeline.make_one(kind, recipe, engine, self._layout(recipe, go_on))
        go_on()
        png = images.encode_png(made.image, made.record)
        trim_heap()  # what drafts left behind as well: they come often, and one takes little
        return png, made.shares

    def _layout(self, recipe: Recipe, go_on: CheckCancelled) -> Layout:
        laid = self._layouts.get((recipe.seed, recipe.angle), lambda: _make_and_trim(lay, recipe))
        go_on()
        return recolor_layout(laid, recipe)

    def _picture(self, layout: Layout, size: int, go_on: CheckCancelled) -> NDArray[np.uint8]:
        key = (layout.seed, layout.angle, size)
        light = self._lights.get(key, lambda: _make_and_trim(render.compute_lighting, layout, size))
        go_on()
        return render.render_picture(layout, size, light)


class _CachingEngine(RenderEngine):
    """The render engine, with light that is kept."""

    def __init__(
        self,
        picture: Callable[[Layout, int, CheckCancelled], NDArray[np.uint8]],
        go_on: CheckCancelled,
    ) -> None:
        self._picture = picture
        self._go_on = go_on

    def draw(self, request: DrawRequest, at_step: Callable[[], None] = lambda: None) -> Drawn:
        return Drawn(self._picture(request.layout, request.size, self._go_on), steps=0)


def encode_jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    """(height, width, 3) RGB as a JPEG file, colour at full resolution."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


def _make_and_trim(make: Callable[..., T], *arguments: object) -> T:
    """Make a value, and give back the memory that was used on the way."""
    value = make(*arguments)
    trim_heap()
    return value
