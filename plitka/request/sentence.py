"""A request in plain words -> the fields of a request: "60% black, 40% white, 45 degrees, seed 7".

A sentence is parted at its commas and the like. A part says shares of colours, an angle, a seed or
a quality, and the fields that are made of it are read as those of JSON are. What could mean two
things is refused, by its words.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from plitka.color.names import Quoted, compose
from plitka.color.palette import Palette
from plitka.color.words import look_up
from plitka.messages.message import Message, Said, Words
from plitka.request import sentence_signs as signs
from plitka.request import sentence_words as words
from plitka.request.faults import Fault
from plitka.request.quantities import split_quantity
from plitka.request.sentence_signs import Sign, scan

MAX_LENGTH = 4000  # characters; a sentence of eight colours has 300

_NO_PART = (
    "{said} is not understood; allowed: shares of colours, an angle, a seed, a quality, such as"
    ' "60% black, 40% white, 45 degrees, seed 7", or JSON'
)
_NO_COLOR = (
    "{said} names no colour; allowed: shares of colours, an angle, a seed, a quality, such as"
    ' "60% black, 40% white, 45 degrees, seed 7", or JSON'
)

_OVERRIDE = (
    '{said} is one of the overrides; only JSON sets them, such as {{"colors": [{{"name": "black",'
    ' "proportion": 100}}], "overrides": {{"strength": 0.7}}}}'
)

# In rows of signs, by their kinds.
_ANGLE = re.compile("a+-?nd?a*|nda*")
_SEED = re.compile("s-?n|^ns$")
_QUALITY = re.compile("q-?h|hq|^h$")
_EQUAL = re.compile("et?")
_RATIO = re.compile("o(?![pdt])")
_SHARES = re.compile(
    "(?P<first>(?:n[pt]?-?[cw]+-?)+)|(?P<last>(?:[cw]+-?n[pt]?-?)+)|(?P<bare>[cw]+)|r-?[cw]+|[cw]+-?r"
)
_ONE_SHARE = re.compile("n[pt]?-?[cw]+|[cw]+-?n[pt]?")


class NotUnderstood(ValueError):
    """A sentence that is not understood, or could mean two things: a line for each such part."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


@dataclass(frozen=True)
class Fields:
    """What a sentence says, as JSON would: entries of `colors`, and the other fields."""

    colors: list[dict[str, object]]
    settings: dict[str, object]


@dataclass(frozen=True)
class _Share:
    """What is said of one colour.

    said: all of it, in the words that were used. unit: of signs, "" for none. number: as written,
    None where none is. is_known: whether the name is one colour's.
    """

    said: str
    name: str
    number: str | None
    unit: str
    is_rest: bool
    is_known: bool


def looks_like_json(text: str) -> bool:
    """Whether a text that is no JSON was meant to be: it is empty, quoted, or has brackets."""
    return not text.strip() or text.lstrip()[0] == '"' or re.search(r"[{}\[\]]", text) is not None


def looks_like_recipe(text: str, palette: Palette) -> bool:
    """Whether a text that is no request was meant to be one: JSON, or a colour or number in it."""
    if looks_like_json(text) or len(text) > MAX_LENGTH:
        return bool(text.strip())
    kinds = {sign.kind for sign in scan(compose(text), palette)}
    return bool(kinds & {signs.COLOR, signs.NUMBER, signs.PERCENT, signs.RATIO})


def read(text: str, palette: Palette) -> Fields:
    """Read a sentence as the fields of a request, for the parser of requests to check.

    Raises NotUnderstood, with a line for each part that is not understood.
    """
    if len(text) > MAX_LENGTH:
        long = "not JSON, and {length} characters are no sentence; allowed: up to {most}"
        said = Message.of(long, length=len(text), most=MAX_LENGTH)
        raise NotUnderstood([Fault("params_json", said)])
    reader = _Reader(_strip_prompt(compose(text)), palette)
    return reader.read()


def _strip_prompt(text: str) -> str:
    """Take away what prompts of the old system began and ended with."""
    return words.DECORATION.sub(" ", words.TRIGGER.sub("", text, count=1), count=1)


