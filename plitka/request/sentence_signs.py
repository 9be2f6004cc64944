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
ANGLE, SEED, QUALITY, CHOICE, REST, EQUAL, RATIO = "a", "s", "q", "h", "r", "e", "o"
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
    r"|(?P<ratio>(?<!\w)(?<![0-9][.,])(?<![-+\u2212])[0-9]{1,3}"
    r"(?:(?:\s?[/:]\s?|[-\u2012\u2013]|\s\u043d\u0430\s)[0-9]{1,3}){1,7}(?!\w|[.,][0-9]|\s?[-/:]\s?[0-9]))"
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
_BETWEEN = re.compile(r"\s?[/:]\s?|[-\u2012\u2013]|\s\u043d\u0430\s", re.IGNORECASE)
_DIGITS = re.compile(r"[-+\u2212]?[0-9]{1,30}(?:[.,][0-9]{1,30})?")


@dataclass(frozen=True)
class Sign:
    """A sign: its kind, where it stands, and what it says.

    value: a number as it is written, of half and the like its percentage; the name of a colour; a
    word in small letters; of a ratio its numbers, parted by colons.
    """

    kind: str
    start: int
    end: int
    value: str = ""


def scan(text: str, palette: Palette) -> Iterator[Sign]:
    """Scan a sentence for its signs; words that together name a colour are one.

    A colour's name counts before what its words mean else. Words that say nothing are left out.
    """
    found = [sign for match in _SIGN.finditer(text) for sign in _read_signs(match)]
    place = 0
    while place < len(found):
        sign = found[place]
        count = _count_color_words(text, found[place : place + MOST_WORDS], palette)
        if count:
            end = found[place + count - 1].end
            yield Sign(COLOR, sign.start, end, " ".join(text[sign.start : end].split()))
        elif said := _count(text, found[place : place + 2]):
            yield said[0]
            count = said[1]
        elif sign.value not in words.FILLERS:
            yield from _split_word(sign)
        place += count or 1


def _read_signs(match: re.Match[str]) -> Sequence[Sign]:
    group, text = match.lastgroup, match[0]
    sign = Sign(OTHER, *match.span(), text)
    if group == "blank":
        return ()
    if group == "word":
        return (_read_word(replace(sign, value=text.lower().replace("\u0451", "\u0435"))),)
    if group == "ratio":
        return _read_ratio(match)
    if group == "number":
        return (_read_number(sign),)
    if group == "unit":
        return (replace(sign, kind=PERCENT if text == "%" else DEGREES),)
    kinds = {"color": COLOR, "end": END, "link": LINK}
    return (replace(sign, kind=kinds.get(str(group), OTHER)),)


def _read_ratio(match: re.Match[str]) -> Sequence[Sign]:
    """Read 60/40, 3:1 or 70-30; what is no ratio for certain as the numbers that it is of.

    Only a colon says of any numbers that they are parts. 1/3 is a fraction, and 60-70 a range.
    """
    numbers = [int(number) for number in _BETWEEN.split(match[0])]
    between = set(_BETWEEN.findall(match[0]))
    are_parts = {each.strip() for each in between} == {":"} and min(numbers) > 0
    if len(between) == 1 and (are_parts or (sum(numbers) == 100 and min(numbers) > 0)):
        return (Sign(RATIO, *match.span(), ":".join(map(str, numbers))),)
    if between <= {"/", " /", "/ ", " / "}:
        return (_read_number(Sign(OTHER, *match.span(), match[0])),)
    parts = re.finditer(r"[0-9]+|[-/:\u2012\u2013]", match[0])
    return [
        Sign(
            NUMBER if part[0].isdigit() else END if part[0] == "/" else LINK,
            match.start() + part.start(),
            match.start() + part.end(),
            part[0],
        )
        for part in parts
    ]


def _count(text: str, signs: Sequence[Sign]) -> tuple[Sign, int] | None:
    """Read "two" before "parts" or "percent", and "two thirds"; with how many signs that takes."""
    if len(signs) < 2 or signs[0].value not in words.COUNTS:
        return None
    first, second = signs
    share = _read_fraction(first.value, text[second.start : second.end].lower())
    if share is not None:
        return Sign(NUMBER, first.start, second.end, share), 2
    if second.kind in (PART, PERCENT):
        return replace(first, kind=NUMBER, value=str(words.COUNTS[first.value])), 1
    return None


def _read_fraction(count: str, of: str) -> str | None:
    """Read "two" and "thirds" as a percentage; None for other words, and for a whole or more."""
    if count not in words.COUNTS or of not in words.DENOMINATORS:
        return None
    share = words.COUNTS[count] / words.DENOMINATORS[of]
    return f"{100 * share!r}%" if share < 1 else None


def _read_word(sign: Sign) -> Sign:
    word = sign.value
    if quantities.is_percent(word):
        return replace(sign, kind=PERCENT)
    if quantities.is_degrees(word):
        return replace(sign, kind=DEGREES)
    if word in words.FRACTIONS:
        return replace(sign, kind=NUMBER, value=f"{100 * words.FRACTIONS[word]!r}%")
    count, _, of = word.partition("-")
    if (share := _read_fraction(count, of)) is not None:
        return replace(sign, kind=NUMBER, value=share)
    if word in words.HALVES:
        return replace(sign, kind=RATIO, value="50:50")
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
