"""A PNG file that somebody drops on the page -> the recipe that it carries."""

import io
import json

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from plitka import images
from plitka.color.palette import Palette
from plitka.designer.errors import Fault
from plitka.request import parsing
from plitka.request.recipe import Recipe, RecipeError

MOST_BYTES = 32 * 2**20
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SMALLEST, _LARGEST = 128, 4096  # pixels a side


def read_recipe(content: bytes, palette: Palette) -> Recipe:
    """The recipe in the text chunk of a PNG file. Only the file's head is read, no pixels.

    Raises Fault where the file is no PNG, or carries no recipe, or one that is none.
    """
    if len(content) > MOST_BYTES:
        raise Fault("picture_large", status=413, megabytes=MOST_BYTES // 2**20)
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            text = picture.info.get(images.TEXT_KEY)
    except UnidentifiedImageError:
        is_png = content.startswith(_SIGNATURE)
        raise Fault("picture_broken" if is_png else "picture_no_png") from None
    except Image.DecompressionBombError:
        raise Fault("picture_many_pixels") from None
    except (OSError, SyntaxError, ValueError):  # a chunk cut off, or text beyond Pillow's limits
        raise Fault("picture_broken") from None
    if not isinstance(text, str):
        raise Fault("picture_without_recipe")
    return _recorded(text, palette)


def read_pixels(content: bytes) -> NDArray[np.uint8]:
    """(size, size, 3) RGB: the picture in a PNG file whose recipe has been read."""
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if picture.width != picture.height or not _SMALLEST <= picture.width <= _LARGEST:
                raise Fault("picture_no_tile", size=f"{picture.width}x{picture.height}")
            return np.asarray(picture.convert("RGB"))
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError):
        raise Fault("picture_broken") from None


def _recorded(text: str, palette: Palette) -> Recipe:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        raise Fault("picture_recipe_broken") from None
    request = record.get("request") if isinstance(record, dict) else None
    if not isinstance(request, dict):
        raise Fault("picture_recipe_broken")
    try:
        return parsing.parse(json.dumps(request), palette)
    except RecipeError as error:
        raise Fault("picture_recipe_refused", str(error), status=422) from None
