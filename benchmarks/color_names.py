"""The names of the palette's colours, English and Russian: python -m benchmarks.color_names

Prints a table in Markdown. --write puts it into docs/colors.md, and draws docs/colors.jpg, a piece
of a tile of each colour.
"""

import argparse
from pathlib import Path

from font_roboto import Roboto
from PIL import Image, ImageDraw, ImageFont

from plitka import api
from plitka.color import palette
from plitka.color.palette import Color

DOCS = Path(__file__).parents[1] / "docs"
PAGE, PICTURE = DOCS / "colors.md", DOCS / "colors.jpg"
BEGIN, END = "<!-- python -m benchmarks.color_names --write -->\n", "<!-- end -->\n"

_COLUMNS, _SIDE, _LABEL, _GAP = 8, 150, 44, 10  # of the picture; the last three in pixels
_LETTERS = 15  # pixels high
_SEED = 7


def write_table() -> str:
    """Write the table of all colours."""
    rows = "\n".join(_write_row(color) for color in palette.load().colors)
    return f"| Russian | English | code | sRGB |\n|---|---|---|---|\n{rows}\n"


def replace_table(page: str) -> str:
    """Put the table as it is now into a page."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    return f"{head}{begin}\n{write_table()}\n{end}{tail}"


def _write_row(color: Color) -> str:
    russian = ", ".join(color.russian)
    return f"| {russian} | {color.phrase} | `{color.code}` | `{color.hex}` |"


def draw_picture() -> Image.Image:
    """Draw a piece of a tile of each colour, with its names below."""
    colors = palette.load().colors
    rows = -(-len(colors) // _COLUMNS)
    width, height = _SIDE + _GAP, _SIDE + _LABEL + _GAP
    sheet = Image.new("RGB", (_GAP + _COLUMNS * width, _GAP + rows * height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(Roboto, _LETTERS)
    for number, color in enumerate(colors):
        row, column = divmod(number, _COLUMNS)
        left, top = _GAP + column * width, _GAP + row * height
        tile = api.make(api.Recipe({color.code: 100}, seed=_SEED), engine="render")
        picture = Image.fromarray(tile.final.image).crop((0, 0, 2 * _SIDE, 2 * _SIDE))
        sheet.paste(picture.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), (left, top))
        for line, name in enumerate((color.russian[0], color.phrase)):
            draw.text((left, top + _SIDE + 3 + line * 19), name, "black", font)
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="into docs/colors.md and .jpg")
    if not parser.parse_args().write:
        print(write_table())
        return
    PAGE.write_text(replace_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    draw_picture().save(PICTURE, quality=85, optimize=True)


if __name__ == "__main__":
    main()
