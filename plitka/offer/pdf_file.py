"""An offer as a PDF of A4: real text in a font that is embedded, so that it can be searched."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from PIL import Image

from plitka import __version__, pdf
from plitka.offer.content import Offer, Swatch, choose_scale_bar
from plitka.offer.order_table import (
    Column,
    list_columns,
    list_line_notes,
    list_notes,
    list_totals,
    list_zone_rows,
)
from plitka.order.amounts import Order

if TYPE_CHECKING:
    from fpdf import FPDF

_LEFT, _TOP, _BOTTOM = 16.0, 15.0, 277.0  # millimetres; the foot goes below
_WIDE = pdf.WIDTH - 2 * _LEFT
_INK, _FAINT, _LINE = (28, 27, 25), (102, 98, 91), (220, 216, 208)
_GAP = 4.0  # between the pictures
_SCENE_RATIO = 1.6
_LOGO = (48.0, 17.0)  # at most
_ROW = 7.4  # of a table
_FIRST = 0.29  # of the width: the column of colours
_MOST_FIGURES = 8  # columns of figures in a table of zones


def write_pdf(offer: Offer) -> bytes:
    """Write the file. Equal offers give equal bytes. Raises EngineError without the library."""
    pages = _Sheet(offer).lay_out()
    return _Sheet(offer, pages).write()


@dataclass(frozen=True)
class _Line:
    """A line of a table. swatch: a colour before its first cell. is_bold: the whole line."""

    cells: tuple[str, ...]
    swatch: str = ""
    is_bold: bool = False


class _Sheet:
    """Writes an offer from top to bottom; `_y` is where the next thing goes.

    pages: how many there will be, for their feet.
    """

    def __init__(self, offer: Offer, pages: int = 1) -> None:
        title = f"{offer.speech.say('kind')}: {offer.mix}"
        self._offer = offer
        self._pages = pages
        self._say = offer.speech.say
        self._pdf: FPDF = pdf.open_sheet(title, offer.day, "requirements-ui.txt")
        self._pdf.set_lang(offer.language)
        self._pdf.set_author(offer.company.name)
        self._pdf.set_creator(f"Plitka {__version__}")
        self._pdf.c_margin = 0
        self._y = _TOP

    def write(self) -> bytes:
        self.lay_out()
        return bytes(self._pdf.output())

    def lay_out(self) -> int:
        """Lay out all pages, and return how many there are."""
        self._add_page()
        self._write_head()
        self._write_title()
        self._draw_pictures()
        self._write_colors()
        self._write_facts()
        if self._offer.order is not None:
            self._write_order(self._offer.order)
        return self._pdf.pages_count

    # Parts of the page

    def _write_head(self) -> None:
        company, left, bottom = self._offer.company, _LEFT, self._y
        if company.logo is not None:
            width, height = self._draw_logo(company.logo)
            left += width + 5
            bottom = self._y + height
        day = self._offer.speech.write_date(self._offer.day)
        self._set(9, color=_FAINT)
        self._pdf.set_xy(_LEFT, self._y)
        self._pdf.cell(_WIDE, 5, day, align="R")
        width = _WIDE - (left - _LEFT) - 40
        y = self._y
        if company.name:
            self._set(12, bold=True)
            y = self._flow(company.name, left, y, width, 5.2)
        if company.contact:
            self._set(9, color=_FAINT)
            y = self._flow(company.contact, left, y + 0.6, width, 4.2)
        self._y = max(bottom, y, self._y + 5) + 4
        self._rule(self._y)
        self._y += 7

    def _draw_logo(self, logo: bytes) -> tuple[float, float]:
        """Draw the logo in its corner, and return its width and height."""
        return self._draw_picture(logo, _LEFT, _LOGO, self._say("logo"))

    def _draw_picture(
        self, content: bytes, left: float, most: tuple[float, float], alt: str
    ) -> tuple[float, float]:
        """Draw a picture as large as a place takes; returns its width and height.

        most: width and height of the place, in millimetres.
        """
        with Image.open(io.BytesIO(content)) as picture:
            wide, high = picture.size
        scale = min(most[0] / wide, most[1] / high)
        width, height = wide * scale, high * scale
        self._pdf.image(io.BytesIO(content), left, self._y, width, height, alt_text=alt)
        return width, height

    def _write_title(self) -> None:
        self._set(9, color=_FAINT)
        self._y = self._flow(self._say("kind"), _LEFT, self._y, _WIDE, 4.5)
        size, step = (20.0, 8.4) if len(self._offer.mix) <= 60 else (14.0, 6.2)
        self._set(size, bold=True)
        self._y = self._flow(self._offer.mix, _LEFT, self._y + 0.6, _WIDE, step)
        if self._offer.project:
            self._set(10)
            text = f"{self._say('for')}: {self._offer.project}"
            self._y = self._flow(text, _LEFT, self._y + 1.5, _WIDE, 4.8)
        self._y += 4

    def _draw_pictures(self) -> None:
        offer = self._offer
        scene = offer.pictures.scene
        side = (_WIDE - _GAP) / (1 + _SCENE_RATIO) if scene else 100.0
        tile = io.BytesIO(offer.pictures.tile)
        self._pdf.image(
            tile, _LEFT, self._y, side, side, alt_text=self._say("alt_tile", mix=offer.mix)
        )
        self._draw_scale_bar(_LEFT + 3, self._y + side - 3, side)
        captions = [(_LEFT, self._say("tile_picture", side=f"{offer.frame_mm:.0f}"))]
        if scene:
            left, width = _LEFT + side + _GAP, side * _SCENE_RATIO
            self._draw_picture(scene, left, (width, side), offer.scene_caption)
            captions.append((left, offer.scene_caption))
        self._y += side + 1.2
        self._set(8, color=_FAINT)
        for left, caption in captions:
            self._pdf.set_xy(left, self._y)
            self._pdf.cell(80, 4, self._clean(caption))
        self._y += 4

    def _draw_scale_bar(self, left: float, bottom: float, side: float) -> None:
        """Draw the scale bar on a dark plate, so that it shows on any mix."""
        length = choose_scale_bar(self._offer.frame_mm)
        width = side * length / self._offer.frame_mm
        with self._pdf.local_context(fill_opacity=0.72):
            self._pdf.set_fill_color(0, 0, 0)
            self._pdf.rect(
                left, bottom - 7, width + 4, 7, style="F", round_corners=True, corner_radius=1
            )
        self._pdf.set_draw_color(255, 255, 255)
        self._pdf.set_line_width(0.4)
        ends = (left + 2, left + 2 + width)
        self._pdf.polyline(
            [
                *((ends[0], bottom - 3), (ends[0], bottom - 1.6)),
                *((ends[1], bottom - 1.6), (ends[1], bottom - 3)),
            ]
        )
        self._set(7.5, bold=True, color=(255, 255, 255))
        self._center(self._say("mm", length=length), left + 2, bottom - 6.4, width)

    def _center(self, text: str, left: float, top: float, width: float) -> None:
        self._pdf.set_xy(left, top)
        self._pdf.cell(width, 4, text, align="C")

    def _write_colors(self) -> None:
        self._heading(self._say("mix"))
        at = _LEFT
        for swatch in self._offer.swatches:
            self._fill(swatch.hex, at, self._y, _WIDE * swatch.share, 6)
            at += _WIDE * swatch.share
        self._y += 10
        column = (_WIDE - 10) / 2
        swatches = self._offer.swatches
        for pair in (swatches[at : at + 2] for at in range(0, len(swatches), 2)):
            height = max(self._measure_swatch(swatch, column) for swatch in pair)
            self._make_room(height)
            for place, swatch in enumerate(pair):
                self._write_swatch(swatch, _LEFT + place * (column + 10), column)
            self._y += height

    def _measure_swatch(self, swatch: Swatch, width: float) -> float:
        """Measure the height that a colour needs, in millimetres."""
        self._set(10, bold=True)
        lines = len(self._break(swatch.label, width - 33))
        return max(13.0, 4.6 * lines + 4 + 4)

    def _write_swatch(self, swatch: Swatch, left: float, width: float) -> None:
        self._fill(swatch.hex, left, self._y, 10, 10)
        self._set(10, bold=True)
        y = self._flow(swatch.label, left + 13.5, self._y + 0.6, width - 33, 4.6)
        self._set(8, color=_FAINT)
        self._flow(" · ".join(swatch.codes), left + 13.5, y, width - 33, 4)
        self._set(12, bold=True)
        self._pdf.set_xy(left + width - 20, self._y)
        self._pdf.cell(20, 10, self._offer.speech.write_percent(swatch.share), align="R")

    def _write_facts(self) -> None:
        facts = self._offer.facts
        self._make_room(24)
        self._heading(self._say("surface"))
        width = _WIDE / len(facts)
        for place, (name, value) in enumerate(facts):
            left = _LEFT + place * width
            self._set(8, color=_FAINT)
            self._flow(name, left, self._y, width - 3, 4)
            self._set(10, bold=True)
            self._flow(value, left, self._y + 4.2, width - 3, 4.6)
        self._y += 11

    def _write_order(self, order: Order) -> None:
        offer, number = self._offer, self._offer.speech.write_number
        columns = list_columns(offer.swatches, order, offer.speech)
        totals = list_totals(order, offer.speech)
        notes = list_notes(order, offer.speech)
        below_head = len(offer.swatches) + len(totals)
        self._make_room(_ROW * below_head + 22 + 5.2 * len(notes))
        asked = self._say(
            "order_for", area=number(order.area), thickness=number(order.inputs.thickness)
        )
        self._heading(self._say("order"), asked)
        lines = [
            _Line(tuple(column.cells[place] for column in columns), swatch.hex)
            for place, swatch in enumerate(offer.swatches)
        ]
        self._write_table(_title(columns), lines, _FIRST)
        column = _WIDE * (1 - _FIRST) / (len(columns) - 1)
        for kind, name, kg, packs in totals:
            self._write_total((name, kg, packs), column, kind == "sum")
        self._write_notes(notes)
        if len(order.zones) > 1:
            head, *rows = list_zone_rows(offer.swatches, order, offer.speech)
            self._make_room(min(120.0, 24 + _ROW * len(rows)))
            self._heading(self._say("zones"))
            self._write_table(head, [_Line(row) for row in rows], 0.2)
            self._write_notes(list_line_notes(order, offer.speech))

    def _write_notes(self, notes: Sequence[str]) -> None:
        self._set(8.5, color=_FAINT)
        self._y += 2.5
        for note in notes:
            self._make_room(4.2)
            self._y = self._flow(note, _LEFT, self._y, _WIDE, 4.2) + 1

    def _write_table(self, head: Sequence[str], lines: Sequence[_Line], first: float) -> None:
        """Write a table. first: share of the width that the first column has."""
        widths = [_WIDE * first, *[_WIDE * (1 - first) / (len(head) - 1)] * (len(head) - 1)]
        size = 9.5 if len(head) <= _MOST_FIGURES else 8.0
        self._write_table_head(head, widths)
        for line in lines:
            self._set(size)
            indent = 5.0 if line.swatch else 0.0
            name = self._break(line.cells[0], widths[0] - indent - 2)
            height = max(_ROW, 4.4 * len(name) + 3)
            if self._y + height > _BOTTOM:
                self._add_page()
                self._write_table_head(head, widths)
                self._set(size)
            if line.swatch:
                self._fill(line.swatch, _LEFT, self._y + 2, 3.4, 3.4)
            self._flow(line.cells[0], _LEFT + indent, self._y + 1.6, widths[0] - indent - 2, 4.4)
            left = _LEFT + widths[0]
            for cell, width in zip(line.cells[1:], widths[1:], strict=True):
                self._pdf.set_xy(left, self._y + 1.6)
                self._pdf.cell(width, 4.4, self._clean(cell), align="R")
                left += width
            self._y += height
            self._rule(self._y)

    def _write_table_head(self, head: Sequence[str], widths: Sequence[float]) -> None:
        self._set(8, color=_FAINT)
        texts = [self._break(text, width - 2) for text, width in zip(head, widths, strict=True)]
        height = 3.6 * max(map(len, texts)) + 1.5
        left = _LEFT
        for place, (lines, width) in enumerate(zip(texts, widths, strict=True)):
            y = self._y + height - 1.5 - 3.6 * len(lines)
            for text in lines:
                self._pdf.set_xy(left, y)
                self._pdf.cell(width, 3.6, text, align="R" if place else "L")
                y += 3.6
            left += width
        self._y += height
        self._rule(self._y)

    def _write_total(self, cells: tuple[str, str, str], column: float, is_bold: bool) -> None:
        """Write a line under the table: its name; kilograms and packs under their columns.

        column: its width in millimetres.
        """
        name, kg, packs = cells
        self._set(9.5, bold=is_bold)
        lines = self._break(name, _WIDE - 2 * column - 4)
        height = max(_ROW, 4.4 * len(lines) + 3)
        self._flow(name, _LEFT, self._y + 1.6, _WIDE - 2 * column - 4, 4.4)
        self._set(9.5, bold=True)
        for text, left in ((kg, _LEFT + _WIDE - 2 * column), (packs, _LEFT + _WIDE - column)):
            self._pdf.set_xy(left, self._y + 1.6)
            self._pdf.cell(column, 4.4, text, align="R")
        self._y += height
        self._rule(self._y)

    def _write_foot(self) -> None:
        self._rule(283)
        self._set(7.5, color=_FAINT)
        self._pdf.set_xy(_LEFT, 284.5)
        self._pdf.cell(_WIDE, 4, self._say("color_note"))
        made = self._say("made_with", version=__version__)
        count = self._say("page", page=self._pdf.page, pages=self._pages)
        self._pdf.set_xy(_LEFT, 284.5)
        self._pdf.cell(_WIDE, 4, f"{made}  ·  {count}" if self._pages > 1 else made, align="R")

    # What parts are made of

    def _add_page(self) -> None:
        self._pdf.add_page()
        self._write_foot()
        self._y = _TOP

    def _make_room(self, height: float) -> None:
        """Begin a page where `height` millimetres have no room on this one."""
        if self._y + height > _BOTTOM:
            self._add_page()

    def _heading(self, text: str, more: str = "") -> None:
        self._y += 5 if self._y > _TOP else 0
        self._set(12, bold=True)
        self._pdf.set_xy(_LEFT, self._y)
        self._pdf.cell(self._pdf.get_string_width(text) + 3, 6, text)
        if more:
            self._set(10, color=_FAINT)
            self._pdf.cell(80, 6.4, more)
        self._y += 8.5

    def _set(self, size: float, bold: bool = False, color: tuple[int, int, int] = _INK) -> None:
        style: Literal["B", ""] = "B" if bold else ""
        self._pdf.set_font(pdf.FONT, style, size)
        self._pdf.set_text_color(*color)

    def _fill(self, color: str, left: float, top: float, width: float, height: float) -> None:
        """Fill a rectangle, with a fine border that shows white on white."""
        self._pdf.set_fill_color(color)
        self._pdf.set_draw_color(*_LINE)
        self._pdf.set_line_width(0.1)
        self._pdf.rect(left, top, width, height, style="FD")

    def _rule(self, y: float) -> None:
        self._pdf.set_draw_color(*_LINE)
        self._pdf.set_line_width(0.2)
        self._pdf.line(_LEFT, y, _LEFT + _WIDE, y)

    def _flow(self, text: str, left: float, top: float, width: float, step: float) -> float:
        """Write a text in lines of `width`, and return where the next goes."""
        for line in self._break(text, width):
            self._pdf.set_xy(left, top)
            self._pdf.cell(width, step, line)
            top += step
        return top

    def _break(self, text: str, width: float) -> list[str]:
        """Break a text into lines of `width` in the font that is set; long words break, too."""
        lines = []
        for paragraph in self._clean(text).split("\n"):
            line = ""
            for word in paragraph.split(" "):
                longer = f"{line} {word}" if line else word
                if self._pdf.get_string_width(longer) <= width:
                    line = longer
                    continue
                if line:
                    lines.append(line)
                line = word
                while self._pdf.get_string_width(line) > width and len(line) > 1:
                    fits = pdf.count_fitting(self._pdf, line, width)
                    lines.append(line[:fits])
                    line = line[fits:]
            lines.append(line)
        return lines

    def _clean(self, text: str) -> str:
        return pdf.keep_known(self._pdf, text)


def _title(columns: Sequence[Column]) -> tuple[str, ...]:
    return tuple(column.title for column in columns)
