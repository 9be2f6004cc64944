# ruff: noqa: RUF001 - Cyrillic is meant
from dataclasses import replace
from pathlib import Path

import pytest

from plitka.color import palette, words
from plitka.color.color_survey import find_known_color
from plitka.color.css_names import CSS_NAMES
from plitka.color.palette import COLUMNS, RUSSIAN, Palette, PaletteError, UnknownColor
from plitka.color.ral_classic import RAL_CLASSIC
from plitka.color.russian import list_forms

BUILT_IN = palette.load()


def understand(word: str) -> tuple[str, str]:
    said = words.understand(word, BUILT_IN)
    return said.source, said.color.code


def refusal(word: str, own: Palette = BUILT_IN) -> str:
    with pytest.raises(UnknownColor) as caught:
        words.understand(word, own)
    return str(caught.value)


def test_every_name_of_css_is_understood_and_the_palettes_win() -> None:
    for name, srgb in CSS_NAMES.items():
        said = words.understand(name.upper(), BUILT_IN)
        assert said.source in ("css", "palette")
        assert said.source == "palette" or said.color.hex == srgb
    won = [name for name in sorted(CSS_NAMES) if understand(name)[0] == "palette"]
    assert won == [
        *("beige", "black", "blue", "brown", "darkblue", "darkgray", "darkgreen", "darkgrey"),
        *("gray", "green", "grey", "khaki", "lightgray", "lightgreen", "lightgrey", "limegreen"),
        *("orange", "pink", "purple", "red", "salmon", "skyblue", "turquoise", "violet", "white"),
        "yellow",
    ]


def test_the_table_of_css_is_that_of_the_specification() -> None:
    assert len(CSS_NAMES) == 148
    assert CSS_NAMES["rebeccapurple"] == "#663399"
    assert CSS_NAMES["lightgoldenrodyellow"] == "#fafad2"
    assert {CSS_NAMES[f"{name}grey"] == CSS_NAMES[f"{name}gray"] for name in ("", "slate")} == {
        True
    }


@pytest.mark.parametrize("number", [*RAL_CLASSIC])
def test_every_number_of_ral_classic_is_understood_however_it_is_written(number: str) -> None:
    for written in (
        f"RAL {number}",
        f"ral{number}",
        f"RAL-{number}",
        f"Ral_{number}",
        f"РАЛ {number}",
    ):
        assert understand(written) == ("ral", RAL_CLASSIC[number])


def test_ral_classic_has_its_216_numbers() -> None:
    assert len(RAL_CLASSIC) == 216
    assert [RAL_CLASSIC[n] for n in ("3020", "9005", "7016")] == ["#bb1e10", "#0e0e10", "#383e42"]


def test_every_color_of_the_palette_is_understood_in_russian_in_each_form() -> None:
    for color in BUILT_IN.colors:
        assert color.russian, color.code
        for name in color.russian:
            for form in list_forms(name):
                for written in (form, form.upper(), form.replace("ё", "е"), form.replace("-", " ")):
                    assert understand(written) == ("russian", color.code)


@pytest.mark.parametrize(
    ("name", "forms"),
    [
        ("красный", ["красный", "красного", "красная", "красной", "красное", "красные", "красных"]),
        ("синий", ["синий", "синего", "синяя", "синей", "синее", "синие", "синих"]),
        ("голубой", ["голубой", "голубого", "голубая", "голубое", "голубые"]),
        ("тёмно-синий", ["тёмно-синяя", "тёмно-синего"]),
        ("яркий жёлтый", ["яркая жёлтая", "ярких жёлтых"]),
        ("хаки", ["хаки"]),
    ],
)
def test_adjectives_are_inflected_and_nouns_stay(name: str, forms: list[str]) -> None:
    assert set(forms) <= set(list_forms(name))


def test_russian_forms_do_not_mean_two_colors() -> None:
    owners: dict[str, str] = {}
    for color in BUILT_IN.colors:
        for name in color.russian:
            for form in list_forms(name):
                assert owners.setdefault(form, color.code) == color.code


