"""Captions as people write them: words, numbers, encodings, names."""

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plitka.color import palette
from plitka.color.palette import Color, Palette, UnknownColor
from plitka.measure.captions import CaptionError, is_bare_name, read_caption
from plitka.measure.text_file import MOST_BYTES, TextError

BUILT_IN = palette.load()


def read(folder: Path, text: str | bytes) -> dict[str, float]:
    """The shares of a caption, by the phrases of their colours."""
    content = text if isinstance(text, bytes) else text.encode()
    (folder / "tile.txt").write_bytes(content)
    caption = read_caption(folder / "tile.jpg", BUILT_IN)
    return {c.phrase: round(p, 3) for c, p in zip(caption.colors, caption.percent, strict=True)}


@pytest.mark.parametrize(
    "text",
    [
        "60% red, 40% blue",
        "60% red,40% blue",
        "60%red,40%blue",
        "60 % red; 40 % blue",
        "60\u00a0% red, 40\u202f% blue",
        "60\u2009% red\u3001 40\u2009%\u00a0blue",
        "\uff16\uff10\uff05 red\uff0c \uff14\uff10\uff05 blue",
        "60\ufe6a red, 40\ufe6a blue",
        "60% red 40% blue",
        "60% red and 40% blue",
        "60% red \u2013 40% blue",
        "60% red \u2014 40% blue",
        "60% red / 40% blue",
        "60% red + 40% blue",
        "60% red\r\n40% blue\r\n",
        "60% red\r40% blue",
        "60% red\u202840% blue",
        "60% \u201cred\u201d, 40% \u00abblue\u00bb",
        "60% 'red', 40% \"BLUE\"",
        "60% of red granules, 40% of blue granules",
        "red 60%, blue 40%",
        "red: 60%\nblue: 40%",
        "red \u2013 60%, blue \u2013 40%",
        "red (60%), blue (40%)",
        "red-60%, blue-40%",
        "a tile in red 60% and blue 40%",
        "ohwx_rubber_tile <s0><s1>, 60% red, 40% blue, photorealistic rubber tile, photo 7",
        "12 mm. 60% red rubber, 40% blue rubber, \u0440\u0435\u0437\u0438\u043d\u0430",
        "30% red, 30% red, 40% blue",
        "60% red, 40% blue, 0% green",
        "60.0% red, 40.00% blue",
        "\ufeff60% red, 40% blue",
        "~60% red, ~40% blue",
        "photo 7\n60% red, 40% blue",
        "1. 60% red\n2. 40% blue",
        "1) 60% red\n2) 40% blue",
        "photo 7, 60% red, 40% blue",
        "tile <s0><s1> 60% red, 40% blue",
        "45\u00b0 60% red, 40% blue",
        "60% red on a white floor, 40% blue",
        "white tile with red 60%, blue 40%",
        "EPDM/rubber 60% red/40% blue",
        "red/blue tile\n60% red | 40% blue",
        "tile 60% red 40% blue",
    ],
)
def test_a_caption_is_read_however_it_is_punctuated(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == {"red": 60, "blue": 40}


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("59,5% red, 40,5% blue", {"red": 59.5, "blue": 40.5}),
        ("59,5% red,40,5% blue", {"red": 59.5, "blue": 40.5}),
        ("59.5% red,40,5% blue", {"red": 59.5, "blue": 40.5}),
        (".5% red, 99.5% blue", {"red": 0.5, "blue": 99.5}),
        ("87.5% dark green rubber tile, photo, 12.5% white-green", {}),
        ("87,5% dark_green, 12,5% White Green", {}),
        ("dark green 87,5%, white-green 12,5%", {}),
    ],
)
def test_commas_part_numbers_and_words(tmp_path: Path, text: str, shares: dict[str, float]) -> None:
    assert read(tmp_path, text) == (shares or {"dark green": 87.5, "white-green": 12.5})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-5% red, 105% blue", '"-5%" is no share'),
        ("\u22125% red, 105% blue", '5%" is no share'),
        ("1e999% red", '"1e999%" is no share'),
        ("1e2% red", '"1e2%" is no share'),
        ("50-60% red, 45% blue", '"50-60%" is no share'),
        ("50\u201360% red, 40% blue", '60%" is no share'),
        ("60/40% red, 60% blue", '"60/40%" is no share'),
        ("60 - 70% red, 30% blue", '"60 - 70%" is no share'),
        ("red 60 \u2013 70%, blue 30%", '70%" is no share'),
        ("60\u201470% red, 30% blue", '70%" is no share'),
        ("60 ~ 70% red, 30% blue", '"60 ~ 70%" is no share'),
        ("50\u202660% red, 40% blue", '60%" is no share'),
        ("50..60% red, 40% blue", '"50..60%" is no share'),
        ("50 ... 60% red, 40% blue", '"50 ... 60%" is no share'),
        ("50 or 60% red, 40% blue", '"50 or 60%" is no share'),
        ("50 to 60% red, 40% blue", '"50 to 60%" is no share'),
        ("red between 50 and 60%, blue 40%", '"50 and 60%" is no share'),
        ("95\u00b15% red", '5%" is no share'),
        ("red \u00b1100%", '100%" is no share'),
        ("<60% red, 40% blue", '"<60%" is no share'),
        ("> 60% red, 40% blue", '"> 60%" is no share'),
        (">=60% red, 40% blue", '=60%" is no share'),
        ("red \u2264 60%, blue 40%", '60%" is no share'),
        ("60 70% red, 30% blue", '"60 70%" is no share'),
        ("60% red-brown, 40% blue", '"red brown" names two colours'),
        ("60% red_brown, 40% blue", '"red brown" names two colours'),
        ("60% red or brown, 40% blue", '"red brown" names two colours'),
        ("60% dark green and light gray, 40% blue", "names two colours"),
        ("red brown 60%, blue 40%", '"red brown" names two colours'),
        ("1.000.000% red", '"1.000.000%" is no share'),
        ("nan% red, 100% blue", 'nan%" is no share'),
        ("inf% red, 100% blue", 'inf%" is no share'),
        ("x% red, 100% blue", 'x%" is no share'),
        ("99\u00bd% red, 1% blue", '\u00bd%" is no share'),
        ("1000% red", "add up to 1000%"),
        ("102% red", "add up to 102%"),
        ("0% red", "add up to 0%"),
        ("9" * 400 + "% red", "add up to inf%"),
        ("60% red, 40%", "no colour beside 40%"),
        ("60% red - blue 40%", "no colour beside 40%"),
        ("60%, 40%", "no colour beside 60%"),
        ("red 60% blue 40% black joints", "names a colour before and behind each share"),
        ("60% red & blue, 40% white", '"60.0 red & blue" names two colours'),
        ("60% red/brown, 40% blue", "names two colours for one share"),
        ("60% red | blue, 40% white", "names two colours for one share"),
        ("red + brown 60%, blue 40%", "names two colours for one share"),
        ("60% green light, 40% green", '"green light" may be "light green"'),
        ("60% blue sky, 40% sand", '"blue sky" may be "sky blue"'),
        ("less than 60% red, 40% blue", '"than 60%" is no share'),
        ("At least 60% red, 40% blue", '"least 60%" is no share'),
        ("up to 60% red, 40% blue", '"to 60%" is no share'),
        ("red over 60%, blue 40%", '"over 60%" is no share'),
        ("60 red, 40 blue", "names no shares"),
        ("", "names no shares"),
        (" \n", "names no shares"),
    ],
)
def test_nobody_is_accused_by_half_of_a_number(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(CaptionError) as caught:
        read(tmp_path, text)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "60% \u0431\u043e\u0440\u0434\u043e\u0432\u044b\u0439, 40% blue",
            "\u0431\u043e\u0440\u0434",
        ),
        ("60% navy, 40% white", '"navy"'),
        ("60% RAL 3020, 40% white", '"RAL'),
        ("60% r\u0435d, 40% blue", "CYRILLIC SMALL LETTER IE"),
        ("60% very red, 40% blue", '"very red"'),
        ("100% rubber, 60% red, 40% blue", '"rubber"'),
    ],
)
def test_words_that_are_no_color_are_shown(tmp_path: Path, text: str, shown: str) -> None:
    with pytest.raises(UnknownColor) as caught:
        read(tmp_path, text)
    assert shown in str(caught.value)


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1251"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_caption_is_read_as_editors_save_it(tmp_path: Path, encoding: str, end: str) -> None:
    text = f"60% red{end}40% blue{end}\u043f\u043b\u0438\u0442\u043a\u0430{end}"
    assert read(tmp_path, text.encode(encoding)) == {"red": 60, "blue": 40}


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf_16_with_its_mark_is_read_in_either_order(tmp_path: Path, mark: bytes) -> None:
    encoding = "utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"
    assert read(tmp_path, mark + "60% red, 40% blue".encode(encoding))["red"] == 60


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251", "utf-16"])
def test_russian_words_are_told_in_russian(tmp_path: Path, encoding: str) -> None:
    word = "\u0431\u043e\u0440\u0434\u043e\u0432\u044b\u0439"
    with pytest.raises(UnknownColor, match=f'unknown colour "{word}"'):
        read(tmp_path, f"60% {word}, 40% blue".encode(encoding))


