"""Assignment: gives a colour to each segment of a picture, so that the areas meet the shares."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles
from plitka.color import cielab
from plitka.color.palette import Color
from plitka.matching.analysis import Analysis
from plitka.matching.optimal_transport import Bonds, assign_by_transport, repair_areas
from plitka.matching.region_merging import merge_segments
from plitka.matching.tone_curves import Material, ToneCurves
from plitka.measure.classification import NO_COLOR, SHADOW, classify_by_centres
from plitka.tile.layout import Layout

# Costs, for each pixel of area.
_PLACE = 0.8  # of lying where the layout has another colour
_BOND = 5.0  # of parting regions that touch, for each pixel of length along which they do
_STRANGE = 20.0  # CIEDE2000 that cost 1

_EXACT = 0.008  # sum of differences to the shares; the prediction is no more exact
_CORRECTIONS = 2  # how often targets are corrected by what would be measured


def assign_colors(
    analysis: Analysis, layout: Layout, curves: ToneCurves, shares: Doubles, keep: bool
) -> NDArray[np.int64]:
    """Assign one of the layout's K colours to each of the picture's N segments.

    shares: (K,) of the area, together 1, that the colours shall have, as `measure` would find them
    after recolouring by `curves`. keep: whether segments keep the colour that they show as far as
    the shares allow; otherwise they get the colour that the layout has at their place, as far as
    their own colour allows. Returns (N,) colour indices.
    """
    count = len(analysis.segments.area)
    if len(layout.colors) == 1:
        return np.zeros(count, np.int64)
    lit_area = _measure_lit_area(analysis)
    if keep:
        return _prepare_keeping(analysis, layout, lit_area)(shares * lit_area.sum())
    assign = _prepare_assigning(analysis, layout, lit_area)
    target = shares
    best, least = np.zeros(count, np.int64), np.inf
    for _ in range(_CORRECTIONS):
        owner = assign(target / target.sum() * lit_area.sum())
        predicted = _predict_shares(analysis, owner, curves, layout.colors)
        error = float(np.abs(predicted - shares).sum())
        if error < least:
            best, least = owner, error
        if error < _EXACT:
            break
        target = np.maximum(target + shares - predicted, shares / 4)
    return best


_Assign: TypeAlias = Callable[[Doubles], NDArray[np.int64]]
"""Takes (K,) the area in pixels that each colour should have; returns (N,) colour indices."""


def _measure_lit_area(analysis: Analysis) -> Doubles:
    """Measure the pixels of each segment, 0 for those in shadow: they count for no colour's share.

    Returns (N,).
    """
    medians = np.array([material.lab[0] for material in analysis.materials])
    dark = medians[analysis.material] * SHADOW > analysis.segments.lab[:, 0]
    return np.asarray(analysis.segments.area * ~dark)


def _prepare_assigning(analysis: Analysis, layout: Layout, lit_area: Doubles) -> _Assign:
    """Prepare an assignment of whole regions to colours by optimal transport.

    A region's cost is its difference from the colour, and how much of it lies where the layout
    has another colour. lit_area: (N,) pixels that count for the targets.
    """
    segments = analysis.segments
    regions = merge_segments(segments, analysis.granules)
    area = np.bincount(regions.of_segment, weights=segments.area).astype(np.float64)
    difference = _compare_to_palette(analysis, layout.colors) * segments.area[:, None]
    misplaced = _measure_misplaced_area(analysis, regions.of_segment, area, layout)
    cost = (_sum_by_region(difference, regions.of_segment) + _PLACE * misplaced) / area[:, None]
    bonds = Bonds(len(area), regions.one, regions.other, _BOND * regions.bond)
    lit = np.bincount(regions.of_segment, weights=lit_area).astype(np.float64)
    return lambda target: assign_by_transport(cost, lit, target, bonds)[regions.of_segment]


def _prepare_keeping(analysis: Analysis, layout: Layout, lit_area: Doubles) -> _Assign:
    """Prepare an assignment in which segments keep their colour, unless the shares need another.

    Only the segments of a region that show the region's main colour can change, and all at once.
    lit_area: (N,) pixels that count for the targets.
    """
    segments = analysis.segments
    region = merge_segments(segments, analysis.granules).of_segment
    shown = analysis.classification.nearest
    is_shown = shown[:, None] == np.arange(len(layout.colors))
    lit_of_color = _sum_by_region(lit_area[:, None] * is_shown, region)
    owner = lit_of_color.argmax(axis=1)
    is_main = shown == owner[region]
    size = np.bincount(region, weights=lit_area * is_main).astype(np.float64)
    owned = np.bincount(owner, weights=size, minlength=len(layout.colors))
    fixed = lit_of_color.sum(axis=0) - owned
    area = np.bincount(region, weights=segments.area)
    difference = _compare_to_centres(analysis) * segments.area[:, None]
    cost = _sum_by_region(difference, region) / area[:, None]

    def assign(target: Doubles) -> NDArray[np.int64]:
        repaired = repair_areas(owner, cost, size, target - fixed)
        return np.where(is_main, repaired[region], shown)

    return assign


def _sum_by_region(values: Doubles, region: NDArray[np.int64]) -> Doubles:
    """Sum values (N, K) over the segments of each region (N,). Returns (R, K)."""
    columns = [np.bincount(region, weights=column) for column in values.T]
    return np.stack(columns, axis=1).astype(np.float64)


def _compare_to_centres(analysis: Analysis) -> Doubles:
    """Compute the cost of each segment's difference from each colour as this picture shows it.

    All K colours must be shown. Returns (N, K).
    """
    centres = np.array(analysis.classification.centres)
    return cielab.ciede2000(analysis.segments.lab[:, None], centres[None]) / _STRANGE


def _compare_to_palette(analysis: Analysis, colors: Sequence[Color]) -> Doubles:
    """Compute the cost of each material's difference from each colour of the palette.

    Returns (N, K), for each segment that of its material.
    """
    costs = [
        [_compare_material(material, index, color) for index, color in enumerate(colors)]
        for material in analysis.materials
    ]
    return np.array(costs)[analysis.material]


def _compare_material(material: Material, index: int, color: Color) -> float:
    """Compute the cost of a material's difference from `color`; 0 if it shows that one, `index`."""
    if material.color == index:
        return 0.0
    return float(cielab.ciede2000(material.lab, color.lab)) / _STRANGE


