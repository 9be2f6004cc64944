# ruff: noqa: RUF001 - Cyrillic is meant
"""Russian colour names: the forms that an adjective takes in a sentence."""

import re
from collections.abc import Sequence

_HARD = ("ый", "ого", "ому", "ым", "ом", "ая", "ой", "ую", "ое", "ые", "ых", "ыми")
_SOFT = ("ий", "его", "ему", "им", "ем", "яя", "ей", "юю", "ее", "ие", "их", "ими")
_VELAR = ("ий", "ого", "ому", "им", "ом", "ая", "ой", "ую", "ое", "ие", "их", "ими")
_HISSING = ("ий", "его", "ему", "им", "ем", "ая", "ей", "ую", "ее", "ие", "их", "ими")
_ADJECTIVE = re.compile(r"(.*?)(ый|ой|ий)")
_CASES = len(_HARD)


def list_forms(name: str) -> list[str]:
    """List the forms of a name, itself first: "красный", "красного", "красная", "красные".

    All adjectives in it are changed alike, and of "тёмно-синий" its end. A noun stays as it is.
    """
    forms = [_inflect(word) for word in name.split(" ")]
    return list(dict.fromkeys([name, *(" ".join(words) for words in zip(*forms, strict=True))]))


def _inflect(word: str) -> Sequence[str]:
    match = _ADJECTIVE.fullmatch(word)
    if not match or len(match[1]) < 2:
        return [word] * _CASES
    stem, ending = match[1], match[2]
    if ending != "ий":
        endings: Sequence[str] = _HARD if ending == "ый" else ("ой", *_HARD[1:])
    elif stem[-1] in "гкх":
        endings = _VELAR
    else:
        endings = _HISSING if stem[-1] in "жчшщ" else _SOFT
    return [stem + one for one in endings]
