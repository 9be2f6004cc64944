"""Headers of tables: what a column holds, spelt as people spell it."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Literal, TypeAlias

from plitka.color.names import quote
from plitka.color.palette import Palette
from plitka.request import parsing
from plitka.request.recipe import Overrides, RecipeError

Kind: TypeAlias = Literal[
    "name",
    "request",  # params_json
    "mix",  # all colours in one cell
    "angle",
    "quality",
    "seed",
    "overrides",
    "surface",
    "override",
    "color",
    "share",
    "own",  # the share of the colour that the column is named by
    "other",
]

_SPELLINGS: dict[Kind, str] = {
    "name": "name tilename tile title название имя наименование плитка",
    "request": "paramsjson params request recipe json sentence рецепт запрос",
    "mix": "mix mixture colors colours colormix состав смесь цвета",
    "angle": "angle layingangle rotation угол уголукладки поворот",
    "quality": "quality качество",
    "seed": "seed сид зерно",
    "overrides": "overrides",
    "surface": "surface поверхность",
    "color": "color colour colorname colourname hex цвет",
    "share": "share proportion percentage percent pct доля процент пропорция",
}
# Named by these where no column is called a name.
_NUMBERS = "id sku article articlenumber art code number no артикул арт код номер"

_BY_SPELLING: dict[str, Kind] = {
    spelling: kind for kind, spellings in _SPELLINGS.items() for spelling in spellings.split()
}
_OVERRIDES = {field.name.replace("_", ""): field.name for field in fields(Overrides)}
_OF_A_PAIR = re.compile(r"(?P<kind>\D*?)(?P<number>[1-8])?", re.ASCII)
_UNIT = re.compile(r"[(\[].*?[)\]]|[%°]|,\s*(?:deg(?:rees)?|град\w*)$")
_OF_A_COLOR = re.compile(r"\b(?:share(?: of)?|percent|proportion|доля|процент)\b")
_LONGEST = 100  # characters of a header
_LEAST_LIKE = 5  # letters of a word that another is taken for; "time" and "file" are near "tile"
_MOST_EDITS = 1


@dataclass(frozen=True)
class Column:
    """What a column holds.

    key: the override's name; the colour's, of a column of its own; the number of a pair.
    """

    header: str
    kind: Kind
    key: str = ""

    def describe(self) -> str:
        """Describe what was understood: "Laying angle" is the angle."""
        told = {"request": "params_json", "own": f"the share of {self.key}", "other": "passed over"}
        paired = self.kind in ("color", "share") and self.key
        meant = f"{self.kind} {self.key}" if paired else told.get(self.kind, self.key or self.kind)
        return f"{quote(self.header)}: {meant}"


def read_headers(headers: Sequence[str], palette: Palette) -> tuple[list[Column], list[str]]:
    """Read what the columns of a table hold; returns them, and a sentence for each fault."""
    columns = [_read_header(header, palette) for header in headers]
    named = any(column.kind == "name" for column in columns)
    for place, column in enumerate(columns):
        if not named and column.kind == "other" and _fold(column.header) in _NUMBERS.split():
            columns[place] = Column(column.header, "name")
            named = True
    _number_pairs(columns)
    return columns, [*_find_misspelt(columns), *_find_doubles(columns)]


def _number_pairs(columns: list[Column]) -> None:
    """Number the halves of pairs that have no number: color, share, color, share."""
    for kind in ("color", "share"):
        number = 0
        for place, column in enumerate(columns):
            if column.kind == kind and not column.key:
                number += 1
                columns[place] = replace(column, key=str(number))


def _read_header(header: str, palette: Palette) -> Column:
    folded = _fold(header)
    if folded in _BY_SPELLING:
        return Column(header, _BY_SPELLING[folded])
    if folded in _OVERRIDES:
        return Column(header, "override", _OVERRIDES[folded])
    match = _OF_A_PAIR.fullmatch(folded)
    if match and (kind := _BY_SPELLING.get(match["kind"])) in ("color", "share"):
        return Column(header, kind, match["number"] or "")
    color = " ".join(_OF_A_COLOR.sub(" ", _UNIT.sub(" ", header.lower())).split())
    if color and len(color) <= _LONGEST and _is_color(color, palette):
        return Column(header, "own", color)
    return Column(header, "other")


def _fold(header: str) -> str:
    """Fold a header for comparison: "Laying Angle (°)" becomes "layingangle"."""
    text = _UNIT.sub("", header.strip().lower()).replace("ё", "\u0435")
    return re.sub(r"[\W_]+", "", text)


def write_color(name: str) -> dict[str, object]:
    """Write a colour as an entry of a request, still without its share."""
    return {"hex" if name.startswith("#") else "name": name}


def _is_color(name: str, palette: Palette) -> bool:
    request = json.dumps({"colors": [{**write_color(name), "proportion": 100}]})
    try:
        parsing.parse(request, palette)
    except RecipeError:
        return False
    return True


def _find_misspelt(columns: Sequence[Column]) -> list[str]:
    """Find headers that are spelt nearly like one that counts, and would be passed over."""
    strangers = [column.header for column in columns if column.kind == "other"]
    if not strangers:
        return []
    from rapidfuzz.distance import OSA  # 30 ms

    known = [word for word in (*_BY_SPELLING, *_OVERRIDES) if len(word) >= _LEAST_LIKE]
    faults = []
    for header in strangers:
        folded = _fold(header)
        near = min(known, key=partial(OSA.distance, folded))
        if OSA.distance(near, folded) <= _MOST_EDITS and folded not in _NUMBERS.split():
            faults.append(
                f'column {quote(header)}: unknown; did you mean "{near}"? Rename it, or call it'
                " something else"
            )
    return faults


def _find_doubles(columns: Sequence[Column]) -> list[str]:
    """Find columns of which a table may have one alone."""
    faults = []
    seen: dict[tuple[Kind, str], str] = {}
    for column in columns:
        if column.kind == "other":
            continue
        first = seen.setdefault((column.kind, column.key), column.header)
        if first is not column.header:
            faults.append(
                f"column {quote(column.header)}: means the same as {quote(first)}; keep one"
            )
    return faults
