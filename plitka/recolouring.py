"""Pixels: each granule toned to its colour along the picture's own edges."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka import cielab, toning
from plitka.cielab import Floats
from plitka.palette import Colour
from plitka.scene import Scene
from plitka.toning import Material, Tonings

ALIKE = 3.0
"""CIEDE2000; a colour that the picture has and that is as near to the palette is not moved, a
farther one is moved to here."""

_SETTLED = 1.0  # CIEDE2000 by which a colour's median may miss its goal
_ENOUGH = 20_000  # pixels for a median
_BAND = 1 << 16  # pixels worked on together, so that they stay in the processor's cache

_ROUNDING = 3  # pixels of the map of segments around each over which edges are rounded
_SAMPLE = 3  # every so many pixels of rows and columns are looked at for areas
_SWEEPS = 2  # over all colours, to find what keeps their areas
_MOST_FAVOUR = 0.4  # of a cover
_SPECK = 2 / 1024  # of the picture; as far around a pixel, most pixels have to be of its colour
_FLAT = 4.0  # standard deviation of L* below which there is no edge to keep to
_MIXED = 3  # pixels beside another material that may be mixed with it
_ASIDE = 0.45  # of the way from one material to the other; what lies farther off is no mixture
_LEAST_PART = 0.03  # of another material that is worth to be unmixed
_LIGHTS = (0.25, 1.3)  # in which a mixture may lie, times that of its materials' medians
_LIGHT_COST = 60.0  # L*, a*, b* by which one in no light at all would be off
_STEADY = 1e-3  # L*, a*, b* squared; for two materials that are all but the same
_CONTACT = 0.1  # how much darker it is where two granules touch, as far as
_CONTACT_STEP = 50.0  # the L* from one material to the other hid that
_PATCHED = 4  # pixels around a segment of another colour that go with it
_SOFT_EDGE = 0.7  # standard deviation in pixels of the way from one colour to the next


def balanced(scene: Scene, colours: Sequence[Colour]) -> Floats:
    """The picture with its own colours moved to the palette, as a white balance would."""
    shifts = np.zeros((len(scene.materials), len(colours), 3), np.float32)
    for number, one in enumerate(scene.materials):
        for index, colour in enumerate(colours):
            goal, _ = toning.goal(one, index, colour, ALIKE)
            shifts[number, index] = np.subtract(goal, one.lab)
    moved = shifts[scene.material, scene.found.nearest][scene.index]
    soft = np.asarray(cv2.GaussianBlur(moved, (0, 0), _SOFT_EDGE), np.float32)
    return np.asarray(np.clip(scene.lab + soft, (0, -127, -127), (100, 127, 127)), np.float32)


def patched(scene: Scene, kept: Floats, owner: NDArray[np.int64], other: Floats) -> Floats:
    """`kept`, but `other` where a segment's owner is not what it shows already."""
    changed = (owner != scene.found.nearest).astype(np.float32)[scene.index]
    broad = cv2.dilate(changed, np.ones((2 * _PATCHED + 1, 2 * _PATCHED + 1), np.uint8))
    soft = np.asarray(cv2.GaussianBlur(broad, (0, 0), _PATCHED / 2), np.float32)[..., None]
    return np.asarray(kept + soft * (other - kept), np.float32)


def recoloured(scene: Scene, owner: NDArray[np.int64], tonings: Tonings, colours: int) -> Floats:
    """The picture with each segment toned to its colour, softly from one to the next."""
    owners = _rounded(owner.astype(np.uint8).take(scene.cut.map), scene.lab[..., 0], colours)
    kinds = scene.material.astype(np.uint8).take(scene.index)
    lab = np.array(cv2.split(scene.lab), np.float32).reshape(3, -1)
    mixed = _mixed(lab, kinds, scene.materials)
    lab[:, mixed.where] = mixed.first
    painter = _Painter(lab, kinds.ravel(), mixed, tonings)
    toned = painter.toned(owners.ravel())
    _soften(toned, owners, painter, colours)
    _settle(toned, owners, painter, colours)
    return np.asarray(cv2.merge(list(toned.reshape(3, *scene.index.shape))), np.float32)


