"""Picture + layout -> the same picture with the layout's shares and palette colours.

The picture's own granules are given to colours: those whose colour is near, and that lie where the
layout has it, under the constraint that areas meet the shares. They are then recoloured along
their own edges: light and shade stay the picture's, as deep as the new colour makes them.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka import (
    cielab,
    fidelity,
    granulation,
    palette,
    render,
    segments,
    sorting,
    toning,
    transport,
)
from plitka.cielab import Doubles, Floats
from plitka.layout import SURVEY, Layout
from plitka.palette import Colour
from plitka.segments import Segments
from plitka.sorting import NOBODY, Sorted
from plitka.toning import Material, Toning, Tonings

Image = NDArray[np.uint8]
_Pixels = TypeVar("_Pixels", Image, segments.Map)

_NO_SURFACE = 8.0  # median difference of neighbouring 8-bit grays; photographs have 15 and more
_UNEVENNESS = 0.3  # of the lightness of such a picture, what is kept
_SIDE = 768  # pixels a side at which segments are cut; their edges are refined at full size
_REACH = 2  # pixels
# Total variation; a picture as near to its recipe keeps all its granules: measuring is no surer
# than that, and to recolour 4 points of a tile changes it more than any white balance.
_CLOSE = 0.04
_ALIKE = 3.0  # CIEDE2000; a colour as near to the palette is not moved, a farther one to here
_ALIKE_IF_DEALT = 1.0  # the same where granules are dealt anew
_PLACE = 0.8  # what it costs to lie elsewhere than in the layout
_BOND = 5.0  # what it costs to part pieces that touch, for each pixel along which they do
_STRANGE = 20.0  # CIEDE2000 that cost 1
_UNLIKE = 1.6  # the most that colour can cost
_ATTEMPTS = 2  # to give the shares; another one only where what is measured afterwards is off
_GOOD = 0.025  # total variation that is good enough
_CORRECTIONS = 2  # how often targets are corrected by what would be measured
_SETTLED = 1.0  # CIEDE2000 by which a colour's median may miss its goal
_ENOUGH = 20_000  # pixels for a median
_SAMPLE = 3  # every so many pixels of rows and columns are looked at for statistics

_ROUNDING = 4  # pixels around each over which edges are rounded
_FLAT = 4.0  # standard deviation of L* below which there is no edge to keep to
_MIXED = 2  # pixels beside another material that may be mixed with it
_ASIDE = 0.3  # of the way from one material to the other; what lies farther off is no mixture
_CONTACT = 0.1  # how much darker it is where two granules touch, as far as
_CONTACT_STEP = 50.0  # the L* from one material to the other hid that
_SOFT_EDGE = 0.7  # standard deviation in pixels of the way from one colour to the next


def match(image: Image, layout: Layout) -> Image:
    """Give a picture the shares and colours of a layout.

    image: (size, size, 3) RGB, 0..255: any picture, of a tile or not.
    """
    size = image.shape[0]
    if image.shape != (size, size, 3):
        raise ValueError(f"the picture must be square and RGB; its shape is {image.shape}")
    lab = cielab.from_rgb(image)
    if _has_no_surface(image):
        lab = _surfaced(lab, layout)
        image = cielab.to_rgb(lab)
    small = _resized(image, min(size, _SIDE), cv2.INTER_AREA)
    granules = _resized(layout.granule_map(SURVEY), len(small), cv2.INTER_NEAREST)
    cut = segments.cut(small, cielab.from_rgb(small), _REACH, granules)
    index = _resized(cut.map, size, cv2.INTER_NEAREST)
    found = sorting.sort(cut, layout.colours)
    material, materials = _materials(lab, index, cut, found)
    if _is_close(cut, found, layout):
        return cielab.to_rgb(_balanced(lab, index, material, materials, found, layout.colours))
    tonings: Tonings = {
        (number, index): Toning.of(one, index, layout.colours, _ALIKE_IF_DEALT)
        for number, one in enumerate(materials)
        for index in range(len(layout.colours))
    }
    shares = np.array(layout.shares)
    target = shares
    best, least = image, np.inf
    for _ in range(_ATTEMPTS):
        owner = _dealt(cut, material, materials, tonings, layout, granules, target)
        matched = cielab.to_rgb(
            _recoloured(lab, index, material, materials, owner, tonings, len(layout.colours))
        )
        shown = np.array(fidelity.measure(matched, layout.colours).shares)
        off = float(np.abs(shown - shares).sum()) / 2
        if off < least:
            best, least = matched, off
        if off <= _GOOD:
            break
        target = np.maximum(target + shares - shown, shares / 4)
    return best


def _resized(values: _Pixels, size: int, way: int) -> _Pixels:
    if len(values) == size:
        return values
    return np.asarray(cv2.resize(values, (size, size), interpolation=way), values.dtype)


def _has_no_surface(image: Image) -> bool:
    """Whether a picture is flat or smooth, so that it shows nothing of granules."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    contrast = cv2.morphologyEx(gray, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return float(np.median(contrast)) <= _NO_SURFACE


