"""Fuzzing target: the text of a request. It is a recipe that it can be written as, or faults."""

import json
import math

from plitka.color import palette
from plitka.request import parsing
from plitka.request.recipe import DRAW_SEED, MAX_SEED, Recipe, RecipeError
from tests.fuzz.target import Target, is_sentence, refuse_warnings

_PALETTE = palette.load()
_MOST_LINES = 51  # fifty faults, and how many more there are


def check(content: bytes) -> bool:
    text = content.decode("utf-8", "surrogateescape")  # lone surrogates come through JSON as well
    with refuse_warnings():
        try:
            recipe = parsing.parse(text, _PALETTE)
        except RecipeError as refusal:
            check_refusal(refusal)
            return False
        check_recipe(recipe)
        return True


def check_refusal(refusal: RecipeError) -> None:
    """Assert that each fault is a line that names its field and can be printed."""
    lines = str(refusal).split("\n")
    assert len(lines) <= _MOST_LINES, len(lines)
    for line in lines:
        assert is_sentence(line), line
        assert ": " in line, line


def check_recipe(recipe: Recipe) -> None:
    """Assert that a recipe is within its ranges, and that it is read again as what it was."""
    shares = [part.share for part in recipe.shares]
    assert shares
    assert all(share > 0 for share in shares), shares
    assert math.isclose(math.fsum(shares), 1, rel_tol=1e-9), shares
    assert len({part.color.srgb for part in recipe.shares}) == len(shares)
    assert 0 <= recipe.angle < 180, recipe.angle
    assert DRAW_SEED <= recipe.seed <= MAX_SEED
    for value in vars(recipe.overrides).values():
        assert value is None or isinstance(value, str | bool) or math.isfinite(value)
    again = parsing.parse(json.dumps(recipe.request()), _PALETTE)
    assert again == recipe, (again, recipe)


TARGET = Target(
    "request_text",
    check,
    tokens=(
        *(b'{"colors":[', b'{"name":"red","proportion":', b'"hex":"#1e90ff"', b'"percent":'),
        *(b'"color":', b'"percentage":', b'"angle":', b'"quality":"', b'"seed":', b'"overrides":{'),
        *(b'"use_controlnet":', b'"guidance_scale":', b'"num_inference_steps":', b'"strength":'),
        *(b'"num_inference_steps_preview":', b'"num_inference_steps_final":', b'"lora_scale":'),
        *(b'"negative_prompt":"', b'"color_control":"layout"', b'"controlnet_scale":'),
        *(b'{"params_json":', b"\\u0000", b"\\ud800", b"\\udc00", b"NaN", b"Infinity", b"-1"),
        *(
            b"1e308",
            b"1e-320",
            b"-0.0",
            b"0.1",
            b"100",
            b"4294967296",
            b"true",
            b"null",
            b"\xef\xbb\xbf",
        ),
        *(b"60% black, ", b"40 white", b" and ", b"45 degrees", b"seed 7", b"1/2 ", b"the rest "),
        *(b"RAL 3020", b"navy ", b"high quality", b"equal parts ", b" - ", b"; ", b"\n"),
        *("красный ".encode(), "тёмно-синего".encode(), "сид 7".encode(), "градусов".encode()),
        *(b"dark green", b"DKGREEN", b"violet", b"purple", b"TERCOT", b"turbo", b"preview"),
    ),
    longest=8192,
)
