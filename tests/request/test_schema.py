"""The JSON Schema of a request: that it is the form of all that is read, and of no other form.

`tests.support.recipes.parse`, which reads the requests of most tests, holds them to it as well.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from plitka.cli.main import main
from plitka.request.recipe import RecipeError
from plitka.request.schema import VERSION, make_schema
from tests.support.recipes import FORM, parse

ROOT = Path(__file__).resolve().parents[2]
RED: dict[str, Any] = {"name": "red", "proportion": 100}
JOINT = {"kind": "joint"}
CIRCLE: dict[str, Any] = {"shape": "circle", "radius_mm": 300, "colors": [RED]}


def fits(fields: object) -> bool:
    return FORM.is_valid(fields)


def red(**fields: object) -> dict[str, object]:
    return {"colors": [RED], **fields}


def zone(**fields: object) -> dict[str, object]:
    return red(surface={"zones": [{**CIRCLE, **fields}]})


def test_the_file_in_the_docs_is_what_the_command_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["schema"]) == 0
    page = ROOT / "docs" / "params_json.schema.json"
    assert page.read_text(encoding="utf-8") == capsys.readouterr().out, (
        "python -m plitka schema > docs/params_json.schema.json"
    )


def test_it_is_a_schema_with_an_id_that_has_its_version() -> None:
    schema = make_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:plitka:params_json:{VERSION}"


KEYWORDS = (
    "$schema $id $ref $defs title description default type const enum properties required"
    " additionalProperties items prefixItems minItems maxItems pattern minLength maxLength"
    " minimum maximum exclusiveMinimum exclusiveMaximum multipleOf allOf anyOf oneOf if then else"
)
"""Of draft 2020-12. Strict readers, as Ajv is by default, refuse a schema with any other."""


def list_keywords(schema: object) -> Iterator[str]:
    """List the keywords of a schema and of all schemas in it."""
    if isinstance(schema, list):
        for each in schema:
            yield from list_keywords(each)
    elif isinstance(schema, dict):
        for keyword, value in schema.items():
            yield keyword
            if keyword in ("properties", "$defs"):
                yield from list_keywords(list(value.values()))
            elif keyword not in ("default", "const", "enum", "required"):
                yield from list_keywords(value)


def test_it_has_the_keywords_of_its_draft_and_no_others() -> None:
    assert set(list_keywords(make_schema())) <= set(KEYWORDS.split())


SURFACE = {
    "width_mm": "4000 mm",
    "laying": "poured",
    "granule_mm": 1.5,
    "zones": [
        {**CIRCLE, "line": "metal", "name": "pond", "center_mm": [0, "20,5 mm"]},
        {"shape": "hopscotch", "length_mm": 2000, "turn": -90, "colors": [RED], "line": JOINT},
        {"shape": "polygon", "points_mm": [[0, 0], [1, 0], [0, 1]], "colors": [RED]},
        {"shape": "text", "text": "Двор", "height_mm": 200, "colors": [RED]},
    ],
}


def test_a_surface_with_zones_has_its_form() -> None:
    recipe = parse(json.dumps(red(surface=SURFACE)))
    assert fits(recipe.request())


OF_ANOTHER_FORM: list[object] = [
    *([], 7, None, {}),
    {"colors": []},
    {"colors": [RED] * 9},
    {"colors": ["red"]},
    {"colors": [{"name": "red"}]},
    {"colors": [{"proportion": 100}]},
    {"colors": [{**RED, "hex": "#f00"}]},
    {"colors": [{**RED, "percent": 100}]},
    {"colors": [{**RED, "share": 1}]},
    {"colors": [{"name": 7, "proportion": 100}]},
    {"colors": [{"hex": "#ff", "proportion": 100}]},
    {"colors": [{"name": "red", "proportion": True}]},
    {"colors": [{"name": "red", "proportion": -1}]},
    {"colors": [{"name": "red", "proportion": "much"}]},
    red(angel=45),
    *(red(angle=value) for value in (-1, 181, None, True, "steep")),
    *(red(quality=value) for value in ("best", "HIGH", 1, None)),
    *(red(seed=value) for value in (-2, 2**32, 1.5, "1.5", None)),
    red(overrides=None),
    red(overrides={"steps": 3}),
    red(overrides={"strength": 0}),
    *(red(overrides={"use_controlnet": value}) for value in (0, "yes", None)),
    red(overrides={"negative_prompt": "x" * 1001}),
    red(overrides={"color_control": "Layout"}),
    red(surface=None),
    red(surface={"depth_mm": 1}),
    red(surface={"width_mm": 99}),
    red(surface={"laying": "poured", "tile_mm": 500}),
    red(surface={"tile_mm": [500]}),
    red(surface={"granule_mm": 5}),
    red(surface={"zones": [CIRCLE] * 17}),
    red(surface={"zones": [{"shape": "circle", "colors": [RED]}]}),
    red(surface={"zones": [{"shape": "circle", "radius_mm": 300}]}),
    zone(shape="ring"),
    zone(text="a circle has none"),
    zone(center_mm=[0, 0, 0]),
    zone(line="gold"),
    zone(line={"width_mm": 5}),
    zone(name=" "),
]


@pytest.mark.parametrize("fields", OF_ANOTHER_FORM, ids=lambda fields: json.dumps(fields)[:70])
def test_what_is_of_another_form_is_refused_by_both(fields: object) -> None:
    assert not fits(fields)
    with pytest.raises(RecipeError):
        parse(json.dumps({"params_json": fields}))


LEFT_TO_THE_SERVER: list[object] = [
    {"colors": [{"name": "blurple", "proportion": 100}]},
    {"colors": [{"name": "red", "proportion": 60}]},
    red(angle="45 bananas"),
    red(surface={"zones": [{"shape": "svg", "svg": "none", "width_mm": 300, "colors": [RED]}]}),
]


@pytest.mark.parametrize("fields", LEFT_TO_THE_SERVER, ids=lambda fields: json.dumps(fields)[:70])
def test_what_a_request_means_is_left_to_the_server(fields: object) -> None:
    assert fits(fields)
    with pytest.raises(RecipeError):
        parse(json.dumps(fields))
