"""Captions: which shares a photograph is said to show.

A caption is the text file beside a photograph (`tile.txt`: "60% red, 40% blue", as in prompts), or
else the photograph's name (`REDp60_BLUEp40.jpg`, `RED.jpg`). It names granules, so its words are
the palette's alone, in English or in Russian: a photographed tile has no colours of CSS or RAL.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

from plitka.color.mix import MAX_COLORS, adds_up_to
from plitka.color.names import normalize_name, quote
from plitka.color.palette import Color, Palette
from plitka.measure.text_file import TextError, read_text

CAPTION_SUFFIX = ".txt"

# The signs of a text that count. Each character is in one of them at most, and none is tried twice,
# so that reading takes a time proportional to the length. A number takes in what makes it none that
# is a share: a minus, an exponent, the other end of a range. Nobody is accused by half a number.
# No group here is possessive: Python 3.11.2, which Debian 12 has, reads such groups wrongly.
_SIGN = re.compile(
    r"(?P<number>(?<![^\W_])[-\u2212\u2013]?\.?\d++"
    r"(?:[.,]\d++|e[-+]?\d++|[-\u2212\u2013/\u2044]\d++)*)"
    r"|(?P<percent>%)"
    r"|(?P<word>[^\W\d_][^\W_]*+)"
    r"|(?P<end>[,;.|/+&\r\n\v\f\x1c-\x1e\x85\u2028\u2029\u3001\u3002]|\Z)",
    re.IGNORECASE,
)
_SHARE = re.compile(r"\d++(?:[.,]\d++)?|\.\d++")
# What stands between two numbers of which the second is no share: a range, a bound, a tolerance.
_BLANK = r" \t\x1f\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"  # no end of a line
_DASH = r"~\u223c\u2248\u00b1<>\u2264\u2265\u2026\u2010-\u2015\u2212-"
_LINK = rf"[{_BLANK}{_DASH}]*+"
_RANGE = re.compile(rf"\.|{_LINK}(?:\.\.+|to|or|of|and|until)?{_LINK}", re.IGNORECASE)
_BOUND = re.compile(r"(?:[\u2264\u2265\u00b1]\s*+|[<>=]=|(?<![\w>])[<>]\s*+|[<>])\Z")
_LONGEST_BOUND = 8  # characters
_BOUND_WORDS = frozenset(  # "less than 60% red"
    (
        *("than", "least", "most", "to", "over", "under", "above", "below", "exceeding"),
        *("max", "min", "maximum", "minimum", "not"),
        *("менее", "более", "меньше", "больше", "до", "от", "свыше", "максимум", "минимум"),
    )
)
_JOINTS = frozenset("/&+|")  # "60% red & blue"
_FILLER = "of"  # "60% of red granules"
_JOINING = ("and", "or", "\u0438", "\u0438\u043b\u0438")  # "red or brown", also in Russian
_MOST_MARKS = 30  # on a letter, as in Unicode's stream-safe text (UAX 15)
_SHOWN = 24  # characters before a sign of percent, of a text that is refused

# Full-width letters, digits and signs, as East Asian keyboards write them, are the plain ones.
_PLAIN = {0xFF01 + place: 0x21 + place for place in range(94)} | dict.fromkeys(
    map(ord, "\u066a\ufe6a"), "%"
)

_IN_NAME = re.compile(r"([A-Za-z][A-Za-z0-9]*?)p(\d+(?:[.,]\d+)?)")
_BETWEEN_NAMES = re.compile(r"[\s_+]+|,(?!\d)|(?<!\d),")
_COUNTER = re.compile(r"\(?\d+\)?")


_Part: TypeAlias = list[str | float]


class CaptionError(ValueError):
    """A caption that names no shares; the message says why."""


@dataclass(frozen=True)
class Caption:
    """What a photograph is said to show.

    percent: the shares in the order of the colours, each above 0, together 100.
    """

    colors: tuple[Color, ...]
    percent: tuple[float, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares as 0 to 1."""
        return tuple(percent / 100 for percent in self.percent)


def find_caption_file(photograph: Path) -> Path | None:
    """Find the text file beside a photograph, None where there is none; see `pair_captions`."""
    if os.path.lexists(exact := photograph.with_suffix(CAPTION_SUFFIX)):
        return exact
    try:
        return pair_captions([photograph], photograph.parent.iterdir())[photograph]
    except FileNotFoundError:
        return None


def read_caption(
    photograph: Path,
    palette: Palette,
    find: Callable[[Path], Path | None] = find_caption_file,
) -> Caption:
    """Read the caption of a photograph: the text file beside it, or else the file's own name.

    The photograph itself need not exist. palette: the colours that captions may name. find: finds
    the text file. Raises CaptionError where the caption names no shares, too many colours, or
    shares that do not add up; UnknownColor for a name that no colour has; TextError for a text file
    that cannot be read.
    """
    beside = find(photograph)
    if beside is None:
        return _parse_name(_compose(photograph.stem), palette)
    try:
        text = read_text(beside)
    except TextError as fault:
        raise TextError(f"its caption {beside.name} {fault}") from None
    return _parse_text(text, palette)


