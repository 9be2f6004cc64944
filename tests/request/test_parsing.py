import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plitka.request.recipe import DRAW_SEED, QUALITIES, Overrides, RecipeError
from tests.support.recipes import parse
from tests.support.request_strategies import anything, requests

QUALITY_NAMES = "preview, standard, high, fast, turbo"
RED = {"name": "red", "proportion": 100}


def request(**fields: object) -> str:
    return json.dumps({"colors": [RED], **fields})


def shares(*entries: tuple[str, float]) -> dict[str, float]:
    colors = [{"name": name, "proportion": proportion} for name, proportion in entries]
    recipe = parse(json.dumps({"colors": colors}))
    return {part.name: part.share for part in recipe.shares}


def refusal(text: str) -> str:
    with pytest.raises(RecipeError) as caught:
        parse(text)
    return str(caught.value)


# What is accepted


def test_only_colors_are_required() -> None:
    recipe = parse(request())
    assert (recipe.angle, recipe.quality, recipe.seed) == (0, "standard", DRAW_SEED)
    assert recipe.overrides == Overrides()


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"params_json": {"colors": [RED]}}),
        json.dumps({"params_json": request()}),
        json.dumps(request()),
        json.dumps(json.dumps({"params_json": json.dumps(request())})),
        "\ufeff \r\n\t" + request() + " \n",
        request().replace("name", "color"),
        request().replace("proportion", "percentage"),
        request().replace("proportion", "percent"),
        request().replace("100", "1"),
        request(overrides={}),
    ],
)
def test_every_way_that_clients_send_a_request_is_the_same_recipe(text: str) -> None:
    assert parse(text) == parse(request())


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([("red", 60), ("blue", 40)], {"red": 0.6, "blue": 0.4}),
        ([("red", 0.6), ("blue", 0.4)], {"red": 0.6, "blue": 0.4}),
        ([("red", 0.1), ("blue", 0.2), ("pink", 0.7)], {"red": 0.1, "blue": 0.2, "pink": 0.7}),
        ([("red", 33), ("blue", 33), ("pink", 33)], dict.fromkeys(("red", "blue", "pink"), 1 / 3)),
        ([("red", 101)], {"red": 1}),
        ([("red", 0.99)], {"red": 1}),
        ([("red", 0.7), ("blue", 0.31)], {"red": 0.7 / 1.01, "blue": 0.31 / 1.01}),
        ([("red", 100), ("blue", 0)], {"red": 1}),
        ([("red", 30), ("blue", 40), ("RED", 30)], {"red": 0.6, "blue": 0.4}),
        ([("grey", 30), ("Gray", 70)], {"grey": 1}),
        ([("DKGREEN", 30), ("dark green", 70)], {"dark green": 1}),
        ([("violet", 30), ("purple", 70)], {"violet": 1}),
        ([("Dark_Green", 100)], {"dark_green": 1}),
        ([(" LTGREY ", 100)], {"light gray": 1}),
    ],
)
def test_shares_are_scaled_merged_and_named_as_written(
    entries: list[tuple[str, float]], expected: dict[str, float]
) -> None:
    found = shares(*entries)
    assert found == pytest.approx(expected)
    assert list(found) == list(expected)


def test_a_free_color_keeps_its_hex_as_name() -> None:
    (part,) = parse(json.dumps({"colors": [{"hex": "1E90FF", "percent": 100}]})).shares
    assert (part.name, part.color.code) == ("#1e90ff", "#1e90ff")


def test_a_hex_that_is_a_palette_color_merges_with_it() -> None:
    colors = [{"name": "red", "proportion": 50}, {"hex": "#c74a3d", "proportion": 50}]
    assert [part.name for part in parse(json.dumps({"colors": colors})).shares] == ["red"]


def test_180_degrees_is_0_and_never_minus_0() -> None:
    assert parse(request(angle=180)).angle == 0
    assert math.copysign(1, parse(request(angle=-0.0)).angle) == 1


@pytest.mark.parametrize(
    "written", ["60", "60%", " 60 % ", "60.0", "60,0%", "60 percent", "60 проц."]
)
def test_a_share_may_be_written_as_text(written: str) -> None:
    colors = [{"name": "red", "proportion": written}, {"name": "blue", "proportion": 40}]
    assert parse(json.dumps({"colors": colors})).shares[0].share == 0.6


@pytest.mark.parametrize("written", ["45", "45°", "45 °", "45.0 deg", "45 degrees", "45 градусов"])
def test_an_angle_and_a_seed_may_be_written_as_text(written: str) -> None:
    recipe = parse(request(angle=written, seed="7"))
    assert (recipe.angle, recipe.seed) == (45, 7)


