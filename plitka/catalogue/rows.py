"""Rows of cells -> recipes with names and seeds, and what is wrong with the others."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from plitka.catalogue import cells
from plitka.catalogue.headers import Column, read_headers, write_color
from plitka.catalogue.tables import RawRow, RawTable, read_table
from plitka.color.names import quote
from plitka.color.palette import Palette
from plitka.errors import CatalogueError
from plitka.printable import make_printable
from plitka.request import parsing
from plitka.request.recipe import DRAW_SEED, Recipe, RecipeError

_LONGEST_NAME = 200  # characters
_LONGEST_STEM = 80  # bytes of a file's name, without its ending: four fit into what systems take
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)  # by Windows
_PAIR = re.compile(
    r"\s*(?P<name>#?[^=:#\d][^=:]*|#[0-9a-fA-F]{3,6})\s*[=:]\s*(?P<share>[\d.,\s]+%?)\s*"
)
_FIELDS = ("angle", "quality", "seed")


@dataclass(frozen=True)
class Row:
    """A tile to draw.

    number: of its line or row in the file. stem: what its files are called, without an ending. The
    recipe's seed is fixed.
    """

    number: int
    name: str
    stem: str
    recipe: Recipe


@dataclass(frozen=True)
class BadRow:
    """A row that no tile can be drawn of. reasons: a sentence for each fault."""

    number: int
    name: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """A file of recipes, read. understood: what was understood of it, in phrases.

    place: "line" or "row", which the numbers of rows count.
    """

    rows: tuple[Row, ...]
    bad: tuple[BadRow, ...]
    understood: tuple[str, ...]
    place: str

    def describe_faults(self) -> list[str]:
        """Describe each fault, with its line: line 7 ("A1"): colors[0].name: …"""
        return [
            f"{self.place} {row.number}{f' ({quote(row.name)})' if row.name else ''}: {reason}"
            for row in self.bad
            for reason in row.reasons
        ]


def read_sheet(
    file: Path, palette: Palette, check: Callable[[Recipe], None] = lambda recipe: None
) -> Sheet:
    """Read a file of recipes. Raises CatalogueError where nothing in it can be a recipe.

    check: raises RecipeError for a recipe that the engine cannot draw; its row is bad, too.
    """
    table = read_table(file)
    columns, faults = read_headers(table.headers, palette)
    kinds = {column.kind for column in columns}
    if not faults and table.headers and not kinds & {"request", "mix", "color", "own"}:
        faults = [
            "no column holds colours. Allowed: params_json; colors, as black=60;white=40; color1,"
            " share1, color2, share2, …; or a column named by each colour"
        ]
    name = make_printable(str(file))
    if faults:
        raise CatalogueError("\n".join(f"{name}: {fault}" for fault in faults))
    if not table.rows:
        raise CatalogueError(f"{name}: has no rows below its first line")
    understood = (f"{table.kind}, {len(table.rows)} rows", *(c.describe() for c in columns))

    def read_row(raw: RawRow) -> Recipe | tuple[str, ...]:
        return _read_row(raw, columns, palette, check)

    return _sort_rows(table, columns, understood, read_row)


def _sort_rows(
    table: RawTable,
    columns: Sequence[Column],
    understood: tuple[str, ...],
    read_row: Callable[[RawRow], Recipe | tuple[str, ...]],
) -> Sheet:
    """Sort rows into those that can be drawn and those that cannot, with unique names."""
    rows: list[Row] = []
    bad: list[BadRow] = []
    taken: dict[str, int] = {}
    for raw in table.rows:
        read = read_row(raw)
        if isinstance(read, Recipe):
            given = _find_name(raw, columns)
            name = given or _make_name(read, taken)
            stem = make_stem(name)
            first = taken.setdefault(fold_stem(stem), raw.number)
            if first == raw.number:
                rows.append(Row(raw.number, name, stem, _fix_seed(read, name)))
                continue
            read = (f"name: {quote(name)} is that of {table.place} {first} already; give another",)
        bad.append(BadRow(raw.number, _find_name(raw, columns), read))
    return Sheet(tuple(rows), tuple(bad), understood, table.place)


# One row


def _read_row(
    raw: RawRow,
    columns: Sequence[Column],
    palette: Palette,
    check: Callable[[Recipe], None],
) -> Recipe | tuple[str, ...]:
    """Read a row's recipe, or what is wrong with it."""
    if raw.fault:
        return (raw.fault,)
    if len(_find_name(raw, columns)) > _LONGEST_NAME:
        return (f"name: has more than {_LONGEST_NAME} characters; give a shorter one",)
    try:
        recipe = _parse_row(_Cells(raw, columns), palette)
        check(recipe)
    except RecipeError as fault:
        return tuple(line.removeprefix("params_json: ") for line in str(fault).splitlines())
    return recipe


