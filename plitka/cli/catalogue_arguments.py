"""The arguments of `catalogue`."""

import argparse
import re
from pathlib import Path

from plitka.cli.catalogue_command import run_catalogue
from plitka.cli.parser_parts import (
    Subparsers,
    add_command,
    add_engine,
    add_json,
    add_weights,
    read_path,
)
from plitka.request.plan import PICTURE_SIZES
from plitka.settings import Settings

_MOST_WORKERS = 1024
_DEPLOYMENT = re.compile(r"[\w-]{1,100}/[\w.-]{1,100}", re.ASCII)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.ASCII | re.IGNORECASE)

_EXAMPLES = """\
examples:
  python -m plitka catalogue recipes.csv --out shop --engine render --workers 4
  python -m plitka catalogue recipes.jsonl --out shop --keep-going --zip
  python -m plitka catalogue recipes.parquet --out s3://bucket/shop --ray auto

RECIPES is CSV as spreadsheets save it, JSON lines or Parquet. Each tile has a row. The columns are
name, angle, quality and seed, and for the colours one of these: params_json; colors
(black=60;white=40); color1, share1, color2, share2, …; or one column for each colour.

Bad rows are reported with their lines before anything is drawn. You can stop the command at any
moment. Run it again, and it continues: it draws a tile again only if its row, the palette, the
engine or the version has changed. Exits with 2 if there are bad rows and no --keep-going; with 1 if
a tile could not be drawn; with 130 if interrupted.
"""


def add_catalogue(subparsers: Subparsers, settings: Settings) -> None:
    """Add the command `catalogue`."""
    summary = "make a tile for each row of a table, with a contact sheet and a PDF"
    catalogue = add_command(subparsers, run_catalogue, summary, _EXAMPLES)
    catalogue.add_argument(
        "recipes", type=read_path, metavar="RECIPES", help="the table of recipes"
    )
    catalogue.add_argument(
        "--out",
        type=_read_place,
        required=True,
        metavar="DIR",
        help="where to write: a folder, or an address such as s3://… (requirements-cluster.txt)",
    )
    catalogue.add_argument(
        "--keep-going", action="store_true", help="if rows are bad, draw the others"
    )
    catalogue.add_argument(
        "--zip", action="store_true", help="write a zip for each tile instead of a folder"
    )
    catalogue.add_argument(
        "--pictures",
        nargs="+",
        choices=tuple(PICTURE_SIZES),
        default=list(PICTURE_SIZES),
        metavar="KIND",
        help="one or more of preview, final and colormap; default: all",
    )
    catalogue.add_argument(
        "--workers",
        type=_read_workers,
        metavar="N",
        help="processes, each with its own engine; default: 1. With --ray the default is as many as"
        " fit. With --replicate N is predictions at once, by default 4",
    )
    elsewhere = catalogue.add_mutually_exclusive_group()
    elsewhere.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="draw on the Ray cluster at this address, or auto (requirements-cluster.txt)",
    )
    elsewhere.add_argument(
        "--replicate",
        type=_read_deployment,
        metavar="OWNER/NAME",
        help="draw on a deployment at Replicate (token in REPLICATE_API_TOKEN)",
    )
    add_engine(catalogue)
    add_weights(catalogue, settings)
    add_json(catalogue)


def _read_place(text: str) -> Path | str:
    """Read a folder, or an address with a scheme."""
    return text if _ADDRESS.match(text) else read_path(text)


def _read_deployment(text: str) -> str:
    if _DEPLOYMENT.fullmatch(text):
        return text
    raise argparse.ArgumentTypeError(f"got {text!r}; allowed: OWNER/NAME of a deployment")


def _read_workers(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= _MOST_WORKERS:
        return int(text)
    raise argparse.ArgumentTypeError(f"got {text!r}; allowed: 1 to {_MOST_WORKERS}")
