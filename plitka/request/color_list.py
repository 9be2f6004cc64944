"""The list of a mix's colours and proportions -> its shares, which add up to 1."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from plitka.color.mix import MAX_COLORS, MOST_PERCENT, adds_up_to, find_whole
from plitka.color.names import normalize_name
from plitka.color.palette import Palette
from plitka.color.srgb import RGB
from plitka.color.words import Understood, understand, understand_hex
from plitka.messages.message import Message, Words
from plitka.request.faults import Fault
from plitka.request.json_text import Object
from plitka.request.quantities import is_percent, split_quantity
from plitka.request.reading import QUANTITY, Node, Reader, Refused, is_number
from plitka.request.shares import ColorShare, WordShare

# Relative. A sum as near as this is exact; scaling would only change the last digits.
_SUM_TOLERANCE = 1e-12
# The sum tells a percentage from a fraction and finds the wrong ones; this only keeps it finite.
_MAX_PROPORTION = 1e9

# What is allowed, as errors say it

_COLOR = '{"name": "red", "proportion": 60}'
_COLOR_LIST = Message.of(
    "a list of 1 to {most} colours like [{color}, …]", most=MAX_COLORS, color=_COLOR
)
_COLOR_OBJECT = Message.of("an object like {example}", example=_COLOR)
_COLOR_NAME = Message.of('a colour name like "red", "dark green" or "DKGREEN"')
_HEX = Message.of('"#rrggbb" or "#rgb"')
_NAME_OR_HEX = Message.of('{name}, or a "hex", {hex}', name=_COLOR_NAME, hex=_HEX)
_HEX_SHAPE = r"^\s*#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})\s*$"
_PROPORTION = Message.of("a percentage, 0 to 100, or a fraction, 0 to 1")
_PERCENT_SUM = Message.of("percentages that add up to 100 (99 to 101)")
_SUM = Message.of(
    "percentages that add up to 100 (99 to 101) or fractions that add up to 1 (0.99 to 1.01)"
)
_PERCENT = Words("%", " %")


def _read_color_list(value: object) -> list[object]:
    if isinstance(value, list) and 1 <= len(value) <= MAX_COLORS:
        return value
    raise Refused(value, _COLOR_LIST)


def _make_color_name_reader(palette: Palette) -> Reader[Understood]:
    def take(value: object) -> Understood:
        if not isinstance(value, str):
            raise Refused(value, _COLOR_NAME)
        return understand(value, palette)

    return Reader(take, {"type": "string", "pattern": r"\S"})


def _make_hex_reader(palette: Palette) -> Reader[Understood]:
    def take(value: object) -> Understood:
        if not isinstance(value, str):
            raise Refused(value, _HEX)
        return understand_hex(value, palette)

    return Reader(take, {"type": "string", "pattern": _HEX_SHAPE})


def make_color_readers(palette: Palette) -> Mapping[str, Reader[Understood]]:
    """Make the readers of a colour, by the keys of which a colour has one."""
    read_name = _make_color_name_reader(palette)
    return {"name": read_name, "color": read_name, "hex": _make_hex_reader(palette)}


@dataclass(frozen=True)
class _Proportion:
    """A proportion; is_percent: whether it says so itself, so that it can be no fraction."""

    value: float
    is_percent: bool


def _read_proportion(value: object) -> _Proportion:
    number, unit = value, ""
    if isinstance(value, str) and (quantity := split_quantity(value)):
        number, unit = quantity
    if (not unit or is_percent(unit)) and is_number(number, 0, _MAX_PROPORTION):
        return _Proportion(float(number), bool(unit))
    raise Refused(value, _PROPORTION)


PROPORTION_READERS: Mapping[str, Reader[_Proportion]] = dict.fromkeys(
    ("proportion", "percentage", "percent"),
    Reader(
        _read_proportion,
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": MOST_PERCENT},
                QUANTITY,
            ]
        },
    ),
)
"""The readers of a proportion, by the keys of which a colour has one."""


def read_shares(request: Node, palette: Palette) -> tuple[ColorShare, ...]:
    """Read the field `colors` of an object: a request, or a zone of its surface.

    Shares add up to 1; () at a fault, which is recorded.
    """
    color_readers = make_color_readers(palette)
    entries = request.read_one_of({"colors": _read_color_list}, _COLOR_LIST) or []
    colors: list[Understood] = []
    proportions: list[_Proportion] = []
    for place, entry in enumerate(entries):
        path = f"{request.path}.colors[{place}]".removeprefix(".")
        if not isinstance(entry, Object):
            request.faults.append(Fault(path, *Refused(entry, _COLOR_OBJECT).messages))
            continue
        node = Node(entry, path, request.faults)
        node.expect_keys((*color_readers, *PROPORTION_READERS))
        color = node.read_one_of(color_readers, _NAME_OR_HEX)
        proportion = node.read_one_of(PROPORTION_READERS, _PROPORTION)
        colors += [color] if color is not None else []
        proportions += [proportion] if proportion is not None else []
    if not entries or len(proportions) < len(entries):
        return ()
    shares = _scale(request, proportions)
    if not shares or len(colors) < len(entries):
        return ()
    return _merge_alike(map(WordShare, colors, shares))


def _scale(request: Node, proportions: Sequence[_Proportion]) -> list[float]:
    """Scale proportions to add up to 1; [] where their sum is wrong, which is recorded."""
    values = [one.value for one in proportions]
    total = math.fsum(values)
    are_percent = any(one.is_percent for one in proportions)
    whole = find_whole(values) if not are_percent else 100.0 if adds_up_to(total, 100) else None
    if whole is None:
        sums = _PERCENT_SUM if are_percent else _SUM
        unit = _PERCENT if are_percent else ""
        wrong = "proportions add up to {total}{unit}; allowed: {sums}"
        request.add_fault("colors", Message.of(wrong, total=total, unit=unit, sums=sums))
        return []
    divisor = whole if abs(total - whole) <= whole * _SUM_TOLERANCE else total
    return [value / divisor for value in values]


def _merge_alike(parts: Iterable[WordShare]) -> tuple[ColorShare, ...]:
    """Merge colours of equal sRGB under the first one's name, and drop those with no share."""
    merged: dict[RGB, ColorShare] = {}
    for part in parts:
        if part.share > 0:
            # Purple and violet are two names of the same granule.
            said = part.understood
            first = merged.get(said.color.srgb, ColorShare(said.color, _name(said), 0.0))
            share, words = first.share + part.share, (*first.words, part)
            merged[said.color.srgb] = replace(first, share=share, words=words)
    return tuple(merged.values())


def _name(said: Understood) -> str:
    """The name of a colour in a recipe: its phrase as it was written, or its code's."""
    if said.color.is_free:
        return said.color.code
    is_phrase = normalize_name(said.word) == normalize_name(said.color.phrase)
    return said.word.lower() if is_phrase else said.color.phrase
