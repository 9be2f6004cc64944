"""PDF sheets of A4 with real text, in a font that has Latin and Cyrillic letters.

fpdf2 and the font are imported when a sheet is opened. Equal inputs give equal bytes.
Imports: errors.
"""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from plitka.errors import EngineError

if TYPE_CHECKING:
    from fpdf import FPDF

WIDTH, HEIGHT = 210.0, 297.0
"""Of a sheet, in millimetres."""

FONT = "plitka"
"""The family that `open_sheet` sets, plain and bold."""

_BLANKS = frozenset("\n\u00a0\u202f\u2009")
_NO_DAY = date(2000, 1, 1)


def open_sheet(
    title: str, day: date = _NO_DAY, needs: str = "requirements-catalogue.txt"
) -> "FPDF":
    """Open a sheet without pages; nothing breaks pages by itself.

    day: that the file says it was made on; the clock is not asked. needs: the requirements of
    whoever writes it. Raises EngineError where the library or its font is missing.
    """
    try:
        from font_roboto import Roboto, RobotoBold
        from fpdf import FPDF
    except ModuleNotFoundError as missing:
        raise EngineError(
            f"{missing.name} is not installed, and a PDF needs it. In the project's folder run"
            f" script/setup {needs}"
        ) from None
    sheet = FPDF(format="A4")
    sheet.set_auto_page_break(False)
    sheet.set_creation_date(datetime(day.year, day.month, day.day, tzinfo=UTC))
    sheet.set_title(title)
    sheet.add_font(FONT, fname=Roboto)
    sheet.add_font(FONT, style="B", fname=RobotoBold)
    sheet.set_font(FONT)
    return sheet


def shorten(sheet: "FPDF", text: str, width: float) -> str:
    """Shorten a text to a width in millimetres, in the font that is set."""
    if sheet.get_string_width(text) <= width:
        return text
    while text and sheet.get_string_width(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def count_fitting(sheet: "FPDF", text: str, width: float) -> int:
    """Count the first characters that fit a width in millimetres, at least one."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if sheet.get_string_width(text[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    return low


def keep_known(sheet: "FPDF", text: str) -> str:
    """Keep what the font has; other characters, which would be drawn as boxes, become "?"."""
    from fpdf.fonts import TTFFont

    font = sheet.fonts[FONT]
    assert isinstance(font, TTFFont), "open_sheet sets no other"
    return "".join(
        letter if letter in _BLANKS or (letter.isprintable() and ord(letter) in font.cmap) else "?"
        for letter in text
    )
