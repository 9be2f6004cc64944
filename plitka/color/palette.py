"""Palette: the colours of granules, with their names and their statistics on photographs.

Names are compared without regard to case, to " ", "-" or "_", and to "grey" or "gray". A colour
outside the palette is given by its hex, and borrows the statistics of its nearest neighbour.
What else a colour may be called in a request, `words` knows.
"""

import csv
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TypeAlias

from plitka.color.ciede2000 import compute_color_difference
from plitka.color.names import (
    Quoted,
    compose,
    find_foreign_character,
    normalize_name,
    quote,
)
from plitka.color.russian import list_forms
from plitka.color.srgb import RGB, Lab, format_hex, parse_hex, srgb_to_lab
from plitka.color.tone_table import RANKS, Tone, parse_tone
from plitka.messages.message import Message, SpokenError

PALETTE_FILE = Path(__file__).parents[2] / "refs" / "palette.csv"
"""The built-in palette."""

OWN_FILE = PALETTE_FILE.with_name("palette.local.csv")
"""Where a maker's own colours are kept, unless the settings name another file."""

COLUMNS = (
    *("code", "caption", "median_srgb", "L_median", "a_median", "b_median"),
    *("L_p5", "L_p25", "L_p75", "L_p95", "a_std", "b_std", "measured_from", "tone"),
)
"""The columns of a palette file; refs/README.md describes them."""

RUSSIAN = "russian"
"""A column more, which may be missing: what the colour is called in Russian, with ";" between."""

_NEEDED = COLUMNS[:-2]  # what was measured from is for people, and a tone may be estimated

CODE = re.compile(r"[A-Z][A-Z0-9]{1,15}")
CODE_ALLOWED = "2 to 16 capital letters and digits, a letter first, like DKGREEN"
_WORD = "(?:[a-z]{1,24}|[\u0430-\u044f\u0451]{1,24})"  # English, or Russian
PHRASE = re.compile(f"{_WORD}(?:[ -]{_WORD}){{0,3}}")
PHRASE_ALLOWED = 'allowed: one to four words in small letters, like "dark green"'

_HEX = re.compile(r"#?([0-9a-f]{6}|[0-9a-f]{3})", re.IGNORECASE | re.ASCII)
_COMMENT = "#"
_MOST_BYTES = 1 << 20  # of a palette file; the built-in one has 14,000
_LIGHTNESS, _CHROMA, _STD = (0.0, 100.0), (-128.0, 127.0), (0.0, 64.0)  # bounds of figures
_MAX_MISMATCH = 10.0  # CIEDE2000 of the two medians of a row; the built-in ones differ by up to 0.4


Packed: TypeAlias = tuple[str, bytes]
"""A palette file that is none on this machine: what errors call it, and its content."""


class PaletteError(ValueError):
    """A palette file, or a folder to make one from, is not valid; the message names it."""


class UnknownColor(SpokenError):
    """No colour has this name; the message suggests a near one and lists those that are known."""


@dataclass(frozen=True)
class Color:
    """One colour of granules. All L*a*b* values are CIE 1976 under D65, L* of 0 to 100."""

    code: str  # "DKGREEN"; a free colour's is its hex in lower case, "#1e90ff"
    phrase: str  # "dark green"; a free colour's is that of the nearest palette colour
    srgb: RGB  # median over the pixels of the photograph
    lab: Lab  # the same in L*a*b*
    lightness: tuple[float, float, float, float, float]  # L* at percentiles 5, 25, 50, 75, 95
    chroma_std: tuple[float, float]  # standard deviation of a* and b*
    tone: Tone = ()  # as measured; a free colour's is its neighbour's; none where it is not known
    russian: tuple[str, ...] = ()  # what it is called in Russian, without the forms of these names

    @property
    def hex(self) -> str:
        """Its sRGB as "#1e90ff"."""
        return format_hex(self.srgb)

    @property
    def is_free(self) -> bool:
        """Whether the colour was given by its hex rather than taken from the palette."""
        return self.code.startswith("#")


