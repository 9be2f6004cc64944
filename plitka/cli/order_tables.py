"""Tables of an order for the terminal."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from plitka.offer.content import Swatch
from plitka.offer.order_table import (
    list_columns,
    list_line_notes,
    list_notes,
    list_totals,
    list_warnings,
    list_zone_rows,
)
from plitka.offer.speech import Speech
from plitka.order.amounts import Order
from plitka.printable import make_printable


def tabulate_order(swatches: Sequence[Swatch], order: Order, speech: Speech) -> list[Table | str]:
    """Tabulate what to buy, then the zones where there are several, and what is to be said."""
    columns = list_columns(swatches, order, speech)
    rows = [tuple(column.cells[place] for column in columns) for place in range(len(swatches))]
    totals = [
        (name, *[""] * (len(columns) - 3), kg, packs)
        for _, name, kg, packs in list_totals(order, speech)
    ]
    tables: list[Table | str] = [_make([column.title for column in columns], [rows, totals])]
    if len(order.zones) > 1:
        head, *zones = list_zone_rows(swatches, order, speech)
        tables += ["", _make(head, [zones])]
        tables += map(_use_blanks, list_line_notes(order, speech))
    said = [*list_notes(order, speech), *list_warnings(order, speech)]
    return [*tables, "", *map(_use_blanks, said)]


def _make(head: Sequence[str], parts: Sequence[Sequence[Sequence[str]]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, title in enumerate(head):
        table.add_column(_use_blanks(title), justify="right" if place else "left", overflow="fold")
    for rows in parts:
        for row in rows:
            table.add_row(*(make_printable(_use_blanks(cell)) for cell in row))
        table.add_section()
    return table


def _use_blanks(text: str) -> str:
    """Write a text with usual blanks: on a terminal others are shown as escapes."""
    return text.replace("\u00a0", " ").replace("\u202f", " ")