@pytest.mark.parametrize(
    ("word", "by_color"),
    [
        ("light blue", '"sky blue", '),
        ("navy blue", '"dark blue", '),
        ("sea", '"turquoise"'),
        ("burgundy", '"terracotta", '),
        ("бордового", '"terracotta", '),
        ("морская волна", '"turquoise"'),
    ],
)
def test_a_word_with_a_known_color_is_told_with_the_nearest_in_the_palette(
    word: str, by_color: str
) -> None:
    told = refusal(word)
    nearest = told.partition("Nearest by colour: ")[2].partition(". ")[0]
    assert by_color in f"{nearest}, "
    assert nearest.count('"') == 6
    assert f'such as "{find_known_color(word)}"' in told


@pytest.mark.parametrize(
    ("name", "nearest"), [("navy", "dark blue"), ("teal", "turquoise"), ("tomato", "orange")]
)
def test_a_name_of_css_is_told_with_the_nearest_in_the_palette(name: str, nearest: str) -> None:
    said = words.understand(name, BUILT_IN)
    assert nearest in said.nearest
    assert len(said.nearest) == 3
    assert said.as_json() == {
        "word": name,
        "source": "css",
        "code": CSS_NAMES[name],
        "hex": CSS_NAMES[name],
        "nearest": list(said.nearest),
    }


def test_a_name_is_told_with_the_three_nearest_by_letters_and_with_its_hex() -> None:
    told = refusal("grass grean")
    assert 'did you mean "grass green"?' in told
    assert 'Nearest by letters: "grass green", "' in told
    assert 'Any other colour goes by its hex, such as "#' in told
    assert 'did you mean "красный" (red)?' in refusal("красненький")


def test_two_words_of_css_are_told_how_css_writes_them() -> None:
    assert 'or by its name in CSS, "lightblue"' in refusal("Light Blue")
    assert "CSS" not in refusal("light bluish")


@pytest.mark.parametrize("word", ["RAL 3099", "RAL", "ral 30200", "RAL 210 50 20", "РАЛ 12"])
def test_what_is_no_number_of_ral_classic_is_told_what_one_is(word: str) -> None:
    assert "A number of RAL Classic has four digits, such as" in refusal(word)


def make_own(tmp_path: Path, *rows: dict[str, str]) -> Palette:
    file = tmp_path / "ours.csv"
    base = palette.read_rows(palette.PALETTE_FILE)[0]
    columns = [*COLUMNS, RUSSIAN]
    lines = [",".join(columns)]
    lines += [",".join({**base, RUSSIAN: "", **row}[column] for column in columns) for row in rows]
    file.write_text("\n".join(lines), encoding="utf-8")
    return palette.load(file)


def test_a_makers_own_names_may_be_russian(tmp_path: Path) -> None:
    ours = make_own(
        tmp_path,
        {"code": "BREEZE", "caption": "sea breeze", RUSSIAN: "морской;бриз"},
        {"code": "CLAY", "caption": "рыжая глина"},
        {"code": "CHERRY", "caption": "красный"},
    )
    found = {word: words.understand(word, ours) for word in ("морская", "БРИЗ", "рыжая глина")}
    assert [said.color.code for said in found.values()] == ["BREEZE", "BREEZE", "CLAY"]
    assert [said.source for said in found.values()] == ["russian", "russian", "palette"]
    assert words.understand("красный", ours).color.code == "CHERRY"  # its own phrase, not RED's
    assert words.understand("красная", ours).color.code == "CHERRY"


def test_a_color_that_is_measured_anew_keeps_its_russian_name(tmp_path: Path) -> None:
    ours = make_own(tmp_path, {"code": "RED", "caption": "red"}, {"code": "BLUE", "caption": "ink"})
    assert words.understand("красный", ours).color.hex == "#d3ba91"
    assert words.look_up("синий", ours) is None


@pytest.mark.parametrize("name", ["Красный", "крaсный", "a b c d e", "x" * 30, "1"])
def test_a_russian_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PaletteError, match=r"russian: .* is no name"):
        make_own(tmp_path, {"code": "BREEZE", "caption": "sea breeze", RUSSIAN: name})


def test_a_phrase_without_its_spaces_is_found_where_it_means_one_color() -> None:
    (first, *_) = BUILT_IN.colors
    alike = [("ONE", "sea foam"), ("TWO", "seafoam x"), ("THREE", "sea foamx")]
    ours = Palette(tuple(replace(first, code=code, phrase=phrase) for code, phrase in alike))
    assert words.look_up("SeaFoam", ours) is not None
    assert words.look_up("seafoamx", ours) is None
