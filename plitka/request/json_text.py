"""The text of a request -> one JSON object, out of all layers around it, sentences included."""

import json
from collections.abc import Iterable, Sequence

from plitka.color.names import Quoted
from plitka.color.palette import Palette
from plitka.messages.message import Message, Said
from plitka.request import sentence
from plitka.request.faults import Fault
from plitka.request.recipe import RecipeError

MAX_BYTES = 64 * 1024  # of a request, as UTF-8
EXAMPLE = '{"colors": [{"name": "red", "proportion": 60}, {"name": "blue", "proportion": 40}]}'

_REQUEST = Message.of("an object like {example}", example=EXAMPLE)
# Layers around a request: JSON text, {"params_json": …}, a JSON string in that, and so on.
_MAX_LAYERS = 8
# A request of 64 KB can hold thousands of faults; nobody reads on after so many.
_MAX_FAULTS = 50


class Object(dict[str, object]):
    """A JSON object that records which of its keys came more than once."""

    def __init__(self, pairs: Iterable[tuple[str, object]] = ()) -> None:
        super().__init__()
        self.repeated: dict[str, None] = {}  # in order of appearance
        for key, value in pairs:
            if key in self:
                self.repeated[key] = None
            self[key] = value


def unwrap(text: str, palette: Palette) -> Object:
    """Remove the layers around the request. Raises RecipeError where no object is inside."""
    value: object = text
    for _ in range(_MAX_LAYERS):
        if isinstance(value, str):
            value = _decode(value, palette)
        elif isinstance(value, Object) and "params_json" in value:
            if len(value) > 1 or value.repeated:
                raise _refuse("wraps a request, so it must be the only key")
            value = value["params_json"]
        elif isinstance(value, Object):
            return value
        else:
            refusal = "got {value}; allowed: {allowed}"
            raise _refuse(refusal, value=Quoted(value), allowed=_REQUEST)
    raise _refuse("wrapped too often; allowed: {allowed}", allowed=_REQUEST)


def _refuse(english: str, **values: Said) -> RecipeError:
    """Make the error of a request that is none at all."""
    return RecipeError(Fault("params_json", Message.of(english, **values)))


def _decode(text: str, palette: Palette) -> object:
    """Decode JSON text, or a sentence, of up to MAX_BYTES; objects become Object.

    Raises RecipeError.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise _refuse("got {size} bytes; allowed: up to {most}", size=size, most=MAX_BYTES)
    text = text.removeprefix("\ufeff")
    try:
        return json.loads(text, object_pairs_hook=Object, parse_int=_parse_integer)
    except json.JSONDecodeError as fault:
        if not sentence.looks_like_json(text):
            return _read_sentence(text, palette)
        raise _refuse(
            "not JSON ({reason} at line {line}, column {column}, near {near}); allowed: {allowed}",
            reason=fault.msg.removesuffix(" at").rstrip(": "),
            line=fault.lineno,
            column=fault.colno,
            near=Quoted(text[max(fault.pos - 20, 0) : fault.pos + 20]),
            allowed=_REQUEST,
        ) from None
    except RecursionError:
        raise _refuse("nested too deeply; allowed: {allowed}", allowed=_REQUEST) from None


def _read_sentence(text: str, palette: Palette) -> Object:
    """Read a sentence as the object that says the same in JSON. Raises RecipeError."""
    try:
        fields = sentence.read(text, palette)
    except sentence.NotUnderstood as fault:
        raise make_error(fault.faults) from None
    colors = [Object(entry.items()) for entry in fields.colors]
    return Object([("colors", colors), *fields.settings.items()])


def _parse_integer(digits: str) -> float:
    # int() raises beyond 4,300 digits. No field takes such a number, and none takes infinity, so
    # float() lets the error name the field.
    return int(digits) if len(digits) <= 4000 else float(digits)


def make_error(faults: Sequence[Fault]) -> RecipeError:
    """Make the error of a request's faults, the first of them where there are very many."""
    omitted = len(faults) - _MAX_FAULTS
    more = Fault("params_json", Message.of("and {omitted} more faults", omitted=omitted))
    return RecipeError(*faults[:_MAX_FAULTS], *([more] if omitted > 0 else []))