@dataclass(frozen=True)
class Palette:
    """The colours that have names."""

    colors: tuple[Color, ...]

    def find(self, name: str) -> Color:
        """Find the colour of a name: a code ("DKGREEN") or a phrase, also in Russian.

        Raises UnknownColor, with the names that are near. Letters that only look right (Cyrillic
        in an English word, full-width, zero-width characters) are refused, and the message names
        the first.
        """
        color = self.look_up(name)
        if color is None:
            from plitka.color import unknown_names  # what only errors need

            raise UnknownColor(unknown_names.describe(name, self.colors))
        return color

    def look_up(self, name: str) -> Color | None:
        """Find the colour of a name, as `find` does; None where there is none."""
        composed = compose(name)
        # Before anything folds case: the Kelvin sign, for one, lowers to a plain "k".
        if find_foreign_character(composed) is not None:
            return None
        key = normalize_name(composed)
        return self._by_key.get(key) or self._by_closed_key.get(key)

    def make_free_color(self, hex_code: str) -> Color:
        """Make the colour of a hex, "#1e90ff" or "#19f", with or without "#", in either case.

        Its lightness percentiles are those of the nearest palette colour, shifted to its own
        L* and kept within 0 to 100; its spread of chroma and its tone are the neighbour's, the
        tone as it is. Raises UnknownColor for anything that is not such a hex.
        """
        match = _HEX.fullmatch(hex_code.strip())
        if not match:
            allowed = Message.of('a hex colour, "#rrggbb" or "#rgb"')
            refusal = "got {value}; allowed: {allowed}"
            raise UnknownColor(Message.of(refusal, value=Quoted(hex_code), allowed=allowed))
        digits = match[1].lower()
        if len(digits) == 3:
            digits = "".join(digit * 2 for digit in digits)
        srgb = parse_hex(digits)
        lab = srgb_to_lab(srgb)
        near = self.find_nearest(lab)
        p5, p25, p50, p75, p95 = (
            min(max(lightness + lab[0] - near.lightness[2], 0.0), 100.0)
            for lightness in near.lightness
        )
        lightness = (p5, p25, p50, p75, p95)
        return Color(f"#{digits}", near.phrase, srgb, lab, lightness, near.chroma_std, near.tone)

    def find_nearest(self, lab: Lab) -> Color:
        """Find the palette colour nearest to an L*a*b* colour, by CIEDE2000."""
        return min(self.colors, key=lambda color: compute_color_difference(lab, color.lab))

    @cached_property
    def names(self) -> Mapping[str, int]:
        """All names, Russian forms as well, normalised, each with its number of words."""
        return {name: len(name.split()) for name in self._by_key}

    @cached_property
    def _by_key(self) -> dict[str, Color]:
        """The colours by their codes and phrases, and by their names in Russian, normalised."""
        codes = {normalize_name(color.code): color for color in self.colors}
        phrases = {normalize_name(color.phrase): color for color in self.colors}
        own = [(form, color) for color in self.colors for form in list_forms(color.phrase)]
        translated = [
            (form, color)
            for color in self.colors
            for name in color.russian
            for form in list_forms(name)
        ]
        return _keep_unique(translated) | _keep_unique(own) | codes | phrases

    @cached_property
    def _by_closed_key(self) -> dict[str, Color]:
        """The same by what is left of names without spaces: "darkgreen"."""
        return _keep_unique([(key.replace(" ", ""), color) for key, color in self._by_key.items()])


def _keep_unique(names: Sequence[tuple[str, Color]]) -> dict[str, Color]:
    """Keep the names that mean one colour, normalised."""
    normalized = [(normalize_name(name), color) for name, color in names]
    owners = Counter(name for name, _ in {(name, color.code) for name, color in normalized})
    return {name: color for name, color in normalized if owners[name] == 1}


def load(own: Path | None = None, packed: Packed | None = None) -> Palette:
    """Load the built-in palette; refs/README.md tells the columns of its file.

    own: a file of the maker's own colours, which take the place of those with the same code or
    are added. packed: another that came with weights; the own ones count before these. Raises
    PaletteError for a file that cannot be read, for a row that is not a colour, and for a name of
    two colours.
    """
    return _merge_files(tuple(one for one in (PALETTE_FILE, packed, own) if one is not None))


