"""Who gets which colour: the picture's own granules, so that the areas meet the shares."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles
from plitka.color import cielab
from plitka.color.palette import Color
from plitka.matching import optimal_transport, region_merging
from plitka.matching.analysis import Analysis
from plitka.matching.tone_curves import Material, ToneCurves
from plitka.measure import classification
from plitka.measure.classification import NO_COLOR
from plitka.tile.layout import Layout

_PLACE = 0.8  # what it costs to lie elsewhere than in the layout
_BOND = 5.0  # what it costs to part pieces that touch, for each pixel along which they do
_STRANGE = 20.0  # CIEDE2000 that cost 1
_EXACT = 0.008  # sum of differences to the shares; what is foreseen is no surer
_CORRECTIONS = 2  # how often targets are corrected by what would be measured


def assign_colors(
    scene: Analysis, layout: Layout, tonings: ToneCurves, shares: Doubles, kept: bool
) -> NDArray[np.int64]:
    """(N,) the colour that each segment gets, so that the colours have `shares` (K,).

    kept: whether granules keep the colour that they show, as far as the shares allow; else they
    get what the layout has at their place, as far as their colour allows.
    """
    cut = scene.cut
    if len(layout.colors) == 1:
        return np.zeros(len(cut.area), np.int64)
    medians = np.array([one.lab[0] for one in scene.materials])
    dark = medians[scene.material] * classification.SHADOW > cut.lab[:, 0]
    area = cut.area * ~dark
    if kept:
        return _kept(scene, layout, area)(shares * area.sum())
    dealt = _anew(scene, layout, area)
    target = shares
    best, least = np.zeros(len(cut.area), np.int64), np.inf
    for _ in range(_CORRECTIONS):
        owner = dealt(target / target.sum() * area.sum())
        shown = _foreseen(scene, owner, tonings, layout.colors)
        off = float(np.abs(shown - shares).sum())
        if off < least:
            best, least = owner, off
        if off < _EXACT:
            break
        target = np.maximum(target + shares - shown, shares / 4)
    return best


_Deal: TypeAlias = Callable[[Doubles], NDArray[np.int64]]
"""The area that each colour shall have -> (N,) the colour of each segment."""


def _anew(scene: Analysis, layout: Layout, area: Doubles) -> _Deal:
    pieces = region_merging.merge_segments(scene.cut, scene.granules)
    unlike = _summed(_unlikeness(scene, layout.colors) * scene.cut.area[:, None], pieces.number)
    whole = np.bincount(pieces.number, weights=scene.cut.area).astype(np.float64)
    bonds = optimal_transport.Bonds(len(whole), pieces.one, pieces.other, _BOND * pieces.bond)
    cost = (unlike + _PLACE * _elsewhere(scene, pieces.number, whole, layout)) / whole[:, None]
    seen = np.bincount(pieces.number, weights=area).astype(np.float64)
    return lambda target: optimal_transport.assign_by_transport(cost, seen, target, bonds)[
        pieces.number
    ]


def _kept(scene: Analysis, layout: Layout, area: Doubles) -> _Deal:
    """Each piece keeps the colour that it shows most of, unless the shares need another."""
    piece = region_merging.merge_segments(scene.cut, scene.granules).number
    shown = scene.found.nearest
    of_color = _summed(area[:, None] * (shown[:, None] == np.arange(len(layout.colors))), piece)
    owner = of_color.argmax(axis=1)
    most = shown == owner[piece]
    size = np.bincount(piece, weights=area * most).astype(np.float64)
    rest = of_color.sum(axis=0) - np.bincount(owner, weights=size, minlength=len(of_color.T))
    whole = np.bincount(piece, weights=scene.cut.area)
    cost = _summed(_strangeness(scene) * scene.cut.area[:, None], piece) / whole[:, None]

    def dealt(target: Doubles) -> NDArray[np.int64]:
        return np.where(
            most, optimal_transport.repair_areas(owner, cost, size, target - rest)[piece], shown
        )

    return dealt


def _summed(values: Doubles, piece: NDArray[np.int64]) -> Doubles:
    """(P, K) sums over the segments of each piece of (N, K) values."""
    return np.stack([np.bincount(piece, weights=of) for of in values.T], axis=1).astype(np.float64)


def _strangeness(scene: Analysis) -> Doubles:
    """(N, K) how far each segment is from each colour as the picture has it, which all must be."""
    centres = np.array(scene.found.centres)
    return cielab.ciede2000(scene.cut.lab[:, None], centres[None]) / _STRANGE


def _unlikeness(scene: Analysis, colors: Sequence[Color]) -> Doubles:
    """(N, K) how unlike each segment's material is to each of the palette's colours."""
    unlike = [
        [_unlike(one, index, color) for index, color in enumerate(colors)]
        for one in scene.materials
    ]
    return np.array(unlike)[scene.material]


def _unlike(material: Material, index: int, color: Color) -> float:
    if material.color == index:
        return 0.0
    return float(cielab.ciede2000(material.lab, color.lab)) / _STRANGE


def _elsewhere(scene: Analysis, piece: NDArray[np.int64], area: Doubles, layout: Layout) -> Doubles:
    """(P, K) how much of each piece's area lies where the layout has not each colour."""
    colors = len(layout.colors)
    owners = np.append(layout.owner.astype(np.int64), colors)
    cells = piece[scene.cut.map.ravel()] * (colors + 1) + owners[scene.granules.ravel()]
    laid = np.bincount(cells, minlength=len(area) * (colors + 1)).reshape(len(area), -1)
    return np.asarray(area[:, None] - laid[:, :colors], np.float64)


def _foreseen(
    scene: Analysis, owner: NDArray[np.int64], tonings: ToneCurves, colors: tuple[Color, ...]
) -> Doubles:
    """(K,) the shares that would be measured on the recoloured picture."""
    cut = scene.cut
    lab = cut.lab.astype(np.float32)
    for color in range(len(colors)):
        mine = np.flatnonzero(owner == color)
        lab[mine] = tonings.apply(lab[mine].T, scene.material[mine], color).T
    centres = tuple(color.lab for color in colors)
    seen = classification.classify_by_centres(
        lab.astype(np.float64), cut.area, colors, centres
    ).owner
    sure = seen != NO_COLOR
    area = np.bincount(seen[sure], weights=cut.area[sure], minlength=len(colors))
    return np.asarray(area / max(area.sum(), 1))
