"""Material: how rubber of each of a layout's colours takes the light."""

from dataclasses import dataclass

import numpy as np

from plitka.arrays import Floats
from plitka.color import cielab
from plitka.color.palette import Color
from plitka.color.srgb import LUMINANCE
from plitka.color.tone import make_ramp
from plitka.tile.layout import Layout

LEVELS = 4096
"""Steps of brightness in a colour's ramp."""

JOINT_LIGHT = 0.010
"""Linear brightness of the gap between tiles."""

_ALBEDO = 1.25  # of a face over that of all pixels' median, which includes pits
_BRIGHTEST_ALBEDO = 0.95
_GLOSS = 0.06  # light that mirrors, in parts of an open white place's, of the median colour
_GLOSS_TAIL = 0.12  # luminance from the rank of 95% to that of 99.8%, of that colour
_GLOSS_RANGE = (0.5, 2.0)  # how far a colour's gloss differs, in parts of the median's
_ROUGHNESS = 0.10  # standard deviation of the slopes that mirror, of the median colour
_LEAST_STRAY, _MOST_STRAY = 0.12, 0.2  # standard deviation of chroma, in parts of it
_LUMINANCE = np.array(LUMINANCE, np.float32)
_GRAY_STRAY = 0.5  # the least, in units of a* and b*


@dataclass(frozen=True, eq=False)
class Material:
    """How the K colours and, last, the joint take the light; (K + 1, ...).

    ramps: (K + 1, LEVELS, 3) linear RGB from darkest to lightest pixel. albedo: (K + 1, 3)
    linear RGB. luminance: (K + 1,) its luminance. gloss, roughness: (K + 1,). stray: (K + 1, 3)
    change of the logarithm of linear RGB where chroma strays by one standard deviation.
    """

    ramps: Floats
    albedo: Floats
    luminance: Floats
    gloss: Floats
    roughness: Floats
    stray: Floats


def prepare_material(layout: Layout) -> Material:
    """Prepare what depends on the colours alone."""
    shares = zip(layout.colors, layout.shares, strict=True)
    ramps = [make_ramp(color, LEVELS, share) for color, share in shares]
    luminance = [np.asarray(ramp @ _LUMINANCE) for ramp in ramps]
    median = np.array([ramp[LEVELS // 2] for ramp in ramps])
    albedo = np.clip(median * _ALBEDO, cielab.DARKEST_CHANNEL, _BRIGHTEST_ALBEDO)
    gloss = [_measure_gloss(light) for light in luminance]
    stray = [_compute_stray(color, ramp) for color, ramp in zip(layout.colors, ramps, strict=True)]
    albedo = np.concatenate([albedo, np.full((1, 3), JOINT_LIGHT)])
    return Material(
        np.stack([*ramps, np.full((LEVELS, 3), JOINT_LIGHT, np.float32)]),
        np.asarray(albedo, np.float32),
        np.asarray(albedo @ _LUMINANCE, np.float32),
        np.array([*(strength for strength, _ in gloss), 0], np.float32),
        np.array([*(rough for _, rough in gloss), 1], np.float32),
        np.array([*stray, np.zeros(3)], np.float32),
    )


def _measure_gloss(luminance: Floats) -> tuple[float, float]:
    """Measure on a ramp's luminance (LEVELS,) how strongly its colour mirrors, and how roughly.

    A glossy colour's brightest pixels are far brighter than its bright ones; where the bright ones
    are many, the gloss is spread. Returns parts of an open white place's light, and a slope.
    """
    middle, upper, high, top = (
        float(luminance[round(rank * (LEVELS - 1))]) for rank in (0.5, 0.75, 0.95, 0.998)
    )
    strength = float(np.clip((top - high) / _GLOSS_TAIL, *_GLOSS_RANGE))
    spread = float(np.clip((high - upper) / max(upper - middle, 1e-3) / 2, 0.6, 1.6))
    return _GLOSS * strength, _ROUGHNESS * spread


def _compute_stray(color: Color, ramp: Floats) -> Floats:
    """Compute how linear RGB changes where a colour's chroma strays by a standard deviation.

    What its spread of a* and b* is beyond that of its ramp, (LEVELS, 3), along its hue. Returns
    (3,) the change of the logarithm.
    """
    chroma = max(float(np.hypot(*color.lab[1:])), 1e-3)
    hue = np.array(color.lab[1:]) / chroma
    shaded = cielab.linear_to_lab(ramp[::16])[:, 1:] @ hue
    whole = float(np.hypot(*(hue * color.chroma_std)))
    beyond = np.sqrt(max(whole**2 - float(shaded.var()), 0))
    least, most = max(_LEAST_STRAY * chroma, _GRAY_STRAY), _MOST_STRAY * chroma + 2 * _GRAY_STRAY
    stray = float(np.clip(beyond, least, most))
    ends = [np.add(color.lab, (0, *(hue * step))) for step in (-2.0, 2.0)]
    low, high = (np.maximum(cielab.lab_to_linear(end), cielab.DARKEST_CHANNEL) for end in ends)
    return np.asarray(np.clip(np.log(high / low) / 4 * stray, -0.5, 0.5), np.float32)