def count_colors(source: Path | Packed) -> int:
    """Count the colours of a palette file. Raises as `load` does."""
    return len(read_rows(source))


def build(rows: Sequence[Mapping[str, str]], path: Path | str) -> Palette:
    """Build the palette that `load` would make of a file of these rows. Raises PaletteError."""
    if not rows:
        raise PaletteError(f"{path}: has no colours")
    return extend(load(), rows, path)


def extend(known: Palette, rows: Sequence[Mapping[str, str]], path: Path | str) -> Palette:
    """Put the colours of rows in the place of those with the same code, or add them.

    rows: as `read_rows` returns them. path: what errors call their file. Raises PaletteError for a
    row that is not a colour or for a name of two colours.
    """
    colors = {color.code: color for color in known.colors}
    for row in rows:
        color = parse_row(row, f"{path}: row {quote(row['code'])}")
        before = colors.get(color.code)
        if before and not color.russian and before.phrase == color.phrase:
            color = replace(color, russian=before.russian)
        colors[color.code] = color
    names: dict[str, str] = {}
    for color in colors.values():
        for name in (color.code, color.phrase):
            owner = names.setdefault(normalize_name(name), color.code)
            if owner != color.code:
                raise PaletteError(f'{path}: "{name}" names both {owner} and {color.code}')
    return Palette(tuple(colors.values()))


@cache
def _merge_files(sources: tuple[Path | Packed, ...]) -> Palette:
    """Merge palette files; of rows with the same code, that of the last file counts."""
    merged = Palette(())
    for source in sources:
        rows = read_rows(source)
        if not rows:
            raise PaletteError(f"{_name_source(source)}: has no colours")
        merged = extend(merged, rows, _name_source(source))
    return merged


def has_content(path: Path) -> bool:
    """Whether there is anything in the place of a palette file that is to be written."""
    return path.exists() and not (path.is_file() and path.stat().st_size == 0)


def _name_source(source: Path | Packed) -> Path | str:
    """What errors call a palette file."""
    return source if isinstance(source, Path) else source[0]


def read_rows(source: Path | Packed) -> list[dict[str, str]]:
    """Read the rows of a palette file as text by column; lines that start with "#" are comments.

    Raises PaletteError where the file cannot be read, is no table in UTF-8 with all COLUMNS but the
    last two, or a row lacks one.
    """
    path, text = _name_source(source), _read_text(source)
    lines = ["" if line.startswith(_COMMENT) else line for line in text.splitlines()]
    above = next((number for number, line in enumerate(lines) if line.strip()), 0)
    table = csv.DictReader(lines[above:], strict=True)
    try:
        missing = [column for column in _NEEDED if column not in (table.fieldnames or ())]
        if missing:
            raise PaletteError(
                f"{path}: its first line names no column {missing[0]}; it has to be"
                f" {','.join(COLUMNS)}, with commas between, and figures have points"
            )
        return [_check_cells(row, f"{path}, line {above + table.line_num}") for row in table]
    except csv.Error as fault:
        line = above + table.line_num
        raise PaletteError(f"{path}, line {line}: is no row of a table ({fault})") from None


def read_comments(path: Path) -> list[str]:
    """Read the lines of a palette file that `read_rows` passes over, but for empty ones."""
    return [line for line in _read_text(path).splitlines() if line.startswith(_COMMENT)]


def _read_text(source: Path | Packed) -> str:
    """Read a palette file. Raises PaletteError."""
    path, content = _name_source(source), _read_content(source)
    if len(content) > _MOST_BYTES:
        raise PaletteError(f"{path}: has more than the {_MOST_BYTES:,} bytes that are read")
    try:
        return content.decode("utf-8-sig")  # with the mark of Excel's "CSV UTF-8" or without
    except UnicodeDecodeError:
        raise PaletteError(f"{path}: is no text file in UTF-8") from None


def _read_content(source: Path | Packed) -> bytes:
    if not isinstance(source, Path):
        return source[1]
    if source.exists() and not source.is_file():
        raise PaletteError(f"{source}: is no file, but a folder, a pipe or a device")
    try:
        with source.open("rb") as file:
            return file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise PaletteError(
            f"{source}: cannot be read ({error.strerror or error}); PLITKA_PALETTE names the"
            " palette"
        ) from None


