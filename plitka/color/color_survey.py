"""What people call colours that the palette has not: words with a known colour, for suggestions.

None of them is taken for a colour: "mint" is this green to one and that to another, so that a
request has to say which. Their sRGB only tells which of the palette's colours are near.
"""

import csv
from functools import cache
from pathlib import Path

from plitka.color.css_names import CSS_NAMES
from plitka.color.names import normalize_name
from plitka.color.ral_classic import RAL_CLASSIC
from plitka.color.russian import list_forms

SURVEY_FILE = Path(__file__).parents[2] / "refs" / "color_survey.csv"
"""949 names that people gave to colours on their screens, and the sRGB that each was given for."""

# ruff: noqa: RUF001 - Cyrillic is meant
_RUSSIAN = {
    "абрикосовый": "apricot",
    "аквамариновый": "aquamarine",
    "алый": "scarlet",
    "аметистовый": "amethyst",
    "антрацит": "anthracite",
    "антрацитовый": "anthracite",
    "баклажановый": "eggplant",
    "бордо": "burgundy",
    "бордовый": "burgundy",
    "бронзовый": "bronze",
    "васильковый": "cornflower blue",
    "винный": "wine",
    "вишнёвый": "cherry",
    "горчичный": "mustard",
    "графит": "charcoal",
    "графитовый": "charcoal",
    "золотой": "gold",
    "индиго": "indigo",
    "какао": "cocoa",
    "каштановый": "chestnut",
    "кирпичный": "brick",
    "коралловый": "coral",
    "кофейный": "coffee",
    "кремовый": "cream",
    "лавандовый": "lavender",
    "лазурный": "azure",
    "лимонный": "lemon",
    "малахитовый": "jade green",
    "малиновый": "raspberry",
    "медный": "copper",
    "молочный": "ivory",
    "морковный": "pumpkin orange",
    "морская волна": "teal",
    "мятный": "mint",
    "оливковый": "olive",
    "охра": "ochre",
    "персиковый": "peach",
    "рубиновый": "ruby",
    "ржавый": "rust",
    "рыжий": "rust orange",
    "салатовый": "light lime green",
    "салатный": "light lime green",
    "сапфировый": "sapphire",
    "светло-голубой": "light sky blue",
    "светло-коричневый": "light brown",
    "светло-розовый": "light pink",
    "светло-синий": "light blue",
    "серебристый": "silver",
    "серебряный": "silver",
    "сливовый": "plum",
    "слоновая кость": "ivory",
    "тёмно-коричневый": "dark brown",
    "тёмно-красный": "dark red",
    "тёмно-розовый": "dark pink",
    "тёмно-фиолетовый": "dark violet",
    "ультрамариновый": "ultramarine",
    "фисташковый": "pistachio",
    "фуксия": "fuchsia",
    "шоколад": "chocolate",
    "шоколадный": "chocolate",
    "шафрановый": "saffron",
    "янтарный": "amber",
}

_TRADE = {"anthracite": "7016"}
"""Words of those who sell colours, which the survey does not have: numbers of RAL by its names."""


def find_known_color(name: str) -> str | None:
    """Find the hex of a word that people use for a colour; None for others."""
    key = normalize_name(name)
    return _list_colors().get(_list_russian().get(key, key))


@cache
def _list_colors() -> dict[str, str]:
    """Hex by name, normalised: the survey's first, the trade's, CSS's, with spaces or without."""
    with SURVEY_FILE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        survey = {normalize_name(row["name"]): row["srgb"] for row in rows}
    closed = {name.replace(" ", ""): srgb for name, srgb in survey.items()}
    trade = {name: RAL_CLASSIC[number] for name, number in _TRADE.items()}
    return closed | CSS_NAMES | trade | survey


@cache
def _list_russian() -> dict[str, str]:
    """English word by each form of the Russian ones."""
    return {
        normalize_name(form): english
        for russian, english in _RUSSIAN.items()
        for form in list_forms(russian)
    }
