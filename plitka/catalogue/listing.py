"""The tables of a catalogue: catalogue.csv and catalogue.parquet, a row for each row asked for.

All columns but the last are equal for equal recipes; `seconds`, which is the last, never is.
"""

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from plitka.catalogue.run import Entry
from plitka.catalogue.tables import say_missing
from plitka.errors import EngineError

_Read = Callable[[Entry], Any]


def _of_tile(key: str) -> _Read:
    return lambda entry: None if entry.tile is None else entry.tile[key]


def _of_request(key: str) -> _Read:
    return lambda entry: None if entry.tile is None else entry.tile["request"][key]


def _write_request(entry: Entry) -> str | None:
    return None if entry.tile is None else json.dumps(entry.tile["request"], ensure_ascii=False)


COLUMNS: dict[str, _Read] = {
    "number": lambda entry: entry.number,
    "name": lambda entry: entry.name,
    "status": lambda entry: entry.status,
    "error": lambda entry: entry.error,
    "files": lambda entry: list(entry.files),
    "asked": _of_tile("asked"),
    "shown": _of_tile("shown"),
    "measured": _of_tile("measured"),
    "hex": _of_tile("colors"),
    "total_variation": _of_tile("total_variation"),
    "total_variation_measured": _of_tile("total_variation_measured"),
    "picture": _of_tile("picture"),
    "angle": _of_request("angle"),
    "quality": _of_request("quality"),
    "seed": _of_request("seed"),
    "engine": _of_tile("engine"),
    "params_json": _write_request,
    "seconds": lambda entry: entry.seconds,
}
"""Each column, and what it says of a row. number: of its line or row in the file of recipes."""


def write_csv(entries: Sequence[Entry]) -> bytes:
    """Write catalogue.csv: UTF-8 with the mark that Excel looks for; lists and shares are JSON."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for entry in entries:
        table.writerow([_write_cell(read(entry)) for read in COLUMNS.values()])
    return text.getvalue().encode("utf-8-sig", "replace")


def _write_cell(value: object) -> object:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else value


def write_parquet(entries: Sequence[Entry]) -> bytes:
    """Write catalogue.parquet: lists are lists, shares are maps. Raises EngineError."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ModuleNotFoundError as missing:
        raise EngineError(say_missing(missing)) from None
    shares = arrow.map_(arrow.string(), arrow.float64())
    kinds = {
        "number": arrow.int64(),
        "files": arrow.list_(arrow.string()),
        "hex": arrow.map_(arrow.string(), arrow.string()),
        **dict.fromkeys(("asked", "shown", "measured"), shares),
        **dict.fromkeys(("angle", "total_variation", "total_variation_measured"), arrow.float64()),
        "seed": arrow.int64(),
        "seconds": arrow.float64(),
    }
    columns = {
        name: arrow.array(
            [_list_pairs(read(entry)) for entry in entries], kinds.get(name, arrow.string())
        )
        for name, read in COLUMNS.items()
    }
    file = io.BytesIO()
    parquet.write_table(arrow.table(columns), file, compression="zstd")
    return file.getvalue()


def _list_pairs(value: object) -> object:
    return list(value.items()) if isinstance(value, dict) else value