def _find_name(raw: RawRow, columns: Sequence[Column]) -> str:
    """Find the name that a row gives its tile; "" where it gives none."""
    for column, cell in zip(columns, raw.cells, strict=False):
        if column.kind == "name" and not cells.is_empty(cell):
            return make_printable(cells.write_text(cell))
    return ""


class _Cells:
    """The cells of a row that say something, by what their columns hold."""

    def __init__(self, raw: RawRow, columns: Sequence[Column]) -> None:
        self.filled = [
            (column, cell)
            for column, cell in zip(columns, raw.cells, strict=True)
            if not cells.is_empty(cell)
        ]

    def find(self, kind: str) -> object | None:
        """Find the cell of a kind that a table has once; None where it is empty."""
        return next((cell for column, cell in self.filled if column.kind == kind), None)

    def read_fields(self) -> dict[str, object]:
        """Read angle, quality and seed. Raises RecipeError for a seed that was shortened."""
        found: dict[str, object] = {}
        for key in _FIELDS:
            cell = self.find(key)
            if cell is None:
                continue
            if key == "seed" and cells.is_shortened(cell):
                raise RecipeError(
                    f"seed: got {quote(cell)}, which a spreadsheet has shortened; format the column"
                    " as text, and write all digits"
                )
            found[key] = cell if key == "quality" else cells.read_number(cell)
        return found

    def read_overrides(self) -> dict[str, object]:
        """Read the overrides. Raises RecipeError for a cell that holds none."""
        whole = self.find("overrides")
        overrides = {} if whole is None else _decode_object(whole, "overrides", "strength")
        for column, cell in self.filled:
            if column.kind == "override":
                overrides[column.key] = cells.read_flag(cells.read_number(cell))
        return overrides

    def read_surface(self) -> dict[str, object]:
        """Read the surface; none where its cell is empty. Raises RecipeError."""
        whole = self.find("surface")
        return {} if whole is None else {"surface": _decode_object(whole, "surface", "width_mm")}

    def list_colors(self) -> list[dict[str, object]]:
        """List the colours of columns, as entries of a request, in the order of the columns."""
        listed = [
            {**write_color(column.key), "proportion": share}
            for column, cell in self.filled
            if column.kind == "own" and (share := cells.read_number(cell)) != 0
        ]
        return listed + self._list_pairs()

    def _list_pairs(self) -> list[dict[str, object]]:
        """List the colours of columns color1, share1, ….

        A colour alone, without any share, is the whole tile.
        """
        names = self._number("color")
        shares = {key: cells.read_number(cell) for key, cell in self._number("share").items()}
        if len(names) == 1 and not shares:
            return [{**write_color(cells.write_text(*names.values())), "proportion": 100}]
        listed = []
        for key in dict.fromkeys((*names, *shares)):
            if key not in names and shares[key] == 0:
                continue
            entry = write_color(cells.write_text(names[key])) if key in names else {}
            listed.append({**entry, **({"proportion": shares[key]} if key in shares else {})})
        return listed

    def _number(self, kind: str) -> dict[str, object]:
        """Find the cells of one half of the pairs, by their numbers."""
        found: dict[str, object] = {}
        for column, cell in self.filled:
            if column.kind == kind:
                found[column.key] = cell
        return found


def _parse_row(row: _Cells, palette: Palette) -> Recipe:
    """Parse a row as the request that it spells. Raises RecipeError."""
    fields = row.read_fields()
    overrides = row.read_overrides()
    if overrides:
        fields["overrides"] = overrides
    fields |= row.read_surface()
    colors = row.list_colors()
    texts = [cell for kind in ("request", "mix") if (cell := row.find(kind)) is not None]
    if len(texts) + bool(colors) > 1:
        raise RecipeError("colors: given in several columns; leave all but one of them empty")
    if colors:
        return _parse({"colors": colors, **fields}, palette)
    if not texts:
        raise RecipeError("colors: missing; every cell for them is empty")
    return _parse_text(texts[0], fields, palette)


def _parse_text(cell: object, fields: Mapping[str, object], palette: Palette) -> Recipe:
    """Parse a request or a mix that stands in one cell, with the fields of other columns."""
    pairs = _split_pairs(cell) if isinstance(cell, str) else None
    if pairs is not None:
        return _parse({"colors": pairs, **fields}, palette)
    if isinstance(cell, str) and cell.lstrip()[:1] not in ("{", "[", '"'):
        spelt = _strip_defaults(parsing.parse(cell, palette))
    else:
        spelt = _read_json(cell)
    doubled = [key for key in fields if key in spelt and spelt[key] != fields[key]]
    if doubled:
        raise RecipeError(f"{doubled[0]}: given in a column of its own too; give it in one place")
    return _parse({**spelt, **fields}, palette)


