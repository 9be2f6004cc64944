"""Render: draws a layout without any model, as a photograph would show it or in flat colours."""

from dataclasses import dataclass, replace
from functools import lru_cache, singledispatch

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats, Image
from plitka.color.cielab import (
    BOUNCE_RANK,
    BOUNCES,
    DARKEST_CHANNEL,
    encode_srgb,
    lightness_to_luminance,
    rgb_to_lab,
)
from plitka.color.palette import Color
from plitka.color.srgb import LUMINANCE
from plitka.tile import granule
from plitka.tile.layout import NONE, Layout, ScatteredLayout

# Lengths are in granule diameters unless said otherwise. Fitted, like the shapes in granule.py,
# to the texture of the photographs (docs/benchmarks.md).
_LIGHT = np.array([-0.55, -0.60, 1.0], np.float32)  # towards the light: from the upper left
_AMBIENT = 0.35  # of all light, from everywhere
_RELIEF = 3.0  # from the lowest to the highest granule
_OCCLUSION = ((0.07, 4.5), (0.25, 0.6))  # (radius, weight) of how surroundings hide the sky
_RAISED = 0.2  # times the weight, for what stands out and gains light
_OCCLUDED_LIGHT = 0.5  # the fraction of the occlusion that dims direct light too
_SHADOW_STEPS = (0.07, 0.16, 0.28)  # distances towards the light at which something may stand
_SHADOW_SOFTNESS = 0.35
_SHADOW = 0.7
_SHEEN = 1.6
_SHEEN_EXPONENT = 60
_SOFTNESS = 0.5  # in pixels: keeps steps of the relief from showing as stairs
_WEAR = 0.014  # how far edges between facets are rounded
_GRANULE_VARIATION = 0.07  # standard deviation of log brightness from granule to granule
_GRAIN = ((0.045, 0.08), (0.16, 0.05))  # (scale, amplitude in log brightness) of bumps
_GLINT = 2.0  # how much rougher brightness is where a face gleams
_TINT = 0.01  # standard deviation of linear R, G, B from granule to granule
_LENS_BLUR = 0.38 / 1024  # in frame sides
_CHROMA_BLUR = 0.7 / 1024  # likewise; cameras and JPEG keep colour at half of the resolution
_TILE_EDGE = 4 / 1024  # breadth of a tile's worn edge, in frame sides
_BAND = 128  # rows of a picture worked on together, so that they stay in the processor's cache
_GRAIN_LATTICE = 1024  # nodes a side of the noise lattice: roughness belongs to the tile

_MEDIAN_CHROMA = 1.035  # of pixels of median lightness, over the median of all pixels' chroma

JOINT_LIGHT = 0.010
"""Linear brightness of the gap between tiles."""

_LEVELS = 4096  # steps of brightness in a colour's ramp


@dataclass(frozen=True, eq=False)
class Lighting:
    """The part of a render that does not depend on the colours.

    granules: (2 * size, 2 * size) the granule at each pixel, NONE in the joints. levels: (size,
    size) brightness of each pixel as its rank in the tile, 0 (darkest) to _LEVELS - 1.
    """

    granules: NDArray[np.int32]
    levels: NDArray[np.uint16]


