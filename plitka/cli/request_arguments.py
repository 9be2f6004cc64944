"""Command-line arguments -> a recipe, or colours to look for."""

import argparse
import json
import re
import sys
from collections.abc import Collection, Mapping, Sequence

from plitka.color.mix import MAX_COLORS, find_whole
from plitka.color.palette import Palette, UnknownColor
from plitka.color.words import Understood, understand
from plitka.messages.message import Language, Message, Row, Said, Words
from plitka.request import parsing
from plitka.request.quantities import is_percent, split_quantity
from plitka.request.recipe import Recipe, RecipeError

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", re.ASCII | re.IGNORECASE)
_RUSSIAN = re.compile(r"(?<!\w)[а-яё]{2,}(?!\w)", re.IGNORECASE)  # noqa: RUF001 - Cyrillic
_COLORS = Words("60% black, 40% white", "60% чёрный, 40% белый")
_IN_WORDS: Mapping[str, Said] = {
    "angle": Words("45 degrees", "45 градусов"),
    "quality": "turbo",
    "seed": Words("seed 7", "сид 7"),
}
_MOST = 1000  # of a share, in percent; far above any that is one


def read_request(options: argparse.Namespace, palette: Palette) -> Recipe:
    """Read the recipe from PARAMS_JSON, or from the options that stand for it.

    Raises RecipeError, also if both are given.
    """
    fields: dict[str, object] = {
        key: _read_number(text)
        for key in ("angle", "quality", "seed")
        if (text := getattr(options, key)) is not None
    }
    if options.color:
        fields["colors"] = [_read_color(text) for text in options.color]
    if options.request is None:
        return parsing.parse(json.dumps(fields), palette)
    if fields:
        raise RecipeError(_refuse_both(fields))
    if options.request == "-":
        options.request = _read_standard_input()  # which `choose_language` looks at as well
    return parsing.parse(options.request, palette)


def choose_language(options: argparse.Namespace) -> Language:
    """Choose the language of errors: Russian if it is asked for, or a recipe is in Russian words.

    One letter that only looks like a Latin one makes no Russian word.
    """
    texts = [getattr(options, "request", None), *(getattr(options, "color", None) or ())]
    is_asked = getattr(options, "language", None) == "ru"
    return "ru" if is_asked or any(map(_RUSSIAN.search, filter(None, texts))) else "en"


def _refuse_both(given: Collection[str]) -> Message:
    """The message for a request with options beside it: which they are, and what to write."""
    return Message.of(
        'params_json: given beside {options}; say all in it, such as "{example}", or leave it out'
        " and give the colours with --color NAME=SHARE",
        options=", ".join("--color" if key == "colors" else f"--{key}" for key in given),
        example=Row((_COLORS, *(words for key, words in _IN_WORDS.items() if key in given))),
    )


def _read_standard_input() -> str:
    """Read a request. Raises RecipeError if it is longer than MAX_BYTES, or not UTF-8."""
    if sys.stdin is None:
        raise RecipeError(Message.of("params_json: standard input is closed"))
    content = sys.stdin.buffer.read(parsing.MAX_BYTES + 1)
    if len(content) > parsing.MAX_BYTES:
        long = "params_json: got more than the {most} bytes allowed"
        raise RecipeError(Message.of(long, most=parsing.MAX_BYTES))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as fault:
        strange = "params_json: not UTF-8 text (byte {place})"
        raise RecipeError(Message.of(strange, place=fault.start)) from None


def _read_color(text: str) -> dict[str, object]:
    """Read NAME=SHARE as an entry of a request's `colors`. Raises RecipeError."""
    name, equals, share = text.rpartition("=")
    if not equals:
        allowed = "--color: got {text}; allowed: NAME=SHARE, such as red=60"
        raise RecipeError(Message.of(allowed, text=Words(repr(text), f"«{text}»")))
    key = "hex" if name.startswith("#") else "name"
    return {key: name, "proportion": _read_number(share)}


def _read_number(text: str) -> float | str:
    """Read a number; return other text as it is, for the parser of requests to refuse."""
    written = text.strip()
    if not _NUMBER.fullmatch(written):  # Python's own way takes 1_000 and the digits of all scripts
        return text
    try:
        return int(written)
    except ValueError:
        return float(written)


def read_colors(text: str, palette: Palette) -> tuple[dict[str, Understood], list[float]]:
    """Read "red=60,blue=40" or "red,blue".

    Returns what the names in the text were understood as, by these names, and their shares, which
    add up to 1; [] where none are given. Raises UnknownColor and RecipeError.
    """
    colors: dict[str, Understood] = {}
    shares: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        name, _, share = part.partition("=")
        name = name.strip()
        try:
            said = understand(name, palette)
        except UnknownColor as fault:
            raise UnknownColor(Message.of("--colors: {said}", said=fault)) from None
        if any(said.color.srgb == other.color.srgb for other in colors.values()):
            raise UnknownColor(f'--colors: "{name}" is there already, under this or another name')
        colors[name] = said
        shares += [share] if share else []
    if len(colors) > MAX_COLORS:
        raise UnknownColor(f"--colors: got {len(colors)}; allowed: 1 to {MAX_COLORS}")
    if not shares:
        return colors, []
    if len(shares) < len(colors):
        raise RecipeError(
            "--colors: some have a share and some have none; give all of them or none"
        )
    return colors, _read_shares(shares)


def _read_shares(texts: Sequence[str]) -> list[float]:
    """Read percentages or fractions, and scale them to add up to 1. Raises RecipeError."""
    given = [_read_share(text) for text in texts]
    shares = [share for share, _ in (one for one in given if one is not None)]
    if len(shares) < len(texts):
        raise RecipeError(f"--colors: {', '.join(texts)} are not all numbers")
    total = sum(shares)
    are_percent = any(one is not None and one[1] for one in given)
    is_sound = min(shares) >= 0 and max(shares) <= _MOST
    if not is_sound or find_whole(shares) not in ((100.0,) if are_percent else (100.0, 1.0)):
        raise RecipeError(
            f"--colors: shares add up to {total:g}; allowed: percentages that add up to 100 or "
            "fractions that add up to 1, none of them negative"
        )
    return [share / total for share in shares]


def _read_share(text: str) -> tuple[float, bool] | None:
    """Read a share, and whether it says that it is percent; None for what is no number."""
    if not isinstance(number := _read_number(text), str):
        return number, False
    quantity = split_quantity(text)
    if quantity is None or not (quantity[1] == "" or is_percent(quantity[1])):
        return None
    return quantity[0], quantity[1] != ""
