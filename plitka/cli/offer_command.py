"""What `offer` and `order` do; what draws and what writes PDFs are imported when they run."""

import argparse
import base64
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from plitka import whole_file
from plitka.cli.request_arguments import read_request
from plitka.cli.terminal import print_bytes, print_error, print_json, print_line
from plitka.color.palette import Palette
from plitka.color.words import look_up
from plitka.errors import OfferError
from plitka.messages.message import Message, Row, Words
from plitka.order.errors import OrderError
from plitka.order.inputs import FIELDS, PER_COLOR
from plitka.request.recipe import Recipe
from plitka.settings import Settings

if TYPE_CHECKING:
    from plitka.offer.reading import OfferRequest
    from plitka.offer.speech import Speech
    from plitka.order.amounts import Order

_KINDS = ("html", "pdf")


def run_offer(options: argparse.Namespace, settings: Settings) -> None:
    """Write an offer. Raises OfferError, OrderError and LogoError."""
    from plitka.offer.content import Offer
    from plitka.offer.file_name import name_file
    from plitka.offer.html_page import write_html
    from plitka.offer.pdf_file import write_pdf

    palette = settings.load_palette(options.weights, "render")
    asked = _read_offer(options, settings, palette)
    if options.out.is_dir():
        targets = {kind: options.out / name_file(asked.recipe, kind) for kind in _KINDS}
    else:
        kind = options.out.suffix.lower().lstrip(".")
        if kind not in _KINDS:
            allowed = "--out: allowed: a name that ends with .html or .pdf, or a folder"
            raise OfferError(Message.of(allowed))
        targets = {kind: options.out}
    for target in targets.values():
        whole_file.check_target(target)

    from plitka.designer.offer_pictures import draw_pictures
    from plitka.designer.renderer import Renderer

    offer = Offer(
        recipe=asked.recipe,
        language=asked.language,
        day=asked.day,
        pictures=draw_pictures(asked.recipe, Renderer()),
        inputs=asked.inputs,
        company=asked.company,
        project=asked.project,
        order=asked.order,
    )
    for kind, target in targets.items():
        whole_file.write(target, write_html(offer) if kind == "html" else write_pdf(offer))
        print_line(target)
    if asked.order is not None:
        _print_warnings(asked.order, offer.speech)


def run_order(options: argparse.Namespace, settings: Settings) -> None:
    """Print what a floor needs. Raises OrderError."""
    from plitka.offer.content import describe_color
    from plitka.offer.order_csv import write_order_csv
    from plitka.offer.reading import read_order
    from plitka.offer.speech import Speech
    from plitka.offer.zones import list_shares

    palette = settings.load_palette(options.weights, "render")
    recipe = read_request(options, palette)
    figures = _read_figures(options, recipe, palette)
    _, order = read_order(recipe, figures, options.language, settings.order)
    if order is None:
        bounds = FIELDS["area"]
        raise OrderError(Message.of("--area: is missing"), "area", "", bounds.low, bounds.high)
    speech = Speech(options.language)
    swatches = [describe_color(part, speech) for part in list_shares(recipe)]
    if options.csv:
        print_bytes(write_order_csv(swatches, order, speech))
        _print_warnings(order, speech)
    elif options.json:
        print_json(order.as_json())
        _print_warnings(order, speech)
    else:
        from plitka.cli import tables
        from plitka.cli.order_tables import tabulate_order

        tables.show(*tabulate_order(swatches, order, speech))


def _print_warnings(order: "Order", speech: "Speech") -> None:
    """Print beside a file what is to be checked in its figures."""
    from plitka.offer.order_table import list_warnings

    for warning in list_warnings(order, speech):
        print_error(warning.replace("\u00a0", " "))


def _read_offer(
    options: argparse.Namespace, settings: Settings, palette: Palette
) -> "OfferRequest":
    """Read an offer's request from the options. Raises as `read_request` of offers does."""
    from plitka.offer.logo import load_logo
    from plitka.offer.reading import read_request as read_offer_request

    recipe = read_request(options, palette)
    company = settings.company
    logo: Path | None = options.logo or company.logo
    value = {
        "recipe": recipe.request(),
        "language": options.language,
        "date": options.date,
        "project": options.project,
        "company": {
            "name": company.name if options.company is None else options.company,
            "contact": company.contact if options.contact is None else options.contact,
            "logo": None if logo is None else base64.b64encode(load_logo(logo)).decode("ascii"),
        },
        "order": _read_figures(options, recipe, palette),
    }
    return read_offer_request(value, palette, settings.order, date.today())


def _read_figures(
    options: argparse.Namespace, recipe: Recipe, palette: Palette
) -> dict[str, object]:
    """Read the order's figures as a request has them. Raises OrderError."""
    figures: dict[str, object] = {}
    for name in FIELDS:
        given = getattr(options, name)
        if isinstance(given, str):
            figures[name] = given
    for plural, name in PER_COLOR.items():
        given = getattr(options, name) or ()
        of_colors: dict[str, str] = {}
        for text in given:
            color, equals, figure = text.rpartition("=")
            if equals:
                of_colors[_find_color(color, recipe, palette, name)] = figure
            else:
                figures[name] = figure
        if of_colors:
            figures[plural] = of_colors
    return figures


def _find_color(word: str, recipe: Recipe, palette: Palette, name: str) -> str:
    """Find a colour of the recipe by any of its names. Raises OrderError."""
    from plitka.offer.content import name_color
    from plitka.offer.zones import list_shares

    said = look_up(word, palette)
    shares = list_shares(recipe)
    for part in shares:
        if said is not None and said.color.code == part.color.code:
            return part.name
    known = Row(tuple(Words(part.name, name_color(part.color, "ru")) for part in shares))
    unknown = "--{figure}: the recipe has no colour {color}; it has {known}"
    asked = Words(repr(word), f"«{word}»")
    raise OrderError(Message.of(unknown, figure=name, color=asked, known=known), name)
