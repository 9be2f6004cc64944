"""A recipe's zones -> how large each is, and how long the line around it."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import shapely

from plitka.color.srgb import RGB
from plitka.ground.shapes import Region, list_visible, outline_shape, outline_surface
from plitka.request.recipe import Recipe
from plitka.request.shares import ColorShare
from plitka.request.surface import LineKind, Surface

BASE = "base"
"""Name of what no zone covers."""


@dataclass(frozen=True)
class ZoneArea:
    """One mix of a surface, as far as it is seen.

    name: BASE, or the zone's. shares: of its mix. area_m2: square metres, up to the middle of the
    lines around it. line: what parts it from its neighbours, None where nothing does. line_m: how
    long that is, in metres: along the zone's edge, but neither on the surface's own edge nor under
    zones that lie over it.
    """

    name: str
    shares: tuple[ColorShare, ...]
    area_m2: float
    line: LineKind | None
    line_m: float


def measure_zones(recipe: Recipe) -> tuple[ZoneArea, ...]:
    """Measure what the recipe itself covers, and each of its zones, in their order.

    Shares are of visible area. Returns () for a recipe without a surface.
    """
    surface = recipe.surface
    if surface is None:
        return ()
    areas, lines = _measure(surface)
    base = ZoneArea(BASE, recipe.shares, areas[0], None, 0.0)
    zones = [
        ZoneArea(
            surface.name_zone(number),
            zone.shares,
            areas[number + 1],
            zone.line.kind if zone.line else None,
            lines[number] if zone.line else 0.0,
        )
        for number, zone in enumerate(surface.zones)
    ]
    return (base, *zones)


def sum_up_shares(recipe: Recipe) -> tuple[ColorShare, ...]:
    """Sum up the colours of all mixes, each once, with its share of all that is seen.

    Without a surface, that are the recipe's own.
    """
    if recipe.surface is None:
        return recipe.shares
    zones = measure_zones(recipe)
    whole = math.fsum(zone.area_m2 for zone in zones)
    summed: dict[RGB, ColorShare] = {}
    for zone in zones:
        for part in zone.shares:
            first = summed.get(part.color.srgb, ColorShare(part.color, part.name, 0.0))
            share = first.share + part.share * zone.area_m2 / whole
            summed[part.color.srgb] = replace(first, share=share)
    return tuple(summed.values())


@lru_cache(maxsize=4)  # for callers that change only a mix
def _measure(surface: Surface) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Measure areas in m2, of the base first, and lengths of edges in m, of the zones."""
    areas = tuple(float(region.area) * 1e-6 for region in list_visible(surface))
    over = shapely.MultiPolygon()
    inside = shapely.buffer(outline_surface(surface), -1e-3)
    lines = []
    for zone in reversed(surface.zones):
        region: Region = outline_shape(zone.shape, surface)
        edge = shapely.intersection(shapely.boundary(region), inside)
        lines.append(float(shapely.difference(edge, over).length) * 1e-3)
        over = shapely.union(over, region)
    return areas, tuple(lines[::-1])