@pytest.mark.parametrize(
    "text",
    [
        "60% красный, 40% синий",
        "60% красной крошки, 40% синей крошки",
        "красный 60%, синий 40%",
        "60% of красный, 40% blue",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1251"])
def test_a_caption_in_russian_names_the_palettes_colors(
    tmp_path: Path, text: str, encoding: str
) -> None:
    assert read(tmp_path, text.encode(encoding)) == {"red": 60, "blue": 40}


def test_a_bound_in_russian_is_no_share(tmp_path: Path) -> None:
    with pytest.raises(CaptionError, match="is no share"):
        read(tmp_path, "менее 60% красного, 40% синего")


def test_a_photograph_may_be_named_in_russian(tmp_path: Path) -> None:
    (color,) = read_caption(tmp_path / "тёмно-зелёный.jpg", BUILT_IN).colors
    assert color.code == "DKGREEN"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"60% red \x98", "is no text in UTF-8, UTF-16 or Windows-1251"),
        (b"\xff\xfe6", "is no text"),
        (b"\x00\xd8\x00", "is no text"),
        (b"60% red, 40% blue" + b" " * MOST_BYTES, "has 65,553 bytes; at most 65,536 are read"),
        (b"\0" * (MOST_BYTES + 1), "has 65,537 bytes; at most 65,536 are read"),
    ],
)
def test_a_caption_that_is_no_small_text_is_named(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    with pytest.raises(TextError, match=f"its caption tile.txt {reason}"):
        read(tmp_path, content)


class CountingPalette(Palette):
    """The palette, and how often it was asked."""

    asked = 0

    def find(self, name: str) -> Color:
        type(self).asked += 1
        return super().find(name)


@pytest.mark.parametrize(
    ("words", "tail"), [(16_000, ""), (13_000, "red"), (1, "red"), (6_000, "dark green")]
)
def test_the_palette_is_asked_no_oftener_for_a_long_caption(
    tmp_path: Path, words: int, tail: str
) -> None:
    counting = CountingPalette(BUILT_IN.colors)
    CountingPalette.asked = 0
    (tmp_path / "tile.txt").write_text("100% " + "rub " * words + tail)
    with pytest.raises(UnknownColor):
        read_caption(tmp_path / "tile.jpg", counting)
    assert CountingPalette.asked == 1


def test_a_caption_of_many_shares_asks_once_for_each(tmp_path: Path) -> None:
    counting = CountingPalette(BUILT_IN.colors)
    CountingPalette.asked = 0
    (tmp_path / "tile.txt").write_text("1% red rubber tile, " * 3_000)
    with pytest.raises(CaptionError, match="add up to 3000%"):
        read_caption(tmp_path / "tile.jpg", counting)
    assert CountingPalette.asked == 3_000


def test_marks_on_letters_are_sorted_where_they_are_few_and_refused_where_they_are_many(
    tmp_path: Path,
) -> None:
    marked = "60% red a\u0323\u0301, 40% blue"
    assert read(tmp_path, unicodedata.normalize("NFD", marked)) == {"red": 60, "blue": 40}
    for marks in ("\u0301" * 32_000, "\u0301\u0323" * 16_000):  # which took 9 s to sort
        with pytest.raises(CaptionError, match="more than 30 marks on one letter"):
            read(tmp_path, f"60% red, 40% blue e{marks}")


@pytest.mark.parametrize(
    "text",
    [
        *("9" * 65_000, "1-" * 32_000, "a1" * 32_000, "1,1" * 20_000, "1%" * 32_000),
        *("%" * 65_000, ". %" * 20_000, f"60{' ' * 65_000}%", f"{'9' * 32_000}-{'9' * 32_000}%"),
    ],
    ids=range(9),
)
def test_texts_that_are_made_to_take_long_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(CaptionError):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        ("REDp59,5_BLUEp40,5.jpg", (59.5, 40.5)),
        ("REDp59.5_BLUEp40.5.jpg", (59.5, 40.5)),
        ("REDp60,BLUEp40.jpg", (60, 40)),
        ("REDp60+BLUEp40.jpg", (60, 40)),
        ("REDp60\u00a0BLUEp40 (2).jpg", (60, 40)),
        ("redp60_bluep40_3.JPEG", (60, 40)),
    ],
)
def test_a_name_is_read_however_it_is_punctuated(
    tmp_path: Path, name: str, shares: tuple[float, ...]
) -> None:
    assert read_caption(tmp_path / name, BUILT_IN).percent == shares


