"""The request `params_json` -> Recipe, or one error that names every fault.

JSON text is unwrapped to one object; a reader for each field turns its JSON value into what it
means; proportions are scaled to shares.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeGuard, TypeVar

from plitka.color.mix import MAX_COLORS, find_whole
from plitka.color.palette import Color, Palette, UnknownColor, normalize_name, quote, suggest_name
from plitka.color.srgb import RGB
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
    RecipeError,
)

MAX_BYTES = 64 * 1024  # of a request, as UTF-8
MAX_NEGATIVE_PROMPT = 1000  # characters
EXAMPLE = '{"colors": [{"name": "red", "proportion": 60}, {"name": "blue", "proportion": 40}]}'

# Layers around a request: JSON text, {"params_json": …}, a JSON string in that, and so on.
_MAX_LAYERS = 8
# A request of 64 KB can hold thousands of faults; nobody reads on after so many.
_MAX_FAULTS = 50
# Relative. A sum as near as this is exact; scaling would only change the last digits.
_SUM_TOLERANCE = 1e-12
# The sum tells a percentage from a fraction and finds the wrong ones; this only keeps it finite.
_MAX_PROPORTION = 1e9

T = TypeVar("T")
D = TypeVar("D")


def parse(text: str, palette: Palette) -> Recipe:
    """Read a request: JSON text of up to MAX_BYTES. palette: the named colours.

    Also takes the request wrapped in {"params_json": …}, as an object or a string, and a JSON
    string that holds it. Raises RecipeError with all faults of the request, one on each line.
    """
    faults: list[str] = []
    request = _Node(_unwrap(text), "", faults)
    request.expect_keys(("colors", "angle", "quality", "seed", "overrides"))
    shares = _read_shares(request, palette)
    angle = request.read_optional("angle", _make_number_reader(0, 180, " degrees"), 0.0)
    quality: Quality = request.read_optional("quality", _read_quality, DEFAULT_QUALITY)
    read_seed = _make_integer_reader(DRAW_SEED, MAX_SEED, " (-1 draws one)")
    seed = request.read_optional("seed", read_seed, DRAW_SEED)
    overrides = _read_overrides(request)
    if faults:
        omitted = len(faults) - _MAX_FAULTS
        more = [f"params_json: and {omitted} more faults"] if omitted > 0 else []
        raise RecipeError("\n".join(faults[:_MAX_FAULTS] + more))
    return Recipe(shares, angle % 180.0, quality, seed, overrides)


# What is allowed, as errors say it

_REQUEST = f"an object like {EXAMPLE}"
_COLOR = '{"name": "red", "proportion": 60}'
_COLOR_LIST = f"a list of 1 to {MAX_COLORS} colours like [{_COLOR}, …]"
_COLOR_NAME = 'a colour name like "red", "dark green" or "DKGREEN"'
_HEX = '"#rrggbb" or "#rgb"'
_PROPORTION = "a percentage, 0 to 100, or a fraction, 0 to 1"
_SUM = "percentages that add up to 100 (99 to 101) or fractions that add up to 1 (0.99 to 1.01)"


# Text -> one JSON object


class _Object(dict[str, object]):
    """A JSON object that records which of its keys came more than once."""

    def __init__(self, pairs: Iterable[tuple[str, object]] = ()) -> None:
        super().__init__()
        self.repeated: dict[str, None] = {}  # in order of appearance
        for key, value in pairs:
            if key in self:
                self.repeated[key] = None
            self[key] = value


def _unwrap(text: str) -> _Object:
    """Remove the layers around the request. Raises RecipeError where no object is inside."""
    value: object = text
    for _ in range(_MAX_LAYERS):
        if isinstance(value, str):
            value = _decode(value)
        elif isinstance(value, _Object) and "params_json" in value:
            if len(value) > 1 or value.repeated:
                raise RecipeError("params_json: wraps a request, so it must be the only key")
            value = value["params_json"]
        elif isinstance(value, _Object):
            return value
        else:
            raise RecipeError(f"params_json: got {quote(value)}; allowed: {_REQUEST}")
    raise RecipeError(f"params_json: wrapped too often; allowed: {_REQUEST}")


def _decode(text: str) -> object:
    """Decode JSON text of up to MAX_BYTES; objects become _Object. Raises RecipeError."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise RecipeError(f"params_json: got {size} bytes; allowed: up to {MAX_BYTES}")
    text = text.removeprefix("\ufeff")
    try:
        return json.loads(text, object_pairs_hook=_Object, parse_int=_parse_integer)
    except json.JSONDecodeError as fault:
        reason = fault.msg.removesuffix(" at").rstrip(": ")
        near = quote(text[max(fault.pos - 20, 0) : fault.pos + 20])
        raise RecipeError(
            f"params_json: not JSON ({reason} at line {fault.lineno}, column {fault.colno},"
            f" near {near}); allowed: {_REQUEST}"
        ) from None
    except RecursionError:
        raise RecipeError(f"params_json: nested too deeply; allowed: {_REQUEST}") from None


