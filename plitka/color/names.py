"""Names as texts: compared without regard to spelling that means nothing, quoted, and likened."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plitka.messages.message import Language

MOST_LIKENED = 64  # characters that are searched for a likeness; the longest phrase has 14
_LONGEST_QUOTE = 60  # characters of a refused value that an error shows
_LIKE = 55  # of 100; "lime" still finds "lime green", and by 50 a word finds strangers
_RUSSIAN = re.compile(r"[а-яё]", re.IGNORECASE)  # noqa: RUF001 - Cyrillic is meant
_COMPOSED = {"и\u0306": "й", "е\u0308": "ё", "И\u0306": "Й", "Е\u0308": "Ё"}  # noqa: RUF001
_WORD = re.compile(r"[^ _-]+")


def normalize_name(name: str) -> str:
    """Normalise a name for comparison: "Dark_Grey" and "DARK-GRAY" become "dark gray".

    In Russian, the letter yo becomes ye.
    """
    plain = re.sub(r"[ _-]+", " ", name.lower()).strip()
    return plain.replace("grey", "gray").replace("ё", "е")  # noqa: RUF001


def compose(name: str) -> str:
    """Make й and ё, written as a letter and a mark, the one letter that they are.

    Nothing else is changed: Unicode's own composition would make the Kelvin sign a plain K.
    """
    for letter, composed in _COMPOSED.items():
        name = name.replace(letter, composed)
    return name


def is_russian(name: str) -> bool:
    """Whether a name has letters of the Russian alphabet, and no others."""
    letters = [letter for letter in name if letter.isalpha()]
    return bool(letters) and all(_RUSSIAN.match(letter) for letter in letters)


def find_foreign_character(name: str) -> int | None:
    """Find the first character that belongs to no name, None where all may.

    That is one that is neither ASCII nor Russian, and in a word of both alphabets the first of
    that which has fewer letters in it: many letters look alike in both. What case folding would
    make ASCII, such as the Kelvin sign, is not ASCII.
    """
    for place, letter in enumerate(name):
        if not letter.isascii() and not _RUSSIAN.match(letter):
            return place
    for word in _WORD.finditer(name):
        russian = [m.start() for m in _RUSSIAN.finditer(name, word.start(), word.end())]
        latin = [n for n in range(*word.span()) if name[n].isascii() and name[n].isalpha()]
        if russian and latin:
            return min(russian, latin, key=len)[0]
    return None


def suggest_name(word: str, names: Iterable[str]) -> str | None:
    """Suggest the name that a misspelt word most likely means, or None where none is near."""
    likest = rank_names(word, list(names), 1)
    return likest[0][0] if likest and likest[0][1] >= _LIKE else None


def rank_names(word: str, names: Sequence[str], most: int | None) -> list[tuple[str, float]]:
    """Rank names by their likeness to a word, 0 to 100; `most` of them, None for all."""
    # Only errors need it, so only errors wait for its import (30 ms).
    from rapidfuzz import fuzz, process

    ranked = process.extract(
        word[:MOST_LIKENED], names, processor=str.lower, scorer=fuzz.ratio, limit=most
    )
    return [(name, likeness) for name, likeness, _ in ranked]


def quote(value: object) -> str:
    """Format a JSON value for an error: short, on one line, every character visible."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    text = value if isinstance(value, str) else json.dumps(value)
    shown = text[:_LONGEST_QUOTE] + ("…" if len(text) > _LONGEST_QUOTE else "")
    if not isinstance(value, str):
        return shown
    written = json.dumps(shown, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in written)


@dataclass(frozen=True)
class Quoted:
    """A JSON value, for a message to quote as the language does."""

    value: object

    def say(self, language: Language) -> str:
        """Quote it."""
        written = quote(self.value)
        if language == "en":
            return written
        if isinstance(self.value, str):
            return "«" + written[1:-1].replace('\\"', '"') + "»"
        if isinstance(self.value, dict):
            return "объект"
        if isinstance(self.value, list):
            return f"список из {len(self.value)}" if self.value else "пустой список"
        return written
