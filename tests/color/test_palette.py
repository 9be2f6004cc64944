import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from plitka.color import palette
from plitka.color.ciede2000 import compute_color_difference
from plitka.color.names import quote
from plitka.color.palette import Palette, PaletteError, UnknownColor
from plitka.color.tone_table import RANKS
from plitka.color.unknown_names import PLAIN_NAMES


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("red", "RED"),
        ("DKGREEN", "DKGREEN"),
        ("dkgreen", "DKGREEN"),
        ("Dark Green", "DKGREEN"),
        ("dark-green", "DKGREEN"),
        ("dark__ -green", "DKGREEN"),
        ("white green", "WHTGRN"),
        ("white-green", "WHTGRN"),
        ("grey", "GRAY"),
        ("light_grey", "LTGRAY"),
        ("LTGREY", "LTGRAY"),
        ("GREEN", "GREEN"),
    ],
)
def test_a_name_is_found_in_any_case_separator_and_spelling_of_grey(name: str, code: str) -> None:
    assert palette.load().find(name).code == code


def test_the_palette_has_29_codes_and_the_plain_names() -> None:
    colors = palette.load()
    assert len(colors.colors) == 31
    assert {colors.find(name).phrase for name in PLAIN_NAMES} == set(PLAIN_NAMES)
    for color in colors.colors:
        assert colors.find(color.code) is colors.find(color.phrase) is color
        assert list(color.lightness) == sorted(color.lightness)


def test_an_error_lists_no_more_names_than_anybody_reads() -> None:
    (first, *_) = palette.load().colors
    letters = "abcdefghijklmnopqrstuvwxyz"
    phrases = [f"{a}{b} rubber" for a in letters for b in letters]
    many = Palette(tuple(replace(first, code=f"C{n}", phrase=p) for n, p in enumerate(phrases)))
    with pytest.raises(UnknownColor) as caught:
        many.find("?")
    assert len(str(caught.value)) < 3000
    assert str(caught.value).endswith(" and 587 more")


@pytest.mark.parametrize(
    ("name", "fragments"),
    [
        (
            "blurple",
            [
                'unknown colour "blurple"; did you mean "purple"?',
                'Nearest by colour: "blue", "dark blue", "violet".',
                'such as "#5539cc".',
                " Known: black, white, red",
            ],
        ),
        ("DKGREN", ['did you mean "DKGREEN"?']),
        ("ligth green", ['did you mean "light green"?']),
        (
            "xyzzy",
            ['unknown colour "xyzzy". Nearest by letters: "gray", "dark gray", "light gray".'],
        ),
        ("r\u0435d", ["character 2 is CYRILLIC SMALL LETTER IE", 'did you mean "red"?']),
        (
            "\uff52\uff45\uff44",
            ["character 1 is FULLWIDTH LATIN SMALL LETTER R", 'did you mean "red"?'],
        ),
        (
            "re\u200bd",
            ['"re\\u200bd"', "character 3 is ZERO WIDTH SPACE", 'did you mean "red"?'],
        ),
        ("blac\u212a", ["character 5 is KELVIN SIGN", 'did you mean "black"?']),
        ("\ud800", ['"\\ud800"', "character 1 is U+D800"]),
    ],
)
def test_an_unknown_name_is_quoted_visibly_and_the_nearest_is_suggested(
    name: str, fragments: list[str]
) -> None:
    with pytest.raises(UnknownColor) as caught:
        palette.load().find(name)
    for fragment in fragments:
        assert fragment in str(caught.value)


@pytest.mark.parametrize("hex_code", ["#1e90ff", "1E90FF", " #1E90ff "])
def test_a_free_color_is_named_by_its_hex(hex_code: str) -> None:
    color = palette.load().make_free_color(hex_code)
    assert color.is_free
    assert color.code == "#1e90ff"
    assert color.srgb == (0x1E, 0x90, 0xFF)
    # CIE L*a*b* of this sRGB colour under D65.
    assert color.lab == pytest.approx((59.38, 9.97, -63.39), abs=0.02)


