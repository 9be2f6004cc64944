"""Unmixing: finds pixels that are mixtures of two materials that touch, and what is mixed there.

Such pixels lie on the edges of granules. Recoloured as either material alone they would make an
outline: too light for one material, too dark for the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats
from plitka.matching.tone_curves import Material

_BESIDE = 3  # pixels beside another material that may be mixed with it
_ASIDE = 0.45  # of the way from one material to the other; what lies farther off is no mixture
_LIGHTS = (0.25, 1.3)  # the least and most light on a mixture, times that of its materials' medians
_LIGHT_COST = 60.0  # L*, a*, b* by which a mixture in no light at all would be off
_STEADY = 1e-3  # L*, a*, b* squared; for two materials that are all but the same
_LEAST_PART = 0.03  # smallest fraction worth unmixing
_CONTACT = 0.1  # the most by which it is darker where two granules touch
_CONTACT_STEP = 50.0  # L* from one material to the other that hid all of that


@dataclass(frozen=True, eq=False)
class MixedPixels:
    """The n pixels of a picture that are mixtures of their own material and another beside it.

    where: (n,) index into the flat picture. first, second: (3, n) L*, a*, b* of what is mixed
    there: of the pixel's own material, and of the other. kind: (n,) the other material. part: (n,)
    fraction of the other, 0 to 1. contact: (n,) fraction of L*, 0 to 0.1, by which it is darker
    where the two granules touch.
    """

    where: NDArray[np.int64]
    first: Floats
    second: Floats
    kind: NDArray[np.uint8]
    part: Floats
    contact: Floats


def unmix(lab: Floats, kinds: NDArray[np.uint8], materials: Sequence[Material]) -> MixedPixels:
    """Estimate, for each pixel near a border, the fraction of its best-fitting neighbour material.

    lab: (3, h * w) L*, a*, b* of the flat picture. kinds: (h, w) index of each pixel's material.
    Pixels with less than _LEAST_PART of another material are left out.
    """
    near = _dilate_materials(kinds, len(materials))
    borders = np.flatnonzero(np.sum(near, axis=0, dtype=np.uint8) > 1)
    kind_there = kinds.ravel()[borders]
    medians = np.array([material.lab for material in materials], np.float32)
    unmixed = [
        _unmix_material(lab, borders[kind_there == own], own, near, medians)
        for own in range(len(materials))
    ]
    where, first, step, other, part = (
        np.concatenate(each, axis=-1) for each in zip(*unmixed, strict=True)
    )
    return MixedPixels(where, first, first + step, other, part, _estimate_contact(step, part))


def _dilate_materials(kinds: NDArray[np.uint8], count: int) -> list[NDArray[np.uint8]]:
    """Find, for each material, the pixels (h, w) within _BESIDE pixels of it: 1, else 0."""
    around = np.ones((2 * _BESIDE + 1, 2 * _BESIDE + 1), np.uint8)
    masks = [(kinds == kind) * np.uint8(1) for kind in range(count)]
    return [np.asarray(cv2.dilate(mask, around), np.uint8) for mask in masks]


def _unmix_material(
    lab: Floats,
    where: NDArray[np.int64],
    own: int,
    near: Sequence[NDArray[np.uint8]],
    medians: Floats,
) -> tuple[NDArray[np.int64], Floats, Floats, NDArray[np.uint8], Floats]:
    """Unmix the border pixels of one material.

    lab: (3, h * w). where: (n,) the pixels, all of the material `own`. near: see
    `_dilate_materials`. medians: (M, 3). Returns, of the m pixels worth unmixing: (m,) where they
    are, (3, m) their own material, (3, m) what the other material differs from that in the
    pixel's light, (m,) the other material, (m,) its fraction.
    """
    pixels = lab.take(where, axis=1)
    mixture, other = _fit_neighbours(pixels, where, own, near, medians)
    much = np.flatnonzero(mixture.part > _LEAST_PART)
    part, other = mixture.part[much], other[much]
    step = mixture.light[much] * (medians[other] - medians[own]).T
    first = pixels.take(much, axis=1) - part * step
    return where[much], first, step, other, part


@dataclass(frozen=True, eq=False)
class _Mixture:
    """What n pixels are as mixtures of two materials in one light.

    part: (n,) fraction of the other material, 0 to 1, less where the pixel is no such mixture.
    light: (n,) times that of the materials' medians. error: (n,) L*a*b* distance squared.
    """

    part: Floats
    light: Floats
    error: Floats


def _fit_neighbours(
    pixels: Floats,
    where: NDArray[np.int64],
    own: int,
    near: Sequence[NDArray[np.uint8]],
    medians: Floats,
) -> tuple[_Mixture, NDArray[np.uint8]]:
    """Fit each pixel as a mixture with each material near it; keep the fit of the least error.

    Arguments as in `_unmix_material`; pixels: (3, n) L*, a*, b* at `where`. Returns the best fits,
    and (n,) the material of each; a pixel without another material near has a part of 0.
    """
    count = len(where)
    error, other = np.full(count, np.inf, np.float32), np.zeros(count, np.uint8)
    part, light = np.zeros(count, np.float32), np.zeros(count, np.float32)
    for kind, mask in enumerate(near):
        if kind == own:
            continue
        beside = np.flatnonzero(mask.ravel().take(where))
        mixture = _fit_mixture(pixels.take(beside, axis=1), medians[own], medians[kind])
        better = np.flatnonzero(mixture.error < error.take(beside))
        best = beside[better]
        error[best], other[best] = mixture.error[better], kind
        part[best], light[best] = mixture.part[better], mixture.light[better]
    return _Mixture(part, light, error), other


def _fit_mixture(pixels: Floats, one: Floats, other: Floats) -> _Mixture:
    """Fit pixels (3, n) as mixtures of two materials with the medians `one` and `other`, (3,).

    Least squares for light * ((1 - part) * one + part * other), in which light that is not 1 has
    its cost: without that a gray between black and white could be any part of both.
    """
    cost = np.float32(_LIGHT_COST)
    both = np.array([[*one, cost], [*other, cost]], np.float64)
    solver = np.linalg.solve(both @ both.T + _STEADY * np.eye(2), both).astype(np.float32)
    # Not by @, whose last bit may hang on the number of threads.
    amounts = cost * solver[:, 3:] + sum(
        solver[:, plane, None] * pixels[plane] for plane in range(3)
    )
    light = np.clip(amounts.sum(axis=0), *_LIGHTS)
    part = np.clip(amounts[1] / light, 0, 1)
    step = (other - one)[:, None]
    aside = ((pixels - light * (one[:, None] + part * step)) ** 2).sum(axis=0)
    length = np.maximum(light * light * (step**2).sum(), 1)
    part *= np.exp(-aside / length / np.float32(_ASIDE**2))
    return _Mixture(part, light, aside + (cost * (light - 1)) ** 2)


def _estimate_contact(step: Floats, part: Floats) -> Floats:
    """Estimate the fraction of L* by which the contact of two granules darkens a pixel, 0 to 0.1.

    Most where both materials have half of the pixel, and where their L* differ: there the step
    from one to the other hides the dark line between them. step: (3, n) L*, a*, b*. part: (n,).
    Returns (n,).
    """
    hidden = np.minimum(np.abs(step[0]) / np.float32(_CONTACT_STEP), 1)
    return np.asarray(np.float32(4 * _CONTACT) * hidden * part * (1 - part), np.float32)