@dataclass(frozen=True, eq=False)
class _Painter:
    """lab: (3, n) a picture's pixels, kinds: (n,) their materials. mixed: those of two."""

    lab: Floats
    kinds: NDArray[np.uint8]
    mixed: "_Mixed"
    tonings: Tonings

    def toned(self, colours: NDArray[np.uint8]) -> Floats:
        """(3, n) the pixels toned to `colours` (n,)."""
        toned = np.empty_like(self.lab)
        for start in range(0, len(self.kinds), _BAND):
            band = slice(start, start + _BAND)
            toned[:, band] = self.tonings.apply(self.lab[:, band], self.kinds[band], colours[band])
        where = self.mixed.where
        toned[:, where] = self._blended(toned.take(where, axis=1), slice(None), colours[where])
        return toned

    def toned_at(self, where: NDArray[np.intp], colour: int) -> Floats:
        """(3, m) the pixels `where` (m,) toned to one colour."""
        toned = self.tonings.apply(self.lab.take(where, axis=1), self.kinds[where], colour)
        mixture = self._rank.take(where)
        places = np.flatnonzero(mixture >= 0)
        toned[:, places] = self._blended(toned.take(places, axis=1), mixture[places], colour)
        return toned

    def _blended(
        self,
        first: Floats,
        mixtures: NDArray[np.int32] | slice,
        colours: NDArray[np.uint8] | int,
    ) -> Floats:
        """(3, m) mixtures, whose own material `first` is toned already, of both materials."""
        mixed = self.mixed
        second = self.tonings.apply(mixed.second[:, mixtures], mixed.kind[mixtures], colours)
        blend = first + mixed.part[mixtures] * (second - first)
        blend[0] *= 1 - mixed.contact[mixtures]
        return np.asarray(blend, np.float32)

    @cached_property
    def _rank(self) -> NDArray[np.int32]:
        """(n,) the mixture that each pixel is, -1 for none."""
        rank = np.full(len(self.kinds), -1, np.int32)
        rank[self.mixed.where] = np.arange(len(self.mixed.where), dtype=np.int32)
        return rank


def _soften(toned: Floats, owners: NDArray[np.uint8], painter: _Painter, colours: int) -> None:
    """Lead pixels beside another colour softly over to it, each in both colours."""
    around = np.ones((3, 3), np.uint8)
    edge = np.flatnonzero(cv2.dilate(owners, around) != cv2.erode(owners, around))
    blend = np.zeros((3, len(edge)), np.float32)
    for colour in range(colours):
        part = _cover(owners, colour).take(edge)
        mine = np.flatnonzero(part)
        blend[:, mine] += painter.toned_at(edge[mine], colour) * part[mine]
    toned[:, edge] = blend


def _settle(toned: Floats, owners: NDArray[np.uint8], painter: _Painter, colours: int) -> None:
    """Shift colours whose median misses its goal to it.

    A material's median becomes its goal, but the granules that a colour got may be lighter or
    darker ones than most of their material, and have more edges, the more so the fewer they are.
    """
    goals = painter.tonings.goals
    for colour in range(colours):
        mine = np.flatnonzero(owners == colour)
        mine = mine[:: 1 + len(mine) // _ENOUGH]
        if not len(mine):
            continue
        count = np.bincount(painter.kinds[mine], minlength=len(goals))
        goal = np.average(goals[:, colour], axis=0, weights=count)
        median = np.median(toned[:, mine], axis=1)
        if cielab.difference(goal, median) > _SETTLED:
            toned += (goal - median)[:, None].astype(np.float32) * _cover(owners, colour)


def _cover(owners: NDArray[np.uint8], colour: int) -> Floats:
    """(n,) 0..1 how much of each pixel is of a colour: at its edges, a part."""
    mine = (owners == colour).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(mine, (3, 3), _SOFT_EDGE), np.float32).ravel()


