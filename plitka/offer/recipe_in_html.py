"""The recipe in an offer's HTML file: written as JSON in an element, and read from there again."""

import json
import re

from plitka import __version__
from plitka.request.recipe import Recipe

MAX_HTML_BYTES = 16 * 2**20
"""Of an offer that comes from elsewhere. One with all pictures has 3 MB at most."""

_MAX_RECORD_BYTES = 2**18
_ELEMENT = re.compile(
    rb"""<script(?=\s[^<>]{0,200}?\bid=["']?plitka-recipe["'\s>])[^<>]{0,200}>""", re.IGNORECASE
)
_END = re.compile(rb"</script", re.IGNORECASE)


class NoRecipe(ValueError):
    """A file without a recipe that can be read. code: "missing" or "broken"."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def write_record(recipe: Recipe) -> str:
    """Write the content of the element: JSON that ends no element, whatever is in it."""
    record = json.dumps({"plitka": __version__, "request": recipe.request()}, ensure_ascii=True)
    for sign in "<>&":
        record = record.replace(sign, f"\\u{ord(sign):04x}")
    return record


def looks_like_html(content: bytes) -> bool:
    """Whether a file is more likely to be a page than a picture."""
    start = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html", b"<!--"))


def read_request(content: bytes) -> dict[str, object]:
    """Read the request in an offer, unchecked: it goes through `parsing.parse` like any other.

    Nothing else of the file is looked at. Raises NoRecipe, whatever the file is.
    """
    found = _ELEMENT.search(content)
    if found is None:
        raise NoRecipe("missing")
    end = _END.search(content, found.end(), found.end() + _MAX_RECORD_BYTES)
    if end is None:
        raise NoRecipe("broken")
    try:
        record = json.loads(content[found.end() : end.start()])
    except (ValueError, RecursionError):
        raise NoRecipe("broken") from None
    request = record.get("request") if isinstance(record, dict) else None
    if not isinstance(request, dict):
        raise NoRecipe("broken")
    return request