def test_three_digits_are_a_hex_too() -> None:
    assert palette.load().make_free_color("18f") == palette.load().make_free_color("#1188ff")


@pytest.mark.parametrize(
    "hex_code", ["", "#", "red", "#12345", "#1e90ff00", "#\uff11\uff12\uff13", "#-1e90f"]
)
def test_what_is_no_hex_is_an_error_that_shows_the_form(hex_code: str) -> None:
    with pytest.raises(UnknownColor, match='"#rrggbb" or "#rgb"'):
        palette.load().make_free_color(hex_code)


def test_a_palette_color_is_its_own_nearest() -> None:
    colors = palette.load()
    for color in colors.colors:
        assert colors.find_nearest(color.lab).lab == color.lab


@pytest.mark.parametrize(
    ("hex_code", "phrase"),
    # Of the blues, the hue of CIEDE2000 decides: plain distance in L*a*b* says "violet" of
    # pure blue.
    [("#1e90ff", "sky blue"), ("#0000ff", "blue"), ("#000", "black"), ("#ffffff", "white")],
)
def test_a_free_color_takes_the_phrase_of_its_nearest_neighbour(hex_code: str, phrase: str) -> None:
    assert palette.load().make_free_color(hex_code).phrase == phrase


@pytest.mark.parametrize("hex_code", ["#000000", "#ffffff", "#1e90ff"])
def test_the_lightness_of_a_free_color_stays_ordered_in_range_and_on_its_median(
    hex_code: str,
) -> None:
    color = palette.load().make_free_color(hex_code)
    assert list(color.lightness) == sorted(color.lightness)
    assert 0 <= color.lightness[0] <= color.lightness[4] <= 100
    assert color.lightness[2] == pytest.approx(color.lab[0])


HEAD = ",".join(palette.COLUMNS)
ROW = "OCHRE,warm ochre,#c8a03b,68.4,9.1,54.0,30.1,60.2,75.3,84.4,3.21,6.54,a photograph,"
TONE = [f"{52.4 + n:.1f} 9.1 54.0" for n in range(len(RANKS))]


def write(tmp_path: Path, content: str | bytes) -> Path:
    file = tmp_path / "ours.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def change(column: str, cell: str) -> str:
    cells = ROW.split(",")
    cells[palette.COLUMNS.index(column)] = cell
    return f"{HEAD}\n{','.join(cells)}\n"


@pytest.mark.parametrize(
    "content",
    [
        f"# a comment\n\n{HEAD}\n{ROW}\n\n",
        f"\ufeff{HEAD}\r\n{ROW}\r\n",
        "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in (HEAD, ROW)),
        f"{HEAD.removesuffix(',tone')}\n{ROW.removesuffix(',')}",
        f"{HEAD.removesuffix(',measured_from,tone')}\n{ROW.removesuffix(',a photograph,')}",
    ],
)
def test_a_palette_is_read_as_editors_write_it(tmp_path: Path, content: str) -> None:
    color = palette.load(write(tmp_path, content)).find("warm ochre")
    assert (color.code, color.hex, color.lab) == ("OCHRE", "#c8a03b", (68.4, 9.1, 54.0))
    assert color.tone == ()


def test_a_tone_is_a_color_for_each_rank(tmp_path: Path) -> None:
    (color,) = (
        color
        for color in palette.load(write(tmp_path, change("tone", ";".join(TONE)))).colors
        if color.code == "OCHRE"
    )
    assert len(color.tone) == len(RANKS)
    assert color.tone[0] == (52.4, 9.1, 54.0)
    assert hash(color) == hash(replace(color))


