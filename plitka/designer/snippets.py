"""Recipe -> texts to paste that make the same tile elsewhere: JSON, commands, a Python script."""

import json
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from plitka.color.palette import Palette
from plitka.request.parsing import parse
from plitka.request.recipe import Recipe
from plitka.request.shares import ColorShare
from plitka.request.surface import Surface

_CURL_REPLICATE = """\
curl -s https://api.replicate.com/v1/predictions \\
  -H "Authorization: Bearer $REPLICATE_API_TOKEN" \\
  -H 'Content-Type: application/json' -H 'Prefer: wait' \\
  -d {body}"""

_CURL = """\
curl -s http://127.0.0.1:5000/predictions \\
  -H 'Content-Type: application/json' \\
  -d {body}"""

_PYTHON = """\
import json
from pathlib import Path

import replicate  # pip install "replicate<2"; the token is in REPLICATE_API_TOKEN

recipe = {recipe}
pictures = replicate.run(
    "OWNER/plitka:VERSION", input={{"params_json": json.dumps(recipe)}}, wait=False
)
for kind, picture in zip(("preview", "final", "colormap"), pictures):
    Path(f"{{kind}}.png").write_bytes(picture.read())
"""


def write_snippets(recipe: Recipe, palette: Palette) -> dict[str, str]:
    """Write the texts by kind: params_json, cog, curl, curl_replicate, python and command.

    The recipe's seed must be drawn already, so that all make the same tile.
    """
    request = write_request(recipe, palette)
    params_json = _dump(request)
    tile = {"params_json": params_json}
    return {
        "params_json": params_json,
        "cog": f"cog predict -i {shlex.quote(f'params_json={params_json}')}",
        "curl": _CURL.format(body=_quote_body({"input": tile})),
        "curl_replicate": _CURL_REPLICATE.format(
            body=_quote_body({"version": "VERSION", "input": tile})
        ),
        "python": _PYTHON.format(recipe=_write_literal(request)),
        "command": f"python -m plitka make {shlex.quote(params_json)} --out tile",
    }


def write_request(recipe: Recipe, palette: Palette) -> dict[str, object]:
    """Write the request as a person would: shares in percent where that is exact, else fractions.

    It parses to an equal recipe, so that its pictures have the same bytes.
    """
    request = _compose_request(recipe, _to_percent)
    if parse(json.dumps(request), palette) == recipe:
        return request
    return _compose_request(recipe, float)


def _compose_request(
    recipe: Recipe, write_share: Callable[[float], float | int]
) -> dict[str, object]:
    request: dict[str, object] = {
        "colors": _write_colors(recipe.shares, write_share),
        "angle": _shorten(recipe.angle),
        "quality": recipe.quality,
        "seed": recipe.seed,
    }
    overrides = recipe.request()["overrides"]
    if overrides:
        request["overrides"] = overrides
    if recipe.surface is not None:
        request["surface"] = _compose_surface(recipe.surface, write_share)
    return request


def _compose_surface(
    surface: Surface, write_share: Callable[[float], float | int]
) -> dict[str, object]:
    composed = _shorten_all(surface.request())
    for zone, written in zip(surface.zones, composed.get("zones", []), strict=True):
        written["colors"] = _write_colors(zone.shares, write_share)
    return dict(composed)


def _write_colors(
    shares: Sequence[ColorShare], write_share: Callable[[float], float | int]
) -> list[dict[str, object]]:
    return [
        {"hex" if part.color.is_free else "name": part.name, "proportion": write_share(part.share)}
        for part in shares
    ]


def _shorten_all(value: Any) -> Any:
    """Shorten all numbers of a JSON value."""
    if isinstance(value, dict):
        return {key: _shorten_all(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_shorten_all(part) for part in value]
    return _shorten(value) if isinstance(value, float) else value


def _to_percent(share: float) -> float | int:
    """Convert a share of 0 to 1 to percent, without the rounding error of the product."""
    return _shorten(round(share * 100, 9))


def _shorten(number: float) -> float | int:
    """Return a whole number as int, so that it is written without a point."""
    return int(number) if float(number).is_integer() else number


def _quote_body(body: dict[str, object]) -> str:
    return shlex.quote(_dump(body))


def _dump(value: dict[str, object]) -> str:
    """Write JSON whose characters can all be seen.

    A terminal takes others for keys: the delete character, when pasted, would take away the
    quotation mark before it, and what follows would run.
    """
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[^ -~]", _escape_unseen, text)


def _escape_unseen(match: re.Match[str]) -> str:
    char = match[0]
    return char if char.isprintable() else json.dumps(char)[1:-1]


def _write_literal(request: dict[str, object]) -> str:
    """Write the request as a Python literal, one field a line."""
    lines = []
    for key, value in request.items():
        if key == "colors" and isinstance(value, list):
            lines += ['    "colors": [', *(f"        {color!r}," for color in value), "    ],"]
        else:
            lines.append(f'    "{key}": {value!r},')
    return "\n".join(["{", *lines, "}"])