def _parse_integer(digits: str) -> float:
    # int() raises beyond 4,300 digits. No field takes such a number, and none takes infinity, so
    # float() lets the error name the field.
    return int(digits) if len(digits) <= 4000 else float(digits)


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


def _make_number_reader(low: float, high: float, unit: str = "") -> Callable[[object], float]:
    def take(value: object) -> float:
        if _is_number(value, low, high):
            return float(value)
        raise _Refused(value, f"a number from {low} to {high}{unit}")

    return take


def _make_integer_reader(low: int, high: int, note: str = "") -> Callable[[object], int]:
    def take(value: object) -> int:
        if _is_number(value, low, high) and value == int(value):
            return int(value)
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


def _read_object(value: object) -> _Object:
    if isinstance(value, _Object):
        return value
    raise _Refused(value, 'an object like {"guidance_scale": 7}')


def _read_color_list(value: object) -> list[object]:
    if isinstance(value, list) and 1 <= len(value) <= MAX_COLORS:
        return value
    raise _Refused(value, _COLOR_LIST)


def _make_color_name_reader(palette: Palette) -> Callable[[object], tuple[Color, str]]:
    def take(value: object) -> tuple[Color, str]:
        if not isinstance(value, str):
            raise _Refused(value, _COLOR_NAME)
        name = value.strip().strip(" -_")
        if name.startswith("#"):
            raise _Refused(value, f'{_COLOR_NAME}; a hex goes under "hex"')
        color = palette.find(name)
        is_phrase = normalize_name(name) == normalize_name(color.phrase)
        return color, name.lower() if is_phrase else color.phrase

    return take


def _make_hex_reader(palette: Palette) -> Callable[[object], tuple[Color, str]]:
    def take(value: object) -> tuple[Color, str]:
        if not isinstance(value, str):
            raise _Refused(value, _HEX)
        color = palette.make_free_color(value)
        return color, color.code

    return take


def _read_proportion(value: object) -> float:
    if _is_number(value, 0, _MAX_PROPORTION):
        return float(value)
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

    fields: _Object
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
    fields = request.read_optional("overrides", _read_object, _Object())
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
    colors: list[tuple[Color, str]] = []
    proportions: list[float] = []
    for place, entry in enumerate(entries):
        path = f"colors[{place}]"
        if not isinstance(entry, _Object):
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
    total = math.fsum(proportions)
    whole = find_whole(proportions)
    if whole is None:
        request.add_fault("colors", f"proportions add up to {total:.10g}; allowed: {_SUM}")
        return ()
    if len(colors) < len(entries):
        return ()
    divisor = whole if abs(total - whole) <= whole * _SUM_TOLERANCE else total
    return _merge_alike(
        ColorShare(color, name, proportion / divisor)
        for (color, name), proportion in zip(colors, proportions, strict=True)
    )


def _merge_alike(parts: Iterable[ColorShare]) -> tuple[ColorShare, ...]:
    """Merge colours of equal sRGB under the first one's name, and drop those with no share."""
    merged: dict[RGB, ColorShare] = {}
    for part in parts:
        if part.share > 0:
            # Purple and violet are two names of the same granule.
            first = merged.get(part.color.srgb, replace(part, share=0.0))
            merged[part.color.srgb] = replace(first, share=first.share + part.share)
    return tuple(merged.values())