def is_bare_name(photograph: Path) -> bool:
    """Whether a photograph's name has no share in it: a colour's name, a camera's number, a word.

    Where such a name is no colour's, nobody can say that it was meant to be one.
    """
    return not any(_IN_NAME.fullmatch(token) for token in _BETWEEN_NAMES.split(photograph.stem))


def pair_captions(photographs: Iterable[Path], files: Iterable[Path]) -> dict[Path, Path | None]:
    """Pair photographs with the text files beside them, all of one folder.

    A text file is named like its photograph; its suffix may be in capitals, and its letters may be
    made up of other characters, as they are after a journey through a Mac. The one that is named
    most alike is taken. files: all that lie in the folder.
    """
    texts = sorted(file for file in files if file.suffix.lower() == CAPTION_SUFFIX)
    exact = {text.stem: text for text in texts}  # of "a.TXT" and "a.txt", the latter
    alike = {_compose(text.stem): text for text in texts}
    return {p: exact.get(p.stem) or alike.get(_compose(p.stem)) for p in photographs}


def _compose(name: str) -> str:
    """Compose the letters of a name in the one way that Unicode calls normal."""
    return unicodedata.normalize("NFC", name)


def _compose_text(text: str) -> str:
    """Compose the letters of a text of any length.

    Raises CaptionError where more marks stand on one letter than any language has: to sort them
    takes a time that grows with their square.
    """
    marks = 0
    for letter in text:
        marks = marks + 1 if unicodedata.combining(letter) else 0
        if marks > _MOST_MARKS:
            raise CaptionError(f"its text has more than {_MOST_MARKS} marks on one letter")
    return _compose(text)


def _parse_name(stem: str, palette: Palette) -> Caption:
    """Parse a file's name without its suffix: "REDp60_BLUEp40_2" or "RED"."""
    tokens = [token for token in _BETWEEN_NAMES.split(stem) if token]
    while tokens and _COUNTER.fullmatch(tokens[-1]):
        tokens.pop()  # "REDp60_BLUEp40_2": the second photograph of such a tile
    if len(tokens) == 1 and not _IN_NAME.fullmatch(tokens[0]):
        return _make_caption([(tokens[0], 100.0)], palette)
    parts = [_IN_NAME.fullmatch(token) for token in tokens]
    read = [(part[1], _read_number(part[2])) for part in parts if part]
    if not read or len(read) < len(parts):
        raise CaptionError("its name is no caption like REDp60_BLUEp40")
    return _make_caption(read, palette)


def _parse_text(text: str, palette: Palette) -> Caption:
    """Parse a text like "60% red, 40% blue" or "red 60%, blue 40%"."""
    names = palette.names
    parts = list(_split_parts(_compose_text(text).translate(_PLAIN)))
    _refuse_joined_names(parts, names)
    read = [
        (_find_known_name(words, names, from_end), percent)
        for part, _ in parts
        for words, percent, from_end in _pair_words(part, names)
    ]
    if not read:
        raise CaptionError('its text names no shares like "60% red, 40% blue"')
    return _make_caption(read, palette)


def _split_parts(text: str) -> Iterator[tuple[_Part, str]]:
    """Split a text at its commas and the like into parts: words, and percentages as numbers.

    Gives each part and the sign behind it. Raises CaptionError for a sign of percent that stands
    after no share.
    """
    part: _Part = []
    number: re.Match[str] | None = None  # that stands right before
    last: re.Match[str] | None = None  # of all before
    earlier: re.Match[str] | None = None  # the one before that
    for sign in _SIGN.finditer(text):
        kind = sign.lastgroup
        if kind == "percent":
            if number is None or text[number.end() : sign.start()].strip():
                shown = text[max(sign.start() - _SHOWN, 0) : sign.end()]
                raise CaptionError(f"{quote(shown.strip())} is no share")
            if not _SHARE.fullmatch(number[0]):
                raise CaptionError(f"{quote(number[0] + '%')} is no share")
            if earlier and _RANGE.fullmatch(text, earlier.end(), number.start()):
                shown = text[earlier.start() : sign.end()]
                raise CaptionError(f"{quote(shown)} is no share")
            near = max(number.start() - _LONGEST_BOUND, 0)
            if bound := _BOUND.search(text, near, number.start()):
                raise CaptionError(f"{quote(text[bound.start() : sign.end()])} is no share")
            if len(part) > 1 and str(part[-2]).lower() in _BOUND_WORDS:
                raise CaptionError(f"{quote(f'{part[-2]} {number[0]}%')} is no share")
            part[-1] = _read_number(number[0])
        elif kind == "end":
            yield part, sign[0]
            part = []
        else:
            part.append(sign[0])
        if kind == "number":
            earlier = last
            last = sign
        number = sign if kind == "number" else None