def _surfaced(lab: Floats, layout: Layout) -> Floats:
    """The picture with light and shade of the layout's own granules, as if all were gray.

    What it has of lightness is unevenness of the light rather than granules, and is kept in part.
    """
    gray = palette.load(palette.PALETTE_FILE).find("LTGRAY")
    bare = replace(layout, colours=(gray,), shares=(1.0,), owner=np.zeros_like(layout.owner))
    light = cielab.from_rgb(render.picture(bare, len(lab)))[..., 0]
    surfaced = lab.copy()
    even = np.median(lab[..., 0])
    surfaced[..., 0] = even + _UNEVENNESS * (lab[..., 0] - even)
    surfaced[..., 0] += light - np.float32(gray.lab[0])
    return np.clip(surfaced, (0, -127, -127), (100, 127, 127)).astype(np.float32)


def _materials(
    lab: Floats, index: segments.Map, cut: Segments, found: Sorted
) -> tuple[NDArray[np.int64], list[Material]]:
    """(N,) index of each segment's material, and the materials."""
    present, material = np.unique(found.material, return_inverse=True)
    sample = lab[::_SAMPLE, ::_SAMPLE].reshape(-1, 3)
    kinds = material[index[::_SAMPLE, ::_SAMPLE].ravel()]
    materials = []
    for number, kind in enumerate(present.tolist()):
        pixels = sample[kinds == number]
        if not len(pixels):
            pixels = cut.lab[material == number].astype(np.float32)
        centre = cielab.as_lab(np.median(pixels, axis=0))
        p5, p50, p95 = np.percentile(pixels[:, 0], (5, 50, 95)).tolist()
        stray = pixels[:, 1:] - cielab.shaded(centre, pixels[:, 0])
        chroma = float(np.sqrt((stray**2).sum(axis=1).mean()))
        colour = kind if kind < len(found.centres) else NOBODY
        materials.append(Material(centre, (p5, p50, p95), chroma, colour))
    return material, materials


def _is_close(cut: Segments, found: Sorted, layout: Layout) -> bool:
    """Whether the picture shows the recipe's colours, no others, in the recipe's shares."""
    strange = found.material >= len(found.centres)
    if cut.area[strange].sum() > _CLOSE * cut.area.sum():
        return False
    sure = found.owner != NOBODY
    count = len(layout.shares)
    area = np.bincount(found.owner[sure], weights=cut.area[sure], minlength=count)
    off = np.abs(area / max(area.sum(), 1) - layout.shares).sum() / 2
    return all(found.centres) and off <= _CLOSE


def _dealt(
    cut: Segments,
    material: NDArray[np.int64],
    materials: list[Material],
    tonings: Tonings,
    layout: Layout,
    granules: segments.Map,
    shares: Doubles,
) -> NDArray[np.int64]:
    """(N,) the colour that each segment gets, so that the colours have `shares` (K,)."""
    colours = len(layout.colours)
    if colours == 1:
        return np.zeros(len(cut.area), np.int64)
    pieces = granulation.join(cut, granules)
    granule = pieces.number
    bonds = transport.Bonds(pieces.one, pieces.other, _BOND * pieces.bond)
    cost = _costs(cut, granule, material, materials, layout, granules)
    dark = np.array([one.lab[0] for one in materials])[material] * sorting.SHADOW > cut.lab[:, 0]
    seen = np.bincount(granule, weights=cut.area * ~dark, minlength=len(cost)).astype(np.float64)
    target = shares
    best, least = np.zeros(len(cut.area), np.int64), np.inf
    for _ in range(_CORRECTIONS):
        owner = transport.assign(cost, seen, target / target.sum() * seen.sum(), bonds)[granule]
        shown = _foreseen(cut, material, owner, tonings, layout.colours)
        off = float(np.abs(shown - shares).sum())
        if off < least:
            best, least = owner, off
        target = np.maximum(target + shares - shown, shares / 4)
    return best


