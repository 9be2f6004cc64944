"""Recolouring: turns each granule of a picture into its new colour, pixel by pixel."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats
from plitka.color import cielab
from plitka.color.palette import Color
from plitka.matching import tone_curves, unmixing
from plitka.matching.analysis import Analysis
from plitka.matching.tone_curves import ToneCurves
from plitka.matching.unmixing import MixedPixels

_SETTLED = 1.0  # CIEDE2000 by which a colour's median may miss its goal
_ENOUGH = 20_000  # pixels; a median is taken of about so many
_BAND = 1 << 16  # pixels worked on together, so that they stay in the processor's cache

_PATCHED = 4  # pixels around a granule of another colour that go with it
_BARB = 1 / 1024  # of the picture; as far around a pixel, most pixels have its colour
# Where two granules part that the picture does not show apart, they get a crease.
_CREASE = 0.25  # of lightness that is missing in it
_SHOWN = 12.0  # L* by which pixels differ nearby where an edge is shown
_NEARBY = 5  # pixels a side

_TINT = [0.3]  # the fraction of a*, b* that gaps keep
_FAINTEST = 0.01

_SOFT_EDGE = 0.7  # standard deviation in pixels of the way from one colour to the next


def balance(analysis: Analysis, colors: Sequence[Color]) -> Floats:
    """Move the picture's own colours towards the palette, as a white balance would.

    Every granule keeps the colour that it shows. Returns (size, size, 3) L*a*b*.
    """
    shifts = np.zeros((len(analysis.materials), len(colors), 3), np.float32)
    for number, material in enumerate(analysis.materials):
        for index, color in enumerate(colors):
            goal, _ = tone_curves.compute_goal(material, index, color, tone_curves.TOLERANCE)
            shifts[number, index] = np.subtract(goal, material.lab)
    of_granule = shifts[analysis.material, analysis.classification.nearest]
    moved = of_granule.take(analysis.granules.map, axis=0)
    soft = np.asarray(cv2.GaussianBlur(moved, (0, 0), _SOFT_EDGE), np.float32)
    soft += analysis.lab
    limits = np.array([[0, -127, -127], [100, 127, 127]], np.float32)
    return np.clip(soft, *limits, out=soft)


def patch(analysis: Analysis, kept: Floats, changed: NDArray[np.bool_], other: Floats) -> Floats:
    """Blend two versions of the picture: `other` where a granule's colour changes, else `kept`.

    kept, other: (size, size, 3) L*a*b*. changed: (N,) whose colour does. Returns (size, size, 3)
    L*a*b*.
    """
    mask = changed.astype(np.float32)[analysis.granules.map]
    broad = cv2.dilate(mask, np.ones((2 * _PATCHED + 1, 2 * _PATCHED + 1), np.uint8))
    soft = np.asarray(cv2.GaussianBlur(broad, (0, 0), _PATCHED / 2), np.float32)[..., None]
    return np.asarray(kept + soft * (other - kept), np.float32)


@dataclass(frozen=True, eq=False)
class Recolorer:
    """A picture, ready to be recoloured in any deal of colours, below `colors`.

    analysis: of the picture. faint: (size, size) see `_find_faint`.
    """

    analysis: Analysis
    colors: int
    painter: "_Painter"
    faint: Floats

    @staticmethod
    def prepare(analysis: Analysis, curves: ToneCurves, colors: int) -> "Recolorer":
        """Prepare a picture. curves: from its materials to the colours."""
        kinds = analysis.material.astype(np.uint8).take(analysis.granules.map)
        lab = np.array(cv2.split(analysis.lab), np.float32).reshape(3, -1)
        mixed = unmixing.unmix(lab, kinds, analysis.materials)
        _replace(lab, mixed.where, mixed.first)
        painter = _Painter(lab, kinds.ravel(), mixed, curves)
        return Recolorer(analysis, colors, painter, _find_faint(analysis.lab[..., 0]))

    def recolor(self, owner: NDArray[np.int64], wanted: NDArray[np.bool_]) -> Floats:
        """Recolour each granule, softly from one to the next.

        owner: (N,) the colour that each granule gets. wanted: (N,) those whose medians are to be
        right. Returns (size, size, 3) L*a*b*.
        """
        granules = self.analysis.granules.map
        owners = _smooth_outlines(owner.astype(np.uint8).take(granules), self.colors)
        painted = self.painter.paint(owners.ravel())
        _soften_edges(painted, owners, self.painter, self.colors, self.faint)
        _correct_medians(painted, owners, wanted.take(granules), self.painter, self.colors)
        _leave_gaps(painted, self.analysis)
        return np.asarray(cv2.merge(list(painted.reshape(3, *owners.shape))), np.float32)


def _smooth_outlines(owners: NDArray[np.uint8], colors: int) -> NDArray[np.uint8]:
    """Give each pixel the colour that most pixels close around it have: no stairs, no barbs.

    owners: (size, size) below `colors`. Returns the same.
    """
    side = 2 * max(round(_BARB * len(owners)), 1) + 1
    most = np.zeros(owners.shape, np.uint8)
    major = np.zeros(owners.shape, np.uint8)
    for color in range(colors):
        cover = cv2.blur((owners == color).view(np.uint8) * np.uint8(255), (side, side))
        np.copyto(major, np.uint8(color), where=cover > most)
        np.maximum(most, cover, out=most)
    return major


@dataclass(frozen=True, eq=False)
class _Painter:
    """The n pixels of a flat picture, ready to be painted in any colours.

    lab: (3, n) L*, a*, b*, of mixed pixels that of their own material alone. kinds: (n,) index of
    the material. mixed: the pixels that are of two materials.
    """

    lab: Floats
    kinds: NDArray[np.uint8]
    mixed: MixedPixels
    curves: ToneCurves

    def paint(self, colors: NDArray[np.uint8]) -> Floats:
        """Paint each pixel in the colour of this index (n,). Returns (3, n) L*, a*, b*."""
        painted = np.empty_like(self.lab)
        for start in range(0, len(self.kinds), _BAND):
            band = slice(start, start + _BAND)
            painted[:, band] = self.curves.apply(self.lab[:, band], self.kinds[band], colors[band])
        where = self.mixed.where
        first, colors = painted.take(where, axis=1), colors.take(where)
        _replace(painted, where, self._blend_mixtures(first, slice(None), colors))
        return painted

    def paint_at(self, where: NDArray[np.intp], color: int) -> Floats:
        """Paint the pixels `where` (m,) in one colour. Returns (3, m) L*, a*, b*."""
        painted = self.curves.apply(self.lab.take(where, axis=1), self.kinds.take(where), color)
        mixture = self._mixture_index.take(where)
        places = np.flatnonzero(mixture >= 0)
        first = painted.take(places, axis=1)
        _replace(painted, places, self._blend_mixtures(first, mixture.take(places), color))
        return painted

    def _blend_mixtures(
        self,
        first: Floats,
        mixtures: NDArray[np.int32] | slice,
        colors: NDArray[np.uint8] | int,
    ) -> Floats:
        """Paint the other material of mixed pixels, and blend it with their own.

        first: (3, m) their own material, painted already. mixtures: (m,) index into `mixed`.
        colors: index of the colour, (m,) or one for all. Returns (3, m) L*, a*, b*.
        """
        mixed = self.mixed
        blend = self.curves.apply(mixed.second[:, mixtures], mixed.kind[mixtures], colors)
        blend -= first
        blend *= mixed.part[mixtures]
        blend += first
        blend[0] *= 1 - mixed.contact[mixtures]
        return blend

    @cached_property
    def _mixture_index(self) -> NDArray[np.int32]:
        """(n,) index into `mixed` of each pixel, -1 for one that is not mixed."""
        index = np.full(len(self.kinds), -1, np.int32)
        index[self.mixed.where] = np.arange(len(self.mixed.where), dtype=np.int32)
        return index


def _replace(planes: Floats, where: NDArray[np.intp], values: Floats) -> None:
    """Replace the pixels `where` (m,) of planes (3, n) by values (3, m), a plane at a time."""
    for plane, value in zip(planes, values, strict=True):
        plane[where] = value


def _find_faint(light: Floats) -> Floats:
    """Find where a picture shows no edge: 1, less where it does, down to 0. light: (h, w) L*."""
    around = np.ones((_NEARBY, _NEARBY), np.uint8)
    contrast = cv2.morphologyEx(np.ascontiguousarray(light), cv2.MORPH_GRADIENT, around)
    return np.asarray(np.maximum(1 - contrast / np.float32(_SHOWN), 0), np.float32)


def _soften_edges(
    painted: Floats, owners: NDArray[np.uint8], painter: _Painter, colors: int, faint: Floats
) -> None:
    """Replace pixels beside another colour in `painted` (3, n) by a blend of both colours.

    owners: (size, size) the colour of each pixel. faint: (size, size) see `_find_faint`.
    """
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    edge = np.flatnonzero(cv2.dilate(owners, cross) != cv2.erode(owners, cross))
    blend = np.zeros((3, len(edge)), np.float32)
    for color in range(colors):
        part = _compute_cover(owners, color).take(edge)
        mine = np.flatnonzero(part)
        weight = part[mine] * np.float32(1 / 255)
        more = painter.paint_at(edge.take(mine), color) * weight
        _replace(blend, mine, blend.take(mine, axis=1) + more)
    blend[0] *= 1 - np.float32(_CREASE) * faint.ravel().take(edge)
    _replace(painted, edge, blend)


def _correct_medians(
    painted: Floats,
    owners: NDArray[np.uint8],
    wanted: NDArray[np.bool_],
    painter: _Painter,
    colors: int,
) -> None:
    """Shift the colours of `painted` (3, n) whose median misses its goal until it meets it.

    A material's median becomes its goal, but the granules that a colour got may be lighter or
    darker ones than most of their material, and have more edges, the more so the fewer they are.
    owners: (size, size) the colour of each pixel. wanted: (size, size) which pixels are meant.
    """
    goals = painter.curves.goals
    for color in range(colors):
        chosen = (owners == color) & wanted
        mine = np.flatnonzero(chosen)
        mine = mine[:: 1 + len(mine) // _ENOUGH]
        if not len(mine):
            continue
        count = np.bincount(painter.kinds[mine], minlength=len(goals))
        goal = np.average(goals[:, color], axis=0, weights=count)
        median = np.median(painted[:, mine], axis=1)
        if cielab.ciede2000(goal, median) > _SETTLED:
            cover = _soften(chosen) * np.float32(1 / 255)
            painted += (goal - median)[:, None].astype(np.float32) * cover


def _leave_gaps(painted: Floats, analysis: Analysis) -> None:
    """Give gaps and joints in `painted` (3, n) their own darkness back, almost without colour.

    No granule is seen in them: what colour they were is their surroundings' light.
    """
    if not analysis.gap.any():
        return
    part = analysis.gap.astype(np.float32).take(analysis.granules.map)
    soft = np.asarray(cv2.GaussianBlur(part, (0, 0), _SOFT_EDGE), np.float32).ravel()
    where = np.flatnonzero(soft > _FAINTEST)
    own = analysis.lab.reshape(-1, 3).take(where, axis=0).T * np.array([[1], _TINT, _TINT])
    now = painted.take(where, axis=1)
    _replace(painted, where, now + soft.take(where) * (own.astype(np.float32) - now))


def _compute_cover(owners: NDArray[np.uint8], color: int) -> NDArray[np.uint8]:
    """Compute how much of each pixel is of a colour, 0 to 255, soft at the edges: (n,)."""
    return _soften(owners == color)


def _soften(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Make the edges of a mask (h, w) soft. Returns (h * w,), 0 to 255."""
    whole = mask.view(np.uint8) * np.uint8(255)
    return np.asarray(cv2.GaussianBlur(whole, (3, 3), _SOFT_EDGE), np.uint8).ravel()
