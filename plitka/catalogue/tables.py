"""Files of recipes -> rows of cells: CSV as spreadsheets save it, JSON lines, Parquet."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from plitka.color.names import quote
from plitka.errors import CatalogueError, EngineError
from plitka.images import regular_file
from plitka.images.errors import Unreadable
from plitka.measure.text_file import TextError, decode_text
from plitka.printable import make_printable

MOST_BYTES = 2**30
"""Of a file of recipes; a hundred thousand rows of three colours have some 10 MB."""

_PARQUET, _ARCHIVE = b"PAR1", b"PK\x03\x04"
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_DELIMITERS = (";", "\t", ",", "|")
_ALONE = "\x1f"  # between the columns of a table that has one
_NAMED = {";": "semicolons", "\t": "tabs", ",": "commas", "|": "bars"}
_MOST_CELL = 2**17  # characters; a request has 2**16 bytes at most


@dataclass(frozen=True)
class RawRow:
    """A row as it is in its file. number: of its line, or of the row where there are no lines.

    fault: why it could not be read; "" where it could.
    """

    number: int
    cells: tuple[object, ...]
    fault: str = ""


@dataclass(frozen=True)
class RawTable:
    """A file of recipes. kind: what it was taken for, as a phrase. place: "line" or "row".

    Each row has one cell for each header; None where it has none.
    """

    kind: str
    place: str
    headers: tuple[str, ...]
    rows: tuple[RawRow, ...]


def read_table(file: Path) -> RawTable:
    """Read a file of recipes, by what is in it. Raises CatalogueError, which names the file."""
    name = make_printable(str(file))
    try:
        content = regular_file.read_content(file, MOST_BYTES)
        return _read_content(content)
    except (Unreadable, TextError) as fault:
        raise CatalogueError(f"{name}: {fault}") from None
    except CatalogueError as fault:
        raise CatalogueError(f"{name}: {fault}") from None


def _read_content(content: bytes) -> RawTable:
    if content.startswith(_PARQUET):
        return _read_parquet(content)
    if content.startswith((_ARCHIVE, _OLD_OFFICE)):
        raise CatalogueError(
            "is a spreadsheet or an archive; save the table as CSV (in Excel: CSV UTF-8)"
        )
    text = decode_text(content)
    first = text.lstrip()[:1]
    if not first:
        raise CatalogueError("is empty")
    if first == "[":
        return _read_json_list(text)
    return _read_json_lines(text) if first == "{" else _read_csv(text)


# CSV


def _read_csv(text: str) -> RawTable:
    """Read CSV: its delimiter is found in the first line, or named there as Excel does: sep=;"""
    skipped = 0
    lines = text.splitlines(keepends=True)
    while not lines[skipped].strip():
        skipped += 1
    named = lines[skipped].strip()
    if named[:4].lower() == "sep=" and len(named) == 5:
        delimiter, skipped = named[4], skipped + 1
    else:
        delimiter = _find_delimiter(lines[skipped])
    if skipped == len(lines):
        raise CatalogueError("has no first line that names columns")
    rows = _split_csv("".join(lines[skipped:]), delimiter, skipped)
    head = next(rows)
    headers = tuple(str(cell).strip() for cell in head.cells)
    filled = [row for row in rows if row.fault or any(str(cell).strip() for cell in row.cells)]
    kind = f"CSV with {_NAMED.get(delimiter, 'one column')}"
    return RawTable(kind, "line", headers, tuple(_fit(row, headers) for row in filled))


def _find_delimiter(line: str) -> str:
    """Find what parts the cells of a first line: of several, what parts it most often."""
    bare = "".join(line.split('"')[::2])  # outside of quotes
    most = max(_DELIMITERS, key=bare.count)
    return most if most in bare else _ALONE


def _split_csv(text: str, delimiter: str, skipped: int) -> Iterator[RawRow]:
    """Split a text into rows, each by the number of its first line."""
    csv.field_size_limit(_MOST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    before = 0
    try:
        for cells in reader:
            yield RawRow(skipped + before + 1, tuple(cells))
            before = reader.line_num
    except csv.Error as fault:
        raise CatalogueError(
            f"line {skipped + before + 1}: is no row of a table ({fault}); a quote that is part of"
            ' the text is written twice: ""'
        ) from None


def _fit(row: RawRow, headers: Sequence[str]) -> RawRow:
    """Fit a row to the headers: missing cells are empty, and no more may be there."""
    count = len(headers)
    extra = [cell for cell in row.cells[count:] if str(cell).strip()]
    padded = (*row.cells[:count], *[None] * (count - len(row.cells)))
    fault = (
        f"has {len(row.cells)} cells, and the first line names {count} columns; put text with a"
        " delimiter in it between quotes"
        if extra
        else ""
    )
    return RawRow(row.number, padded, fault)


# JSON


def _read_json_lines(text: str) -> RawTable:
    rows: list[tuple[int, object]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            rows.append((number, _decode(line)))
    return _gather(rows, "JSON lines", "line")


def _read_json_list(text: str) -> RawTable:
    value = _decode(text)
    if isinstance(value, _Broken):
        raise CatalogueError(f"is {value.reason}")
    assert isinstance(value, list)
    if not value:
        raise CatalogueError("is empty")
    return _gather(list(enumerate(value, start=1)), "a list in JSON", "row")


@dataclass(frozen=True)
class _Broken:
    """In place of a value: why there is none."""

    reason: str


class _Repeated(ValueError):
    """An object has a key twice."""


def _make_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made: dict[str, object] = {}
    for key, value in pairs:
        if key in made:
            raise _Repeated(f"has {quote(key)} more than once; give it once")
        made[key] = value
    return made


def _decode(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_make_object)
    except _Repeated as fault:
        return _Broken(str(fault))
    except json.JSONDecodeError as fault:
        return _Broken(f"not JSON ({fault.msg} at column {fault.colno})")
    except (RecursionError, ValueError):  # nested too deeply, or a number of thousands of digits
        return _Broken("not JSON that can be read")


def _gather(rows: Sequence[tuple[int, object]], kind: str, place: str) -> RawTable:
    """Gather objects of any keys into a table with a column for each key.

    A text is a request: in the column params_json.
    """
    split = [(number, _split_request(value)) for number, value in rows]
    headers = tuple(
        dict.fromkeys(key for _, value in split if isinstance(value, dict) for key in value)
    )
    gathered = [
        RawRow(number, tuple(value.get(key) for key in headers))
        if isinstance(value, dict)
        else RawRow(number, (None,) * len(headers), value.reason)
        for number, value in split
    ]
    return RawTable(kind, place, headers, tuple(gathered))


def _split_request(value: object) -> dict[str, object] | _Broken:
    """Split what stands in a JSON row into cells."""
    if isinstance(value, _Broken):
        return value
    if isinstance(value, str):
        return {"params_json": value}
    if not isinstance(value, dict):
        return _Broken(f"got {quote(value)}; allowed: an object like" + ' {"name": "A1", …}')
    return value


# Parquet


def _read_parquet(content: bytes) -> RawTable:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ModuleNotFoundError as missing:
        raise EngineError(say_missing(missing)) from None
    try:
        table = parquet.read_table(io.BytesIO(content))
    except (arrow.ArrowException, OSError) as fault:
        raise CatalogueError(f"is no Parquet file that can be read ({fault})") from None
    headers = tuple(str(name) for name in table.column_names)
    rows = [
        RawRow(number, tuple(row))
        for number, row in enumerate(
            zip(*(column.to_pylist() for column in table.columns), strict=True), start=1
        )
    ]
    return RawTable("Parquet", "row", headers, tuple(rows))


def say_missing(missing: ModuleNotFoundError) -> str:
    """Say how to install what a catalogue needs."""
    return (
        f"{missing.name} is not installed, and a catalogue needs it. In the project's folder run"
        " script/setup requirements-catalogue.txt"
    )
