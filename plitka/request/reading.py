"""How fields of a request are read: by readers of single values, and object by object."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeGuard, TypeVar

from plitka.color.names import Quoted, quote, suggest_name
from plitka.color.palette import UnknownColor
from plitka.messages.message import Message, Said, SpokenError
from plitka.request.faults import Fault
from plitka.request.json_text import Object
from plitka.request.quantities import read_whole, split_quantity

T = TypeVar("T")
D = TypeVar("D")
Schema: TypeAlias = dict[str, Any]
"""A JSON Schema, or a part of one."""

QUANTITY: Schema = {"$ref": "#/$defs/quantity"}
WHOLE: Schema = {"$ref": "#/$defs/whole"}
"""Numbers as text, with a unit or without; `schema` says what form they have."""


# Readers: each takes a field's JSON value and returns what it means, or raises Refused


class Refused(SpokenError):
    """A value that its field does not take; the message gives it and what is allowed.

    meant: the allowed value that is spelt most like it.
    """

    def __init__(self, value: object, allowed: Said, meant: str | None = None) -> None:
        got = {"value": Quoted(value), "allowed": allowed}
        if meant:
            refusal = 'got {value}; did you mean "{meant}"? Allowed: {allowed}'
            super().__init__(Message.of(refusal, **got, meant=meant))
        else:
            super().__init__(Message.of("got {value}; allowed: {allowed}", **got))


@dataclass(frozen=True)
class Reader(Generic[T]):
    """Reads the values of one kind of field.

    schema: the form of what it takes. It takes nothing of another form, and may yet refuse a value
    for what it means.
    """

    take: Callable[[object], T]
    schema: Schema

    def __call__(self, value: object) -> T:
        """Read a value. Raises Refused."""
        return self.take(value)


def is_number(value: object, low: float, high: float) -> TypeGuard[float]:
    # A bool is an int in Python. Every comparison with NaN is false.
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def make_number_reader(
    low: float,
    high: float,
    unit: Said = "",
    takes_unit: Callable[[str], bool] = lambda word: False,
) -> Reader[float]:
    """Make the reader of a number. takes_unit: whether a word may stand behind it, in a text."""

    def take(value: object) -> float:
        number = value
        if isinstance(value, str) and (quantity := split_quantity(value)):
            number = quantity[0] if not quantity[1] or takes_unit(quantity[1]) else value
        if is_number(number, low, high):
            return float(number)
        raise Refused(
            value, Message.of("a number from {low} to {high}{unit}", low=low, high=high, unit=unit)
        )

    number = {"type": "number", "minimum": low, "maximum": high}
    return Reader(take, {"anyOf": [number, QUANTITY]})


def make_integer_reader(low: int, high: int, note: Said = "") -> Reader[int]:
    """Make the reader of a whole number."""

    def take(value: object) -> int:
        number = read_whole(value) if isinstance(value, str) else value
        if is_number(number, low, high) and number == int(number):
            return int(number)
        allowed = "a whole number from {low} to {high}{note}"
        raise Refused(value, Message.of(allowed, low=low, high=high, note=note))

    number = {"type": "integer", "minimum": low, "maximum": high}
    return Reader(take, {"anyOf": [number, WHOLE]})


def make_choice_reader(options: tuple[T, ...]) -> Reader[T]:
    """Make the reader of one of several values."""

    def take(value: object) -> T:
        for option in options:
            if value == option:
                return option
        names = [str(option) for option in options]
        meant = suggest_name(value, names) if isinstance(value, str) else None
        raise Refused(value, ", ".join(names), meant)

    return Reader(take, {"enum": list(options)})


def _read_flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise Refused(value, Message.of("true or false"))


read_flag = Reader(_read_flag, {"type": "boolean"})


# One JSON object -> its fields


@dataclass(frozen=True)
class Node:
    """One object of the request, read field by field. Faults of all objects go into one list."""

    fields: Object
    path: str  # "" for the request itself, "colors[1]"
    faults: list[Fault]

    def read_optional(self, key: str, take: Callable[[object], T], default: D) -> T | D:
        """Read a field; the default where it is absent, or at a fault, which is recorded."""
        if key not in self.fields:
            return default
        taken = self._take(key, take, may_be_left_out=self.fields[key] is None)
        return default if taken is None else taken

    def read_one_of(self, takes: Mapping[str, Callable[[object], T]], allowed: Said) -> T | None:
        """Read the one key of `takes` that must be given; None at a fault, which is recorded."""
        given = [key for key in takes if key in self.fields]
        if len(given) == 1:
            return self._take(given[0], takes[given[0]])
        if given:
            several = 'given beside "{other}"; give one of {names}'
            said = Message.of(several, other=given[0], names=", ".join(takes))
            self.add_fault(given[1], said)
        else:
            missing = Message.of("missing; allowed: {allowed}", allowed=allowed)
            self.add_fault(next(iter(takes)), missing)
        return None

    def expect_keys(self, known: Iterable[str]) -> None:
        """Record a fault for each key that is unknown or repeated."""
        known = list(known)
        for key in self.fields:
            if key not in known:
                meant = suggest_name(key, known)
                unknown = "unknown key; known: {known}"
                if meant:
                    unknown = 'unknown key; did you mean "{meant}"? Known: {known}'
                said = Message.of(unknown, meant=meant or "", known=", ".join(known))
                self.add_fault(key, said)
        for key in self.fields.repeated:
            again = Message.of("given more than once in the same object; give it once")
            self.add_fault(key, again)

    def add_fault(self, key: str, said: Said) -> None:
        """Record a fault under the path of its field."""
        if not re.fullmatch(r"\w{1,60}", key, re.ASCII):
            place = f"{self.path}[{quote(key)}]"
        else:
            place = f"{self.path}.{key}" if self.path else key
        self.faults.append(Fault(place, said))

    def _take(
        self, key: str, take: Callable[[object], T], may_be_left_out: bool = False
    ) -> T | None:
        try:
            return take(self.fields[key])
        except (Refused, UnknownColor) as refusal:
            (said,) = refusal.messages
            if may_be_left_out:
                said = Message.of("{said}, or leave it out", said=said)
            self.add_fault(key, said)
            return None
