"""The PDF sheet: twelve tiles on a page of A4, with their names, mixes and deviations."""

import io
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from plitka.catalogue.contact_sheet import write_mix
from plitka.catalogue.run import Entry
from plitka.catalogue.tables import say_missing
from plitka.errors import EngineError

if TYPE_CHECKING:
    from fpdf import FPDF

MOST_TILES = 5000
"""Of one PDF; a catalogue of more has several."""

_ACROSS, _DOWN = 3, 4
_WIDTH, _HEIGHT = 62.0, 69.0  # millimetres of a tile's place
_MARGIN, _SIDE = 12.0, 46.0
_BAR = 2.0
_DAY = datetime(2000, 1, 1, tzinfo=UTC)  # in all of them, so that equal catalogues are equal
_FONT = "plitka"


def write_sheets(
    entries: Sequence[Entry], read_thumbnail: Callable[[str], bytes]
) -> Iterator[tuple[str, bytes]]:
    """Write catalogue.pdf, or several of them with numbers; gives each with its name.

    Raises EngineError where the library is missing.
    """
    drawn = [entry for entry in entries if entry.tile is not None]
    parts = [drawn[at : at + MOST_TILES] for at in range(0, len(drawn), MOST_TILES)]
    for number, part in enumerate(parts, start=1):
        name = "catalogue.pdf" if len(parts) == 1 else f"catalogue-{number}.pdf"
        yield name, _write_sheet(part, read_thumbnail)


def _write_sheet(entries: Sequence[Entry], read_thumbnail: Callable[[str], bytes]) -> bytes:
    sheet = open_sheet()
    on_page = _ACROSS * _DOWN
    pages = -(-len(entries) // on_page)
    for place, entry in enumerate(entries):
        place_on_page = place % on_page
        if place_on_page == 0:
            sheet.add_page()
            sheet.set_font_size(7)
            sheet.set_xy(_MARGIN, 287)
            sheet.cell(210 - 2 * _MARGIN, 4, f"{sheet.page_no()} / {pages}", align="R")
        left = _MARGIN + (place_on_page % _ACROSS) * _WIDTH
        top = _MARGIN + (place_on_page // _ACROSS) * _HEIGHT
        _draw_entry(sheet, entry, read_thumbnail(entry.stem), left, top)
    return bytes(sheet.output())


def open_sheet() -> "FPDF":
    """Open a sheet without pages. Raises EngineError where the library or its font is missing."""
    try:
        from font_roboto import Roboto, RobotoBold
        from fpdf import FPDF
    except ModuleNotFoundError as missing:
        raise EngineError(say_missing(missing)) from None
    sheet = FPDF(format="A4")
    sheet.set_auto_page_break(False)
    sheet.set_creation_date(_DAY)
    sheet.set_title("Catalogue")
    sheet.add_font(_FONT, fname=Roboto)
    sheet.add_font(_FONT, style="B", fname=RobotoBold)
    sheet.set_font(_FONT)
    return sheet


def _draw_entry(sheet: "FPDF", entry: Entry, thumbnail: bytes, left: float, top: float) -> None:
    """Draw one tile. left, top: of its place, in millimetres."""
    tile = entry.tile
    assert tile is not None, "only tiles that were drawn are on the sheet"
    sheet.image(io.BytesIO(thumbnail), left, top, _SIDE, _SIDE)
    at = left
    for name, share in tile["asked"].items():
        sheet.set_fill_color(tile["colors"][name])
        sheet.rect(at, top + _SIDE + 1, _SIDE * share, _BAR, style="F")
        at += _SIDE * share
    angle = tile["request"]["angle"]
    told = f"{f'{angle:g}°, ' if angle else ''}off by {100 * tile['total_variation']:.2f}%"
    lines = ((entry.name, "B", 8.0), (write_mix(tile), "", 6.5), (told, "", 6.5))
    y = top + _SIDE + 2 + _BAR
    for text, style, size in lines:
        sheet.set_font(_FONT, style, size)
        sheet.set_xy(left - sheet.c_margin, y)
        sheet.cell(_WIDTH - 4, 3.6, _shorten(sheet, text, _WIDTH - 6))
        y += 3.6


def _shorten(sheet: "FPDF", text: str, width: float) -> str:
    """Shorten a text to a width in millimetres, in the font that is set."""
    if sheet.get_string_width(text) <= width:
        return text
    while text and sheet.get_string_width(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
