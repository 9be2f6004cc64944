"""What the page asks of offers: kilograms of a mix, files for customers, a logo made safe."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, TypeAlias

from plitka.color.palette import Palette
from plitka.designer.errors import Fault
from plitka.designer.offer_pictures import draw_pictures
from plitka.designer.renderer import CheckCancelled, Renderer
from plitka.errors import LogoError, OfferError
from plitka.offer.content import NOBODY, Company, Offer, describe_color
from plitka.offer.file_name import name_file
from plitka.offer.html_page import write_html
from plitka.offer.logo import load_logo, read_logo
from plitka.offer.order_csv import write_order_csv
from plitka.offer.pdf_file import write_pdf
from plitka.offer.reading import LONGEST, OfferRequest, read_request
from plitka.offer.speech import Speech
from plitka.offer.zones import list_shares
from plitka.order.errors import OrderError
from plitka.order.inputs import FIELDS
from plitka.request.recipe import Recipe
from plitka.settings import LOGO, Settings
from plitka.tile.scale import measure_frame_mm

Kind: TypeAlias = Literal["html", "pdf"]

MAX_REQUEST_BYTES = 4 * 2**20
"""Of a request for an offer; its logo has 1 MB at most."""

MEDIA_TYPES: Mapping[str, str] = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
}


@dataclass(frozen=True)
class Defaults:
    """What offers have unless the page says otherwise: who makes them, and figures by name."""

    company: Company = NOBODY
    figures: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Write them as the page needs them, with the bounds of all figures."""
        logo = self.company.logo
        return {
            "company": {
                "name": self.company.name,
                "contact": self.company.contact,
                "logo": None if logo is None else base64.b64encode(logo).decode("ascii"),
            },
            "figures": {
                name: {
                    "low": float(bounds.low),
                    "high": float(bounds.high),
                    "default": self.figures.get(name, bounds.default),
                    "unit": bounds.unit,
                }
                for name, bounds in FIELDS.items()
            },
            "longest": LONGEST,
            "frame_of_1_mm": measure_frame_mm(1.0),
        }


def read_defaults(settings: Settings) -> Defaults:
    """Read what the settings say of offers. Raises OrderError, LogoError."""
    company = settings.company
    try:
        logo = None if company.logo is None else load_logo(company.logo)
    except LogoError as why:
        raise LogoError(f"{LOGO}: {why}") from None
    return Defaults(Company(company.name, company.contact, logo), settings.order)


def parse_request(text: str, palette: Palette, defaults: Defaults) -> OfferRequest:
    """Parse what the page sends. Raises Fault and RecipeError."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise Fault("offer", "not JSON", status=422) from None
    try:
        return read_request(value, palette, defaults.figures, date.today())
    except OrderError as error:
        raise make_order_fault(error) from None
    except LogoError as error:
        raise Fault("logo", str(error), status=422) from None
    except OfferError as error:
        raise Fault("offer", str(error), status=422) from None


def make_order_fault(error: OrderError) -> Fault:
    """Make the fault of a figure, which the page says beside its field."""
    values = {"field": error.field, "color": error.color, "low": error.low, "high": error.high}
    return Fault("order", str(error), status=422, **values)


def describe_order(asked: OfferRequest) -> dict[str, Any]:
    """Describe what an order needs, with the colours' names in its language; None without area."""
    speech = Speech(asked.language)
    swatches = [describe_color(part, speech) for part in list_shares(asked.recipe)]
    return {
        "order": None if asked.order is None else asked.order.as_json(),
        "names": {one.key: one.label for one in swatches},
        "hexes": {one.key: one.hex for one in swatches},
    }


def write_csv(asked: OfferRequest) -> bytes:
    """Write the order's table. Raises Fault where no kilograms are asked for."""
    if asked.order is None:
        raise Fault("order", "area: allowed: above 0 m²", status=422, **_NO_AREA)
    speech = Speech(asked.language)
    swatches = [describe_color(part, speech) for part in list_shares(asked.recipe)]
    return write_order_csv(swatches, asked.order, speech)


_NO_AREA = {"field": "area", "color": "", "low": FIELDS["area"].low, "high": FIELDS["area"].high}


def make_file(
    asked: OfferRequest, kind: Kind, renderer: Renderer, check_cancelled: CheckCancelled
) -> bytes:
    """Draw an offer's pictures, and write it."""
    pictures = draw_pictures(asked.recipe, renderer, check_cancelled)
    check_cancelled()
    offer = Offer(
        recipe=asked.recipe,
        language=asked.language,
        day=asked.day,
        pictures=pictures,
        inputs=asked.inputs,
        company=asked.company,
        project=asked.project,
        order=asked.order,
    )
    return write_html(offer) if kind == "html" else write_pdf(offer)


def make_logo(content: bytes) -> dict[str, str]:
    """Make a chosen picture a logo: a small PNG in base64, which the page keeps. Raises Fault."""
    try:
        return {"logo": base64.b64encode(read_logo(content)).decode("ascii")}
    except LogoError as why:
        raise Fault("logo", str(why), status=422) from None


def write_disposition(recipe: Recipe, kind: str) -> str:
    """Write the header that names a file by its mix."""
    return f'attachment; filename="{name_file(recipe, kind)}"'
