"""The request for an offer, as a page or the command line makes it -> its values, all checked."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from plitka.color.palette import Palette
from plitka.errors import OfferError
from plitka.messages.message import LANGUAGES, Language, Said, Words
from plitka.offer.content import Company, name_color
from plitka.offer.logo import read_logo
from plitka.offer.speech import Speech
from plitka.offer.zones import adapt_inputs, list_shares, list_zones
from plitka.order.amounts import Order, compute_order
from plitka.order.inputs import Inputs, read_inputs
from plitka.request import parsing
from plitka.request.recipe import Recipe, draw_seed

LONGEST = {"name": 160, "contact": 400, "project": 200}
"""Characters of the texts of an offer."""

_MOST_LINES = 5  # of a contact
_FIELDS = frozenset({"recipe", "language", "date", "project", "company", "order"})


@dataclass(frozen=True)
class OfferRequest:
    """An offer that is asked for. order: None where no kilograms are."""

    recipe: Recipe
    language: Language
    day: date
    project: str
    company: Company
    inputs: Inputs
    order: Order | None


def read_request(
    value: object, palette: Palette, defaults: Mapping[str, str], today: date
) -> OfferRequest:
    """Read a request for an offer: a JSON object with `recipe` and, if they are wanted, others.

    defaults: of the order's figures. today: where no date is given. The recipe's seed is drawn.
    Raises OfferError, RecipeError, OrderError and LogoError.
    """
    if not isinstance(value, dict):
        raise OfferError("allowed: an object with `recipe`")
    for name in value:
        if name not in _FIELDS:
            raise OfferError(f"no field {name[:40]!r}; there are {', '.join(sorted(_FIELDS))}")
    language = read_language(value.get("language", "en"))
    recipe = draw_seed(parsing.parse(json.dumps(value.get("recipe")), palette))
    inputs, order = read_order(recipe, value.get("order"), language, defaults)
    return OfferRequest(
        recipe=recipe,
        language=language,
        day=_read_date(value.get("date"), today),
        project=read_text(value.get("project", ""), "project", 1),
        company=_read_company(value.get("company", {})),
        inputs=inputs,
        order=order,
    )


def read_order(
    recipe: Recipe, given: object, language: Language, defaults: Mapping[str, str]
) -> tuple[Inputs, Order | None]:
    """Read an order's figures, and compute it where a floor of some area is asked for.

    given: an object of figures; None for the defaults and no order. Raises OrderError.
    """
    names: dict[str, Said] = {
        part.name: Words(part.name, name_color(part.color, "ru")) for part in list_shares(recipe)
    }
    read = read_inputs({} if given is None else given, names, defaults, language)
    inputs = adapt_inputs(recipe, read)
    zones = list_zones(recipe, inputs, Speech(language)) if given is not None else []
    return inputs, compute_order(zones, inputs) if zones else None


def read_language(value: object) -> Language:
    """Read the language of an offer. Raises OfferError."""
    for language in LANGUAGES:
        if language == value:
            return language
    raise OfferError(f"language: allowed: {', '.join(LANGUAGES)}")


def read_text(value: object, name: str, lines: int = 1) -> str:
    """Read a text, without what cannot be seen in it. Raises OfferError."""
    if not isinstance(value, str):
        raise OfferError(f"{name}: allowed: a text")
    plain = value.replace("\r\n", "\n").replace("\t", " ")
    kept = "".join(sign for sign in plain if sign.isprintable() or sign in "\n\u00a0\u202f").strip()
    if len(kept) > LONGEST[name]:
        raise OfferError(f"{name}: got {len(kept)} characters; allowed: {LONGEST[name]}")
    if kept.count("\n") >= lines:
        raise OfferError(f"{name}: allowed: {lines} line{'s' if lines > 1 else ''} at most")
    return kept


def _read_date(value: object, today: date) -> date:
    if value is None:
        return today
    try:
        if isinstance(value, str) and len(value) == len("2026-11-30"):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise OfferError("date: allowed: a day as 2026-11-30")


def _read_company(value: object) -> Company:
    """Read who makes the offer; the logo is base64 of a picture. Raises OfferError, LogoError."""
    if not isinstance(value, dict):
        raise OfferError("company: allowed: an object with name, contact and logo")
    logo = value.get("logo")
    return Company(
        read_text(value.get("name", ""), "name"),
        read_text(value.get("contact", ""), "contact", _MOST_LINES),
        None if logo is None else read_logo(_decode(logo)),
    )


def _decode(value: object) -> bytes:
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            pass
    raise OfferError("company.logo: allowed: a picture in base64")