def _check_cells(row: Mapping[str | None, str | None], where: str) -> dict[str, str]:
    """Check that a row has a cell for each column, and no more. Raises PaletteError."""
    cells = {column: cell for column, cell in row.items() if column and cell is not None}
    if len(cells) != len(row):
        raise PaletteError(f"{where}: has more or fewer cells than the first line has columns")
    return cells


def parse_row(row: Mapping[str, str], where: str) -> Color:
    """Parse a row of a palette file. Raises PaletteError for one that is not a colour.

    where: the row, for the message.
    """
    if not CODE.fullmatch(row["code"]):
        raise PaletteError(f"{where}: a code is {CODE_ALLOWED}")
    if not PHRASE.fullmatch(row["caption"]):
        raise PaletteError(f"{where}: {quote(row['caption'])} is no phrase; {PHRASE_ALLOWED}")
    if not _HEX.fullmatch(row["median_srgb"]) or len(row["median_srgb"].strip("#")) != 6:
        raise PaletteError(
            f'{where}: median_srgb: {quote(row["median_srgb"])} is no hex, "#rrggbb"'
        )
    srgb = parse_hex(row["median_srgb"].removeprefix("#").lower())
    low, quarter, middle, upper, high = lightness = (
        _read_figure(row, "L_p5", where, _LIGHTNESS),
        _read_figure(row, "L_p25", where, _LIGHTNESS),
        _read_figure(row, "L_median", where, _LIGHTNESS),
        _read_figure(row, "L_p75", where, _LIGHTNESS),
        _read_figure(row, "L_p95", where, _LIGHTNESS),
    )
    if not low <= quarter <= middle <= upper <= high:
        raise PaletteError(f"{where}: L_p5, L_p25, L_median, L_p75 and L_p95 do not rise")
    lab = (
        middle,
        _read_figure(row, "a_median", where, _CHROMA),
        _read_figure(row, "b_median", where, _CHROMA),
    )
    if compute_color_difference(lab, srgb_to_lab(srgb)) > _MAX_MISMATCH:
        raise PaletteError(f"{where}: median_srgb and the medians of L*a*b* are different colours")
    spread = (_read_figure(row, "a_std", where, _STD), _read_figure(row, "b_std", where, _STD))
    tone = _read_tone(row, where)
    if tone and compute_color_difference(lab, tone[RANKS.index(0.5)]) > _MAX_MISMATCH:
        raise PaletteError(f"{where}: tone and the medians of L*a*b* are different colours")
    russian = _read_russian(row, where)
    return Color(row["code"], row["caption"], srgb, lab, lightness, spread, tone, russian)


def _read_russian(row: Mapping[str, str], where: str) -> tuple[str, ...]:
    """Read what a colour is called in Russian. Raises PaletteError for what is no name."""
    cell = row.get(RUSSIAN, "").strip()
    names = tuple(compose(name.strip()) for name in cell.split(";")) if cell else ()
    for name in names:
        if not PHRASE.fullmatch(name):
            raise PaletteError(f"{where}: {RUSSIAN}: {quote(name)} is no name; {PHRASE_ALLOWED}")
    return names


def _read_tone(row: Mapping[str, str], where: str) -> Tone:
    """Read the tone of a row, () where it has none. Raises PaletteError for one that is broken."""
    cell = row.get("tone", "").strip()
    try:
        return parse_tone(cell) if cell else ()
    except ValueError as fault:
        raise PaletteError(f"{where}: tone: {fault}; an empty cell is estimated") from None


def _read_figure(
    row: Mapping[str, str], column: str, where: str, bounds: tuple[float, float]
) -> float:
    """Read a figure of a row. Raises PaletteError for none, and for one out of bounds."""
    low, high = bounds
    try:
        figure = float(row[column])
    except ValueError:
        figure = math.nan
    if not low <= figure <= high:
        raise PaletteError(
            f"{where}: {column}: got {quote(row[column])}; allowed: {low:g} to {high:g}"
        )
    return figure