class _Reader:
    """Reads one sentence."""

    def __init__(self, text: str, palette: Palette) -> None:
        self._text = text
        self._palette = palette
        self._faults: list[Fault] = []
        self._settings: dict[str, object] = {}
        self._is_equal = False
        self._ratios: list[Sign] = []

    def read(self) -> Fields:
        """Read all parts. Raises NotUnderstood."""
        shares: list[_Share] = []
        for part in _split_parts(scan(self._text, self._palette)):
            shares += self._read_shares(self._take_settings(part))
        colors = self._settle(shares)
        if self._faults:
            raise NotUnderstood(list(dict.fromkeys(self._faults)))
        return Fields(colors, self._settings)

    def _take_settings(self, part: list[Sign]) -> list[Sign]:
        """Take angle, seed, quality, "equal" and a ratio out of a part; returns what remains."""
        for pattern, name in ((_ANGLE, "angle"), (_SEED, "seed"), (_QUALITY, "quality")):
            while match := pattern.search(_write_kinds(part)):
                found = part[match.start() : match.end()]
                kind = signs.CHOICE if name == "quality" else signs.NUMBER
                value = next(sign.value for sign in found if sign.kind == kind)
                self._set(name, words.QUALITIES.get(value, value))
                part = part[: match.start()] + part[match.end() :]
        while match := _EQUAL.search(_write_kinds(part)):
            self._is_equal = True
            part = part[: match.start()] + part[match.end() :]
        while match := _RATIO.search(_write_kinds(part)):
            self._ratios.append(part[match.start()])
            part = part[: match.start()] + part[match.end() :]
        return part

    def _set(self, name: str, value: str) -> None:
        if name in self._settings:
            twice = "given twice, {first} and {second}; give it once"
            said = Message.of(twice, first=str(self._settings[name]), second=value)
            self._faults.append(Fault(name, said))
        self._settings[name] = value

    def _read_shares(self, part: list[Sign]) -> Iterator[_Share]:
        """Read what remains of a part: colours with shares, or one without."""
        while part and part[0].kind == signs.LINK:
            part = part[1:]
        while part and part[-1].kind == signs.LINK:
            part = part[:-1]
        kinds = _write_kinds(part)
        match = _SHARES.fullmatch(kinds)
        if not part:
            return
        if signs.WORD in kinds and words.OVERRIDE.search(self._quote(part)):
            self._fault(_OVERRIDE, said=Quoted(self._quote(part)))
        elif match is None:
            self._refuse(part)
        elif match["first"] or match["last"]:
            for one in _ONE_SHARE.finditer(kinds):
                yield from self._read_share(part[one.start() : one.end()])
        else:
            yield from self._read_share(part)

    def _read_share(self, said: Sequence[Sign]) -> Iterator[_Share]:
        named = [sign for sign in said if sign.kind in (signs.COLOR, signs.WORD)]
        colors = [sign for sign in named if sign.kind == signs.COLOR]
        name = self._quote(named)
        if len(colors) > 1:
            several = "{name} names {count} colours at once; part them, and give each its share"
            self._fault(several, name=Quoted(name), count=len(colors))
            return
        if any(sign.value in words.NOT for sign in named):
            not_this = "{name} is not understood; name the colours that the tile has"
            self._fault(not_this, name=Quoted(name))
            return
        number = next((sign.value for sign in said if sign.kind == signs.NUMBER), None)
        unit = next((s.kind for s in said if s.kind in (signs.PERCENT, signs.PART)), "")
        is_rest = any(sign.kind == signs.REST for sign in said)
        is_known = len(colors) == len(named)
        yield _Share(self._quote(said), name, number, unit, is_rest, is_known)

    def _refuse(self, part: Sequence[Sign]) -> None:
        """Say that a part is not understood, and how its numbers would be."""
        said = self._quote(part)
        kinds = _write_kinds(part)
        if kinds == signs.NUMBER and said == part[0].value:  # digits, and not "half"
            self._fault(
                "{said} alone could be a share, an angle or a seed; write"
                ' "{number}% red", "{number} degrees" or "seed {number}"',
                said=Quoted(said),
                number=said,
            )
        elif signs.NUMBER in kinds or signs.OTHER in kinds or signs.RATIO in kinds:
            odd = next((sign for sign in part if sign.kind == signs.OTHER), None)
            what: Said = Quoted(said)
            if odd and len(part) > 1:
                what = Message.of("{sign} in {said}", sign=Quoted(odd.value), said=what)
            self._fault(
                "{what} is not understood; write each share beside its colour, such as"
                ' "60% black, 40% white"',
                what=what,
            )
        else:
            self._fault(_NO_PART, said=Quoted(said))

    def _settle(self, shares: list[_Share]) -> list[dict[str, object]]:
        """Settle the proportions of all colours, as entries of a request."""
        bare = [one for one in shares if one.number is None and not one.is_rest]
        if self._ratios:
            return self._share_by_ratio(shares)
        if self._is_equal:
            return self._share_equally(shares)
        if len(bare) < len(shares):
            for one in bare:
                self._refuse_bare(one)
            return self._settle_numbers([one for one in shares if one not in bare])
        if len(bare) == 1:
            return self._take_only(bare[0])
        if bare:
            each = ", ".join(f"{100 // len(bare)}% {one.name}" for one in bare[:8])
            self._fault(
                '{said} says no shares; write them, such as {each}, or "equal parts" and the'
                " colours",
                said=Quoted(self._text.strip()),
                each=Quoted(each),
            )
        elif not self._faults:
            self._fault(_NO_COLOR, said=Quoted(self._text.strip()))
        return []

    def _take_only(self, one: _Share) -> list[dict[str, object]]:
        """Take the only colour that is named for all of the tile."""
        if one.is_known or one.name == " ".join(self._text.split()):
            return [{"name": one.name, "proportion": 1}]
        self._fault(_NO_PART, said=Quoted(one.name))
        return []

    def _refuse_bare(self, one: _Share) -> None:
        if one.is_known:
            self._fault(
                '{said} has no share, and others have; write "40% {name}", or "the rest {name}"',
                said=Quoted(one.name),
                name=one.name,
            )
        else:
            self._fault(_NO_PART, said=Quoted(one.name))

    def _share_by_ratio(self, shares: list[_Share]) -> list[dict[str, object]]:
        """Share by the numbers of a ratio, in the order in which the colours are named."""
        said = self._quote(self._ratios[:1])
        numbers = [int(number) for number in self._ratios[0].value.split(":")]
        names = [one.name for one in shares if one.number is None and not one.is_rest]
        if len(self._ratios) > 1 or self._is_equal or len(names) < len(shares):
            beside = "{said} stands beside other shares; say one or the other"
            self._fault(beside, said=Quoted(said))
        elif len(names) != len(numbers):
            self._fault(
                "{said} is of {count} colours, and {named} are named; write"
                ' each share beside its colour, such as "60% black, 40% white"',
                said=Quoted(said),
                count=len(numbers),
                named=len(names),
            )
        for one in shares:
            if not one.is_known:
                self._fault(_NO_PART, said=Quoted(one.name))
        total = sum(numbers)
        return [
            {"name": name, "proportion": number / total}
            for name, number in zip(names, numbers, strict=False)
        ]

    def _share_equally(self, shares: list[_Share]) -> list[dict[str, object]]:
        for one in shares:
            if one.number is not None or one.is_rest:
                beside = "{said} has a share beside equal ones; say one or the other"
                self._fault(beside, said=Quoted(one.said))
            elif not one.is_known:
                self._refuse_bare(one)
        said = {one.name: look_up(one.name, self._palette) for one in shares}
        codes = [known.color.code for one in shares if (known := said[one.name])]
        if len(set(codes)) < len(codes):
            twice = "{said} names a colour twice for equal shares"
            self._fault(twice, said=Quoted(self._text.strip()))
        if not shares:
            self._fault(_NO_COLOR, said=Quoted(self._text.strip()))
        return [{"name": one.name, "proportion": 1 / len(shares)} for one in shares]

    def _settle_numbers(self, shares: list[_Share]) -> list[dict[str, object]]:
        """Settle proportions that are said, and the rest."""
        given = [one for one in shares if one.number is not None]
        values = [_read_value(str(one.number)) for one in given]
        in_parts = [one.unit == signs.PART for one in given]
        rest = [one for one in shares if one.is_rest]
        if any(in_parts) and not (all(in_parts) and not rest and min(values) >= 0 < sum(values)):
            self._fault("parts, such as 3 parts red and 1 part white, go with parts alone")
        if len(rest) > 1:
            names = [one.name for one in rest]
            said = Words(Quoted(" and ".join(names)).say("en"), Quoted(" и ".join(names)).say("ru"))
            self._fault("{names} share one rest; give all but one of them a share", names=said)
        total = math.fsum(values)
        is_percent = any(_is_percent(one) for one in given) or total > 1
        left = round((100 if is_percent else 1) - total, 9)
        if rest and left <= 0:
            nothing = "{said} is nothing: the other shares add up to {total}"
            self._fault(nothing, said=Quoted(rest[0].said), total=float(f"{total:g}"))
        return [
            {
                "name": one.name,
                "proportion": _write_proportion(one, total, left, is_percent),
            }
            for one in shares
        ]

    def _quote(self, part: Sequence[Sign]) -> str:
        """The words of a part as they are written, on one line."""
        return " ".join(self._text[part[0].start : part[-1].end].split())

    def _fault(self, english: str, **values: Said) -> None:
        self._faults.append(Fault("params_json", Message.of(english, **values)))


def _split_parts(found: Iterator[Sign]) -> Iterator[list[Sign]]:
    part: list[Sign] = []
    for sign in found:
        if sign.kind == signs.END:
            yield part
            part = []
        else:
            part.append(sign)
    yield part


def _write_kinds(part: Sequence[Sign]) -> str:
    return "".join(sign.kind for sign in part)


def _is_percent(one: _Share) -> bool:
    return one.unit == signs.PERCENT or str(one.number).endswith("%")


def _read_value(number: str) -> float:
    quantity = split_quantity(number)
    assert quantity is not None, number
    return quantity[0]


def _write_proportion(one: _Share, total: float, left: float, is_percent: bool) -> str | float:
    """Write a proportion as JSON would have it; one of percent keeps its sign."""
    if one.number is None:
        return f"{left!r}%" if is_percent else left
    if one.unit == signs.PART:
        return _read_value(one.number) / total if total else 0.0
    return one.number if not _is_percent(one) else f"{one.number.removesuffix('%')}%"