def _costs(
    cut: Segments,
    granule: NDArray[np.int64],
    material: NDArray[np.int64],
    materials: list[Material],
    layout: Layout,
    granules: segments.Map,
) -> Doubles:
    """(G, K) what it costs to give each granule to each colour: for unlikeness and for place."""
    colours = len(layout.colours)
    area = np.bincount(granule, weights=cut.area)
    unlike = np.array(
        [[_unlikeness(m, i, c) for i, c in enumerate(layout.colours)] for m in materials]
    )
    owners = np.append(layout.owner.astype(np.int64), colours)
    cells = granule[cut.map.ravel()] * (colours + 1) + owners[granules.ravel()]
    laid = np.bincount(cells, minlength=len(area) * (colours + 1)).reshape(len(area), -1)
    unlikeness = np.stack(
        [np.bincount(granule, weights=cut.area * of[material]) for of in unlike.T], axis=1
    )
    elsewhere = area[:, None] - laid[:, :colours]
    return np.asarray((unlikeness + _PLACE * elsewhere) / area[:, None], np.float64)


def _unlikeness(material: Material, index: int, colour: Colour) -> float:
    if material.colour == index:
        return 0.0
    return min(float(cielab.difference(material.lab, colour.lab)) / _STRANGE, _UNLIKE)


def _toned(
    cut: Segments, material: NDArray[np.int64], owner: NDArray[np.int64], tonings: Tonings
) -> Doubles:
    """(N, 3) L*a*b* of the segments, each toned to its colour."""
    lab = cut.lab.astype(np.float32)
    for (one, colour), tone in tonings.items():
        mine = (material == one) & (owner == colour)
        lab[mine] = tone.apply(lab[mine])
    return lab.astype(np.float64)


def _foreseen(
    cut: Segments,
    material: NDArray[np.int64],
    owner: NDArray[np.int64],
    tonings: Tonings,
    colours: tuple[Colour, ...],
) -> Doubles:
    """(K,) the shares that would be measured on the recoloured picture."""
    lab = _toned(cut, material, owner, tonings)
    centres = tuple(colour.lab for colour in colours)
    seen = sorting.sort_by(lab, cut.area, colours, centres).owner
    sure = seen != NOBODY
    area = np.bincount(seen[sure], weights=cut.area[sure], minlength=len(colours))
    return np.asarray(area / max(area.sum(), 1))


def _balanced(
    lab: Floats,
    index: segments.Map,
    material: NDArray[np.int64],
    materials: list[Material],
    found: Sorted,
    colours: tuple[Colour, ...],
) -> Floats:
    """The picture with its own colours moved to the palette, as a white balance would."""
    shifts = np.zeros((len(materials), len(colours), 3), np.float32)
    for number, one in enumerate(materials):
        for wanted, colour in enumerate(colours):
            goal, _ = toning.goal(one, wanted, colour, _ALIKE)
            shifts[number, wanted] = np.subtract(goal, one.lab)
    moved = shifts[material, found.nearest][index]
    soft = np.asarray(cv2.GaussianBlur(moved, (0, 0), _SOFT_EDGE), np.float32)
    return np.asarray(np.clip(lab + soft, (0, -127, -127), (100, 127, 127)), np.float32)


def _recoloured(
    lab: Floats,
    index: segments.Map,
    material: NDArray[np.int64],
    materials: list[Material],
    owner: NDArray[np.int64],
    tonings: Tonings,
    colours: int,
) -> Floats:
    """The picture with each segment toned to its colour, softly from one to the next."""
    owners = _rounded(owner.astype(np.uint8)[index], lab[..., 0], colours)
    kinds = material.astype(np.uint8)[index]
    mixed = _mixed(lab, kinds, materials)
    pure, kinds = lab.reshape(-1, 3).copy(), kinds.ravel()
    pure[mixed.where] = mixed.first
    rank = np.full(len(pure), -1, np.int32)
    rank[mixed.where] = np.arange(len(mixed.where))
    toned = np.zeros_like(pure)
    for colour in np.flatnonzero(np.bincount(owners.ravel())).tolist():
        cover = (owners == colour) * np.uint8(255)
        cover = np.asarray(cv2.GaussianBlur(cover, (3, 3), _SOFT_EDGE), np.uint8).ravel()
        where = np.flatnonzero(cover)
        shown = _as_colour(pure[where], kinds[where], colour, tonings)
        places = np.flatnonzero(rank[where] >= 0)
        mixture = rank[where[places]]
        second = _as_colour(mixed.second[mixture], mixed.kind[mixture], colour, tonings)
        part = mixed.part[mixture, None]
        shown[places] += part * (second - shown[places])
        shown[places, :1] *= 1 - mixed.contact[mixture, None]
        shown += _settling(shown, kinds[where], cover[where], colour, tonings)
        toned[where] += shown * (cover[where] * np.float32(1 / 255))[:, None]
    return toned.reshape(lab.shape)


