"""What the page asks of textures: their bounds, an order read from JSON, a zip file as it comes."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread

from plitka.color.palette import Palette
from plitka.designer.errors import Fault
from plitka.request import parsing
from plitka.request.surface import DEFAULT_GRANULE_MM, GRANULE_MM
from plitka.runtime.memory import trim_heap
from plitka.texture.errors import TextureError
from plitka.texture.making import make_texture
from plitka.texture.order import (
    GRANULES_PER_1024,
    SIZES,
    TextureOrder,
    name_texture,
    plan_texture,
)
from plitka.texture.packing import pack
from plitka.texture.seamless import GRANULE_PIXELS

BOUNDS: dict[str, Any] = {
    "sizes": SIZES,
    "granule_mm": {"low": GRANULE_MM[0], "high": GRANULE_MM[1], "default": DEFAULT_GRANULE_MM},
    "granule_pixels": GRANULE_PIXELS,
    "granules_per_1024": GRANULES_PER_1024,
}
"""What the page needs to know of textures."""

_KEYS = {"recipe", "size", "granule_mm", "side_mm"}


def parse_order(text: str, palette: Palette) -> TextureOrder:
    """Parse what the page sends: {recipe, size, granule_mm, side_mm}. Raises Fault, RecipeError."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise _make_fault("not JSON") from None
    if not isinstance(value, dict) or set(value) != _KEYS:
        raise _make_fault(f"allowed: an object of {', '.join(sorted(_KEYS))}")
    recipe = parsing.parse(json.dumps(value["recipe"]), palette)
    if not isinstance(value["size"], str) or value["size"] not in SIZES:
        raise _make_fault(f"size: allowed are {', '.join(SIZES)}")
    lengths = (value["granule_mm"], value["side_mm"])
    if not all(type(length) in (int, float) for length in lengths):
        raise _make_fault("granule_mm, side_mm: allowed are numbers")
    try:
        return plan_texture(recipe, SIZES[value["size"]], *lengths)
    except (TextureError, OverflowError) as why:
        raise _make_fault(str(why)) from None


def _make_fault(why: str) -> Fault:
    return Fault("texture", why, status=422)


def write_headers(order: TextureOrder) -> dict[str, str]:
    """Write the headers of a texture's response: its file's name."""
    name = quote(f"{name_texture(order)}.zip")
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}


async def stream_texture(order: TextureOrder, threads: CapacityLimiter) -> AsyncIterator[bytes]:
    """Make a texture as a zip file, each part as soon as it is there.

    Where the page goes away, no further part is made. threads: bounds how many are made at once.
    """
    files = make_texture(order)
    parts = pack(files, name_texture(order))
    try:
        async with threads:
            while part := await to_thread.run_sync(next, parts, b""):
                yield part
    finally:
        files.close()
        trim_heap()