def test_a_hex_in_name_or_color_is_the_same_as_in_hex() -> None:
    first, *others = (
        parse(json.dumps({"colors": [{key: "#F00", "proportion": 100}]}))
        for key in ("hex", "name", "color")
    )
    assert others == [first, first]


@pytest.mark.parametrize("seed", [-1, 0, 42.0, 2**32 - 1])
def test_seeds_are_whole_numbers_however_written(seed: float) -> None:
    assert parse(request(seed=seed)).seed == seed
    assert isinstance(parse(request(seed=seed)).seed, int)


def test_overrides_are_read_to_their_limits() -> None:
    given: dict[str, Any] = {
        "use_controlnet": False,
        "guidance_scale": 20,
        "num_inference_steps": 1,
        "num_inference_steps_preview": 150,
        "num_inference_steps_final": 150.0,
        "negative_prompt": "\N{LARGE RED CIRCLE}" * 1000,
        "color_control": "prompt",
        "strength": 0.05,
        "controlnet_scale": 0,
        "lora_scale": 2,
    }
    assert parse(request(overrides=given)).overrides == Overrides(**given)


# What is refused


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", 'params_json: not JSON (Expecting value at line 1, column 1, near "")'),
        ('{"colors"\n: red}', 'at line 2, column 3, near "{\\"colors\\"\\n: red}")'),
        ("{'colors': []}", 'allowed: an object like {"colors": [{"name": "red"'),
        ('"red', "params_json: not JSON"),
        ('60% red, {"blue": 40}', "params_json: not JSON"),
        ("[1, 2]", "params_json: got a list of 2; allowed: an object like"),
        ("null", "params_json: got null"),
        ('{"params_json": 5}', "params_json: got 5; allowed: an object like"),
        ('{"params_json": {}, "seed": 1}', "params_json: wraps a request, so it must be the only"),
        ('{"params_json": {}, "params_json": {}}', "params_json: wraps a request"),
        ('{"params_json":' * 20 + "{}" + "}" * 20, "params_json: wrapped too often"),
        ("[" * 30000, "params_json: nested too deeply"),
        ('{"colors":' + "[" * 900 + "]" * 900 + "}", "colors[0]: got a list of 1; allowed: an obj"),
        ("x" * 65_537, "params_json: got 65537 bytes; allowed: up to 65536"),
        (
            '"' + "\N{LARGE RED CIRCLE}" * 17_000 + '"',
            "params_json: got 68002 bytes; allowed: up t",
        ),
    ],
)
def test_text_that_is_no_request_is_refused_with_its_place_and_an_example(
    text: str, fragment: str
) -> None:
    assert fragment in refusal(text)


PERCENTAGE = "a percentage, 0 to 100, or a fraction, 0 to 1"


