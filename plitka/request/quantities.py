# ruff: noqa: RUF001 - Cyrillic is meant
"""Numbers that are written as text, with the unit that people put behind them: "60%", "45°"."""

import re

_PERCENT = frozenset(
    (
        *("%", "percent", "percents", "per cent", "cent", "pct", "проц", "процент"),
        *("процента", "процентов", "проценты", "процентами"),
    )
)
_DEGREES = frozenset(
    (
        *("°", "º", "˚", "degrees", "degree", "degs", "deg", "град", "гр"),
        *("градус", "градуса", "градусов", "градусы", "градусом", "градусах"),
    )
)
_MILLIMETERS = frozenset(("mm", "мм", "millimeters", "millimetres", "миллиметров"))

_NUMBER = r"[-+\u2212]?(?:[0-9]{1,30}(?:[.,][0-9]{1,30})?|[.,][0-9]{1,30})"
_QUANTITY = re.compile(rf"({_NUMBER}) ?([^0-9]{{0,12}})")
_WHOLE = re.compile(r"[-+\u2212]?[0-9]{1,30}")
LONGEST_NUMBER = 100
"""Characters of a number as text."""

QUANTITY_SHAPE = rf"^\s*{_NUMBER}\s*[^0-9]*$"
"""The form of a text that `split_quantity` may take, as JSON Schema has patterns."""

WHOLE_SHAPE = rf"^\s*{_WHOLE.pattern}\s*$"
"""The same of `read_whole`."""


def is_percent(unit: str) -> bool:
    """Whether a word, in small letters, or a sign says that the number before it is percent."""
    return unit in _PERCENT


def is_degrees(unit: str) -> bool:
    """Whether a word, in small letters, or a sign says that the number before it is degrees."""
    return unit in _DEGREES


def is_millimeters(unit: str) -> bool:
    """Whether a word, in small letters, says that the number before it is millimetres."""
    return unit in _MILLIMETERS


def split_quantity(text: str) -> tuple[float, str] | None:
    """Split "59,5 %" into 59.5 and "%", small letters, "" for no unit; None for no number."""
    if len(text) > LONGEST_NUMBER:
        return None
    match = _QUANTITY.fullmatch(" ".join(text.split()))
    if match is None:
        return None
    return _to_float(match[1]), match[2].strip().rstrip(".").lower()


def read_whole(text: str) -> int | None:
    """Read a whole number; None for another, and where a sign parts its digits."""
    written = text.strip() if len(text) <= LONGEST_NUMBER else ""
    return int(written.replace("\u2212", "-")) if _WHOLE.fullmatch(written) else None


def _to_float(digits: str) -> float:
    return float(digits.replace("\u2212", "-").replace(",", "."))
