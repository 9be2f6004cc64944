"""Recipe -> texts to paste that make the same tile elsewhere: JSON, commands, a Python script."""

import json
import re
import shlex
from collections.abc import Sequence

from plitka.color.palette import Palette
from plitka.request.parsing import parse
from plitka.request.recipe import Recipe

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
    in_percent = [_to_percent(part.share) for part in recipe.shares]
    in_fractions = [part.share for part in recipe.shares]
    request = _compose_request(recipe, in_percent)
    if parse(json.dumps(request), palette) == recipe:
        return request
    return _compose_request(recipe, in_fractions)


def _compose_request(recipe: Recipe, proportions: Sequence[float]) -> dict[str, object]:
    request: dict[str, object] = {
        "colors": [
            {"hex" if part.color.is_free else "name": part.name, "proportion": proportion}
            for part, proportion in zip(recipe.shares, proportions, strict=True)
        ],
        "angle": _shorten(recipe.angle),
        "quality": recipe.quality,
        "seed": recipe.seed,
    }
    overrides = recipe.request()["overrides"]
    return {**request, "overrides": overrides} if overrides else request


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
