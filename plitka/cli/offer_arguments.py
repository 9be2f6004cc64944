"""The arguments of `offer` and `order`."""

import argparse

from plitka.cli.offer_command import run_offer, run_order
from plitka.cli.parser_parts import (
    Subparsers,
    add_command,
    add_json,
    add_request,
    add_weights,
    read_path,
)
from plitka.messages.message import LANGUAGES
from plitka.order.inputs import FIELDS
from plitka.settings import Settings

_DENSITY = (
    "kilograms of granules (without binder) in a cubic metre of laid floor, or 9.5 kg/m2 at 10 mm"
)

_OFFER_EXAMPLES = """\
examples:
  python -m plitka offer "50% red, 30% blue, 20% white, seed 7" --out offer.pdf
  python -m plitka offer --color red=60 --color white=40 --out offers --area 120 --thickness 10
  python -m plitka offer - --out offer.html --company "Floors Ltd" --logo logo.png --language ru

The HTML file carries its recipe: drop it on the designer's page, and the tile opens again. If --out
is a folder, an HTML and a PDF file named after the mix go there. PLITKA_COMPANY, PLITKA_CONTACT,
PLITKA_LOGO and PLITKA_ORDER hold the defaults for company, contact, logo and the floor's figures.
"""

_ORDER_EXAMPLES = """\
examples:
  python -m plitka order "50% red, 30% blue, 20% white" --area 120 --thickness 10 --density 950
  python -m plitka order --color red=60 --color blue=40 --area 120 --density "9.5 kg/m2 at 10 mm"
  python -m plitka order "60% red, 40% blue" --area 120 --density 950 --density blue=1100 --json
  python -m plitka order - --area 120 --bag 20 --loss 3 --csv > order.csv

A recipe with a surface has its own area, and is listed zone by zone. docs/offer.md explains the
calculation and where the defaults come from.
"""


def add_offer(subparsers: Subparsers, settings: Settings) -> None:
    """Add the command `offer`."""
    summary = "write an offer for a customer: one HTML file, or a PDF"
    offer = add_command(subparsers, run_offer, summary, _OFFER_EXAMPLES)
    add_request(offer)
    offer.add_argument(
        "--out",
        type=read_path,
        required=True,
        metavar="FILE",
        help="an .html or .pdf file, or an existing folder for both",
    )
    offer.add_argument("--company", metavar="NAME", help="the company that makes the offer")
    offer.add_argument("--contact", metavar="TEXT", help="its address, telephone and the like")
    offer.add_argument("--logo", type=read_path, metavar="IMAGE", help="the company's logo")
    offer.add_argument(
        "--project", default="", metavar="TEXT", help="the customer or the building that it is for"
    )
    offer.add_argument("--date", metavar="DAY", help="as in 2026-11-30; default: today")
    _add_order(offer)
    add_weights(offer, settings)


def add_order(subparsers: Subparsers, settings: Settings) -> None:
    """Add the command `order`."""
    summary = "calculate kilograms and bags of each colour, and the binder"
    order = add_command(subparsers, run_order, summary, _ORDER_EXAMPLES)
    add_request(order)
    _add_order(order)
    add_weights(order, settings)
    form = order.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print CSV for Excel")
    add_json(form)


def _add_order(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("the floor")
    for name, said in (
        ("area", "area of the floor"),
        ("thickness", "thickness of the layer of granules"),
        ("tile", "side of a square tile"),
        ("loss", "bought in addition to what is laid"),
        ("bag", "granules in a bag"),
        ("binder", "weight of polyurethane over that of the granules"),
        ("pack", "binder in a pack"),
    ):
        bounds = FIELDS[name]
        default = f"; default: {bounds.default}" if bounds.default else ""
        unit = bounds.unit.replace("%", "%%")
        group.add_argument(f"--{name}", metavar=name.upper(), help=f"{said}, in {unit}{default}")
    for name, said in (
        ("density", _DENSITY),
        ("granule", "mean diameter of a granule in mm, 1 to 4"),
    ):
        group.add_argument(
            f"--{name}",
            action="append",
            metavar="[COLOR=]FIGURE",
            help=f"{said}; repeat for colours that differ; default: {FIELDS[name].default}",
        )
    group.add_argument("--language", choices=LANGUAGES, default="en", help="default: en")
