"""The JSON Schema of a request: its form, written from the very readers that read it.

Meaning is the server's to judge: whether a name is a colour's, proportions add up, or an SVG can
be read. What it accepts as an object has the form that is described here; not all that has this
form is accepted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from plitka.color.mix import MAX_COLORS
from plitka.color.palette import Palette
from plitka.request.color_list import PROPORTION_READERS, make_color_readers
from plitka.request.parsing import FIELDS, OVERRIDES
from plitka.request.quantities import LONGEST_NUMBER, QUANTITY_SHAPE, WHOLE_SHAPE
from plitka.request.reading import Reader, Schema
from plitka.request.recipe import DEFAULT_QUALITY, DRAW_SEED
from plitka.request.surface import (
    DEFAULT_GRANULE_MM,
    DEFAULT_LAYING,
    DEFAULT_LINE_MM,
    DEFAULT_SIDES_MM,
    SHAPES,
    Shape,
)
from plitka.request.surface_parsing import (
    LINE_READERS,
    MAX_ZONES,
    SHAPE_READERS,
    SURFACE_READERS,
    ZONE_READERS,
)

VERSION = "1.1"
"""Of the form; its `$id` ends with it. The second number grows when more is accepted, the first
when less is."""

IDENTIFIER = f"urn:plitka:params_json:{VERSION}"

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ABOUT = (
    "The form of a request as a JSON object. What it means is judged by the server alone: whether"
    " names are those of colours, whether proportions add up, whether an SVG can be read. A number"
    ' may be written as text, with its unit behind it: "45°". The field params_json also takes a'
    " sentence, which is no JSON, and a request wrapped once more."
)
_NOTES = {
    "colors": "The mix; proportions add up to 100, or to 1.",
    "angle": "The laying angle in degrees; 180 is 0.",
    "quality": "turbo needs a server that has a turbo LoRA.",
    "seed": "-1 draws one.",
    "overrides": "What is chosen for the sdxl engine by hand.",
    "surface": "What the mix is laid on; without it a tile is drawn.",
}
_DEFAULTS = {"angle": 0, "quality": DEFAULT_QUALITY, "seed": DRAW_SEED}


def make_schema() -> Schema:
    """Make the JSON Schema, draft 2020-12, of a request."""
    properties = {
        "colors": {"$ref": "#/$defs/colors"},
        **{key: {**FIELDS[key].schema, "default": _DEFAULTS[key]} for key in FIELDS},
        "overrides": _close(_list_schemas(OVERRIDES)),
        "surface": {"$ref": "#/$defs/surface"},
    }
    return {
        "$schema": _DIALECT,
        "$id": IDENTIFIER,
        "title": "params_json",
        "description": _ABOUT,
        **_close(
            {key: {**one, "description": _NOTES[key]} for key, one in properties.items()},
            ["colors"],
        ),
        "$defs": {
            "colors": {
                "type": "array",
                "items": {"$ref": "#/$defs/color"},
                "minItems": 1,
                "maxItems": MAX_COLORS,
            },
            "color": _describe_color(),
            "quantity": {
                "description": 'A number as text, with a unit or without: "45°", "60 %", "2,5 mm".',
                **_describe_text(QUANTITY_SHAPE),
            },
            "whole": {
                "description": 'A whole number as text: "7".',
                **_describe_text(WHOLE_SHAPE),
            },
            "surface": _describe_surface(),
            "line": _describe_line(),
            "zone": {"oneOf": [{"$ref": f"#/$defs/zone-{name}"} for name in SHAPES]},
            **{f"zone-{name}": _describe_zone(name, kind) for name, kind in SHAPES.items()},
        },
    }


def _close(properties: Schema, required: Iterable[str] = ()) -> Schema:
    """Describe an object that has these keys and no others."""
    needed = list(required)
    return {
        "type": "object",
        "properties": properties,
        **({"required": needed} if needed else {}),
        "additionalProperties": False,
    }


def _describe_text(pattern: str) -> Schema:
    return {"type": "string", "pattern": pattern, "maxLength": LONGEST_NUMBER}


def _list_schemas(readers: Mapping[str, Reader[Any]]) -> Schema:
    return {key: reader.schema for key, reader in readers.items()}


def _describe_color() -> Schema:
    names = make_color_readers(Palette(()))  # which colours there are does not matter to the form
    choices = [
        {"oneOf": [{"required": [key]} for key in keys]} for keys in (names, PROPORTION_READERS)
    ]
    return {
        **_close({**_list_schemas(names), **_list_schemas(PROPORTION_READERS)}),
        "allOf": choices,
    }


def _describe_surface() -> Schema:
    width, length = DEFAULT_SIDES_MM
    defaults = {
        "width_mm": width,
        "length_mm": length,
        "granule_mm": DEFAULT_GRANULE_MM,
        "laying": DEFAULT_LAYING,
    }
    properties = {
        key: {**reader.schema, **({"default": defaults[key]} if key in defaults else {})}
        for key, reader in SURFACE_READERS.items()
    }
    zones = {"type": "array", "items": {"$ref": "#/$defs/zone"}, "maxItems": MAX_ZONES}
    return {
        **_close({**properties, "zones": zones}),
        "if": {"properties": {"laying": {"const": "poured"}}, "required": ["laying"]},
        "then": {"properties": {"tile_mm": False}},
    }


def _describe_line() -> Schema:
    properties = _list_schemas(LINE_READERS)
    properties["width_mm"] = {**properties["width_mm"], "default": DEFAULT_LINE_MM}
    return {"anyOf": [LINE_READERS["kind"].schema, _close(properties, ["kind"])]}


def _describe_zone(name: str, kind: type[Shape]) -> Schema:
    own = {field.name: SHAPE_READERS[field.name][0].schema for field in fields(kind)}
    needed = [field.name for field in fields(kind) if field.default is MISSING]
    properties = {
        **_list_schemas(ZONE_READERS),
        "shape": {"const": name},
        **own,
        "colors": {"$ref": "#/$defs/colors"},
        "line": {"$ref": "#/$defs/line"},
    }
    return _close(properties, ["shape", *needed, "colors"])
