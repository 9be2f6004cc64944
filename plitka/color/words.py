"""Words: what a colour may be called, of the palette or of others, all read here.

In this order: a hex; the palette's codes and phrases, in English or in Russian; a number of RAL
Classic; a name of CSS, in one word as CSS writes it. So a name of the palette always wins:
"salmon" and "lightgreen" are its granules. What is none of these is no colour.
"""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from plitka.color import unknown_names
from plitka.color.css_names import CSS_NAMES
from plitka.color.names import is_russian
from plitka.color.palette import Color, Palette, UnknownColor
from plitka.color.ral_classic import RAL_CLASSIC

Source: TypeAlias = Literal["palette", "russian", "ral", "css", "hex"]

MOST_WORDS = 4
"""Of a name; a phrase of the palette has no more."""

_LONGEST = 64  # characters of a name, and then some
_RAL = re.compile(r"(?:ral|рал)[ _-]{0,3}([0-9]{4})", re.IGNORECASE)
_EDGES = " \t\r\n-_"


@dataclass(frozen=True)
class Understood:
    """A word, and the colour that it was understood as.

    word: as written, without blanks around it. source: what knows it. nearest: phrases of the
    palette's colours nearest to a free one, the nearest first; none for one of the palette.
    """

    word: str
    source: Source
    color: Color
    nearest: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """What was understood, all of it JSON values."""
        said = {"word": self.word, "source": self.source}
        colored = {"code": self.color.code, "hex": self.color.hex}
        return {**said, **colored, **({"nearest": list(self.nearest)} if self.nearest else {})}


def understand(word: str, palette: Palette) -> Understood:
    """Understand a word as a colour. Raises UnknownColor, which tells what is near."""
    written = _strip(word)
    if written.startswith("#"):
        return understand_hex(written, palette)
    known = look_up(written, palette)
    if known is None:
        raise UnknownColor(unknown_names.describe(written, palette.colors))
    return known


def understand_hex(digits: str, palette: Palette) -> Understood:
    """Understand a hex, with "#" or without. Raises UnknownColor for what is none.

    Its word is #rrggbb, however it was written: a tile is the same to the byte.
    """
    return _take_free(None, "hex", digits, palette)


def look_up(word: str, palette: Palette) -> Understood | None:
    """Understand a word as a colour; None where it is none."""
    written = _strip(word)
    if len(written) > _LONGEST:
        return None
    if written.startswith("#"):
        try:
            return understand_hex(written, palette)
        except UnknownColor:
            return None
    if own := palette.look_up(written):
        is_translated = is_russian(written) and not is_russian(own.phrase)
        return Understood(written, "russian" if is_translated else "palette", own)
    if (ral := _RAL.fullmatch(written)) and (hex_code := RAL_CLASSIC.get(ral[1])):
        return _take_free(written, "ral", hex_code, palette)
    if written.isascii() and (hex_code := CSS_NAMES.get(written.lower())):
        return _take_free(written, "css", hex_code, palette)
    return None


def _take_free(word: str | None, source: Source, hex_code: str, palette: Palette) -> Understood:
    """Take a word for the free colour of a hex; None is the hex itself."""
    color = palette.make_free_color(hex_code)
    nearest = unknown_names.list_nearest(color.hex, palette.colors)
    return Understood(word or color.hex, source, color, tuple(nearest))


def _strip(word: str) -> str:
    return word.strip().strip(_EDGES)