@pytest.mark.parametrize(
    ("colors", "fragment"),
    [
        (None, "colors: got null; allowed: a list of 1 to 8 colours like"),
        ([], "colors: got an empty list; allowed: a list of 1 to 8 colours"),
        ([RED] * 9, "colors: got a list of 9; allowed: a list of 1 to 8 colours"),
        ({"red": 100}, "colors: got an object; allowed: a list"),
        (["red"], 'colors[0]: got "red"; allowed: an object like {"name": "red"'),
        ([{}], "colors[0].name: missing; allowed: a colour name like"),
        ([{"name": "red"}], f"colors[0].proportion: missing; allowed: {PERCENTAGE}"),
        ([{**RED, "color": "red"}], 'colors[0].color: given beside "name"; give one of name, co'),
        ([{**RED, "hex": "#fff"}], 'colors[0].hex: given beside "name"; give one of'),
        ([{**RED, "percent": 1}], 'colors[0].percent: given beside "proportion"; give one of'),
        ([{**RED, "weight": 1}], "colors[0].weight: unknown key; known: name, color, hex, prop"),
        ([{**RED, "name": 5}], "colors[0].name: got 5; allowed: a colour name like"),
        ([{**RED, "name": None}], "colors[0].name: got null; allowed: a colour name"),
        ([{**RED, "name": "#1e90f"}], 'colors[0].name: got "#1e90f"; allowed: a hex colour, "#rr'),
        ([{"hex": "red", "percent": 1}], 'colors[0].hex: got "red"; allowed: a hex colour, "#rrgg'),
        ([RED, {**RED, "name": "blurple"}], 'colors[1].name: unknown colour "blurple"; did you m'),
        ([{"hex": "#12", "percent": 1}], 'colors[0].hex: got "#12"; allowed: a hex colour, "#rrg'),
        ([{"hex": 255, "percent": 1}], 'colors[0].hex: got 255; allowed: "#rrggbb" or "#rgb"'),
        ([{**RED, "proportion": "60x"}], f'colors[0].proportion: got "60x"; allowed: {PERCENTAGE}'),
        ([{**RED, "proportion": "60°"}], f'colors[0].proportion: got "60°"; allowed: {PERCENTAGE}'),
        ([{**RED, "proportion": "-1%"}], f'colors[0].proportion: got "-1%"; allowed: {PERCENTAGE}'),
        ([{**RED, "proportion": ""}], f'colors[0].proportion: got ""; allowed: {PERCENTAGE}'),
        (
            [{**RED, "proportion": "1%"}],
            "colors: proportions add up to 1%; allowed: percentages th",
        ),
        ([{**RED, "proportion": True}], f"colors[0].proportion: got true; allowed: {PERCENTAGE}"),
        ([{**RED, "proportion": -5}], f"colors[0].proportion: got -5; allowed: {PERCENTAGE}"),
        ([{**RED, "proportion": math.nan}], "colors[0].proportion: got NaN; allowed"),
        ([{**RED, "proportion": math.inf}], "colors[0].proportion: got Infinity; allowed"),
        ([{**RED, "proportion": 10**400}], "colors[0].proportion: got 1" + "0" * 59 + "…; allow"),
        ([RED, RED], "colors: proportions add up to 200; allowed: percentages that add up to 100 "),
        ([{**RED, "proportion": 98.99}], "colors: proportions add up to 98.99; allowed"),
        ([{**RED, "proportion": 101.1}], "colors: proportions add up to 101.1; allowed"),
        ([{**RED, "proportion": 0.98}], "colors: proportions add up to 0.98; allowed"),
        ([{**RED, "proportion": 0}], "colors: proportions add up to 0; allowed"),
    ],
)
def test_bad_colors_are_refused_by_path(colors: object, fragment: str) -> None:
    assert fragment in refusal(json.dumps({"colors": colors}))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"angle": 270}, "angle: got 270; allowed: a number from 0 to 180 degrees"),
        ({"angle": -0.1}, "angle: got -0.1; allowed: a number from 0 to 180 degrees"),
        ({"angle": "45%"}, 'angle: got "45%"; allowed: a number from 0 to 180 degrees'),
        ({"angle": "200°"}, 'angle: got "200°"; allowed: a number from 0 to 180 degrees'),
        (
            {"angle": None},
            "angle: got null; allowed: a number from 0 to 180 degrees, or leave it out",
        ),
        (
            {"quality": "hgh"},
            f'quality: got "hgh"; did you mean "high"? Allowed: {QUALITY_NAMES}',
        ),
        (
            {"quality": "HIGH"},
            f'quality: got "HIGH"; did you mean "high"? Allowed: {QUALITY_NAMES}',
        ),
        ({"quality": 1}, f"quality: got 1; allowed: {QUALITY_NAMES}"),
        (
            {"seed": 42.5},
            "seed: got 42.5; allowed: a whole number from -1 to 4294967295 (-1 draws one)",
        ),
        (
            {"seed": "1,000"},
            'seed: got "1,000"; allowed: a whole number from -1 to 4294967295 (-1 draws one)',
        ),
        (
            {"seed": 2**32},
            "seed: got 4294967296; allowed: a whole number from -1 to 4294967295 (-1 draws one)",
        ),
        ({"overrides": []}, 'overrides: got an empty list; allowed: an object like {"guidance_s'),
        (
            {"angel": 1},
            'angel: unknown key; did you mean "angle"? Known: colors, angle, quality, seed, overr',
        ),
        ({"bad\nkey": 1}, '["bad\\nkey"]: unknown key; known: colors'),
    ],
)
def test_bad_fields_are_refused_by_path(fields: dict[str, Any], message: str) -> None:
    found = refusal(request(**fields))
    assert found.startswith(message)
    assert "\n" not in found


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"use_controlnet": 1}, "use_controlnet: got 1; allowed: true or false"),
        ({"guidance_scale": 0.9}, "guidance_scale: got 0.9; allowed: a number from 1 to 20"),
        ({"guidance_scale": True}, "guidance_scale: got true; allowed: a number from 1 to 20"),
        (
            {"num_inference_steps": 0},
            "num_inference_steps: got 0; allowed: a whole number from 1 to 150",
        ),
        ({"negative_prompt": 5}, "negative_prompt: got 5; allowed: text of up to 1000 characters"),
        (
            {"negative_prompt": "x" * 1001},
            f'negative_prompt: got "{"x" * 60}…"; allowed: text of up to 1000 characters, and th',
        ),
        (
            {"negative_prompt": "\ud800"},
            'negative_prompt: got "\\ud800"; allowed: text of up to 1000 characters, without lone',
        ),
        (
            {"color_control": "layuot"},
            'color_control: got "layuot"; did you mean "layout"? Allowed: layout, prompt',
        ),
        ({"strength": 0}, "strength: got 0; allowed: a number from 0.05 to 1"),
        ({"strength": {}}, "strength: got an object; allowed: a number from 0.05 to 1"),
        ({"lora_scale": 2.1}, "lora_scale: got 2.1; allowed: a number from 0 to 2"),
        ({"stength": 1}, 'stength: unknown key; did you mean "strength"? Known: use_controlnet'),
    ],
)
def test_bad_overrides_are_refused_by_path(overrides: dict[str, Any], message: str) -> None:
    assert refusal(request(overrides=overrides)).startswith(f"overrides.{message}")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"colors": [{"name": "red", "name": "red", "percent": 1}]}', "colors[0].name"),
        ('{"colors": [{"name": "red", "percent": 1}], "seed": 1, "seed": 1}', "seed"),
        (
            '{"colors": [{"name": "red", "percent": 1}],'
            ' "overrides": {"strength": 1, "strength": 1}}',
            "overrides.strength",
        ),
    ],
)
def test_a_key_given_twice_is_refused_by_path(text: str, path: str) -> None:
    assert refusal(text) == f"{path}: given more than once in the same object; give it once"


