"""The PDF sheet: twelve tiles on a page of A4, with their names, mixes and deviations."""

import io
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from plitka import pdf
from plitka.catalogue.contact_sheet import write_mix
from plitka.catalogue.run import Entry

if TYPE_CHECKING:
    from fpdf import FPDF

MOST_TILES = 5000
"""Of one PDF; a catalogue of more has several."""

_ACROSS, _DOWN = 3, 4
_WIDTH, _HEIGHT = 62.0, 69.0  # millimetres of a tile's place
_MARGIN, _SIDE = 12.0, 46.0
_BAR = 2.0


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
    sheet = pdf.open_sheet("Catalogue")
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
        sheet.set_font(pdf.FONT, style, size)
        sheet.set_xy(left - sheet.c_margin, y)
        sheet.cell(_WIDTH - 4, 3.6, pdf.shorten(sheet, text, _WIDTH - 6))
        y += 3.6
