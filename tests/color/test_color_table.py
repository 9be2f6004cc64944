"""docs/colors.md: the table is the palette's, and every name of it is understood."""

import re

from benchmarks import color_names
from plitka.color import palette
from plitka.color.words import understand

PAGE = color_names.PAGE.read_text(encoding="utf-8")


def test_the_page_has_the_names_that_the_palette_has() -> None:
    assert color_names.replace_table(PAGE) == PAGE, "python -m benchmarks.color_names --write"


def test_every_name_of_the_table_is_understood_as_its_color() -> None:
    colors = palette.load()
    rows = re.findall(r"^\| (.+) \| (.+) \| `(\w+)` \| `#\w+` \|$", PAGE, re.MULTILINE)
    assert len(rows) == len(colors.colors)
    for russian, phrase, code in rows:
        for name in (*russian.split(", "), phrase, code):
            assert understand(name, colors).color.code == code, name
