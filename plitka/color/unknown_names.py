"""What is said of a name that no colour has: which are near, and how else a colour is given."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from plitka.color.ciede2000 import compute_color_difference
from plitka.color.color_survey import find_known_color
from plitka.color.css_names import CSS_NAMES
from plitka.color.names import (
    MOST_LIKENED,
    compose,
    find_foreign_character,
    is_russian,
    normalize_name,
    quote,
    rank_names,
)
from plitka.color.ral_classic import RAL_CLASSIC
from plitka.color.russian import list_forms
from plitka.color.srgb import Lab, parse_hex, srgb_to_lab

PLAIN_NAMES = (
    *("black", "white", "red", "green", "blue", "gray"),
    *("brown", "yellow", "orange", "purple", "pink"),
)
"""Names that errors list first."""

_NEAREST = 3
_MOST_LISTED = 100  # names in an error; 31 are built in
_LIKE = 55  # of 100; by less a word finds strangers
_RAL = re.compile(r"(?:ral|рал)\b.*", re.IGNORECASE | re.DOTALL)
_BARE_HEX = re.compile(r"[0-9a-f]{6}|(?=[a-f]*[0-9])[0-9a-f]{3}", re.IGNORECASE | re.ASCII)
_ANY_HEX = "#1e90ff"


class Named(Protocol):
    """What is asked of a palette's colour."""

    @property
    def code(self) -> str: ...
    @property
    def phrase(self) -> str: ...
    @property
    def lab(self) -> Lab: ...
    @property
    def russian(self) -> tuple[str, ...]: ...


def describe(name: str, colors: Sequence[Named]) -> str:
    """Say that no colour has this name, which ones are near, how else to say it, and which exist.

    colors: of the palette. By letters three are told; by colour three more, where the word has
    one that is known.
    """
    composed = compose(name)
    foreign = find_foreign_character(composed)
    what = f"unknown colour {quote(name)}{_name_character(composed, foreign)}"
    known = (f"Known: {_list_known(colors)}",)
    if _BARE_HEX.fullmatch(name):
        return " ".join([f'{what}; did you mean "#{name.lower()}"?', *known])
    if _RAL.match(name.strip()):
        return " ".join([f"{what}. {_tell_ral(name)} {_tell_hex(_ANY_HEX)}.", *known])
    hex_code = find_known_color(composed) if foreign is None else None
    by_color = _rank_by_color(hex_code, colors) if hex_code else []
    by_letters = _rank_by_letters(composed, colors)
    meant = by_letters[0] if by_letters else None
    # A word that has a colour of its own is no slip of the pen for the name of quite another.
    near = [one.lab for one in by_color]
    is_slip = meant and meant.likeness >= _LIKE and (not near or meant.color.lab in near)
    parts = [f"{what}; did you mean {meant}?" if is_slip else f"{what}."]
    if by_color:
        parts.append(f"Nearest by colour: {', '.join(quote(one.phrase) for one in by_color)}.")
    if by_letters:
        parts.append(f"Nearest by letters: {', '.join(map(str, by_letters))}.")
    css = None if foreign is not None else _find_css_name(name)
    as_css = f', or by its name in CSS, "{css}"' if css else ""
    parts.append(f"{_tell_hex(hex_code or _ANY_HEX)}{as_css}.")
    return " ".join([*parts, *known])


@dataclass(frozen=True)
class _Likeness:
    """A name as it is told, how much like the word it is, 0 to 100, and whose it is."""

    told: str
    likeness: float
    color: Named

    def __str__(self) -> str:
        return self.told


def _list_known(colors: Sequence[Named]) -> str:
    phrases = tuple(dict.fromkeys((*PLAIN_NAMES, *(color.phrase for color in colors))))
    more = len(phrases) - _MOST_LISTED
    return ", ".join(phrases[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def list_nearest(hex_code: str, colors: Iterable[Named]) -> list[str]:
    """List the phrases of the three colours nearest to a hex by CIEDE2000, the nearest first."""
    return [color.phrase for color in _rank_by_color(hex_code, colors)]


def _rank_by_color(hex_code: str, colors: Iterable[Named]) -> list[Named]:
    """Rank the nearest colours, of those that are one granule the first alone."""
    lab = srgb_to_lab(parse_hex(hex_code.removeprefix("#").lower()))
    distinct = {color.lab: color for color in reversed(list(colors))}
    ranked = sorted(distinct.values(), key=lambda one: compute_color_difference(lab, one.lab))
    return ranked[:_NEAREST]


def _tell_hex(hex_code: str) -> str:
    return f'Any other colour goes by its hex, such as "{hex_code}"'


def _tell_ral(name: str) -> str:
    """Tell how a number of RAL Classic is written, and which are like this one."""
    digits = re.sub(r"[^0-9]", "", name[:MOST_LIKENED])
    near = sorted(RAL_CLASSIC, key=lambda number: abs(int(number) - int(digits or 0)))[:_NEAREST]
    which = ", ".join(f'"RAL {number}"' for number in near) if len(digits) == 4 else '"RAL 3020"'
    return f"A number of RAL Classic has four digits, such as {which}."


def _find_css_name(name: str) -> str | None:
    """Find the name of CSS that this is with spaces: "light blue"."""
    closed = normalize_name(name).replace(" ", "")
    return closed if closed in CSS_NAMES else None


def _rank_by_letters(name: str, colors: Sequence[Named]) -> list[_Likeness]:
    """Rank the names most like this one, of each colour one."""
    if sum(map(is_russian, name)) * 2 > len(name):
        owners = {
            normalize_name(form): (spelling, color)
            for color in colors
            for spelling in (*color.russian, color.phrase)
            if is_russian(spelling)
            for form in list_forms(spelling)
        }
        likeness = name[:MOST_LIKENED]
    else:
        codes = {normalize_name(color.code): (color.code, color) for color in colors}
        phrases = {normalize_name(color.phrase): (color.phrase, color) for color in colors}
        owners = {**codes, **phrases}
        plain = unicodedata.normalize("NFKC", name[:MOST_LIKENED])
        likeness = plain.encode("ascii", "ignore").decode()
    ranked: dict[Lab, _Likeness] = {}
    for key, score in rank_names(normalize_name(likeness), list(owners), None):
        spelling, color = owners[key]
        told = quote(spelling if name.isupper() or is_russian(spelling) else color.phrase)
        if is_russian(spelling) and spelling != color.phrase:
            told += f" ({color.phrase})"
        if score > 0:
            ranked.setdefault(color.lab, _Likeness(told, score, color))
        if len(ranked) == _NEAREST:
            break
    return list(ranked.values())


def _name_character(name: str, place: int | None) -> str:
    """Name the character at a place as " (its character ...)"; "" for none."""
    if place is None:
        return ""
    title = unicodedata.name(name[place], f"U+{ord(name[place]):04X}")
    return f" (its character {place + 1} is {title})"
