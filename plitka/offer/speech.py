"""Writes words, figures and dates in a language of offers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from plitka.messages.message import Language
from plitka.offer.words import MONTHS, WORDS

_NARROW_BLANK = "\u202f"  # between thousands, in Russian
_BLANK = "\u00a0"  # between a figure and its sign


@dataclass(frozen=True)
class Speech:
    """Writes in one language."""

    language: Language

    def say(self, word: str, **values: object) -> str:
        """Look up a sentence, and fill in its {places}."""
        return WORDS[self.language][word].format(**values)

    def write_number(self, value: float | Decimal, least: int = 0, most: int = 2) -> str:
        """Write a number with `least` to `most` decimals, and its thousands parted."""
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        rounded = exact.quantize(Decimal(1).scaleb(-most), ROUND_HALF_UP)
        whole, _, decimals = f"{rounded:,f}".partition(".")
        while len(decimals) > least and decimals.endswith("0"):
            decimals = decimals[:-1]
        if self.language == "ru":
            gap = _NARROW_BLANK if len(whole) > len("9,999") else ""  # 1200, and 12 000
            whole = whole.replace(",", gap)
        point = "," if self.language == "ru" else "."
        return f"{whole}{point}{decimals}" if decimals else whole

    def write_percent(self, share: float | Decimal, digits: int = 1) -> str:
        """Write a share, 0 to 1, in percent."""
        gap = _BLANK if self.language == "ru" else ""
        return f"{self.write_number(Decimal(str(share)) * 100, 0, digits)}{gap}%"

    def write_date(self, day: date) -> str:
        """Write a date with the month's name."""
        month = MONTHS[self.language][day.month - 1]
        end = f"{_BLANK}г." if self.language == "ru" else ""  # noqa: RUF001 - Cyrillic is meant
        return f"{day.day}{_BLANK}{month}{_BLANK}{day.year}{end}"

    def join_mix(self, parts: Sequence[tuple[str, float]]) -> str:
        """Write a mix of names and shares, the first letter a capital: Red 50%, blue 50%."""
        text = ", ".join(f"{name}{_BLANK}{self.write_percent(share)}" for name, share in parts)
        return text[:1].upper() + text[1:]
