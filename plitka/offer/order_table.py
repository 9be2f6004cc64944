"""An order -> the rows that HTML, PDF and CSV show of it, in a language."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from plitka.offer.content import Swatch
from plitka.offer.speech import Speech
from plitka.order.amounts import ColorAmount, Order

_MANY_KG = 10  # above which a tenth of a kilogram is exact enough


@dataclass(frozen=True)
class Column:
    """A column of the table. cells: one for each colour. is_minor: narrow screens leave it out."""

    title: str
    cells: tuple[str, ...]
    is_minor: bool = False


def list_columns(swatches: Sequence[Swatch], order: Order, speech: Speech) -> list[Column]:
    """List the columns: colours first; kilograms and bags last.

    Shares of volume and weight, and what makes them, stand there where they differ from those of
    the visible area.
    """
    amounts = [find_amount(order, swatch) for swatch in swatches]
    say, number, percent = speech.say, speech.write_number, speech.write_percent
    columns = [
        Column(say("color"), tuple(swatch.label for swatch in swatches)),
        Column(say("area_share"), tuple(percent(one.area_share) for one in amounts)),
    ]
    if order.converts:
        volume = tuple(percent(one.volume_share) for one in amounts)
        weight = tuple(percent(one.weight_share) for one in amounts)
        if len({one.granule for one in amounts}) > 1:
            granules = tuple(number(one.granule) for one in amounts)
            columns.append(Column(say("granules_mm"), granules, is_minor=True))
        is_same = all(one.volume_share == one.area_share for one in amounts)
        columns += [
            Column(say("volume_share"), volume, is_minor=is_same),
            Column(say("weight_share"), weight),
        ]
    columns.append(Column(say("density"), tuple(number(one.density) for one in amounts), True))
    return [
        *columns,
        Column(say("kg"), tuple(write_kg(one.kg, order, speech) for one in amounts)),
        Column(
            say("bags_of", bag=number(order.inputs.bag)), tuple(str(one.bags) for one in amounts)
        ),
    ]


def list_totals(order: Order, speech: Speech) -> list[tuple[str, str, str, str]]:
    """List what goes under the colours: a kind for style, name, kilograms, and packs."""
    say, number = speech.say, speech.write_number
    rows = [
        ("sum", say("granules_in_all"), write_kg(order.granule_kg, order, speech), str(order.bags))
    ]
    if order.binder_kg:
        packs = say("packs_of", packs=order.packs, pack=number(order.inputs.pack))
        name = say("binder", binder=number(order.inputs.binder))
        rows.append(("binder", name, write_kg(order.binder_kg, order, speech), packs))
    return rows


def list_notes(order: Order, speech: Speech) -> list[str]:
    """List what has to be said of the table."""
    number, tile = speech.write_number, order.inputs.tile
    loss = number(order.inputs.loss)
    note = speech.say("loss_note", loss=loss)
    if tile is not None:
        size = speech.say("sides", width=number(tile[0]), length=number(tile[1]))
        tiles = number(Decimal(order.tiles))
        note = f"{note} {speech.say('tiles_note', tiles=tiles, tile=size, loss=loss)}"
    return [note, speech.say("conversion_note")] if order.converts else [note]


def list_warnings(order: Order, speech: Speech) -> list[str]:
    """List what the maker should know of the figures, and no customer need read."""
    if not order.guesses_density:
        return []
    return [speech.say("density_note", density=speech.write_number(order.inputs.density))]


def list_zone_rows(
    swatches: Sequence[Swatch], order: Order, speech: Speech
) -> list[tuple[str, ...]]:
    """List kilograms by zone and colour, the head first."""
    head = (
        speech.say("zone"),
        speech.say("area_m2"),
        *(swatch.label for swatch in swatches),
        speech.say("kg"),
    )
    rows = [head]
    for amount in order.zones:
        zone, by_color = amount.zone, dict(amount.by_color)
        kilograms = (
            write_kg(by_color[one.key], order, speech) if one.key in by_color else ""
            for one in swatches
        )
        rows.append(
            (
                zone.name,
                speech.write_number(zone.area),
                *kilograms,
                write_kg(amount.kg, order, speech),
            )
        )
    return rows


def list_line_notes(order: Order, speech: Speech) -> list[str]:
    """List the lines that part zones from their neighbours."""
    return [
        speech.say(
            "line_note",
            zone=zone.name,
            line=speech.say(zone.line),
            meters=speech.write_number(zone.line_m, 0, 1),
        )
        for zone in (one.zone for one in order.zones)
        if zone.line
    ]


def find_amount(order: Order, swatch: Swatch) -> ColorAmount:
    """Find what a colour of the mix needs."""
    return next(one for one in order.colors if one.color == swatch.key)


def write_kg(kg: Decimal, order: Order, speech: Speech) -> str:
    """Write kilograms: to a tenth, or to ten grams where the whole order is small."""
    digits = 1 if order.granule_kg >= _MANY_KG else 2
    return speech.write_number(kg, digits, digits)
