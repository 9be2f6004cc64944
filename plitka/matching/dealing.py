"""Dealing: gives a colour to each granule of a picture, so that the areas meet the shares.

Which kinds of granules become which colours is decided for whole kinds, at the least cost. Within a
kind each granule has its colour by lot, as in a bag of mixed granules.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles
from plitka.color import cielab
from plitka.color.palette import Color
from plitka.matching.analysis import Analysis
from plitka.matching.granules import list_neighbours, pair_granules
from plitka.matching.tone_curves import Material
from plitka.matching.transport import plan_transport, repair_areas
from plitka.tile import layout as tile_layout
from plitka.tile.layout import SURVEY, Layout

# Costs, for each pixel of area.
_PLACE = 0.8  # of another colour than the layout's granule in the same place has
_STRANGE = 20.0  # CIEDE2000 that cost 1
# Weights of chance against cost, tried one after the other until the colours do not cluster.
_SOFTNESS = (0.03, 0.1, 0.3, 1.0, 3.0)
# Of neighbouring granules, the part that agrees in colour beyond what independent ones do; on
# photographs of mixed tiles, cut by the same watershed, it is 0.06 to 0.12.
_CLUSTERING = 0.05
_LOT = 1e-3  # times a granule's lot: of equal ones the lot decides
_STREAM = 7  # of the random numbers that are drawn from the layout's seed


Deal: TypeAlias = Callable[[Doubles], NDArray[np.int64]]
"""Takes (K,) shares, together 1; returns (N,) the colour that each granule gets."""


def prepare_dealing(analysis: Analysis, layout: Layout) -> Deal:
    """Prepare a deal of the layout's K colours to the picture's N granules, all anew.

    A granule that shows a colour keeps it as far as the shares allow, first of all where the layout
    has that colour in the same place. Shares are those of the area that is not in shadow.
    """
    count = len(layout.colors)
    place = _look_up_places(analysis, layout)
    kind, of_granule = np.unique(analysis.material * (count + 1) + place, return_inverse=True)
    material, place = np.divmod(kind, count + 1)
    cost = _compare_to_palette(analysis, layout.colors)[material]
    cost += _PLACE * ((place[:, None] != np.arange(count)) & (place[:, None] < count))
    area = analysis.lit_area
    kind_area = np.bincount(of_granule, weights=area).astype(np.float64)
    members = [np.flatnonzero(of_granule == number) for number in range(len(kind))]
    lots = np.random.default_rng((layout.seed, _STREAM)).random(len(area))

    def deal_kinds(target: Doubles, softness: float) -> NDArray[np.int64]:
        plan = plan_transport(cost, kind_area, target, softness)
        owner = np.zeros(len(area), np.int64)
        for mine, parts in zip(members, plan, strict=True):
            owner[mine] = tile_layout.deal_colors(area[mine], parts, lots[mine])
        return owner

    def choose_softness() -> float:
        neighbours = list_neighbours(analysis.granules)
        target = np.array(layout.shares) * area.sum()
        for softness in _SOFTNESS[:-1]:
            if _measure_clustering(deal_kinds(target, softness), neighbours) <= _CLUSTERING:
                return softness
        return _SOFTNESS[-1]

    softness = choose_softness()
    granule_cost = cost[of_granule] + _LOT * lots[:, None]

    def deal(shares: Doubles) -> NDArray[np.int64]:
        target = shares * area.sum()
        return repair_areas(deal_kinds(target, softness), granule_cost, area, target)

    return deal


def prepare_keeping(analysis: Analysis, layout: Layout) -> Deal:
    """Prepare a deal in which granules keep the colours that they show, as far as shares allow.

    All of the layout's K colours must be shown. Shares are those that `measure` should find; what
    it finds now is taken for what the granules show.
    """
    centres = np.array(analysis.classification.centres)
    cost = cielab.ciede2000(analysis.granules.lab[:, None], centres[None]) / _STRANGE
    area, owner = analysis.lit_area, analysis.classification.nearest
    shown = np.bincount(owner, weights=area, minlength=len(layout.colors))

    def deal(shares: Doubles) -> NDArray[np.int64]:
        change = (shares - np.array(analysis.measured.shares)) * area.sum()
        return repair_areas(owner, cost, area, shown + change)

    return deal


def _measure_clustering(
    owner: NDArray[np.int64], neighbours: tuple[NDArray[np.int32], NDArray[np.int32]]
) -> float:
    """Measure how much oftener neighbours agree in colour than independent ones would.

    owner: (N,) colour indices. neighbours: see `list_neighbours`. Returns 0 for independence, 1
    where all agree.
    """
    one, other = (owner.take(ends) for ends in neighbours)
    parts = np.bincount(np.concatenate([one, other])) / (2 * len(one))
    chance = float((parts**2).sum())
    return (float((one == other).mean()) - chance) / max(1 - chance, 1e-9)


def _look_up_places(analysis: Analysis, layout: Layout) -> NDArray[np.int64]:
    """Look up the colour that the layout has in the place of each granule: (N,), K for none."""
    paired = pair_granules(analysis.granules, layout.map_granules(SURVEY))
    return np.append(layout.owner.astype(np.int64), len(layout.colors))[paired]


def _compare_to_palette(analysis: Analysis, colors: tuple[Color, ...]) -> Doubles:
    """Compute the cost of each material's difference from each colour of the palette: (M, K)."""
    return np.array(
        [
            [_compare_material(material, index, color) for index, color in enumerate(colors)]
            for material in analysis.materials
        ]
    )


def _compare_material(material: Material, index: int, color: Color) -> float:
    """Compute the cost of a material's difference from `color`; 0 if it shows that one, `index`."""
    if material.color == index:
        return 0.0
    return float(cielab.ciede2000(material.lab, color.lab)) / _STRANGE