def _settling(
    shown: Floats, kinds: NDArray[np.uint8], cover: NDArray[np.uint8], colour: int, tonings: Tonings
) -> Floats:
    """(3,) what is missing to the goal of a colour's median.

    A material's median becomes its goal, but the granules that a colour got may be lighter or
    darker ones than most of their material, the more so the fewer they are.
    """
    mine = np.flatnonzero(cover > 127)
    mine = mine[:: 1 + len(mine) // _ENOUGH]
    if not len(mine):
        return np.zeros(3, np.float32)
    count = np.bincount(kinds[mine])
    goals = [tonings[kind, colour].goal for kind in np.flatnonzero(count).tolist()]
    goal = np.average(goals, axis=0, weights=count[count > 0])
    median = np.median(shown[mine], axis=0)
    if cielab.difference(goal, median) <= _SETTLED:
        return np.zeros(3, np.float32)
    return np.asarray(goal - median, np.float32)


def _as_colour(lab: Floats, kinds: NDArray[np.uint8], colour: int, tonings: Tonings) -> Floats:
    """(n, 3) pixels of the materials `kinds` (n,), toned to a colour."""
    toned = np.empty_like(lab)
    for kind in np.flatnonzero(np.bincount(kinds)).tolist():
        mine = np.flatnonzero(kinds == kind)
        toned[mine] = tonings[kind, colour].apply(lab[mine])
    return toned


@dataclass(frozen=True, eq=False)
class _Mixed:
    """Pixels that may be mixtures of their own material and another beside it.

    where: (n,) in the flat picture. first, second: (n, 3) what is mixed there, of its own
    material and of the other. kind: (n,) the other material. part: (n,) of the other, 0 to 1.
    contact: (n,) how much darker it is there, where two granules touch.

    Toned as either alone, such pixels would make an outline: too light for one material, too dark
    for the other.
    """

    where: NDArray[np.int64]
    first: Floats
    second: Floats
    kind: NDArray[np.uint8]
    part: Floats
    contact: Floats


def _mixed(lab: Floats, kinds: NDArray[np.uint8], materials: list[Material]) -> _Mixed:
    around = np.ones((2 * _MIXED + 1, 2 * _MIXED + 1), np.uint8)
    high = np.asarray(cv2.dilate(kinds, around), np.uint8).ravel()
    low = np.asarray(cv2.erode(kinds, around), np.uint8).ravel()
    where = np.flatnonzero(high != low)
    own, high, low = kinds.ravel()[where], high[where], low[where]
    other = np.where(high != own, high, low)
    medians = np.array([each.lab for each in materials], np.float32)
    pixels = lab.reshape(-1, 3)[where]
    step = medians[other] - medians[own]
    off = pixels - medians[own]
    length = np.maximum((step * step).sum(axis=1), 1)
    part = np.clip((off * step).sum(axis=1) / length, 0, 1)
    aside = ((off - part[:, None] * step) ** 2).sum(axis=1) / length
    part *= np.exp(-aside / np.float32(_ASIDE**2))
    first = pixels - part[:, None] * step
    hidden = np.minimum(np.abs(step[:, 0]) / np.float32(_CONTACT_STEP), 1)
    contact = np.float32(4 * _CONTACT) * hidden * part * (1 - part)
    return _Mixed(where, first, first + step, other, part, contact)


def _rounded(owner: NDArray[np.uint8], light: Floats, colours: int) -> NDArray[np.uint8]:
    """The map of colours with its edges moved onto the picture's own where those are near, and
    rounded where there are none: there a segment's outline is the picture's grain.

    light: (h, w) L*. A guided filter (He, Sun and Tang, "Guided image filtering", ECCV 2010) of
    the cover of each colour.
    """
    if colours == 1:
        return owner
    mean = _box(light)
    spread = _box(np.asarray(light * light, np.float32)) - mean * mean + np.float32(_FLAT**2)
    most = np.full(owner.shape, -np.inf, np.float32)
    rounded = owner.copy()
    for colour in range(colours):
        cover = (owner == colour).astype(np.float32)
        around = _box(cover)
        slope = np.asarray((_box(light * cover) - mean * around) / spread, np.float32)
        level = around - slope * mean
        here = _box(slope) * light + _box(level)
        more = here > most
        np.copyto(most, here, where=more)
        rounded[more] = colour
    return rounded


def _box(values: Floats) -> Floats:
    side = 2 * _ROUNDING + 1
    return np.asarray(cv2.blur(values, (side, side)), np.float32)
