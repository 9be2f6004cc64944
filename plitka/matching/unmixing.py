"""Which pixels are mixtures of two materials that touch, and what is mixed there.

Toned as either alone, such pixels would make an outline: too light for one material, too dark
for the other.
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
_LIGHTS = (0.25, 1.3)  # in which a mixture may lie, times that of its materials' medians
_LIGHT_COST = 60.0  # L*, a*, b* by which one in no light at all would be off
_STEADY = 1e-3  # L*, a*, b* squared; for two materials that are all but the same
_LEAST_PART = 0.03  # of another material that is worth to be unmixed
_CONTACT = 0.1  # how much darker it is where two granules touch, as far as
_CONTACT_STEP = 50.0  # the L* from one material to the other hid that


@dataclass(frozen=True, eq=False)
class MixedPixels:
    """Pixels that may be mixtures of their own material and another beside it.

    where: (n,) in the flat picture. first, second: (3, n) what is mixed there, of its own
    material and of the other. kind: (n,) the other material. part: (n,) of the other, 0 to 1.
    contact: (n,) how much darker it is there, where two granules touch.
    """

    where: NDArray[np.int64]
    first: Floats
    second: Floats
    kind: NDArray[np.uint8]
    part: Floats
    contact: Floats


def unmix(lab: Floats, kinds: NDArray[np.uint8], materials: Sequence[Material]) -> MixedPixels:
    """What is mixed where; of the materials beside a pixel, those that explain it best.

    lab: (3, n) L*, a*, b* of the flat picture. kinds: (h, w) the material of each pixel.
    """
    around = np.ones((2 * _BESIDE + 1, 2 * _BESIDE + 1), np.uint8)
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
    return MixedPixels(where, first, first + step, other, part, contact)


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
