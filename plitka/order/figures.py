"""Figures as people write them: decimal commas, units, densities by volume or by area."""

import re
from collections.abc import Mapping
from decimal import Decimal

from plitka.messages.message import Message, SpokenError

_BLANKS = re.compile(r"[ \t\u00a0\u2009\u202f]+")
_LONGEST = 60  # characters
_GREATEST = 10**12  # far above all bounds
_NUMBER = re.compile(r"[0-9]{1,9}(?:[.,][0-9]{0,9})?|[.,][0-9]{1,9}")
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2},[0-9]{3}")
_GROUPED = re.compile(r"[0-9]{1,3}(?: [0-9]{3}){1,2}(?:[.,][0-9]+)?")
_NUMBER_ALLOWED = Message.of("a number")
_FIGURE = r"([0-9., ]+?)"
_BY_VOLUME = re.compile(rf"{_FIGURE} ?(?:(?:kg|кг) ?(?:/|per|на|в) ?(?:m|м)(?: ?\^? ?3|³))?")
_BY_AREA = re.compile(
    rf"{_FIGURE} ?(?:kg|кг) ?(?:/|per|на) ?(?:m|м)(?: ?\^? ?2|²)"
    rf" ?,? ?(?:at|@|per|при|на|/) ?(?:{_FIGURE} ?)?(?:mm|мм)(?: thick| толщины)?"
)
_WITH_UNIT = re.compile(r"([0-9., ]*[0-9.,]) ?([^0-9., ].*)")

_UNITS: Mapping[str, Mapping[str, int]] = {
    "mm": {
        **dict.fromkeys(("mm", "мм", "millimeters", "millimetres", "миллиметров"), 1),
        **dict.fromkeys(("cm", "см", "centimeters", "centimetres", "сантиметр"), 10),
        **dict.fromkeys(("сантиметра", "сантиметров"), 10),
        **dict.fromkeys(("m", "м", "metre", "meter", "метр"), 1000),
    },
    "m²": dict.fromkeys(
        (
            *("m2", "m²", "m^2", "sqm", "sq m", "sq. m", "sq.m", "square meters", "square metres"),
            *("м2", "м²", "м^2", "кв м", "кв. м", "кв.м", "м кв", "квадратов"),
            *("квадратный метр", "квадратных метра", "квадратных метров"),
        ),
        1,
    ),
    "kg": dict.fromkeys(("kg", "кг", "килограмм", "килограмма", "килограммов"), 1),
    "%": dict.fromkeys(("%", "percent", "per cent", "процент", "процента", "процентов"), 1),
}
"""How many of a unit one of each of its names is."""


class NoFigure(SpokenError):
    """A text that is no figure; the message says what is allowed, without the field's name."""


def read_number(value: object, language: str = "en") -> Decimal:
    """Read a number of JSON or a text, "1 200,5", exactly as it is written in decimals.

    language: "en" or "ru". A comma is a decimal one; where it may as well part thousands, as in
    "1,200", English refuses to guess. Raises NoFigure.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise NoFigure(_NUMBER_ALLOWED)
    if isinstance(value, int) and abs(value) > _GREATEST:
        raise NoFigure(_NUMBER_ALLOWED)
    text = repr(value) if isinstance(value, float) else str(value)
    if len(text) > _LONGEST:
        raise NoFigure(_NUMBER_ALLOWED)
    text = _BLANKS.sub(" ", text).strip()
    if _GROUPED.fullmatch(text):
        text = text.replace(" ", "")
    if language == "en" and _THOUSANDS.fullmatch(text):
        plain, point = text.replace(",", ""), text.replace(",", ".")
        one_way = "a number that can be read in one way only: {plain} or {point}"
        raise NoFigure(Message.of(one_way, plain=plain, point=point))
    if isinstance(value, float) and re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
        return Decimal(text)
    if not _NUMBER.fullmatch(text):
        raise NoFigure(_NUMBER_ALLOWED)
    return Decimal(text.replace(",", "."))


def read_quantity(value: object, unit: str, language: str = "en") -> Decimal:
    """Read a number, as `read_number` does, that may have its unit behind it: "45 м2", "1 cm".

    unit: of _UNITS, in which the number is returned. Raises NoFigure.
    """
    if not isinstance(value, str):
        return read_number(value, language)
    text = _BLANKS.sub(" ", value[: _LONGEST + 1]).strip().lower()
    split = _WITH_UNIT.fullmatch(text) if len(text) <= _LONGEST else None
    if split is None or (factor := _UNITS[unit].get(split[2].rstrip("."))) is None:
        return read_number(value, language)
    return read_number(split[1], language) * factor


def read_density(value: object, language: str = "en") -> Decimal:
    """Read a density in kg/m³: "950", "950 kg/m3", or "9.5 kg/m2 at 10 mm", also in Russian.

    Raises NoFigure.
    """
    if not isinstance(value, str):
        return read_number(value, language)
    text = _BLANKS.sub(" ", value[: _LONGEST + 1]).strip().lower()
    if len(text) <= _LONGEST and (volume := _BY_VOLUME.fullmatch(text)):
        return read_number(volume[1], language)
    if len(text) <= _LONGEST and (area := _BY_AREA.fullmatch(text)):
        thickness = read_number(area[2], language) if area[2] else Decimal(1)
        if thickness > 0:
            return read_number(area[1], language) * 1000 / thickness
    raise NoFigure(
        Message.of("kg/m³, such as 950, or kg/m² at a thickness, such as 9.5 kg/m2 at 10 mm")
    )
