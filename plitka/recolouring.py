"""Pixels: each granule toned to its colour along the picture's own edges."""

from collections.abc import Sequence
from dataclasses import dataclass

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

_ROUNDING = 3  # pixels of the map of segments around each over which edges are rounded
_FLAT = 4.0  # standard deviation of L* below which there is no edge to keep to
_MIXED = 3  # pixels beside another material that may be mixed with it
_ASIDE = 0.45  # of the way from one material to the other; what lies farther off is no mixture
_LEAST_PART = 0.03  # of another material that is worth to be unmixed
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
    owners = _rounded(owner.astype(np.uint8)[scene.cut.map], scene.lab[..., 0], colours)
    kinds = scene.material.astype(np.uint8)[scene.index]
    mixed = _mixed(scene.lab, kinds, scene.materials)
    pure, kinds = scene.lab.reshape(-1, 3).copy(), kinds.ravel()
    pure[mixed.where] = mixed.first
    rank = np.full(len(pure), -1, np.int32)
    rank[mixed.where] = np.arange(len(mixed.where))
    toned = np.zeros_like(pure)
    for colour in np.flatnonzero(np.bincount(owners.ravel())).tolist():
        cover = (owners == colour) * np.uint8(255)
        cover = np.asarray(cv2.GaussianBlur(cover, (3, 3), _SOFT_EDGE), np.uint8).ravel()
        where = np.flatnonzero(cover)
        cover, kind, mixture = cover[where], kinds[where], rank[where]
        shown = _as_colour(pure.take(where, axis=0), kind, colour, tonings)
        places = np.flatnonzero(mixture >= 0)
        mixture = mixture[places]
        second = _as_colour(mixed.second[mixture], mixed.kind[mixture], colour, tonings)
        part = mixed.part[mixture, None]
        blend = shown[places]
        blend += part * (second - blend)
        blend[:, 0] *= 1 - mixed.contact[mixture]
        shown[places] = blend
        shown += _settling(shown, kind, cover, colour, tonings)
        inner = cover == 255
        toned[where[inner]] = shown[inner]
        edge = np.flatnonzero(~inner)
        toned[where[edge]] += shown[edge] * (cover[edge] * np.float32(1 / 255))[:, None]
    return toned.reshape(scene.lab.shape)


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
    present = np.flatnonzero(np.bincount(kinds)).tolist()
    if len(present) == 1:
        return tonings[present[0], colour].apply(lab)
    toned = np.empty_like(lab)
    for kind in present:
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


def _mixed(lab: Floats, kinds: NDArray[np.uint8], materials: Sequence[Material]) -> _Mixed:
    around = np.ones((2 * _MIXED + 1, 2 * _MIXED + 1), np.uint8)
    high = np.asarray(cv2.dilate(kinds, around), np.uint8).ravel()
    low = np.asarray(cv2.erode(kinds, around), np.uint8).ravel()
    where = np.flatnonzero(high != low)
    own, high, low = kinds.ravel()[where], high[where], low[where]
    other = np.where(high != own, high, low)
    medians = np.array([each.lab for each in materials], np.float32)
    steps = medians[None] - medians[:, None]
    lengths = np.maximum(np.einsum("ijk,ijk->ij", steps, steps), 1)
    between = own * np.intp(len(materials)) + other
    step, length = steps.reshape(-1, 3).take(between, axis=0), lengths.ravel().take(between)
    pixels = lab.reshape(-1, 3).take(where, axis=0)
    off = pixels - medians.take(own, axis=0)
    along = np.einsum("ij,ij->i", off, step) / length
    part = np.clip(along, 0, 1)
    # What is left of `off` without that part of the step, squared.
    aside = np.einsum("ij,ij->i", off, off) / length + part * (part - 2 * along)
    part *= np.exp(-aside / np.float32(_ASIDE**2))
    much = np.flatnonzero(part > _LEAST_PART)
    where, other, step, part = where[much], other[much], step[much], part[much]
    first = pixels[much] - part[:, None] * step
    hidden = np.minimum(np.abs(step[:, 0]) / np.float32(_CONTACT_STEP), 1)
    contact = np.float32(4 * _CONTACT) * hidden * part * (1 - part)
    return _Mixed(where, first, first + step, other, part, contact)


def _rounded(owner: NDArray[np.uint8], light: Floats, colours: int) -> NDArray[np.uint8]:
    """The map of colours with its edges moved onto the picture's own where those are near, and
    rounded where there are none: there a segment's outline is the picture's grain.

    owner: (h, w) or smaller. light: (h, w) L*. A guided filter of the cover of each colour, its
    coefficients found at the smaller size (He and Sun, "Fast Guided Filter", arXiv 1505.00996).
    """
    if colours == 1:
        return np.zeros(light.shape, np.uint8)
    small = _scaled(light, owner.shape[0])
    mean = _box(small)
    spread = _box(np.asarray(small * small, np.float32)) - mean * mean + np.float32(_FLAT**2)
    most = np.full(light.shape, -np.inf, np.float32)
    rounded = np.zeros(light.shape, np.uint8)
    for colour in range(colours):
        cover = (owner == colour).astype(np.float32)
        around = _box(cover)
        slope = np.asarray((_box(small * cover) - mean * around) / spread, np.float32)
        level = np.asarray(around - slope * mean, np.float32)
        here = _scaled(_box(slope), len(light)) * light + _scaled(_box(level), len(light))
        more = here > most
        np.copyto(most, here, where=more)
        rounded[more] = colour
    return rounded


def _box(values: Floats) -> Floats:
    side = 2 * _ROUNDING + 1
    return np.asarray(cv2.blur(values, (side, side)), np.float32)


def _scaled(values: Floats, size: int) -> Floats:
    return np.asarray(cv2.resize(values, (size, size)), np.float32)
