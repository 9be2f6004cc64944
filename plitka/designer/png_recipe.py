"""A file that is dropped on the page -> the recipe in it; a PNG file's pixels."""

import json

import numpy as np
from numpy.typing import NDArray

from plitka.color.palette import Palette
from plitka.designer.errors import Fault
from plitka.images import photograph, png_chunks
from plitka.images.decoding import MAX_PIXELS
from plitka.images.errors import Unreadable
from plitka.images.png import MAX_PNG_BYTES, read_record
from plitka.measure.shares import SMALLEST_SIDE
from plitka.offer import recipe_in_html
from plitka.offer.recipe_in_html import NoRecipe
from plitka.request import parsing
from plitka.request.recipe import Recipe, RecipeError

_MAX_SIZE = 4096  # pixels a side


def read_dropped(content: bytes, palette: Palette) -> Recipe:
    """Read the recipe in a PNG file, or in an offer as HTML. Raises Fault."""
    if not recipe_in_html.looks_like_html(content):
        return read_recipe(content, palette)
    if len(content) > recipe_in_html.MAX_HTML_BYTES:
        megabytes = recipe_in_html.MAX_HTML_BYTES // 2**20
        raise Fault("picture_large", status=413, megabytes=megabytes)
    try:
        request = recipe_in_html.read_request(content)
    except NoRecipe as why:
        raise Fault(f"offer_recipe_{why.code}") from None
    return _parse_request(request, palette, "offer_recipe")


def read_recipe(content: bytes, palette: Palette) -> Recipe:
    """Read the recipe in the text chunk of a PNG file. No pixels are decoded.

    Raises Fault if the file is too large, is no PNG, has no recipe, or an invalid one.
    """
    if len(content) > MAX_PNG_BYTES:
        raise Fault("picture_large", status=413, megabytes=MAX_PNG_BYTES // 2**20)
    if not content.startswith(png_chunks.SIGNATURE):
        raise Fault("picture_no_png")
    try:
        header = png_chunks.read_header(content)
        text = read_record(content)
    except Unreadable as why:
        raise Fault("picture_broken", str(why)) from None
    if header.width * header.height > MAX_PIXELS:
        raise Fault("picture_many_pixels")
    if text is None:
        raise Fault("picture_without_recipe")
    return _parse_record(text, palette)


def read_pixels(content: bytes) -> NDArray[np.uint8]:
    """Decode a PNG file whose recipe has been read: (size, size, 3) sRGB, 0 to 255.

    Raises Fault if it is damaged, not square, or not of SMALLEST_SIDE to _MAX_SIZE pixels a side.
    """
    try:
        header = png_chunks.read_header(content)
        if header.width != header.height or not SMALLEST_SIDE <= header.width <= _MAX_SIZE:
            raise Fault("picture_no_tile", size=f"{header.width}x{header.height}")
        return photograph.read(content).pixels
    except Unreadable as why:
        raise Fault("picture_broken", str(why)) from None


def _parse_record(text: str, palette: Palette) -> Recipe:
    """Parse the recipe in a picture's record, which is JSON. Raises Fault."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        raise Fault("picture_recipe_broken") from None
    request = record.get("request") if isinstance(record, dict) else None
    if not isinstance(request, dict):
        raise Fault("picture_recipe_broken")
    return _parse_request(request, palette, "picture_recipe")


def _parse_request(request: dict[str, object], palette: Palette, fault: str) -> Recipe:
    """Parse a request that a file has. fault: start of the codes of its faults. Raises Fault."""
    try:
        return parsing.parse(json.dumps(request), palette)
    except RecursionError:
        raise Fault(f"{fault}_broken") from None
    except RecipeError as error:
        raise Fault(f"{fault}_refused", error, status=422) from None