def _refuse_joined_names(parts: list[tuple[_Part, str]], names: Mapping[str, int]) -> None:
    """Raise CaptionError for "60% red & blue": a colour without a share, joined to one with it."""
    for (part, sign), (following, _) in pairwise(parts):
        if sign not in _JOINTS or not part or not following:
            continue
        bare, share = (part, following) if _is_bare(part) else (following, part)
        if _is_bare(share) or not _is_bare(bare):
            continue
        words = [str(word) for word in bare]
        if _count_words(words, names, from_end=bare is part):
            shown = " ".join(map(str, (*part, sign, *following)))
            raise CaptionError(f"{quote(shown)} names two colours for one share")


def _is_bare(part: _Part) -> bool:
    return not any(isinstance(sign, float) for sign in part)


def _pair_words(part: _Part, names: Mapping[str, int]) -> Iterator[tuple[list[str], float, bool]]:
    """Pair each percentage of a part with the words after it, or else each with those before it.

    Gives the words, the percentage, and whether the colour is named at the end of the words.
    Raises CaptionError where one of them has no words, whichever way one reads, and where both
    ways name a colour.
    """
    percents = [sign for sign in part if isinstance(sign, float)]
    runs: list[list[str]] = [[]]  # before the first percentage, and after each
    for sign in part:
        if isinstance(sign, float):
            runs.append([])
        else:
            runs[-1].append(sign)
    before, after = runs[:-1], runs[1:]
    if all(after):
        if percents and _count_words(before[0], names, from_end=True):
            said = " ".join(map(str, part))
            raise CaptionError(f"{quote(said)} names a colour before and behind each share")
        yield from ((words, percent, False) for words, percent in zip(after, percents, strict=True))
    elif all(before):
        yield from ((words, percent, True) for words, percent in zip(before, percents, strict=True))
    else:
        bare = percents[next(place for place, words in enumerate(after) if not words)]
        raise CaptionError(f"its text names no colour beside {bare:g}%")


def _read_number(written: str) -> float:
    return float(written.replace(",", "."))


def _find_known_name(words: list[str], names: Mapping[str, int], from_end: bool) -> str:
    """Find the longest colour name at one end of a text: "dark green" in "dark green rubber".

    names: see `Palette.names`. from_end: look at the end of the words, not at their beginning.
    Returns all words where no name is known. Raises CaptionError where a second one is beside it.
    """
    if not from_end and words[0].lower() == _FILLER:
        words = words[1:] or words
    count = _count_words(words, names, from_end)
    if not count:
        return " ".join(words)
    _refuse_second_name(words, count, names, from_end)
    return _take_words(words, count, from_end)


def _count_words(words: list[str], names: Mapping[str, int], from_end: bool) -> int:
    """Count the words of the longest colour name at one end of a text; 0 where there is none."""
    for count in range(min(max(names.values()), len(words)), 0, -1):
        if normalize_name(_take_words(words, count, from_end)) in names:
            return count
    return 0


def _take_words(words: list[str], count: int, from_end: bool) -> str:
    return " ".join(words[-count:] if from_end else words[:count])


def _refuse_second_name(
    words: list[str], count: int, names: Mapping[str, int], from_end: bool
) -> None:
    """Raise CaptionError where another colour stands beside the first `count` words' one."""
    first = _take_words(words, count, from_end)
    rest = words[:-count] if from_end else words[count:]
    if rest and rest[-1 if from_end else 0].lower() in _JOINING:
        rest = rest[:-1] if from_end else rest[1:]
    if rest and not from_end and normalize_name(f"{rest[0]} {first}") in names:
        raise CaptionError(f"{quote(f'{first} {rest[0]}')} may be {quote(f'{rest[0]} {first}')}")
    for more in range(1, min(max(names.values()), len(rest)) + 1):
        second = _take_words(rest, more, from_end)
        if normalize_name(second) in names:
            pair = (second, first) if from_end else (first, second)
            raise CaptionError(f"{quote(' '.join(pair))} names two colours for one share")


def _make_caption(read: list[tuple[str, float]], palette: Palette) -> Caption:
    """Check and normalise the (name, percent) pairs of a caption; shares of one colour add up."""
    shares: dict[Color, float] = {}
    for name, percent in read:
        color = palette.find(name)
        shares[color] = shares.get(color, 0.0) + percent
    shares = {color: percent for color, percent in shares.items() if percent > 0}
    total = sum(shares.values())
    if not adds_up_to(total, 100):
        raise CaptionError(f"its shares add up to {total:g}%, not to 100%")
    if len(shares) > MAX_COLORS:
        raise CaptionError(f"it names {len(shares)} colours; at most {MAX_COLORS} are measured")
    return Caption(tuple(shares), tuple(100 * part / total for part in shares.values()))