@pytest.mark.parametrize(
    ("photograph", "text"),
    [
        ("TILE.JPG", "TILE.TXT"),
        ("tile.jpg", "tile.Txt"),
        (
            unicodedata.normalize("NFC", "\u0451\u0439.jpg"),
            unicodedata.normalize("NFD", "\u0451\u0439.txt"),
        ),
        (unicodedata.normalize("NFD", "\u00e9.jpg"), unicodedata.normalize("NFC", "\u00e9.TXT")),
        ("a.b.jpg", "a.b.txt"),
        (os.fsdecode(b"\xff.jpg"), os.fsdecode(b"\xff.txt")),
    ],
)
def test_a_text_belongs_to_the_photograph_that_is_named_alike(
    tmp_path: Path, photograph: str, text: str
) -> None:
    (tmp_path / text).write_text("60% red, 40% blue")
    assert read_caption(tmp_path / photograph, BUILT_IN).percent == (60, 40)


def test_of_several_texts_that_are_named_alike_the_likest_counts(tmp_path: Path) -> None:
    (tmp_path / "tile.TXT").write_text("10% red, 90% blue")
    (tmp_path / "tile.txt").write_text("60% red, 40% blue")
    assert read_caption(tmp_path / "tile.jpg", BUILT_IN).percent == (60, 40)


