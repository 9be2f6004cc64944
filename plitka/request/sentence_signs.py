"""The text of a request's sentence -> its signs: colours, numbers, and words that say something."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from plitka.color.palette import Palette
from plitka.color.words import MOST_WORDS, look_up
from plitka.request import quantities
from plitka.request import sentence_words as words

END, LINK, NUMBER, COLOR, WORD, OTHER = ",", "-", "n", "c", "w", "x"
PERCENT, DEGREES, PART = "p", "d", "t"
ANGLE, SEED, QUALITY, CHOICE, REST, EQUAL = "a", "s", "q", "h", "r", "e"
"""Kinds of signs, each a letter, so that a row of signs is a text that patterns can be found in."""

_KINDS: Mapping[str, str] = {
    **dict.fromkeys(words.AND, END),
    **dict.fromkeys(words.PART, PART),
    **dict.fromkeys(words.FRACTIONS, NUMBER),
    **dict.fromkeys(words.ANGLE, ANGLE),
    **dict.fromkeys(words.SEED, SEED),
    **dict.fromkeys(words.QUALITY, QUALITY),
    **dict.fromkeys(words.QUALITIES, CHOICE),
    **dict.fromkeys(words.REST, REST),
    **dict.fromkeys(words.EQUAL, EQUAL),
}

# Each character is in one sign at most, and none is tried twice. No group is possessive: Python
# 3.11.2, which Debian 12 has, reads such groups wrongly.
_SIGN = re.compile(
    r"(?P<color>\#\w*+|\b(?:ral|рал)[ _-]{0,3}[0-9]{4}\b)"
    r"|(?P<number>(?<!\w)(?<![0-9][.,])[-+\u2212]?[0-9]++(?:[.,][0-9]++)?(?:\s?/\s?[0-9]++)?)"
    r"|(?P<unit>[%\u00b0\u00ba\u02da])"
    r"|(?P<word>[^\W\d_][^\W_]*+(?:[-_][^\W\d_][^\W_]*+)*)"
    r"|(?P<end>[,;|/+&\r\n\v\f\x85\u2028\u2029\u3001\u3002]|\.(?!\w))"
    r"|(?P<link>[:=\u2010-\u2015\u2212~-])"
    r"|(?P<blank>[\s\"'\u2018-\u201f\u00ab\u00bb()*\u2022]++)"
    r"|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_FRACTION = re.compile(r"([0-9]{1,3})\s?/\s?([0-9]{1,3})")
_DIGITS = re.compile(r"[-+\u2212]?[0-9]{1,30}(?:[.,][0-9]{1,30})?")


@dataclass(frozen=True)
class Sign:
    """A sign: its kind, where it stands, and what it says.

    value: a number as it is written, of half and the like its percentage; the name of a colour; a
    word in small letters.
    """

    kind: str
    start: int
    end: int
    value: str = ""


def scan(text: str, palette: Palette) -> Iterator[Sign]:
    """Scan a sentence for its signs; words that together name a colour are one.

    A colour's name counts before what its words mean else. Words that say nothing are left out.
    """
    found = [sign for match in _SIGN.finditer(text) if (sign := _read_sign(match)) is not None]
    place = 0
    while place < len(found):
        sign = found[place]
        count = _count_color_words(text, found[place : place + MOST_WORDS], palette)
        if count:
            end = found[place + count - 1].end
            yield Sign(COLOR, sign.start, end, " ".join(text[sign.start : end].split()))
        elif sign.value not in words.FILLERS:
            yield from _split_word(sign)
        place += count or 1


def _read_sign(match: re.Match[str]) -> Sign | None:
    group, text = match.lastgroup, match[0]
    sign = Sign(OTHER, *match.span(), text)
    if group == "blank":
        return None
    if group == "word":
        return _read_word(replace(sign, value=text.lower().replace("\u0451", "\u0435")))
    if group == "number":
        return _read_number(sign)
    if group == "unit":
        return replace(sign, kind=PERCENT if text == "%" else DEGREES)
    kinds = {"color": COLOR, "end": END, "link": LINK}
    return replace(sign, kind=kinds.get(str(group), OTHER))


def _read_word(sign: Sign) -> Sign:
    word = sign.value
    if quantities.is_percent(word):
        return replace(sign, kind=PERCENT)
    if quantities.is_degrees(word):
        return replace(sign, kind=DEGREES)
    if word in words.FRACTIONS:
        return replace(sign, kind=NUMBER, value=f"{100 * words.FRACTIONS[word]!r}%")
    return replace(sign, kind=_KINDS.get(word, WORD))


def _read_number(sign: Sign) -> Sign:
    if _DIGITS.fullmatch(sign.value):
        return replace(sign, kind=NUMBER)
    part = _FRACTION.fullmatch(sign.value)
    if part is None or not 0 < int(part[1]) < int(part[2]):
        return sign
    return replace(sign, kind=NUMBER, value=f"{100 * int(part[1]) / int(part[2])!r}%")


def _split_word(sign: Sign) -> Iterator[Sign]:
    """Part "high-quality", which no colour is called, where both words mean something."""
    first, hyphen, second = sign.value.partition("-")
    if sign.kind == WORD and hyphen and first in _KINDS and second in _KINDS:
        middle = sign.start + len(first)
        yield Sign(_KINDS[first], sign.start, middle, first)
        yield Sign(_KINDS[second], middle + 1, sign.end, second)
    else:
        yield sign


def _count_color_words(text: str, signs: Sequence[Sign], palette: Palette) -> int:
    """Count the words at the beginning that name a colour, as many as there can be."""
    are_words = [text[sign.start].isalpha() and sign.kind != COLOR for sign in signs]
    for count in range([*are_words, False].index(False), 0, -1):
        name = text[signs[0].start : signs[count - 1].end]
        if look_up(" ".join(name.split()), palette):
            return count
    return 0