def _measure_misplaced_area(
    analysis: Analysis, region: NDArray[np.int64], area: Doubles, layout: Layout
) -> Doubles:
    """Measure, for each region and colour, the pixels on which the layout has another colour.

    region: (N,) of each segment. area: (R,) pixels of each region. Returns (R, K).
    """
    colors = len(layout.colors)
    owners = np.append(layout.owner.astype(np.int64), colors)
    cells = region[analysis.segments.map.ravel()] * (colors + 1)
    cells += owners[analysis.granules.ravel()]
    laid = np.bincount(cells, minlength=len(area) * (colors + 1)).reshape(len(area), -1)
    return np.asarray(area[:, None] - laid[:, :colors], np.float64)


def _predict_shares(
    analysis: Analysis, owner: NDArray[np.int64], curves: ToneCurves, colors: tuple[Color, ...]
) -> Doubles:
    """Predict the shares that would be measured on the recoloured picture.

    owner: (N,) the colour that each segment becomes. Returns (K,), together 1.
    """
    area = analysis.segments.area
    lab = analysis.segments.lab.astype(np.float32)
    for color in range(len(colors)):
        mine = np.flatnonzero(owner == color)
        lab[mine] = curves.apply(lab[mine].T, analysis.material[mine], color).T
    centres = tuple(color.lab for color in colors)
    shown = classify_by_centres(lab.astype(np.float64), area, colors, centres).owner
    sure = shown != NO_COLOR
    of_color = np.bincount(shown[sure], weights=area[sure], minlength=len(colors))
    return np.asarray(of_color / max(of_color.sum(), 1))