@dataclass(frozen=True, eq=False)
class _Mixed:
    """Pixels that may be mixtures of their own material and another beside it.

    where: (n,) in the flat picture. first, second: (3, n) what is mixed there, of its own
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


def _mixed(lab: Floats, kinds: NDArray[np.uint8], materials: Sequence[Material]) -> _Mixed:
    """lab: (3, n). kinds: (h, w). Of the materials beside a pixel, the other one is that which
    explains it best.
    """
    around = np.ones((2 * _MIXED + 1, 2 * _MIXED + 1), np.uint8)
    near = [cv2.dilate((kinds == kind) * np.uint8(1), around) for kind in range(len(materials))]
    edges = np.flatnonzero(np.sum(near, axis=0, dtype=np.uint8) > 1)
    kind_there = kinds.ravel()[edges]
    medians = np.array([each.lab for each in materials], np.float32)
    found = []
    for own, median in enumerate(medians):
        where = edges[kind_there == own]
        pixels = lab.take(where, axis=1)
        least = np.full(len(where), np.inf, np.float32)
        other = np.zeros(len(where), np.uint8)
        part, light = np.zeros((2, len(where)), np.float32)
        for kind, mask in enumerate(near):
            beside = np.flatnonzero(mask.ravel().take(where)) if kind != own else where[:0]
            mixture = _mixture(pixels.take(beside, axis=1), median, medians[kind])
            better = np.flatnonzero(mixture.unlikely < least.take(beside))
            best = beside[better]
            least[best], other[best] = mixture.unlikely[better], kind
            part[best], light[best] = mixture.part[better], mixture.light[better]
        much = np.flatnonzero(part > _LEAST_PART)
        step = light[much] * (medians[other[much]] - median).T
        first = pixels.take(much, axis=1) - part[much] * step
        found.append((where[much], first, step, other[much], part[much]))
    where, first, step, other, part = (
        np.concatenate(each, axis=-1) for each in zip(*found, strict=True)
    )
    hidden = np.minimum(np.abs(step[0]) / np.float32(_CONTACT_STEP), 1)
    contact = np.float32(4 * _CONTACT) * hidden * part * (1 - part)
    return _Mixed(where, first, first + step, other, part, contact)


@dataclass(frozen=True, eq=False)
class _Mixture:
    """What n pixels are as mixtures of two materials in one light.

    part: (n,) of the other material, less where the pixel is no such mixture. light: (n,) times
    the materials' medians. unlikely: (n,) how badly this explains the pixel.
    """

    part: Floats
    light: Floats
    unlikely: Floats


def _mixture(pixels: Floats, one: Floats, other: Floats) -> _Mixture:
    """pixels: (3, n). one, other: (3,) medians.

    Least squares for light * ((1 - part) * one + part * other), in which light that is not 1 has
    its cost: without that a gray between black and white could be any part of both.
    """
    cost = np.float32(_LIGHT_COST)
    both = np.array([[*one, cost], [*other, cost]], np.float64)
    solver = np.linalg.solve(both @ both.T + _STEADY * np.eye(2), both).astype(np.float32)
    amounts = solver[:, :3] @ pixels + cost * solver[:, 3:]
    light = np.clip(amounts.sum(axis=0), *_LIGHTS)
    part = np.clip(amounts[1] / light, 0, 1)
    step = (other - one)[:, None]
    aside = ((pixels - light * (one[:, None] + part * step)) ** 2).sum(axis=0)
    length = np.maximum(light * light * (step**2).sum(), 1)
    part *= np.exp(-aside / length / np.float32(_ASIDE**2))
    return _Mixture(part, light, aside + (cost * (light - 1)) ** 2)


def _rounded(owner: NDArray[np.uint8], light: Floats, colours: int) -> NDArray[np.uint8]:
    """The map of colours with its edges moved onto the picture's own where those are near, and
    rounded where there are none: there a segment's outline is the picture's grain. No specks, and
    each colour keeps its area.

    owner: (h, w) or smaller. light: (h, w) L*. A guided filter of the cover of each colour, its
    coefficients found at the smaller size (He and Sun, "Fast Guided Filter", arXiv 1505.00996).
    """
    if colours == 1:
        return np.zeros(light.shape, np.uint8)
    small = _scaled(light, owner.shape[0])
    mean = _box(small)
    spread = _box(np.asarray(small * small, np.float32)) - mean * mean + np.float32(_FLAT**2)
    lines: list[tuple[Floats, Floats]] = []
    for colour in range(colours - 1):
        cover = (owner == colour).astype(np.float32)
        around = _box(cover)
        slope = np.asarray((_box(small * cover) - mean * around) / spread, np.float32)
        lines.append((_box(slope), _box(np.asarray(around - slope * mean, np.float32))))
    part = np.s_[::_SAMPLE, ::_SAMPLE]
    sample = [(slope[part] * small[part] + level[part]).ravel() for slope, level in lines]
    # The covers add up to 1, and so do the filtered ones.
    covers = np.stack([*sample, 1 - np.sum(sample, axis=0, dtype=np.float32)])
    favours = _favours(covers, np.bincount(owner[part].ravel(), minlength=colours))
    last = np.full(light.shape, 1 + favours[-1], np.float32)
    most = np.full(light.shape, -np.inf, np.float32)
    rounded = np.zeros(light.shape, np.uint8)
    for colour, (slope, level) in enumerate(lines):
        cover = _scaled(slope, len(light))
        cover *= light
        cover += _scaled(level, len(light))
        last -= cover
        cover += favours[colour]
        rounded[cover > most] = colour
        np.maximum(most, cover, out=most)
    rounded[last > most] = colours - 1
    return _without_specks(rounded, colours)


def _favours(covers: Floats, areas: NDArray[np.intp]) -> Floats:
    """(K,) what to add to covers (K, n), so that each is the largest at its count of `areas` (K,).

    Small areas lose where edges are smoothed: what is around them outweighs them.
    """
    favours = np.zeros(len(covers), np.float32)
    for colour in list(np.argsort(areas)) * _SWEEPS:
        if areas[colour]:
            others = np.delete(np.arange(len(covers)), colour)
            rival = (covers[others] + favours[others, None]).max(axis=0)
            lead = covers[colour] - rival
            favours[colour] = -np.partition(lead, -areas[colour])[-areas[colour]]
    return np.clip(favours, -_MOST_FAVOUR, _MOST_FAVOUR)


def _without_specks(owner: NDArray[np.uint8], colours: int) -> NDArray[np.uint8]:
    """Each pixel of the colour that most around it are of."""
    side = 2 * round(_SPECK * len(owner)) + 1
    most = np.zeros(owner.shape, np.uint8)
    major = np.zeros(owner.shape, np.uint8)
    for colour in range(colours):
        cover = cv2.blur((owner == colour) * np.uint8(255), (side, side))
        major[cover > most] = colour
        np.maximum(most, cover, out=most)
    return major


def _box(values: Floats) -> Floats:
    side = 2 * _ROUNDING + 1
    return np.asarray(cv2.blur(values, (side, side)), np.float32)


def _scaled(values: Floats, size: int) -> Floats:
    return np.asarray(cv2.resize(values, (size, size)), np.float32)