def compute_lighting(layout: ScatteredLayout, size: int) -> Lighting:
    """Compute how bright each pixel is: most of the work of a render, the same for all colours.

    The layout is drawn at twice the size and halved, so that edges are smooth. size: pixels a
    side of the picture.
    """
    facets = layout.map_facets(2 * size)
    levels = _rank_exposure(_compute_exposure(layout, facets, size), facets[::2, ::2] != NONE)
    return Lighting(facets // granule.FACETS, levels)


def render_picture(layout: ScatteredLayout, size: int, light: Lighting | None = None) -> Image:
    """Render the tile as a photograph would show it. Returns (size, size, 3) sRGB.

    size: pixels a side. light: what `compute_lighting` returned for this seed, angle and size, in
    whatever colours; computed where it is not given.
    """
    light = light or compute_lighting(layout, size)
    linear = _develop(layout, light.granules, light.levels)
    return _photograph(linear, size)


@singledispatch
def draw_light(layout: Layout, color: Color, size: int) -> Floats:
    """Draw the L* that a tile has where all its granules are of one colour: (size, size).

    Each kind of layout registers its own way.
    """
    raise NotImplementedError(f"no light is known of {type(layout).__name__}")


@draw_light.register
def _(layout: ScatteredLayout, color: Color, size: int) -> Floats:
    bare = replace(layout, colors=(color,), shares=(1.0,), owner=np.zeros_like(layout.owner))
    return np.ascontiguousarray(rgb_to_lab(render_picture(bare, size))[..., 0])


def render_colormap(layout: Layout, size: int) -> Image:
    """Draw the layout in flat palette colours, joints in the darkest gray that none of them is.

    size: pixels a side. Returns (size, size, 3) sRGB.
    """
    used = {color.srgb for color in layout.colors}
    joint = next((v, v, v) for v in range(256) if (v, v, v) not in used)
    flat = np.array([color.srgb for color in layout.colors] + [joint], np.uint8)
    return np.asarray(flat[layout.map_colors(size)])


def _compute_exposure(layout: ScatteredLayout, facets: NDArray[np.int32], size: int) -> Floats:
    """Compute the natural logarithm of the light that each pixel sends to the camera.

    facets: (2 * size, 2 * size) the map of facets. Returns (size, size).
    """
    direct, sky = _light_facets(layout)
    direct, sky = _wear_facets(direct, facets, size), _wear_facets(sky, facets, size)
    relief = blur(_compute_relief(layout, facets, size), _SOFTNESS)
    hidden = _compute_occlusion(relief, size)
    shadow = _cast_shadow(relief, size)
    light = sky * np.exp(-hidden)
    light += direct * (1 - _SHADOW * shadow) * np.exp(-_OCCLUDED_LIGHT * hidden)
    if layout.angle != 0:
        light *= _light_tile_edges(layout, size)
    exposure = np.log(np.maximum(light, 1e-3))
    glinting = np.maximum(exposure - np.float32(np.median(exposure[::5, ::5])), 0)
    return np.asarray(
        exposure + _resize_grain(layout.seed, size) * (1 + _GLINT * glinting), np.float32
    )


def _light_facets(layout: ScatteredLayout) -> tuple[Floats, Floats]:
    """Compute the direct light and the sky light that each facet reflects, nothing in its way.

    Returns, each (N * FACETS + 1,), linear light; the last entry, index NONE, is the joints'.
    """
    rng = np.random.default_rng((layout.seed, 1))
    slope = layout.chips.planes[..., 1:].reshape(-1, 2)
    normal = np.concatenate([-slope, np.ones_like(slope[:, :1])], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    towards = _LIGHT / np.linalg.norm(_LIGHT)
    halfway = towards + np.array([0, 0, 1], np.float32)
    halfway /= np.linalg.norm(halfway)

    matte = (1 - _AMBIENT) * np.maximum(normal @ towards, 0)
    sheen = _SHEEN * np.maximum(normal @ halfway, 0) ** _SHEEN_EXPONENT
    variation = np.exp(rng.normal(0, _GRANULE_VARIATION, len(layout.owner)))
    variation = np.repeat(variation, granule.FACETS)
    direct = (matte + sheen) * variation
    sky = _AMBIENT * (0.5 + 0.5 * normal[:, 2]) * variation
    return np.append(direct, 0).astype(np.float32), np.append(sky, _AMBIENT).astype(np.float32)


def _wear_facets(light: Floats, facets: NDArray[np.int32], size: int) -> Floats:
    """Draw the light of facets, with the edges between them worn round.

    light: (N * FACETS + 1,). facets: (2 * size, 2 * size) the map of facets. Returns (size, size).
    """
    halved = np.empty((size, size), np.float32)
    for top in range(0, size, _BAND):
        band = facets[2 * top : 2 * (top + _BAND)]
        halved[top : top + _BAND] = _halve(light.take(band))
    return blur(halved, _WEAR * granule.DIAMETER * size)


def blur(picture: Floats, radius: float) -> Floats:
    """Blur a picture (h, w) or (h, w, 3) by a Gaussian; radius: standard deviation in pixels."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), radius), np.float32)


def _halve(picture: Floats) -> Floats:
    """Halve a picture (h, w) by averaging 2x2 pixels."""
    height, width = picture.shape
    size = (width // 2, height // 2)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def _compute_relief(layout: ScatteredLayout, facets: NDArray[np.int32], size: int) -> Floats:
    """Compute the height of the surface in granule diameters; joints are the ground, 0.

    facets: (2 * size, 2 * size) the map of facets; of the four quarters of each pixel two opposite
    ones are averaged. Returns (size, size).
    """
    planes = layout.chips.planes
    centres = layout.centres[:, None]
    base = planes[..., 0] - (planes[..., 1:] * centres).sum(-1)
    base += layout.height[:, None] * (_RELIEF * granule.DIAMETER)
    level, right, down = (_append_joint(plane) for plane in (base, planes[..., 1], planes[..., 2]))
    height = np.zeros((size, size), np.float32)
    for quarter in (0, 1):
        index = facets[quarter::2, quarter::2].astype(np.intp)
        axis = (np.arange(size, dtype=np.float32) + np.float32(0.25 + quarter / 2)) / size
        lifted = level.take(index)
        lifted += right.take(index) * axis[None, :]
        lifted += down.take(index) * axis[:, None]
        height += lifted
    return height / np.float32(2 * granule.DIAMETER)


def _append_joint(of_facets: Floats) -> Floats:
    """Append 0, for the joints at index NONE, to a value of each facet, (N, FACETS), flattened."""
    return np.append(of_facets.ravel(), np.float32(0))


def _compute_occlusion(relief: Floats, size: int) -> Floats:
    """Compute how much higher the surroundings of each pixel are; negative where they are lower.

    relief: (size, size) in granule diameters. Returns (size, size), weighted by _OCCLUSION.
    """
    hidden = np.zeros_like(relief)
    for radius, weight in _OCCLUSION:
        around = blur(relief, radius * granule.DIAMETER * size)
        deeper = around - relief
        hidden += weight * np.maximum(deeper, _RAISED * deeper)
    return hidden


def _cast_shadow(relief: Floats, size: int) -> Floats:
    """Compute how far what stands towards the light shades each pixel, 0 to 1.

    relief: (size, size) in granule diameters. Returns (size, size).
    """
    aside = float(np.hypot(_LIGHT[0], _LIGHT[1]))
    shadow = np.zeros_like(relief)
    for distance in _SHADOW_STEPS:
        step = distance * granule.DIAMETER * size / aside
        move = np.array([[1, 0, -_LIGHT[0] * step], [0, 1, -_LIGHT[1] * step]], np.float32)
        nearer = cv2.warpAffine(
            relief, move, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        rise = nearer - relief - distance * float(_LIGHT[2]) / aside
        np.maximum(shadow, np.clip(rise / _SHADOW_SOFTNESS, 0, 1), out=shadow)
    return shadow


def _light_tile_edges(layout: ScatteredLayout, size: int) -> Floats:
    """Compute a factor on the light, (size, size): worn tile edges that face it are brighter."""
    inside, _ = layout.map_joints(size)
    down, right = np.gradient(inside, 1 / size)
    worn = np.clip(1 - inside / _TILE_EDGE, 0, 1)
    facing = -(right * _LIGHT[0] + down * _LIGHT[1])
    return np.asarray(np.exp(worn * (0.5 * facing - 0.25)), np.float32)


def _resize_grain(seed: int, size: int) -> Floats:
    """Resize the grain of a tile to (size, size): the same bumps at every size."""
    way = cv2.INTER_AREA if size < _GRAIN_LATTICE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(_make_grain(seed), (size, size), interpolation=way))


@lru_cache(maxsize=2)  # for the sizes of a prediction, and callers that change only the angle
def _make_grain(seed: int) -> Floats:
    """Make the grain of a tile: log brightness of small bumps in the light.

    Returns (_GRAIN_LATTICE, _GRAIN_LATTICE).
    """
    rng = np.random.default_rng((seed, 2))
    nodes = _GRAIN_LATTICE
    grain = np.zeros((nodes, nodes), np.float32)
    for scale, amplitude in _GRAIN:
        noise = rng.standard_normal((nodes, nodes), dtype=np.float32)
        bumps = blur(noise, scale * granule.DIAMETER * nodes)
        down, right = (cv2.Sobel(bumps, cv2.CV_32F, *way) for way in ((0, 1), (1, 0)))
        lit = right * _LIGHT[0] + down * _LIGHT[1]
        grain -= lit * np.float32(amplitude / lit.std())
    return grain


def _rank_exposure(exposure: Floats, tile: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Rank each pixel among the tile's: 0 (darkest) to _LEVELS - 1. Returns (size, size).

    exposure: (size, size). tile: (size, size) whether a pixel is on the tile, not in a joint. A
    colour's ramp turns a rank into the colour that the pixel of this rank has on its photograph.
    """
    sample = exposure[::3, ::3][tile[::3, ::3]]
    knots = np.quantile(sample, np.linspace(0, 1, 257))
    fine = np.linspace(knots[0], knots[-1], 8 * _LEVELS)
    percentile = np.interp(fine, knots, np.linspace(0, _LEVELS - 1, 257)).astype(np.uint16)
    step = (exposure - knots[0]) * ((len(fine) - 1) / (knots[-1] - knots[0]))
    return np.asarray(percentile[np.clip(step, 0, len(fine) - 1).astype(np.int32)])


def _develop(
    layout: ScatteredLayout, granules: NDArray[np.int32], levels: NDArray[np.uint16]
) -> Floats:
    """Colour the ranked pixels. Returns (size, size, 3) linear RGB.

    granules, levels: see Lighting. A pixel whose quarters differ in colour gets their mean.
    """
    joint = len(layout.colors)
    owner = np.append(layout.owner, np.uint8(joint)).take(granules)
    quarters = [owner[down::2, right::2].ravel() for down in (0, 1) for right in (0, 1)]
    ramps = [make_ramp(color) for color in layout.colors]
    ramps.append(np.full((_LEVELS, 3), JOINT_LIGHT, np.float32))
    level = levels.ravel().astype(np.intp)
    linear = np.concatenate(ramps).take(quarters[0] * np.intp(_LEVELS) + level, axis=0)
    mixed = np.flatnonzero(np.logical_or.reduce([quarters[0] != other for other in quarters[1:]]))
    quarters = [quarter[mixed] for quarter in quarters]
    level = level[mixed]
    blend = np.zeros((len(mixed), 3), np.float32)
    for kind in (joint, *range(joint)):
        count = np.zeros(len(mixed), np.uint8)
        for quarter in quarters:
            count += quarter == kind
        covered = np.flatnonzero(count)
        cover = count[covered, None] * np.float32(1 / len(quarters))
        blend[covered] += ramps[kind].take(level[covered], axis=0) * cover
    linear[mixed] = blend
    rng = np.random.default_rng((layout.seed, 3))
    tint = 1 + rng.normal(0, _TINT, (len(layout.owner) + 1, 3)).astype(np.float32)
    linear *= tint.take(granules[::2, ::2].ravel(), axis=0)
    return np.asarray(linear.reshape(*levels.shape, 3))


def make_ramp(color: Color) -> Floats:
    """Make a colour's ramp from darkest to lightest pixel. Returns (_LEVELS, 3) linear RGB."""
    rank = np.linspace(0, 1, _LEVELS)
    p5, p25, p50, p75, p95 = color.lightness
    knots = (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1)
    dark, bright = p25 - p5, p95 - p75
    values = (p5 - dark, p5 - 0.65 * dark, p5, p25, p50, p75, p95, p95 + bright, p95 + 1.6 * bright)
    lightness = np.interp(rank, knots, np.clip(values, 0, 100))
    bounces = np.interp(rank, BOUNCE_RANK, BOUNCES)
    lab = np.array(color.lab, np.float32) * (1, _MEDIAN_CHROMA, _MEDIAN_CHROMA)
    median = cv2.cvtColor(lab.astype(np.float32)[None, None], cv2.COLOR_LAB2LRGB)[0, 0]
    linear = np.maximum(median, DARKEST_CHANNEL) ** bounces[:, None]
    linear *= (lightness_to_luminance(lightness) / (linear @ LUMINANCE))[:, None]
    return np.asarray(np.clip(linear, 0, 1), np.float32)


def _photograph(linear: Floats, size: int) -> Image:
    """Turn linear RGB into a camera's picture: a little soft, more so in chroma.

    linear: (size, size, 3), 0 to 1. Returns (size, size, 3) sRGB.
    """
    picture = encode_linear(blur(linear, _LENS_BLUR * size))
    luma, *chroma = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb))
    soft = [cv2.GaussianBlur(channel, (0, 0), _CHROMA_BLUR * size) for channel in chroma]
    return np.asarray(cv2.cvtColor(cv2.merge([luma, *soft]), cv2.COLOR_YCrCb2RGB), np.uint8)


def encode_linear(linear: Floats) -> Image:
    """Encode linear RGB, 0 to 1, as sRGB bytes (IEC 61966-2-1)."""
    table = np.rint(255 * encode_srgb(np.linspace(0, 1, 65536))).astype(np.uint8)
    return np.asarray(table[np.clip(linear * 65535, 0, 65535).astype(np.uint16)])
