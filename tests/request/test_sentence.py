import json
from dataclasses import replace

import pytest

from plitka.color import palette
from plitka.color.palette import Palette
from plitka.request import parsing, sentence
from plitka.request.recipe import RecipeError
from tests.support.recipes import parse

MIX = {"colors": [{"name": "black", "proportion": 60}, {"name": "white", "proportion": 40}]}
WHOLE = json.dumps({**MIX, "angle": 45, "quality": "high", "seed": 7})


def refusal(text: str) -> str:
    with pytest.raises(RecipeError) as caught:
        parse(text)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "60% black, 40% white, 45 degrees, seed 7, high quality",
        "High quality; seed: 7; angle = 45°; white 40%; black 60%",
        "60% black 40% white at 45° with seed 7 in high quality",
        "* 60 % black\n* 40 % white\n* 45 deg\n* seed #7 high-quality".replace("#", ""),
        "60% чёрный, 40% белый, 45 градусов, сид 7, высокое качество",
        "60 процентов чёрной крошки и 40 процентов белой, под углом 45, сид=7, качество: высокое",
        "3 parts black, 2 parts white, angle 45, 7 seed, high",
        "60% black, the rest white, 45 degrees, seed 7, high",
        "60%\u00a0black + остальное белое, 45\u00b0, seed 7, quality high",
    ],
)
def test_sentences_that_say_the_same_are_the_same_recipe(text: str) -> None:
    recipe = parse(text)
    expected = parse(WHOLE)
    by_code = sorted(recipe.shares, key=lambda part: part.color.code)
    assert replace(recipe, shares=tuple(by_code)) == replace(
        expected, shares=tuple(replace(part, name=part.name) for part in expected.shares)
    )


@pytest.mark.parametrize("word", ["fast", "быстро", "quality: fast", "качество быстрое"])
def test_fast_is_a_quality_in_words(word: str) -> None:
    assert parse(f"60% black, 40% white, {word}").quality == "fast"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "60/40 black and white",
            "black and white 60/40",
            "60:40, black, white",
            "3:2 black, white",
        ),
        *(
            "black/white 60-40",
            "60\u201340 black, white",
            "60 на 40 чёрный и белый",
            "60 / 40 black, white",
        ),
        *("three fifths black, two fifths white", "три пятых чёрного, две пятых белого"),
        *("three-fifths black, the rest white", "sixty percent black, forty percent white"),
        *("three parts black to two parts white", "три части чёрного и две части белого"),
    ],
)
def test_a_ratio_and_numbers_in_words_say_shares(text: str) -> None:
    recipe = parse(text)
    assert [(part.color.code, round(part.share, 9)) for part in recipe.shares] == [
        ("BLACK", 0.6),
        ("WHITE", 0.4),
    ]


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("two thirds red, one third blue", [2 / 3, 1 / 3]),
        ("две трети красного, треть синего", [2 / 3, 1 / 3]),
        ("two-thirds red, a third blue", [2 / 3, 1 / 3]),
        ("half red, half blue", [1 / 2, 1 / 2]),
        ("fifty-fifty red and blue", [1 / 2, 1 / 2]),
        ("красный и синий 50 на 50", [1 / 2, 1 / 2]),
        ("1:1:2 red, blue, white", [1 / 4, 1 / 4, 1 / 2]),
        ("50/30/20 red, blue, white, 45°, seed 7", [1 / 2, 3 / 10, 1 / 5]),
        ("three quarters red, one quarter blue", [3 / 4, 1 / 4]),
        ("три четверти красного и одна четверть синего", [3 / 4, 1 / 4]),
        ("равные доли: красный, синий", [1 / 2, 1 / 2]),
        ("1/3 red, 2/3 blue", [1 / 3, 2 / 3]),
    ],
)
def test_fractions_in_words_say_shares(text: str, shares: list[float]) -> None:
    assert [part.share for part in parse(text).shares] == pytest.approx(shares)


@pytest.mark.parametrize(
    "wrapped",
    [
        json.dumps("60% black, 40% white"),
        json.dumps({"params_json": "60% black, 40% white"}),
        json.dumps({"params_json": json.dumps("60% black, 40% white")}),
        "\ufeff 60% black, 40% white \r\n",
        "“60% black, 40% white”",
    ],
)
def test_a_sentence_may_come_wrapped_as_json_does(wrapped: str) -> None:
    assert parse(wrapped) == parse(json.dumps(MIX))


