"""Shading: colours a lit surface, each place by the rank of its brightness among its colour's.

A colour's ramp has the L*a*b* of each rank as photographs show it, so a picture has exactly the
tones that were measured. What other colours add is light: a hollow between granules of another
colour is lit by those.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Floats
from plitka.color.srgb import LUMINANCE
from plitka.tile import granule
from plitka.tile.layout import Layout
from plitka.tile.lighting import Lighting
from plitka.tile.material import LEVELS, Material, prepare_material
from plitka.tile.surface import blur

_LAMP_RADIUS = 0.12  # of the lamp that is mirrored, as a slope
_STRAY_TEXTURE, _STRAY_GRANULES = 0.7, 0.35  # of how chroma strays, within granules and between
_TINT = 0.01  # standard deviation of linear R, G, B from granule to granule
_DUST = 0.03  # part of a place that dust covers, on the median granule
_DUST_SPREAD = 1.0  # standard deviation of its logarithm from granule to granule
_DUST_LIGHT = 0.35  # linear brightness that dust adds in full light
_DUST_COVER = 0.4  # part of what lies beneath that it hides
_BOUNCE_REACH = 0.35  # standard deviation of the distance of neighbours' light, granule diameters
_COARSE = 4  # times smaller: the map on which light of neighbours is spread
_SAMPLE = 4  # every so many pixels of rows and columns are ranked; the others are looked up
_KNOTS = 257  # of a table of ranks
_BAND = 64  # rows of a picture worked on together, so that they stay in the processor's cache
_DARKEST = 1e-4  # exposure whose logarithm is the least


def shade(layout: Layout, lighting: Lighting) -> Floats:
    """Colour the lit surface of a layout. Returns (size, size, 3) linear RGB, 0 and up."""
    material = prepare_material(layout)
    shader = _Shader(layout, lighting, material)
    size = lighting.size
    linear = np.empty((size, size, 3), np.float32)
    for top in range(0, size, _BAND):
        rows = slice(top, min(top + _BAND, size))
        linear[rows] = shader.shade_rows(rows)
    return linear


class _Shader:
    """Shades rows of a picture; what all rows need is made once."""

    def __init__(self, layout: Layout, lighting: Lighting, material: Material) -> None:
        self._lighting = lighting
        self._material = material
        self._joint = joint = len(layout.colors)
        self._owner = np.append(layout.owner, np.uint8(joint))
        lots = np.random.default_rng((layout.seed, 4)).standard_normal((len(self._owner), 5))
        self._stray = (_STRAY_GRANULES * lots[:, 0]).astype(np.float32)
        self._dust = (_DUST * np.exp(_DUST_SPREAD * lots[:, 1])).astype(np.float32)
        self._dust[-1] = 0  # the joints'
        self._tint = (1 + _TINT * lots[:, 2:]).astype(np.float32)
        self._ranks = [_Ranks(self._expose_sample(kind)) for kind in range(joint)]
        self._neighbours = self._spread_light() if joint > 1 else None

    def shade_rows(self, rows: slice) -> Floats:
        """Shade some rows. Returns (rows, size, 3) linear RGB."""
        lighting, material = self._lighting, self._material
        granules = lighting.granules[2 * rows.start : 2 * rows.stop]
        quarters = self._owner.take(granules)
        whole, mine = granules[::2, ::2], quarters[::2, ::2]
        levels = np.zeros(mine.size, np.intp)
        for kind, ranks in enumerate(self._ranks):
            here = np.flatnonzero(mine == kind)
            levels[here] = ranks.rank(self._expose(kind, rows, here))
        linear = _blend_quarters(material.ramps, quarters, levels)
        light = lighting.light[rows][..., None]
        if self._neighbours is not None:
            linear *= self._light_hollows(rows, mine, light)
        strayed = _STRAY_TEXTURE * lighting.noise.stray[rows] + self._stray.take(whole)
        _let_chroma_stray(linear, strayed[..., None] * material.stray.take(mine, axis=0))
        dust = np.minimum(lighting.noise.dust[rows] * self._dust.take(whole), 1)[..., None]
        linear += dust * (np.float32(_DUST_LIGHT) * light - np.float32(_DUST_COVER) * linear)
        linear *= self._tint.take(whole, axis=0)
        return linear

    def _expose(self, kind: int, rows: slice, here: NDArray[np.intp]) -> Floats:
        """Expose the pixels `here` of some rows as if all granules had one colour. (n,)."""
        lighting = self._lighting
        maps = (lighting.light, lighting.hollow, lighting.around, lighting.mirrored, lighting.away)
        taken = (part[rows].ravel().take(here) for part in maps)
        granules = lighting.granules[2 * rows.start : 2 * rows.stop : 2, ::2].ravel().take(here)
        return self._sum_up(kind, *taken, granules, lighting.noise.grain[rows].ravel().take(here))

    def _expose_sample(self, kind: int) -> Floats:
        """Expose a sample of the pixels of the whole tile, joints left out. (n,)."""
        lighting, few = self._lighting, (slice(None, None, _SAMPLE),) * 2
        granules = lighting.granules[:: 2 * _SAMPLE, :: 2 * _SAMPLE]
        tile = granules >= 0
        maps = (lighting.light, lighting.hollow, lighting.around, lighting.mirrored, lighting.away)
        taken = (part[few][tile] for part in maps)
        return self._sum_up(kind, *taken, granules[tile], lighting.noise.grain[few][tile])

    def _sum_up(
        self,
        kind: int,
        light: Floats,
        hollow: Floats,
        around: Floats,
        mirrored: Floats,
        away: Floats,
        granules: NDArray[np.int32],
        grain: Floats,
    ) -> Floats:
        """Sum up what n pixels send to the camera, as its natural logarithm. (n,)."""
        material = self._material
        luminance = material.luminance[kind]
        sent = luminance * (light + hollow * around * luminance)
        lamp = np.float32(_LAMP_RADIUS**2)
        width = (self._lighting.roughness * material.roughness[kind]) ** 2 + lamp
        spread = width.take(granules)
        fade = 1 + away / (2 * spread)
        sent += material.gloss[kind] * mirrored * lamp / (spread * fade * fade)
        return np.asarray(np.log(np.maximum(sent, np.float32(_DARKEST))) + grain, np.float32)

    def _spread_light(self) -> Floats:
        """Spread the light that granules send in their colours. Returns (size, size, 3)."""
        lighting, size = self._lighting, self._lighting.size
        mine = self._owner.take(lighting.granules[::2, ::2])
        sent = self._material.albedo.take(mine, axis=0)
        sent *= lighting.light[..., None]
        small = (max(size // _COARSE, 1),) * 2
        coarse = np.asarray(cv2.resize(sent, small, interpolation=cv2.INTER_AREA), np.float32)
        spread = blur(coarse, _BOUNCE_REACH * granule.DIAMETER * small[0])
        return np.asarray(cv2.resize(spread, (size, size), interpolation=cv2.INTER_LINEAR))

    def _light_hollows(self, rows: slice, mine: NDArray[np.uint8], light: Floats) -> Floats:
        """Compute a factor on linear RGB: light from these neighbours over that from the same."""
        assert self._neighbours is not None
        hollow = self._lighting.hollow[rows][..., None]
        own = self._material.albedo.take(mine, axis=0) * self._lighting.around[rows][..., None]
        factor = (light + hollow * self._neighbours[rows]) / (light + hollow * own)
        factor[mine == self._joint] = 1
        return np.asarray(factor, np.float32)


class _Ranks:
    """A table of the ranks of exposures among all of a tile."""

    def __init__(self, sample: Floats) -> None:
        """sample: (n,) exposures."""
        knots: Doubles = np.quantile(sample, np.linspace(0, 1, _KNOTS))
        knots += np.arange(_KNOTS) * 1e-7  # so that they rise
        fine = np.linspace(knots[0], knots[-1], 8 * LEVELS)
        self._table = np.interp(fine, knots, np.linspace(0, LEVELS - 1, _KNOTS)).astype(np.intp)
        self._first = np.float32(knots[0])
        self._scale = np.float32((len(fine) - 1) / (knots[-1] - knots[0]))

    def rank(self, exposure: Floats) -> NDArray[np.intp]:
        """Rank exposures (n,): 0 (darkest) to LEVELS - 1."""
        step = (exposure - self._first) * self._scale
        return self._table.take(np.clip(step, 0, len(self._table) - 1).astype(np.int32))


def _blend_quarters(ramps: Floats, quarters: NDArray[np.uint8], levels: NDArray[np.intp]) -> Floats:
    """Look up the colours of pixels, whose four quarters may be of several colours.

    ramps: (K + 1, LEVELS, 3). quarters: (2h, 2w) colour of each quarter. levels: (h * w,). Returns
    (h, w, 3) linear RGB.
    """
    table = ramps.reshape(-1, 3)
    parts = [quarters[down::2, right::2].ravel() for down in (0, 1) for right in (0, 1)]
    linear = table.take(parts[0] * np.intp(LEVELS) + levels, axis=0)
    mixed = np.flatnonzero(np.logical_or.reduce([parts[0] != other for other in parts[1:]]))
    blend = np.zeros((len(mixed), 3), np.float32)
    for part in parts:
        blend += table.take(part[mixed] * np.intp(LEVELS) + levels[mixed], axis=0)
    linear[mixed] = blend / np.float32(len(parts))
    return linear.reshape(quarters.shape[0] // 2, quarters.shape[1] // 2, 3)


def _let_chroma_stray(linear: Floats, change: Floats) -> None:
    """Change the logarithm of linear RGB (h, w, 3) but not the luminance, in place."""
    before = _measure_luminance(linear)
    linear *= np.exp(change)
    linear *= (before / np.maximum(_measure_luminance(linear), 1e-6))[..., None]


def _measure_luminance(linear: Floats) -> Floats:
    """Measure the luminance of linear RGB (h, w, 3). Returns (h, w)."""
    red, green, blue = (np.float32(part) for part in LUMINANCE)
    return np.asarray(red * linear[..., 0] + green * linear[..., 1] + blue * linear[..., 2])
