"""Pixels: each granule toned to its colour along the picture's own edges."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats
from plitka.color import cielab
from plitka.color.palette import Color
from plitka.matching import guided_filter, tone_curves, unmixing
from plitka.matching.analysis import Analysis
from plitka.matching.tone_curves import ToneCurves
from plitka.matching.unmixing import MixedPixels

ALIKE = 3.0
"""CIEDE2000; a colour that the picture has and that is as near to the palette is not moved, a
farther one is moved to here."""

_SETTLED = 1.0  # CIEDE2000 by which a colour's median may miss its goal
_ENOUGH = 20_000  # pixels for a median
_BAND = 1 << 16  # pixels worked on together, so that they stay in the processor's cache

_PATCHED = 4  # pixels around a segment of another colour that go with it
_SOFT_EDGE = 0.7  # standard deviation in pixels of the way from one colour to the next


def balance(scene: Analysis, colors: Sequence[Color]) -> Floats:
    """The picture with its own colours moved to the palette, as a white balance would."""
    shifts = np.zeros((len(scene.materials), len(colors), 3), np.float32)
    for number, one in enumerate(scene.materials):
        for index, color in enumerate(colors):
            goal, _ = tone_curves.compute_goal(one, index, color, ALIKE)
            shifts[number, index] = np.subtract(goal, one.lab)
    moved = shifts[scene.material, scene.found.nearest][scene.index]
    soft = np.asarray(cv2.GaussianBlur(moved, (0, 0), _SOFT_EDGE), np.float32)
    return np.asarray(np.clip(scene.lab + soft, (0, -127, -127), (100, 127, 127)), np.float32)


def patch(scene: Analysis, kept: Floats, owner: NDArray[np.int64], other: Floats) -> Floats:
    """`kept`, but `other` where a segment's owner is not what it shows already."""
    changed = (owner != scene.found.nearest).astype(np.float32)[scene.index]
    broad = cv2.dilate(changed, np.ones((2 * _PATCHED + 1, 2 * _PATCHED + 1), np.uint8))
    soft = np.asarray(cv2.GaussianBlur(broad, (0, 0), _PATCHED / 2), np.float32)[..., None]
    return np.asarray(kept + soft * (other - kept), np.float32)


def recolor(scene: Analysis, owner: NDArray[np.int64], tonings: ToneCurves, colors: int) -> Floats:
    """The picture with each segment toned to its colour, softly from one to the next."""
    owners = guided_filter.refine_labels(
        owner.astype(np.uint8).take(scene.cut.map), scene.lab[..., 0], colors
    )
    kinds = scene.material.astype(np.uint8).take(scene.index)
    lab = np.array(cv2.split(scene.lab), np.float32).reshape(3, -1)
    mixed = unmixing.unmix(lab, kinds, scene.materials)
    lab[:, mixed.where] = mixed.first
    painter = _Painter(lab, kinds.ravel(), mixed, tonings)
    toned = painter.toned(owners.ravel())
    _soften(toned, owners, painter, colors)
    _settle(toned, owners, painter, colors)
    return np.asarray(cv2.merge(list(toned.reshape(3, *scene.index.shape))), np.float32)


@dataclass(frozen=True, eq=False)
class _Painter:
    """lab: (3, n) a picture's pixels, kinds: (n,) their materials. mixed: those of two."""

    lab: Floats
    kinds: NDArray[np.uint8]
    mixed: MixedPixels
    tonings: ToneCurves

    def toned(self, colors: NDArray[np.uint8]) -> Floats:
        """(3, n) the pixels toned to `colors` (n,)."""
        toned = np.empty_like(self.lab)
        for start in range(0, len(self.kinds), _BAND):
            band = slice(start, start + _BAND)
            toned[:, band] = self.tonings.apply(self.lab[:, band], self.kinds[band], colors[band])
        where = self.mixed.where
        toned[:, where] = self._blended(toned.take(where, axis=1), slice(None), colors[where])
        return toned

    def toned_at(self, where: NDArray[np.intp], color: int) -> Floats:
        """(3, m) the pixels `where` (m,) toned to one colour."""
        toned = self.tonings.apply(self.lab.take(where, axis=1), self.kinds[where], color)
        mixture = self._rank.take(where)
        places = np.flatnonzero(mixture >= 0)
        toned[:, places] = self._blended(toned.take(places, axis=1), mixture[places], color)
        return toned

    def _blended(
        self,
        first: Floats,
        mixtures: NDArray[np.int32] | slice,
        colors: NDArray[np.uint8] | int,
    ) -> Floats:
        """(3, m) mixtures, whose own material `first` is toned already, of both materials."""
        mixed = self.mixed
        second = self.tonings.apply(mixed.second[:, mixtures], mixed.kind[mixtures], colors)
        blend = first + mixed.part[mixtures] * (second - first)
        blend[0] *= 1 - mixed.contact[mixtures]
        return np.asarray(blend, np.float32)

    @cached_property
    def _rank(self) -> NDArray[np.int32]:
        """(n,) the mixture that each pixel is, -1 for none."""
        rank = np.full(len(self.kinds), -1, np.int32)
        rank[self.mixed.where] = np.arange(len(self.mixed.where), dtype=np.int32)
        return rank


def _soften(toned: Floats, owners: NDArray[np.uint8], painter: _Painter, colors: int) -> None:
    """Lead pixels beside another colour softly over to it, each in both colours."""
    around = np.ones((3, 3), np.uint8)
    edge = np.flatnonzero(cv2.dilate(owners, around) != cv2.erode(owners, around))
    blend = np.zeros((3, len(edge)), np.float32)
    for color in range(colors):
        part = _cover(owners, color).take(edge)
        mine = np.flatnonzero(part)
        blend[:, mine] += painter.toned_at(edge[mine], color) * part[mine]
    toned[:, edge] = blend


def _settle(toned: Floats, owners: NDArray[np.uint8], painter: _Painter, colors: int) -> None:
    """Shift colours whose median misses its goal to it.

    A material's median becomes its goal, but the granules that a colour got may be lighter or
    darker ones than most of their material, and have more edges, the more so the fewer they are.
    """
    goals = painter.tonings.goals
    for color in range(colors):
        mine = np.flatnonzero(owners == color)
        mine = mine[:: 1 + len(mine) // _ENOUGH]
        if not len(mine):
            continue
        count = np.bincount(painter.kinds[mine], minlength=len(goals))
        goal = np.average(goals[:, color], axis=0, weights=count)
        median = np.median(toned[:, mine], axis=1)
        if cielab.ciede2000(goal, median) > _SETTLED:
            toned += (goal - median)[:, None].astype(np.float32) * _cover(owners, color)


def _cover(owners: NDArray[np.uint8], color: int) -> Floats:
    """(n,) 0..1 how much of each pixel is of a colour: at its edges, a part."""
    mine = (owners == color).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(mine, (3, 3), _SOFT_EDGE), np.float32).ravel()
