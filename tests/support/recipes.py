"""Short ways for the tests to spell recipes and to read pictures."""

import json
from collections.abc import Mapping

from jsonschema import Draft202012Validator

from plitka.color import palette
from plitka.request import parsing
from plitka.request.recipe import Recipe
from plitka.request.schema import make_schema

FORM = Draft202012Validator(make_schema())
"""The form that the JSON Schema gives to requests."""


def request(shares: Mapping[str, float], angle: float = 0, seed: int = 7) -> str:
    """`request({"red": 60, "DKGREEN": 40}, angle=45)` as params_json."""
    colors = [{"name": name, "proportion": share} for name, share in shares.items()]
    return json.dumps({"colors": colors, "angle": angle, "seed": seed})


def parse(text: str) -> Recipe:
    """Read a request with the built-in colours; the JSON Schema takes what is read."""
    recipe = parsing.parse(text, palette.load())
    try:
        written = json.loads(text)
    except ValueError:
        return recipe  # a sentence
    if isinstance(written, dict) and "colors" in written:
        FORM.validate(written)
    return recipe


def asked(shares: Mapping[str, float], angle: float = 0, seed: int = 7) -> Recipe:
    return parse(request(shares, angle, seed))


TILE = request({"red": 60, "white": 40}, 45)
"""A request for any tile."""
