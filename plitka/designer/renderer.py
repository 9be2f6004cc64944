"""Draws the page's tiles: most of each picture comes from what was drawn a moment ago."""

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from plitka import images, pipeline
from plitka.engines.base import Drawn, Guides
from plitka.engines.procedural import RenderEngine
from plitka.request.plan import PICTURE_SIZES, PictureKind, Plan
from plitka.request.recipe import Recipe
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
        self._layouts: _Cache[Layout] = _Cache(_LAYOUTS)
        self._lights: _Cache[render.Lighting] = _Cache(_LIGHTS)

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
        laid = self._layouts.get((recipe.seed, recipe.angle), lambda: lay(recipe))
        go_on()
        return recolor_layout(laid, recipe)

    def _picture(self, layout: Layout, size: int, go_on: CheckCancelled) -> NDArray[np.uint8]:
        key = (layout.seed, layout.angle, size)
        light = self._lights.get(key, lambda: render.compute_lighting(layout, size))
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

    def draw(
        self,
        plan: Plan,
        layout: Layout,
        size: int,
        steps: int,
        guides: Guides | None = None,
        at_step: Callable[[], None] = lambda: None,
    ) -> Drawn:
        return Drawn(self._picture(layout, size, self._go_on), steps=0)


def encode_jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    """(height, width, 3) RGB as a JPEG file, colour at full resolution."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


class _Cache(Generic[T]):
    """The few values asked for last. Two threads may make the same one; they are equal."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        trim_heap()
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value
