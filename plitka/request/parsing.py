"""The request `params_json` -> Recipe, or one error that names every fault.

JSON text is unwrapped to one object, and a sentence is read as one; a reader for each field turns
its JSON value into what it means; proportions are scaled to shares.
"""

import re
from collections.abc import Mapping
from typing import Any

from plitka.color.palette import Palette
from plitka.messages.message import Message
from plitka.request import json_text
from plitka.request.color_list import read_shares
from plitka.request.faults import Fault
from plitka.request.json_text import Object
from plitka.request.quantities import is_degrees
from plitka.request.reading import (
    Node,
    Reader,
    Refused,
    make_choice_reader,
    make_integer_reader,
    make_number_reader,
    read_flag,
)
from plitka.request.recipe import (
    COLOR_CONTROLS,
    DEFAULT_QUALITY,
    DRAW_SEED,
    MAX_SEED,
    QUALITIES,
    Overrides,
    Quality,
    Recipe,
)
from plitka.request.surface_parsing import read_surface

MAX_NEGATIVE_PROMPT = 1000  # characters
MAX_BYTES = json_text.MAX_BYTES


def parse(text: str, palette: Palette) -> Recipe:
    """Read a request: JSON text of up to MAX_BYTES, or a sentence. palette: the named colours.

    Also takes the request wrapped in {"params_json": …}, as an object or a string, and a JSON
    string that holds it. Raises RecipeError with all faults of the request, one on each line.
    """
    faults: list[Fault] = []
    request = Node(json_text.unwrap(text, palette), "", faults)
    request.expect_keys(("colors", *FIELDS, "overrides", "surface"))
    shares = read_shares(request, palette)
    angle = request.read_optional("angle", _read_angle, 0.0)
    quality: Quality = request.read_optional("quality", _read_quality, DEFAULT_QUALITY)
    seed = request.read_optional("seed", _read_seed, DRAW_SEED)
    overrides = _read_overrides(request)
    surface = read_surface(request, palette)
    if faults:
        raise json_text.make_error(faults)
    return Recipe(shares, angle % 180.0, quality, seed, overrides, surface)


def _read_negative_prompt(value: object) -> str:
    allowed = f"text of up to {MAX_NEGATIVE_PROMPT} characters"
    if not isinstance(value, str):
        raise Refused(value, allowed)
    if len(value) > MAX_NEGATIVE_PROMPT:
        raise Refused(value, f"{allowed}, and this has {len(value)}")
    if re.search("[\ud800-\udfff]", value):
        raise Refused(value, f"{allowed}, without lone surrogates (half of a character)")
    return value


def _read_object(value: object) -> Object:
    if isinstance(value, Object):
        return value
    raise Refused(value, 'an object like {"guidance_scale": 7}')


_read_angle = make_number_reader(0, 180, Message.of(" degrees"), is_degrees)
_read_quality = make_choice_reader(QUALITIES)
_read_seed = make_integer_reader(DRAW_SEED, MAX_SEED, Message.of(" (-1 draws one)"))

FIELDS: Mapping[str, Reader[Any]] = {
    "angle": _read_angle,
    "quality": _read_quality,
    "seed": _read_seed,
}
"""How the fields of a request are read that hold a single value."""

OVERRIDES: Mapping[str, Reader[Any]] = {
    "use_controlnet": read_flag,
    "guidance_scale": make_number_reader(1, 20),
    "num_inference_steps": make_integer_reader(1, 150),
    "num_inference_steps_preview": make_integer_reader(1, 150),
    "num_inference_steps_final": make_integer_reader(1, 150),
    "negative_prompt": Reader(
        _read_negative_prompt, {"type": "string", "maxLength": MAX_NEGATIVE_PROMPT}
    ),
    "color_control": make_choice_reader(COLOR_CONTROLS),
    "strength": make_number_reader(0.05, 1),
    "controlnet_scale": make_number_reader(0, 2),
    "lora_scale": make_number_reader(0, 2),
}
"""How the fields of `overrides` are read."""


def _read_overrides(request: Node) -> Overrides:
    fields = request.read_optional("overrides", _read_object, Object())
    node = Node(fields, "overrides", request.faults)
    node.expect_keys(OVERRIDES)
    return Overrides(
        **{key: node.read_optional(key, take, None) for key, take in OVERRIDES.items()}
    )