SIGNS = st.sampled_from(
    [*("60", "59,5", "-5", "%", ",", " ", "red", "blue", "of", "\n", ".", "-", "\u00a0", "(")]
)


@settings(deadline=None)
@given(text=st.lists(SIGNS, max_size=30).map("".join) | st.text(max_size=60))
def test_any_text_is_a_caption_or_said_to_be_none(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        shares = read(folder, text.encode("utf-8", "surrogatepass"))
    except (CaptionError, UnknownColor, TextError):
        return
    assert sum(shares.values()) == pytest.approx(100, abs=0.01)


@settings(deadline=None)
@given(content=st.binary(max_size=60))
def test_any_bytes_are_a_caption_or_said_to_be_none(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    with pytest.raises((CaptionError, UnknownColor, TextError)):
        read(tmp_path_factory.getbasetemp(), content)


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("IMG_2034.jpg", True),
        ("DKGREEN.jpg", True),
        ("DKGREN_2.jpg", True),
        ("tile photo.jpg", True),
        ("REDp60_BLUEp40.jpg", False),
        ("CRIMSONp50,5_REDp49,5.jpg", False),
    ],
)
def test_a_bare_name_has_no_share_in_it(name: str, bare: bool) -> None:
    assert is_bare_name(Path(name)) is bare
