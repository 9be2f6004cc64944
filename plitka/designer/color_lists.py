"""Lists of colours beside the palette: RAL Classic, and a company's own from a CSV file.

The program keeps none of a company's: the page sends the file, gets its colours back, checked, and
remembers them in the browser.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from plitka.color import words
from plitka.color.ciede2000 import compute_color_difference
from plitka.color.palette import Palette
from plitka.color.ral_classic import RAL_CLASSIC
from plitka.color.srgb import format_hex, parse_hex, srgb_to_lab

MAX_LIST_BYTES = 1 << 18
MAX_LIST_COLORS = 500
_MAX_NAME = 60  # characters
_HEADS = {"name", "hex", "ral", "color", "colour", "code", "название", "имя", "цвет", "код"}


@dataclass(frozen=True)
class ListedColor:
    """A colour of a list.

    name: as the list has it. hex: #rrggbb. code: the list's own, or "". nearest: phrase of the
    palette's colour nearest by CIEDE2000. distance: that difference, 1 is about what an eye sees.
    """

    name: str
    hex: str
    code: str
    nearest: str
    distance: float


@dataclass(frozen=True)
class ListFault:
    """What is wrong with a line of a company's list.

    line: from 1. code: key of the page's sentence, list_CODE. text: what stands there.
    """

    line: int
    code: str
    text: str


def describe(name: str, hex_code: str, palette: Palette, code: str = "") -> ListedColor:
    """Describe a colour by its hex, with the palette's nearest. Raises ValueError for no hex."""
    rgb = parse_hex(hex_code.removeprefix("#"))
    lab = srgb_to_lab(rgb)
    nearest = palette.find_nearest(lab)
    distance = round(compute_color_difference(lab, nearest.lab), 1)
    return ListedColor(name, format_hex(rgb), code, nearest.phrase, distance)


@cache
def name_ral(hex_code: str) -> str:
    """The number of RAL Classic with this hex, as "RAL 3020"; "" where there is none."""
    number = next((number for number, own in RAL_CLASSIC.items() if own == hex_code), None)
    return f"RAL {number}" if number else ""


def list_ral(palette: Palette) -> list[ListedColor]:
    """List RAL Classic by number."""
    return [describe(f"RAL {number}", own, palette) for number, own in RAL_CLASSIC.items()]


def read_list(content: bytes, palette: Palette) -> tuple[list[ListedColor], list[ListFault]]:
    """Read a company's colours from a CSV file: name; hex, RAL or another word; code, optional.

    content: UTF-8, or Windows-1251 as Excel writes it in Russian, with commas, semicolons or tabs;
    a first line of headings is passed over. Returns the colours, and what is wrong, by line.
    """
    colors: dict[str, ListedColor] = {}
    faults: list[ListFault] = []
    for line, cells in _read_rows(content):
        name, color, code = [*cells, "", "", ""][:3]
        found = words.look_up(color, palette) or words.look_up(f"RAL {color}", palette)
        if not name or len(name) > _MAX_NAME or not name.isprintable():
            faults.append(ListFault(line, "name", name[:_MAX_NAME]))
        elif found is None:
            faults.append(ListFault(line, "color", color[:_MAX_NAME]))
        elif name.casefold() in colors:
            faults.append(ListFault(line, "twice", name))
        elif len(colors) == MAX_LIST_COLORS:
            faults.append(ListFault(line, "many", str(MAX_LIST_COLORS)))
            break
        else:
            colors[name.casefold()] = describe(name, found.color.hex, palette, code[:_MAX_NAME])
    if not colors and not faults:
        faults.append(ListFault(1, "empty", ""))
    return list(colors.values()), faults


def _read_rows(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a CSV file with their lines, without headings and without empty ones."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1251", "replace")
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    first = text.split("\n", 1)[0]
    delimiter = max((";", "\t", ","), key=first.count)
    rows = csv.reader(io.StringIO(text), delimiter=delimiter)
    line = 0
    while True:
        line = rows.line_num + 1
        try:
            cells = [cell.strip() for cell in next(rows)]
        except StopIteration:
            return
        except csv.Error:  # a field of more than 128 KB
            yield line, []
            return
        is_head = line == 1 and all(cell.casefold() in _HEADS for cell in cells if cell)
        if any(cells) and not is_head:
            yield line, cells
