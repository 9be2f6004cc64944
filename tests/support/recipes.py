"""Short ways for the tests to spell recipes and to read pictures."""

import json
from collections.abc import Mapping

from plitka.color import palette
from plitka.request import parsing
from plitka.request.recipe import Recipe


def request(shares: Mapping[str, float], angle: float = 0, seed: int = 7) -> str:
    """`request({"red": 60, "DKGREEN": 40}, angle=45)` as params_json."""
    colors = [{"name": name, "proportion": share} for name, share in shares.items()]
    return json.dumps({"colors": colors, "angle": angle, "seed": seed})


def parse(text: str) -> Recipe:
    """Read a request with the built-in colours."""
    return parsing.parse(text, palette.load())


def asked(shares: Mapping[str, float], angle: float = 0, seed: int = 7) -> Recipe:
    return parse(request(shares, angle, seed))


TILE = request({"red": 60, "white": 40}, 45)
"""A request for any tile."""
