"""Cells of tables: what people write in spreadsheets -> the values that a request has.

A cell is text, or what JSON or Parquet have: a number, True or False, None, a list, an object.
"""

import math
import re
from decimal import Decimal

_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)", re.ASCII)
_GROUPED = re.compile(r"\d{1,3}(?: \d{3})+", re.ASCII)  # 4 294 967 295
_SHORTENED = re.compile(r"[+-]?\d+(?:[.,]\d+)?e\+?\d+", re.ASCII | re.IGNORECASE)
_SPACES = dict.fromkeys(map(ord, "\u00a0\u202f\u2009"), " ")  # with which offices group digits
_NOTHING = ("", "-", "\u2013", "\u2014", "n/a", "#n/a", "nan", "null", "none")
_YES, _NO = ("true", "yes", "да", "истина"), ("false", "no", "нет", "ложь")


def is_empty(cell: object) -> bool:
    """Whether a cell says nothing."""
    if isinstance(cell, str):
        return cell.strip().lower() in _NOTHING
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def read_number(cell: object) -> object:
    """Read a number as people write it: 33,3 or 60% or 45° or 4 294 967 295.

    Other text, and what could mean two numbers, is given back as it is, for the request's parser to
    refuse.
    """
    if isinstance(cell, Decimal):
        return float(cell)
    if not isinstance(cell, str):
        return cell
    text = cell.translate(_SPACES).strip().removesuffix("%").removesuffix("°").strip()
    if _GROUPED.fullmatch(text):
        text = text.replace(" ", "")
    if not _NUMBER.fullmatch(text):
        return cell
    number = float(text.replace(",", "."))
    return int(number) if number.is_integer() else number


def read_flag(cell: object) -> object:
    """Read true or false, or else give the cell back."""
    if isinstance(cell, str):
        text = cell.strip().lower()
        if text in _YES:
            return True
        if text in _NO:
            return False
    return cell


def is_shortened(cell: object) -> bool:
    """Whether a spreadsheet has left digits out: 4.29E+09."""
    return isinstance(cell, str) and _SHORTENED.fullmatch(cell.strip()) is not None


def write_text(cell: object) -> str:
    """Write what a cell says as one line of text: an article number 7.0 is 7."""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return " ".join(str(cell).split())
