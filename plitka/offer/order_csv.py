"""An order as CSV that a double click opens in Excel, in the columns and figures of its language.

Excel parts cells by the list separator of its own language: a semicolon where the decimal sign is a
comma, as in Russian, else a comma. So does the file, with the mark of UTF-8 at its start.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal

from plitka.offer.content import Swatch
from plitka.offer.order_table import find_amount
from plitka.offer.speech import Speech
from plitka.order.amounts import Order

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would reckon


def write_order_csv(swatches: Sequence[Swatch], order: Order, speech: Speech) -> bytes:
    """Write a row for each colour, then granules in all and the binder, then rows by zone."""
    say = speech.say
    head = ("color", "code", "hex", "area_share", "volume_share", "weight_share", "density")
    more = ("granule", "kg", "pack", "packs")
    rows: list[Sequence[object]] = [[say(f"file_{name}") for name in (*head, *more)]]
    for swatch in swatches:
        one = find_amount(order, swatch)
        shares = (100 * share for share in (one.area_share, one.volume_share, one.weight_share))
        rows.append(
            [
                *(swatch.name, swatch.code, swatch.hex, *(_round(share) for share in shares)),
                *(one.density, one.granule, one.kg, order.inputs.bag, one.bags),
            ]
        )
    blank = [""] * 7
    rows.append([say("file_all"), *blank, order.granule_kg, order.inputs.bag, order.bags])
    if order.binder_kg:
        packed = [order.binder_kg, order.inputs.pack, order.packs]
        rows.append([say("file_binder"), *blank, *packed])
    if len(order.zones) > 1:
        rows += [[], [say("file_zone"), say("file_area"), say("file_color"), say("file_kg")]]
        names = {swatch.key: swatch.name for swatch in swatches}
        rows += [
            [one.zone.name, one.zone.area, names[color], kg]
            for one in order.zones
            for color, kg in one.by_color
        ]
        lines = [one.zone for one in order.zones if one.zone.line]
        rows += [[], [say("file_line"), say("file_meters"), say("file_zone")]] if lines else []
        rows += [[say(zone.line), zone.line_m, zone.name] for zone in lines]
    return _write(rows, speech)


def _round(share: Decimal) -> Decimal:
    return round(share, 4)


def _write(rows: Iterable[Sequence[object]], speech: Speech) -> bytes:
    is_russian = speech.language == "ru"
    file = io.StringIO(newline="")
    table = csv.writer(file, delimiter=";" if is_russian else ",", lineterminator="\r\n")
    for row in rows:
        table.writerow([_write_cell(cell, is_russian) for cell in row])
    return file.getvalue().encode("utf-8-sig", "replace")


def _write_cell(cell: object, is_russian: bool) -> str:
    if isinstance(cell, Decimal):
        text = f"{cell:f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return text.replace(".", ",") if is_russian else text
    text = str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text
