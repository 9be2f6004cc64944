"""A PNG file that is dropped on the page -> the recipe in its text chunk, and its pixels."""

import io
import json

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from plitka.color.palette import Palette
from plitka.designer.errors import Fault
from plitka.images.png import MAX_PNG_BYTES, TEXT_KEY
from plitka.request import parsing
from plitka.request.recipe import Recipe, RecipeError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MIN_SIZE, _MAX_SIZE = 128, 4096  # pixels a side


def read_recipe(content: bytes, palette: Palette) -> Recipe:
    """Read the recipe in the text chunk of a PNG file. No pixels are decoded.

    Raises Fault if the file is too large, is no PNG, has no recipe, or an invalid one.
    """
    if len(content) > MAX_PNG_BYTES:
        raise Fault("picture_large", status=413, megabytes=MAX_PNG_BYTES // 2**20)
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            text = picture.info.get(TEXT_KEY)
    except UnidentifiedImageError:
        is_png = content.startswith(_SIGNATURE)
        raise Fault("picture_broken" if is_png else "picture_no_png") from None
    except Image.DecompressionBombError:
        raise Fault("picture_many_pixels") from None
    except (OSError, SyntaxError, ValueError):  # a chunk cut off, or text beyond Pillow's limits
        raise Fault("picture_broken") from None
    if not isinstance(text, str):
        raise Fault("picture_without_recipe")
    return _parse_record(text, palette)


def read_pixels(content: bytes) -> NDArray[np.uint8]:
    """Decode a PNG file whose recipe has been read: (size, size, 3) RGB, 0 to 255.

    Raises Fault if it is damaged, not square, or not of _MIN_SIZE to _MAX_SIZE pixels a side.
    """
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if picture.width != picture.height or not _MIN_SIZE <= picture.width <= _MAX_SIZE:
                raise Fault("picture_no_tile", size=f"{picture.width}x{picture.height}")
            return np.asarray(picture.convert("RGB"))
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError):
        raise Fault("picture_broken") from None


def _parse_record(text: str, palette: Palette) -> Recipe:
    """Parse the recipe in a picture's record, which is JSON. Raises Fault."""
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
