"""A recipe -> the zones of its floor, with what each shows and how large it is."""

import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from plitka.ground.zones import measure_zones
from plitka.offer.speech import Speech
from plitka.order.amounts import Zone
from plitka.order.inputs import Inputs
from plitka.request.recipe import Recipe
from plitka.request.shares import ColorShare

_SQUARE_CM = Decimal("0.0001")  # of a square metre; what is smaller is nobody's zone
_DIGITS = 4  # of square metres and metres, which are measured on drawings


def list_zones(recipe: Recipe, inputs: Inputs, speech: Speech) -> list[Zone]:
    """List the zones that are seen: those of the recipe's surface, or else one of the whole area.

    Empty where neither is given. A surface has areas of its own; that of `inputs` is passed over.
    """
    if recipe.surface is not None:
        names = [speech.say("base")]
        for number, zone in enumerate(recipe.surface.zones, 1):
            names.append(zone.name or f"{speech.say(zone.shape_name)} {number}")
        zones = [
            Zone(
                name,
                _name_shares(zone.shares),
                _round(zone.area_m2),
                zone.line or "",
                _round(zone.line_m),
            )
            for name, zone in zip(names, measure_zones(recipe), strict=True)
        ]
        return [zone for zone in zones if zone.area >= _SQUARE_CM]
    if inputs.area is None:
        return []
    return [Zone("", _name_shares(recipe.shares), inputs.area)]


def list_shares(recipe: Recipe) -> list[ColorShare]:
    """List the colours of a recipe's whole floor, with their shares of its visible area."""
    zones = measure_zones(recipe)
    if not zones:
        return list(recipe.shares)
    areas = [float(_round(zone.area_m2)) for zone in zones]
    whole = math.fsum(areas)
    found: dict[str, ColorShare] = {}
    for zone, area in zip(zones, areas, strict=True):
        for part in zone.shares:
            share = part.share * area / whole
            before = found.get(part.name)
            found[part.name] = replace(part, share=share + (before.share if before else 0.0))
    return [part for part in found.values() if part.share > 0]


def adapt_inputs(recipe: Recipe, inputs: Inputs) -> Inputs:
    """Give figures the tile and the granules of the recipe's surface, where it has one."""
    surface = recipe.surface
    if surface is None:
        return inputs
    tile = surface.tile_mm
    return replace(
        inputs,
        granule=_round(surface.granule_mm),
        tile=None if tile is None else (_round(tile[0]), _round(tile[1])),
    )


def _name_shares(shares: Sequence[ColorShare]) -> tuple[tuple[str, float], ...]:
    return tuple((part.name, part.share) for part in shares)


def _round(number: float) -> Decimal:
    return round(Decimal(repr(float(number))), _DIGITS)