def test_every_measured_tone_is_that_of_its_color() -> None:
    measured = [color for color in palette.load().colors if color.tone]
    assert {"RED", "GREEN", "BLUE", "BLACK", "WHITE", "YELLOW"} <= {c.code for c in measured}
    for color in measured:
        middle = color.tone[RANKS.index(0.5)]
        assert compute_color_difference(middle, color.lab) < 6


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "its first line names no column code"),
        (ROW, "its first line names no column code"),
        (f"{HEAD}\n", "has no colours"),
        (f"{HEAD}\n{ROW}\n".replace(",", ";"), "with commas between"),
        (f"{HEAD}\n{ROW}\n".replace(",", "\t"), "with commas between"),
        (f"{HEAD}\n{ROW}".encode("utf-16"), "is no text file in UTF-8"),
        (f"# a comment\n{HEAD}\n{ROW}\nRED,red\n", "line 4: has more or fewer cells"),
        (f"{HEAD}\n{ROW},x\n", "line 2: has more or fewer cells"),
        (f'{HEAD}\n"{ROW}', "is no row of a table (unexpected end"),
        (f"{HEAD}\n{'a' * 200_000}\n", "is no row of a table (field larger"),
        ("#" * 2**21, "has more than the 1,048,576 bytes"),
        *((change("L_median", bad), "L_median") for bad in ("nan", "inf", "1e9", "", "-1", "x")),
        *((change("a_median", bad), "a_median") for bad in ("nan", "-inf", "200")),
        *((change("b_std", bad), "b_std") for bad in ("-1", "1e308", "nan")),
        (change("L_p5", "99"), "do not rise"),
        (change("median_srgb", "#00ff00"), "are different colours"),
        *((change("median_srgb", bad), "median_srgb") for bad in ("#12", "#123", "red", "")),
        (change("caption", "\u043a\u0440acный"), "is no phrase"),
        *(
            (change("caption", bad), "is no phrase")
            for bad in ("\x1b[31mred", "r\0d", "", "a" * 99)
        ),
        *((change("code", bad), "a code is") for bad in ("ochre", "", "O", "A B", "\x1bRED")),
        (change("caption", "blue"), "names both"),
        (change("tone", ";".join(TONE[1:])), "tone: has 32 colours; 33 are needed"),
        (change("tone", "x" * 9999), "tone: has 1 colours"),
        (change("tone", ";".join([*TONE[1:], TONE[0]])), "L* falls at its colour 33"),
        (change("tone", ";".join(["0 60 -80"] * 33)), "tone and the medians"),
        *(
            (change("tone", ";".join([*TONE[:4], bad, *TONE[5:]])), "tone: its colour 5 must be")
            for bad in ("", "50", "50 1", "50 1 2 3", "nan 1 2", "50 1e9 2", "x y z", "101 0 0")
        ),
    ],
)
def test_a_broken_palette_is_refused_in_a_sentence(
    tmp_path: Path, content: str | bytes, reason: str
) -> None:
    file = write(tmp_path, content)
    with pytest.raises(PaletteError) as caught:
        palette.load(file)
    assert str(caught.value).startswith(str(file))
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda file: file.symlink_to("/dev/zero")])
def test_a_palette_that_is_no_file_is_refused(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    file = tmp_path / "ours.csv"
    make(file)
    with pytest.raises(PaletteError, match="is no file, but a folder, a pipe or a device"):
        palette.load(file)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (float("nan"), "NaN"),
        ("two\nlines \u202e", '"two\\nlines \\u202e"'),
        ("x" * 99, '"' + "x" * 60 + '…"'),
        ([], "an empty list"),
        ({}, "an object"),
    ],
)
def test_a_value_is_quoted_short_and_on_one_line(value: object, shown: str) -> None:
    assert quote(value) == shown


def test_a_palette_that_is_not_there_is_told_with_the_setting(tmp_path: Path) -> None:
    with pytest.raises(PaletteError, match=r"nope.csv: cannot be read \(No such file.*PLITKA_PAL"):
        palette.load(tmp_path / "nope.csv")
