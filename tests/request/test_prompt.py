import json

import pytest

from plitka.request.prompt import (
    DEFAULT_NEGATIVE_PROMPT,
    Subject,
    build_negative_prompt,
    build_prompt,
)
from plitka.request.recipe import Recipe
from tests.support.recipes import parse


def recipe(*colors: tuple[str, float], **rest: object) -> Recipe:
    entries = [
        {"hex" if name.startswith("#") else "name": name, "proportion": proportion}
        for name, proportion in colors
    ]
    return parse(json.dumps({"colors": entries, **rest}))


def test_the_prompt_is_the_one_that_the_lora_knows() -> None:
    assert build_prompt(recipe(("red", 60), ("blue", 40))) == (
        "ohwx_rubber_tile <s0><s1>, 60% red, 40% blue, "
        "photorealistic rubber tile, high quality, detailed texture"
    )


def test_without_embeddings_the_prompt_drops_their_tokens() -> None:
    assert build_prompt(recipe(("red", 1)), Subject(vectors=0)).startswith(
        "ohwx_rubber_tile, 100% red, "
    )


@pytest.mark.parametrize(
    ("color", "words"),
    [
        ("Light_Grey", "light_grey"),
        ("LTGRAY", "light gray"),
        ("Red", "red"),
        ("#1e90ff", "sky blue"),
    ],
)
def test_a_color_is_named_as_written_and_codes_and_hexes_by_their_phrase(
    color: str, words: str
) -> None:
    assert f", 100% {words}, photo" in build_prompt(recipe((color, 100)))


@pytest.mark.parametrize("percent", range(1, 100))
def test_a_whole_percentage_keeps_its_number(percent: int) -> None:
    for whole in (1, 100):
        shares = (percent * whole / 100, (100 - percent) * whole / 100)
        words = build_prompt(recipe(("red", shares[0]), ("blue", shares[1])))
        assert f", {percent}% red, {100 - percent}% blue, " in words


def test_a_percentage_is_cut_not_rounded() -> None:
    assert ", 33% red, 66% blue, " in build_prompt(recipe(("red", 1 / 3), ("blue", 2 / 3)))


def test_the_negative_prompt_is_the_default_unless_the_request_has_one_even_an_empty_one() -> None:
    assert build_negative_prompt(recipe(("red", 1))) == DEFAULT_NEGATIVE_PROMPT
    own = recipe(("red", 1), overrides={"negative_prompt": ""})
    assert build_negative_prompt(own) == ""
