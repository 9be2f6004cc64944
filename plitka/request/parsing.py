"""The request `params_json` -> Recipe, or one error that names every fault.

JSON text is unwrapped to one object, and a sentence is read as one; a reader for each field turns
its JSON value into what it means; proportions are scaled to shares.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard, TypeVar

from plitka.color.mix import MAX_COLORS, adds_up_to, find_whole
from plitka.color.names import normalize_name, quote, suggest_name
from plitka.color.palette import Palette, UnknownColor
from plitka.color.srgb import RGB
from plitka.color.words import Understood, understand, understand_hex
from plitka.request import json_text
from plitka.request.json_text import Object
from plitka.request.quantities import is_degrees, is_percent, read_whole, split_quantity
from plitka.request.recipe import (
    COLOR_CONTROLS,
    DEFAULT_QUALITY,
    DRAW_SEED,
    MAX_SEED,
    QUALITIES,
    ColorShare,
    Overrides,
    Quality,
    Recipe,
    WordShare,
)

MAX_NEGATIVE_PROMPT = 1000  # characters
MAX_BYTES = json_text.MAX_BYTES

# Relative. A sum as near as this is exact; scaling would only change the last digits.
_SUM_TOLERANCE = 1e-12
# The sum tells a percentage from a fraction and finds the wrong ones; this only keeps it finite.
_MAX_PROPORTION = 1e9

T = TypeVar("T")
D = TypeVar("D")


def parse(text: str, palette: Palette) -> Recipe:
    """Read a request: JSON text of up to MAX_BYTES, or a sentence. palette: the named colours.

    Also takes the request wrapped in {"params_json": …}, as an object or a string, and a JSON
    string that holds it. Raises RecipeError with all faults of the request, one on each line.
    """
    faults: list[str] = []
    request = _Node(json_text.unwrap(text, palette), "", faults)
    request.expect_keys(("colors", "angle", "quality", "seed", "overrides"))
    shares = _read_shares(request, palette)
    angle = request.read_optional("angle", _make_number_reader(0, 180, " degrees", is_degrees), 0.0)
    quality: Quality = request.read_optional("quality", _read_quality, DEFAULT_QUALITY)
    read_seed = _make_integer_reader(DRAW_SEED, MAX_SEED, " (-1 draws one)")
    seed = request.read_optional("seed", read_seed, DRAW_SEED)
    overrides = _read_overrides(request)
    if faults:
        raise json_text.make_error(faults)
    return Recipe(shares, angle % 180.0, quality, seed, overrides)


# What is allowed, as errors say it

_COLOR = '{"name": "red", "proportion": 60}'
_COLOR_LIST = f"a list of 1 to {MAX_COLORS} colours like [{_COLOR}, …]"
_COLOR_NAME = 'a colour name like "red", "dark green" or "DKGREEN"'
_HEX = '"#rrggbb" or "#rgb"'
_PROPORTION = "a percentage, 0 to 100, or a fraction, 0 to 1"
_PERCENT_SUM = "percentages that add up to 100 (99 to 101)"
_SUM = "percentages that add up to 100 (99 to 101) or fractions that add up to 1 (0.99 to 1.01)"


# Readers: each takes a field's JSON value and returns what it means, or raises _Refused
#
# A reader with parameters is made by a function `…_reader`, which returns it as `take`.


class _Refused(ValueError):
    """A value that its field does not take; the message gives it and what is allowed.

    meant: the allowed value that is spelt most like it.
    """

    def __init__(self, value: object, allowed: str, meant: str | None = None) -> None:
        hint = f'; did you mean "{meant}"? Allowed: ' if meant else "; allowed: "
        super().__init__(f"got {quote(value)}{hint}{allowed}")


def _is_number(value: object, low: float, high: float) -> TypeGuard[float]:
    # A bool is an int in Python. Every comparison with NaN is false.
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _make_number_reader(
    low: float, high: float, unit: str = "", takes_unit: Callable[[str], bool] = lambda word: False
) -> Callable[[object], float]:
    """Make the reader of a number. takes_unit: whether a word may stand behind it, in a text."""

    def take(value: object) -> float:
        number = value
        if isinstance(value, str) and (quantity := split_quantity(value)):
            number = quantity[0] if not quantity[1] or takes_unit(quantity[1]) else value
        if _is_number(number, low, high):
            return float(number)
        raise _Refused(value, f"a number from {low} to {high}{unit}")

    return take


def _make_integer_reader(low: int, high: int, note: str = "") -> Callable[[object], int]:
    def take(value: object) -> int:
        number = read_whole(value) if isinstance(value, str) else value
        if _is_number(number, low, high) and number == int(number):
            return int(number)
        raise _Refused(value, f"a whole number from {low} to {high}{note}")

    return take


def _make_choice_reader(options: tuple[T, ...]) -> Callable[[object], T]:
    def take(value: object) -> T:
        for option in options:
            if value == option:
                return option
        names = [str(option) for option in options]
        meant = suggest_name(value, names) if isinstance(value, str) else None
        raise _Refused(value, ", ".join(names), meant)

    return take


def _read_flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _Refused(value, "true or false")


def _read_negative_prompt(value: object) -> str:
    allowed = f"text of up to {MAX_NEGATIVE_PROMPT} characters"
    if not isinstance(value, str):
        raise _Refused(value, allowed)
    if len(value) > MAX_NEGATIVE_PROMPT:
        raise _Refused(value, f"{allowed}, and this has {len(value)}")
    if re.search("[\ud800-\udfff]", value):
        raise _Refused(value, f"{allowed}, without lone surrogates (half of a character)")
    return value


def _read_object(value: object) -> Object:
    if isinstance(value, Object):
        return value
    raise _Refused(value, 'an object like {"guidance_scale": 7}')


def _read_color_list(value: object) -> list[object]:
    if isinstance(value, list) and 1 <= len(value) <= MAX_COLORS:
        return value
    raise _Refused(value, _COLOR_LIST)


def _make_color_name_reader(palette: Palette) -> Callable[[object], Understood]:
    def take(value: object) -> Understood:
        if not isinstance(value, str):
            raise _Refused(value, _COLOR_NAME)
        return understand(value, palette)

    return take


def _make_hex_reader(palette: Palette) -> Callable[[object], Understood]:
    def take(value: object) -> Understood:
        if not isinstance(value, str):
            raise _Refused(value, _HEX)
        return understand_hex(value, palette)

    return take


@dataclass(frozen=True)
class _Proportion:
    """A proportion; is_percent: whether it says so itself, so that it can be no fraction."""

    value: float
    is_percent: bool


def _read_proportion(value: object) -> _Proportion:
    number, unit = value, ""
    if isinstance(value, str) and (quantity := split_quantity(value)):
        number, unit = quantity
    if (not unit or is_percent(unit)) and _is_number(number, 0, _MAX_PROPORTION):
        return _Proportion(float(number), bool(unit))
    raise _Refused(value, _PROPORTION)


_read_quality: Callable[[object], Quality] = _make_choice_reader(QUALITIES)
_PROPORTION_KEYS = dict.fromkeys(("proportion", "percentage", "percent"), _read_proportion)
_OVERRIDES: Mapping[str, Callable[[object], Any]] = {
    "use_controlnet": _read_flag,
    "guidance_scale": _make_number_reader(1, 20),
    "num_inference_steps": _make_integer_reader(1, 150),
    "num_inference_steps_preview": _make_integer_reader(1, 150),
    "num_inference_steps_final": _make_integer_reader(1, 150),
    "negative_prompt": _read_negative_prompt,
    "color_control": _make_choice_reader(COLOR_CONTROLS),
    "strength": _make_number_reader(0.05, 1),
    "controlnet_scale": _make_number_reader(0, 2),
    "lora_scale": _make_number_reader(0, 2),
}


# One JSON object -> its fields


@dataclass(frozen=True)
class _Node:
    """One object of the request, read field by field. Faults of all objects go into one list."""

    fields: Object
    path: str  # "" for the request itself, "colors[1]"
    faults: list[str]

    def read_optional(self, key: str, take: Callable[[object], T], default: D) -> T | D:
        """Read a field; the default where it is absent, or at a fault, which is recorded."""
        if key not in self.fields:
            return default
        taken = self._take(key, take, ", or leave it out" if self.fields[key] is None else "")
        return default if taken is None else taken

    def read_one_of(self, takes: Mapping[str, Callable[[object], T]], allowed: str) -> T | None:
        """Read the one key of `takes` that must be given; None at a fault, which is recorded."""
        given = [key for key in takes if key in self.fields]
        if len(given) == 1:
            return self._take(given[0], takes[given[0]])
        if given:
            self.add_fault(given[1], f'given beside "{given[0]}"; give one of {", ".join(takes)}')
        else:
            self.add_fault(next(iter(takes)), f"missing; allowed: {allowed}")
        return None

    def expect_keys(self, known: Iterable[str]) -> None:
        """Record a fault for each key that is unknown or repeated."""
        known = list(known)
        for key in self.fields:
            if key not in known:
                meant = suggest_name(key, known)
                hint = f'; did you mean "{meant}"? Known: ' if meant else "; known: "
                self.add_fault(key, f"unknown key{hint}{', '.join(known)}")
        for key in self.fields.repeated:
            self.add_fault(key, "given more than once in the same object; give it once")

    def add_fault(self, key: str, sentence: str) -> None:
        """Record a fault under the path of its field."""
        if not re.fullmatch(r"\w{1,60}", key, re.ASCII):
            place = f"{self.path}[{quote(key)}]"
        else:
            place = f"{self.path}.{key}" if self.path else key
        self.faults.append(f"{place}: {sentence}")

    def _take(self, key: str, take: Callable[[object], T], otherwise: str = "") -> T | None:
        try:
            return take(self.fields[key])
        except (_Refused, UnknownColor) as refusal:
            self.add_fault(key, f"{refusal}{otherwise}")
            return None


def _read_overrides(request: _Node) -> Overrides:
    fields = request.read_optional("overrides", _read_object, Object())
    node = _Node(fields, "overrides", request.faults)
    node.expect_keys(_OVERRIDES)
    return Overrides(
        **{key: node.read_optional(key, take, None) for key, take in _OVERRIDES.items()}
    )


# Colours and proportions -> shares


def _read_shares(request: _Node, palette: Palette) -> tuple[ColorShare, ...]:
    """Read `colors`. Shares add up to 1; () at a fault, which is recorded."""
    read_name = _make_color_name_reader(palette)
    color_keys = {"name": read_name, "color": read_name, "hex": _make_hex_reader(palette)}
    entries = request.read_one_of({"colors": _read_color_list}, _COLOR_LIST) or []
    colors: list[Understood] = []
    proportions: list[_Proportion] = []
    for place, entry in enumerate(entries):
        path = f"colors[{place}]"
        if not isinstance(entry, Object):
            request.faults.append(f"{path}: {_Refused(entry, f'an object like {_COLOR}')}")
            continue
        node = _Node(entry, path, request.faults)
        node.expect_keys((*color_keys, *_PROPORTION_KEYS))
        color = node.read_one_of(color_keys, f'{_COLOR_NAME}, or a "hex", {_HEX}')
        proportion = node.read_one_of(_PROPORTION_KEYS, _PROPORTION)
        colors += [color] if color is not None else []
        proportions += [proportion] if proportion is not None else []
    if not entries or len(proportions) < len(entries):
        return ()
    shares = _scale(request, proportions)
    if not shares or len(colors) < len(entries):
        return ()
    return _merge_alike(map(WordShare, colors, shares))


def _scale(request: _Node, proportions: Sequence[_Proportion]) -> list[float]:
    """Scale proportions to add up to 1; [] where their sum is wrong, which is recorded."""
    values = [one.value for one in proportions]
    total = math.fsum(values)
    are_percent = any(one.is_percent for one in proportions)
    whole = find_whole(values) if not are_percent else 100.0 if adds_up_to(total, 100) else None
    if whole is None:
        sums = _PERCENT_SUM if are_percent else _SUM
        unit = "%" if are_percent else ""
        request.add_fault("colors", f"proportions add up to {total:.10g}{unit}; allowed: {sums}")
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
