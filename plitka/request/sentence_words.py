# ruff: noqa: RUF001 - Cyrillic is meant
"""What words of a sentence stand for, besides colours; in small letters, with ye for yo."""

import re
from collections.abc import Mapping

from plitka.request.recipe import Quality

AND = frozenset(("and", "plus", "to", "и", "плюс", "к"))
"""Between two parts of a sentence, as a comma is."""

REST = frozenset(("rest", "remainder", "remaining", "остальное", "остальной", "остаток"))
EQUAL = frozenset(
    (
        *("equal", "equally", "evenly", "even", "поровну", "пополам"),
        *("равных", "равные", "равными", "одинаковых", "одинаковые"),
    )
)
NOT = frozenset(("no", "not", "non", "without", "except", "без", "не", "кроме"))
PART = frozenset(("part", "parts", "часть", "части", "частей"))

COUNTS: Mapping[str, int] = {
    **dict.fromkeys(("one", "один", "одна", "одну", "одной"), 1),
    **dict.fromkeys(("two", "два", "две", "двух", "двум"), 2),
    **dict.fromkeys(("three", "три", "трех"), 3),
    **dict.fromkeys(("four", "четыре", "четырех"), 4),
    **dict.fromkeys(("five", "пять"), 5),
    **dict.fromkeys(("six", "шесть"), 6),
    **dict.fromkeys(("seven", "семь"), 7),
    **dict.fromkeys(("eight", "восемь"), 8),
    **dict.fromkeys(("nine", "девять"), 9),
    **dict.fromkeys(("ten", "десять"), 10),
    **dict.fromkeys(("twenty", "двадцать"), 20),
    **dict.fromkeys(("thirty", "тридцать"), 30),
    **dict.fromkeys(("forty", "сорок"), 40),
    **dict.fromkeys(("fifty", "пятьдесят"), 50),
    **dict.fromkeys(("sixty", "шестьдесят"), 60),
    **dict.fromkeys(("seventy", "семьдесят"), 70),
    **dict.fromkeys(("eighty", "восемьдесят"), 80),
    **dict.fromkeys(("ninety", "девяносто"), 90),
}
"""Numbers before "parts", "percent" and "thirds" alone: "one red tile" says nothing of shares."""

FRACTIONS: Mapping[str, float] = {
    "half": 1 / 2,
    "third": 1 / 3,
    "quarter": 1 / 4,
    "половина": 1 / 2,
    "половину": 1 / 2,
    "наполовину": 1 / 2,
    "треть": 1 / 3,
    "четверть": 1 / 4,
}

DENOMINATORS: Mapping[str, int] = {
    **dict.fromkeys(("half", "половина", "половину"), 2),
    **dict.fromkeys(("third", "thirds", "треть", "трети"), 3),
    **dict.fromkeys(("quarter", "quarters", "fourth", "fourths", "четверть", "четверти"), 4),
    **dict.fromkeys(("fifth", "fifths", "пятая", "пятую", "пятых", "пятые"), 5),
    **dict.fromkeys(("tenth", "tenths", "десятая", "десятую", "десятых", "десятые"), 10),
}
"""Of what a number before them counts: "two thirds"."""

HALVES = frozenset(("fifty-fifty", "half-and-half"))
"""A ratio of two colours."""

ANGLE = frozenset(
    (
        *("angle", "angled", "rotated", "rotation", "rotate", "turned", "laid", "laying"),
        *("угол", "угла", "углом", "поворот", "поворотом", "повернуть", "уложить"),
        *("укладка", "укладки", "уложена", "уложенная", "повернута"),
    )
)
SEED = frozenset(("seed", "сид", "сидом", "зерно"))
QUALITY = frozenset(("quality", "качество", "качества", "качеством", "качестве"))
QUALITIES: Mapping[str, Quality] = {
    "preview": "preview",
    "предпросмотр": "preview",
    "превью": "preview",
    "standard": "standard",
    "стандарт": "standard",
    **dict.fromkeys(
        ("стандартное", "стандартного", "стандартным", "стандартном", "стандартный"), "standard"
    ),
    "high": "high",
    **dict.fromkeys(("высокое", "высокого", "высоким", "высоком", "высокий"), "high"),
    "fast": "fast",
    **dict.fromkeys(("быстро", "быстрое", "быстрого", "быстрым", "быстром", "быстрый"), "fast"),
    "turbo": "turbo",
    "турбо": "turbo",
}

FILLERS = frozenset(
    (
        *("a", "an", "the", "of", "with", "in", "at", "from", "by", "is", "it", "per"),
        *(
            "please",
            "make",
            "draw",
            "create",
            "generate",
            "show",
            "give",
            "want",
            "need",
            "i",
            "me",
        ),
        *("tile", "tiles", "floor", "flooring", "rubber", "crumb", "crumbs", "epdm", "granule"),
        *("granules", "granulate", "chips", "chip", "color", "colors", "colour", "colours"),
        *("colored", "coloured", "mix", "mixture", "mixed", "recipe", "share", "shares", "amounts"),
        *("proportion", "proportions"),
        *("из", "с", "со", "в", "на", "под", "по", "пожалуйста", "сделай", "сделать", "нарисуй"),
        *("нужна", "плитка", "плитки", "плитку", "плиткой", "плиток", "резиновая", "резиновой"),
        *("резиновую", "резиновые", "резиновых", "крошка", "крошки", "крошкой", "крошку"),
        *("гранула", "гранулы", "гранул", "гранулами", "цвет", "цвета", "цветов", "цветом"),
        *("смесь", "смеси", "доля", "доли", "долях", "долями", "частях", "частями", "пропорциях"),
        *("пропорции", "рецепт"),
    )
)
"""Words that say nothing of the tile that is not said anyway."""

TRIGGER = re.compile(r"\s*ohwx_rubber_tile(?:\s*<s[0-9]>)*\s*,?")
OVERRIDE = re.compile(
    r"\b(?:strength|steps|guidance|negative[ _]prompt|control ?net|(?:lora|controlnet)[ _]scale"
    r"|colou?r[ _]control)\b|_steps\b",
    re.IGNORECASE,
)
"""Words of what only JSON says; no colour is called so."""

DECORATION = re.compile(r",?\s*photorealistic rubber tile, high quality, detailed texture\s*\.?\s*")
"""What prompts of the old system began and ended with; "high quality" was no choice there."""