def test_numbers_beyond_floats_and_beyond_python_are_refused_by_path() -> None:
    for number in ("1e400", "9" * 5000, "-" + "9" * 5000):
        assert refusal(request().replace("100", number)).startswith("colors[0].proportion: got ")


def test_all_faults_are_reported_at_once_each_on_its_line() -> None:
    text = json.dumps(
        {
            "colors": [{"name": "rde", "proportion": 50}, {"name": "blue", "proportion": 10}],
            "angle": 200,
            "quality": "best",
            "overrides": {"strength": 2},
        }
    )
    paths = [line.split(": ")[0] for line in refusal(text).splitlines()]
    assert paths == ["colors[0].name", "colors", "angle", "quality", "overrides.strength"]


def test_thousands_of_faults_make_a_message_that_can_still_be_read() -> None:
    lines = refusal(request(**{f"key{i}": i for i in range(3000)})).splitlines()
    assert len(lines) == 51
    assert lines[-1] == "params_json: and 2950 more faults"


# Any request at all

names = st.sampled_from(["red", "Violet", "PURPLE", "light-grey", "LTGREY", "white green"])
hexes = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06X}")
named_or_free = st.fixed_dictionaries({"name": names}) | st.fixed_dictionaries({"hex": hexes})


def holds(text: str) -> None:
    """Either a recipe, or an error of clean lines that name a path."""
    try:
        recipe = parse(text)
    except RecipeError as error:
        for line in str(error).split("\n"):
            assert line.isprintable()
            assert ": " in line
            line.encode()
    else:
        assert math.fsum(part.share for part in recipe.shares) == pytest.approx(1, abs=1e-9)
        assert all(part.share > 0 for part in recipe.shares)
        assert 0 <= recipe.angle < 180
        assert parse(json.dumps(recipe.request())) == recipe


@given(st.text())
def test_any_text_is_a_recipe_or_a_clean_error(text: str) -> None:
    holds(text)


@given(anything | requests)
def test_any_json_is_a_recipe_or_a_clean_error(value: object) -> None:
    holds(json.dumps(value))


@given(
    st.lists(st.tuples(named_or_free, st.floats(1e-6, 1)), min_size=1, max_size=8),
    st.sampled_from([1, 100]),
    st.floats(0.991, 1.009),
    st.floats(0, 180),
    st.sampled_from(QUALITIES),
)
def test_a_recipe_writes_the_request_that_it_is_read_from(
    parts: list[tuple[dict[str, str], float]],
    whole: float,
    slack: float,
    angle: float,
    quality: str,
) -> None:
    total = math.fsum(weight for _, weight in parts)
    entries = [{**color, "proportion": weight / total * whole * slack} for color, weight in parts]
    recipe = parse(json.dumps({"colors": entries, "angle": angle, "quality": quality}))
    assert math.fsum(part.share for part in recipe.shares) == pytest.approx(1, abs=1e-12)
    assert parse(json.dumps(recipe.request())) == recipe