@pytest.mark.parametrize(
    "text",
    [
        *("{60% black, 40% white}", '{"colors": "60% black"', "[60% black]", '"60% black', ""),
        *(" \n", "{'colors': []}", '"colors": [{"name": "red"}]', "colors: [red]"),
    ],
)
def test_what_looks_like_json_is_told_where_it_is_broken(text: str) -> None:
    assert refusal(text).startswith("params_json: not JSON (")
    assert " at line 1, column " in refusal(text) or " at line 2" in refusal(text)


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("60% black, 40% white, 45", ['"45" alone could be a share, an angle or a seed']),
        ("60% black, white", ['"white" has no share', '"the rest white"']),
        ("black, white", ['"black, white" says no shares', '"50% black, 50% white"']),
        ("60% black white, 40% red", ['"black white" names 2 colours at once']),
        ("60% black 40", ['"60% black 40" is not understood']),
        ("60 degrees black, 40 white", ["has no share"]),
        ("60-70% black, 30% white", ['"60-70% black" is not understood']),
        ("60/50 black, white", ['"60/50" in "60/50 black" is not understood']),
        ("60/40 black, white, red", ['"60/40" is of 2 colours, and 3 are named']),
        ("60/40 black", ['"60/40" is of 2 colours, and 1 are named']),
        ("60/40 black, 40% white", ['"60/40" stands beside other shares']),
        ("60/40 black, white, 1:1", ['"60/40" stands beside other shares']),
        ("equal parts black, white 60/40", ['"60/40" stands beside other shares']),
        ("60/40 black, shiny", ['"shiny" is not understood']),
        ("60/40 no black, white", ['"no black" is not understood']),
        ("30-70% black, white", ['"30-70% black" is not understood']),
        ("black 60/40 white", ['"black 60/40 white" names 2 colours at once']),
        ("four thirds black, 1% white", ['"four thirds black" is not understood']),
        ("one red, 2% blue", ['"one red" is not understood']),
        ("60% no black, 40% white", ['"no black" is not understood']),
        ("at least 60% black, 40% white", ['"least 60% black" is not understood']),
        (
            "60% black, 40% white, strength 0.7, guidance scale 7, 30 Steps",
            ['"strength 0.7" is one of the overrides; only JSON', '"guidance sc', '"30 Steps" is'],
        ),
        ("60% black, 40% white, controlnet", ['"controlnet" is one of the overrides; only JSON']),
        ("60% black, 40% white, glossy", ['"glossy" is not understood']),
        ("60% black, the rest white, the rest red", ["share one rest"]),
        ("100% black, the rest white", ['"rest white" is nothing']),
        ("equal parts black and 40% white", ['"40% white" has a share beside equal ones']),
        ("equal parts black, white and чёрный", ["names a colour twice for equal shares"]),
        ("3 parts black, 40% white", ["go with parts alone"]),
        ("seed 7, red, seed 8", ["seed: given twice, 7 and 8"]),
        ("red, 45°, angle 30", ["angle: given twice, 45 and 30"]),
        ("red, seed 1,000", ['seed: got "1,000"; allowed: a whole number']),
        ("red, seed 7.5", ['seed: got "7.5"']),
        ("red, 200°", ['angle: got "200"; allowed: a number from 0 to 180 degrees']),
        ("45 degrees, seed 7", ['"45 degrees, seed 7" names no colour']),
        ("1% red", ["colors: proportions add up to 1%"]),
        ("0.5% red, 0.5% blue", ["colors: proportions add up to 1%"]),
        ("60% blac\u212a, 40% white", ["KELVIN SIGN"]),
        ("60% r\u0435d, 40% white", ["CYRILLIC SMALL LETTER IE"]),
        ("red" * 2000, ["6000 characters are no sentence"]),
    ],
)
def test_what_could_mean_two_things_is_refused_by_its_words(
    text: str, fragments: list[str]
) -> None:
    said = refusal(text)
    for fragment in fragments:
        assert fragment in said
    assert all(line.isprintable() and ": " in line for line in said.split("\n"))


def test_all_parts_that_are_not_understood_are_told_at_once() -> None:
    said = refusal("60% black, 40% white, shiny, 45, seed 7, seed 8").split("\n")
    assert [line.partition(": ")[2][:8] for line in said] == ['"45" alo', "given tw", '"shiny" ']


def test_a_makers_own_color_is_read_in_a_sentence_by_its_words() -> None:
    (first, *_) = palette.load().colors
    own = replace(first, code="OURS", phrase="морской бриз", russian=())
    other = replace(first, code="QUARTZ", phrase="quarter rest", srgb=(1, 2, 3), russian=())
    ours = Palette((own, other))
    recipe = parsing.parse(
        "60% морского бриза 40% quarter rest, 45°".replace("бриза", "бриз"), ours
    )
    assert [part.color.code for part in recipe.shares] == ["OURS", "QUARTZ"]


def test_a_recipe_of_words_writes_a_request_that_is_understood_the_same() -> None:
    recipe = parse("30% чёрного, 20% navy, 20% ral-3020, 20% #F00, 5% purple, 5% Violet")
    again = parse(json.dumps(recipe.request()))
    assert again == recipe
    assert again.understood() == recipe.understood()
    assert [said["word"] for said in recipe.understood()] == [
        *("чёрного", "navy", "ral-3020", "#ff0000", "purple", "Violet")
    ]
    assert json.loads(json.dumps(recipe.understood())) == recipe.understood()
    assert again.request() == recipe.request()


@pytest.mark.parametrize(
    "text",
    [
        *("red ", "60% ", "1 red,", "seed 7 ", "n", "half ", "#", "-", "1/", "ral ", "light blue "),
        *("1% foo,", "blue-", "equal ", "the rest ", "\u0438\u0306", "тёмно-", "angle ", "%°"),
    ],
)
def test_a_long_sentence_of_one_word_is_refused_in_few_lines(text: str) -> None:
    longest = (text * sentence.MAX_LENGTH)[: sentence.MAX_LENGTH]
    assert len(refusal(longest)) < 20_000