def _split_pairs(text: str) -> list[dict[str, object]] | None:
    """Split black=60;white=40 into entries of a request; None for any other text.

    Between two pairs stands a semicolon, a line end, a bar, a plus, a slash, or a comma that is no
    decimal one.
    """
    if text.lstrip()[:1] in ("{", "[", '"') or not re.search("[=:]", text):
        return None
    parts = [part for part in re.split(r"[;\n|+/]|,(?!\d)", text) if part.strip()]
    matches = [_PAIR.fullmatch(part) for part in parts]
    if not all(matches):
        return None
    return [
        {**write_color(match["name"].strip()), "proportion": cells.read_number(match["share"])}
        for match in matches
        if match is not None
    ]


def _strip_defaults(recipe: Recipe) -> dict[str, object]:
    """Write the request of a recipe without what it would be without, too."""
    default = Recipe(recipe.shares).request()
    request = recipe.request()
    return {"colors": request["colors"]} | {
        key: value for key, value in request.items() if value != default.get(key)
    }


def _read_json(cell: object) -> dict[str, object]:
    """Read a request, or its list of colours. Raises RecipeError for what is no JSON of either."""
    value = cell
    if isinstance(cell, str):
        try:
            value = json.loads(cell)
        except (ValueError, RecursionError):
            return {"params_json": cell}  # whose fault the parser tells in full
    if isinstance(value, list):
        return {"colors": value}
    if isinstance(value, dict) and "params_json" not in value:
        return {"colors": _list_mix(value)} if _is_mix(value) else dict(value)
    return {"params_json": value}


def _is_mix(value: Mapping[str, object]) -> bool:
    """Whether an object holds shares by the names of colours: {"black": 60, "white": 40}."""
    shares = [cells.read_number(share) for share in value.values()]
    return not value.keys() & {"colors", *_FIELDS, "overrides", "surface"} and all(
        isinstance(share, int | float) and not isinstance(share, bool) for share in shares
    )


def _list_mix(value: Mapping[str, object]) -> list[dict[str, object]]:
    return [
        {**write_color(name), "proportion": cells.read_number(share)}
        for name, share in value.items()
    ]


def _decode_object(cell: object, path: str, like: str) -> dict[str, object]:
    value = cell
    if isinstance(cell, str):
        try:
            value = json.loads(cell)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, dict):
        raise RecipeError(f'{path}: got {quote(cell)}; allowed: an object like {{"{like}": …}}')
    return {key: part for key, part in value.items() if part is not None}


def _parse(request: Mapping[str, object], palette: Palette) -> Recipe:
    return parsing.parse(json.dumps(request, default=str), palette)


# Names and seeds


def _fix_seed(recipe: Recipe, name: str) -> Recipe:
    """Give a recipe without a seed the one that its name and content make: always the same."""
    if recipe.seed != DRAW_SEED:
        return recipe
    digest = _digest(name, recipe.request())
    return replace(recipe, seed=int.from_bytes(digest[:4], "big"))


def _digest(*content: Any) -> bytes:
    return hashlib.sha256(json.dumps(content).encode()).digest()


def _make_name(recipe: Recipe, taken: Mapping[str, int]) -> str:
    """Make a name of what a tile is: black-60-white-40-45deg; a number follows if it is taken."""
    parts = [f"{part.name.lstrip('#')} {100 * part.share:.4g}" for part in recipe.shares]
    angle = [f"{recipe.angle:g}deg"] if recipe.angle else []
    name = "-".join([*parts, *angle]).replace(" ", "-")
    return next(one for one in _count_up(name) if fold_stem(make_stem(one)) not in taken)


def _count_up(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def make_stem(name: str) -> str:
    """Make a name for files that every system takes; a part of a digest is added where it differs.

    Letters of all scripts stay.
    """
    stem = _UNSAFE.sub("-", unicodedata.normalize("NFC", name)).strip(" .")
    while len(stem.encode()) > _LONGEST_STEM:
        stem = stem[:-1]
    stem = stem.rstrip(" .")
    if _RESERVED.fullmatch(stem):
        stem = f"_{stem}"
    return stem if stem == name else f"{stem or 'tile'}-{_digest(name).hex()[:8]}"


def fold_stem(stem: str) -> str:
    """Fold a file's name as systems do that do not tell A from a."""
    return unicodedata.normalize("NFKC", stem).casefold()
