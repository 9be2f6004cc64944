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
    Quoted,
    compose,
    find_foreign_character,
    is_russian,
    normalize_name,
    quote,
    rank_names,
)
from plitka.color.ral_classic import RAL_CLASSIC, find_nearest_ral
from plitka.color.russian import list_forms
from plitka.color.srgb import Lab, parse_hex, srgb_to_lab
from plitka.messages.message import Message, Row, Said, Words

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
_ANY_RAL = "3020"

_ALPHABETS = (("LATIN ", "латинская"), ("CYRILLIC ", "русская"))

_UNKNOWN = "unknown colour {name}{character}."
_MEANT = "unknown colour {name}{character}; did you mean {meant}?"


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


def describe(name: str, colors: Sequence[Named]) -> Said:
    """Say that no colour has this name, which ones are near, how else to say it, and which exist.

    colors: of the palette. By letters three are told; by colour three more, where the word has
    one that is known.
    """
    composed = compose(name)
    foreign = find_foreign_character(composed)
    what = {"name": Quoted(name), "character": _name_character(composed, foreign)}
    if _BARE_HEX.fullmatch(name):
        meant = Quoted(f"#{name.lower()}")
        return Row((Message.of(_MEANT, **what, meant=meant), _list_known(colors)), " ")
    said: list[Said] = []
    if _RAL.match(name.strip()):
        said = [Message.of(_UNKNOWN, **what), _tell_ral(name), _tell_hex(_ANY_HEX, None)]
        return Row((*said, _list_known(colors)), " ")
    hex_code = find_known_color(composed) if foreign is None else None
    by_color = _rank_by_color(hex_code, colors) if hex_code else []
    by_letters = _rank_by_letters(composed, colors)
    meant_name = by_letters[0] if by_letters else None
    # A word that has a colour of its own is no slip of the pen for the name of quite another.
    near = [one.lab for one in by_color]
    if meant_name and meant_name.likeness >= _LIKE and (not near or meant_name.color.lab in near):
        said.append(Message.of(_MEANT, **what, meant=meant_name.told))
    else:
        said.append(Message.of(_UNKNOWN, **what))
    if by_color:
        names = Row(tuple(_name_color(one) for one in by_color))
        said.append(Message.of("Nearest by colour: {names}.", names=names))
    if by_letters:
        names = Row(tuple(one.told for one in by_letters))
        said.append(Message.of("Nearest by letters: {names}.", names=names))
    css = None if foreign is not None else _find_css_name(name)
    said.append(_tell_hex(hex_code or _ANY_HEX, css))
    return Row((*said, _list_known(colors)), " ")


@dataclass(frozen=True)
class _Likeness:
    """A name as it is told, how much like the word it is, 0 to 100, and whose it is."""

    told: Words
    likeness: float
    color: Named


def _list_known(colors: Sequence[Named]) -> Said:
    russian = {color.phrase: _name_in_russian(color) for color in colors}
    phrases = tuple(dict.fromkeys((*PLAIN_NAMES, *russian)))
    names = Row(tuple(Words(one, russian.get(one, one)) for one in phrases[:_MOST_LISTED]))
    more = len(phrases) - _MOST_LISTED
    if more > 0:
        return Message.of("Known: {names} and {more} more", names=names, more=more)
    return Message.of("Known: {names}", names=names)


def _name_color(color: Named) -> Words:
    """Name a colour of the palette in quotation marks."""
    return Words(quote(color.phrase), f"«{_name_in_russian(color)}»")


def _name_in_russian(color: Named) -> str:
    """Name a colour of the palette in Russian, where it has such a name."""
    return color.russian[0] if color.russian else color.phrase


def list_nearest(hex_code: str, colors: Iterable[Named]) -> list[str]:
    """List the phrases of the three colours nearest to a hex by CIEDE2000, the nearest first."""
    return [color.phrase for color in _rank_by_color(hex_code, colors)]


def _rank_by_color(hex_code: str, colors: Iterable[Named]) -> list[Named]:
    """Rank the nearest colours, of those that are one granule the first alone."""
    lab = srgb_to_lab(parse_hex(hex_code.removeprefix("#").lower()))
    distinct = {color.lab: color for color in reversed(list(colors))}
    ranked = sorted(distinct.values(), key=lambda one: compute_color_difference(lab, one.lab))
    return ranked[:_NEAREST]


def _tell_hex(hex_code: str, css: str | None) -> Said:
    """Tell how a colour is given that the palette does not have; css: its name in CSS."""
    number = _ANY_RAL
    if hex_code != _ANY_HEX:
        number, _ = find_nearest_ral(srgb_to_lab(parse_hex(hex_code.removeprefix("#"))))
    codes = Words(hex_code, f"«RAL {number}» или «{hex_code}»")
    if css is None:
        return Message.of('Any other colour goes by its hex, such as "{hex}".', hex=codes)
    other = 'Any other colour goes by its hex, such as "{hex}", or by its name in CSS, "{css}".'
    return Message.of(other, hex=codes, css=css)


def _tell_ral(name: str) -> Said:
    """Tell how a number of RAL Classic is written, and which are like this one."""
    digits = re.sub(r"[^0-9]", "", name[:MOST_LIKENED])
    near = sorted(RAL_CLASSIC, key=lambda number: abs(int(number) - int(digits or 0)))[:_NEAREST]
    which = [f"RAL {number}" for number in near] if len(digits) == 4 else ["RAL 3020"]
    names = Row(tuple(map(Quoted, which)))
    return Message.of("A number of RAL Classic has four digits, such as {names}.", names=names)


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
        if score > 0:
            told = _tell_likeness(spelling, color, name.isupper())
            ranked.setdefault(color.lab, _Likeness(told, score, color))
        if len(ranked) == _NEAREST:
            break
    return list(ranked.values())


def _tell_likeness(spelling: str, color: Named, as_code: bool) -> Words:
    """Tell a name that is spelt like a word, and in brackets what it is in the other language."""
    russian = _name_in_russian(color)
    if is_russian(spelling):
        meaning = f" ({color.phrase})" if spelling != color.phrase else ""
        return Words(f"{quote(spelling)}{meaning}", f"«{spelling}»")
    told = spelling if as_code else color.phrase
    meaning = f" ({russian})" if russian != told else ""
    return Words(quote(told), f"«{told}»{meaning}")


def _name_character(name: str, place: int | None) -> Said:
    """Name the character at a place as " (its character ...)"; "" for none."""
    if place is None:
        return ""
    title = unicodedata.name(name[place], f"U+{ord(name[place]):04X}")
    alphabet = next((russian for latin, russian in _ALPHABETS if title.startswith(latin)), "")
    said = Words(title, f"{alphabet} «{name[place]}»" if alphabet else title)
    return Message.of(" (its character {number} is {title})", number=place + 1, title=said)
