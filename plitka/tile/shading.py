"""Shading: colours a lit surface, each place by the rank of its brightness among its colour's.

A colour's ramp has the L*a*b* of each rank as photographs show it, so a picture has exactly the
tones that were measured. What other colours add is light: a hollow between granules of another
colour is lit by those.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Floats
from plitka.color.srgb import LUMINANCE
from plitka.tile.canvas import Canvas
from plitka.tile.layout import NONE, Layout
from plitka.tile.lighting import BOUNCE_REACH, Lighting, measure_openness
from plitka.tile.material import LEVELS, Material, prepare_material

_LAMP_RADIUS = 0.12  # of the lamp that is mirrored, as a slope
_STRAY_TEXTURE, _STRAY_GRANULES = 0.5, 0.2  # of how chroma strays, within granules and between
_TINT = 0.006  # standard deviation of linear R, G, B from granule to granule
_DUST = 0.01  # part of a place that dust covers, on the median granule
_DUST_SPREAD = 1.0  # standard deviation of its logarithm from granule to granule
_DUST_LIGHT = 0.35  # linear brightness that dust adds in full light
_DUST_COVER = 0.4  # part of what lies beneath that it hides
_WHITENING = 0.3  # part of the light of hollows that is as white as the sky
_BRIGHTENING = np.float32(0.15)  # a dark granule hides part of what it gets from light ones
_COARSE = 4  # times smaller: the map on which light of neighbours is spread
_SAMPLE = 4  # every so many pixels of rows and columns are ranked; the others are looked up
_KNOTS = 257  # of a table of ranks
_BAND = 64  # rows of a picture worked on together, so that they stay in the processor's cache
_OTHER_QUARTERS = ((0, 1), (1, 0), (1, 1))  # of a pixel, and the pixels beside it on their sides
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
    return _blend_outlines(linear, lighting.granules, lighting.canvas)


def paint_albedo(layout: Layout, lighting: Lighting) -> Floats:
    """Paint a surface in what each place reflects of white light, whatever light there is.

    That is the albedo of its colour, with the granules' own differences and the grain of rubber.
    lighting: of the layout; its light is not looked at. Returns (size, size, 3) linear RGB, 0 to 1.
    """
    coat = _Coat(layout, lighting, prepare_material(layout))
    size = lighting.size
    linear = np.empty((size, size, 3), np.float32)
    for top in range(0, size, _BAND):
        rows = slice(top, min(top + _BAND, size))
        linear[rows] = coat.paint_rows(rows)
    _blend_outlines(linear, lighting.granules, lighting.canvas)
    return np.clip(linear, 0, 1, out=linear)


class _Coat:
    """What lies on the rubber of each granule, or is its own: strayed chroma, dust and a tint."""

    def __init__(self, layout: Layout, lighting: Lighting, material: Material) -> None:
        self._lighting = lighting
        self._material = material
        self._owner = np.append(layout.owner, np.uint8(len(layout.colors)))
        lots = np.random.default_rng((layout.seed, 4)).standard_normal((len(self._owner), 5))
        self._stray = (_STRAY_GRANULES * lots[:, 0]).astype(np.float32)
        self._dust = (_DUST * np.exp(_DUST_SPREAD * lots[:, 1])).astype(np.float32)
        self._dust[-1] = 0  # the joints'
        self._tint = (1 + _TINT * lots[:, 2:]).astype(np.float32)

    def cover(self, linear: Floats, rows: slice, whole: NDArray[np.intp], light: Floats) -> None:
        """Cover some rows of linear RGB (rows, size, 3), in place.

        whole: (rows, size) the granules. light: on them, (rows, size, 1), or 1 for white light.
        """
        noise, mine = self._lighting.noise, self._owner.take(whole)
        strayed = _STRAY_TEXTURE * noise.stray[rows] + self._stray.take(whole)
        _let_chroma_stray(linear, strayed[..., None] * self._material.stray.take(mine, axis=0))
        dust = np.minimum(noise.dust[rows] * self._dust.take(whole), 1)[..., None]
        linear += dust * (np.float32(_DUST_LIGHT) * light - np.float32(_DUST_COVER) * linear)
        linear *= self._tint.take(whole, axis=0)

    def paint_rows(self, rows: slice) -> Floats:
        """Paint some rows in white light: (rows, size, 3) linear RGB."""
        lighting = self._lighting
        whole = lighting.granules[2 * rows.start : 2 * rows.stop : 2, ::2].astype(np.intp)
        linear = self._material.albedo.take(self._owner.take(whole), axis=0)
        own = lighting.variation.take(whole) * np.exp(lighting.noise.grain[rows])
        linear *= own[..., None]
        self.cover(linear, rows, whole, np.ones(1, np.float32))
        return linear


class _Shader:
    """Shades rows of a picture; what all rows need is made once."""

    def __init__(self, layout: Layout, lighting: Lighting, material: Material) -> None:
        self._lighting = lighting
        self._material = material
        self._joint = joint = len(layout.colors)
        self._owner = np.append(layout.owner, np.uint8(joint))
        self._coat = _Coat(layout, lighting, material)
        sample = _pick_sample(lighting)
        self._ranks = [_Ranks(self._expose(kind, sample)) for kind in range(joint)]
        self._neighbours = self._spread_albedo() if joint > 1 else None

    def shade_rows(self, rows: slice) -> Floats:
        """Shade some rows. Returns (rows, size, 3) linear RGB."""
        lighting, material = self._lighting, self._material
        whole = lighting.granules[2 * rows.start : 2 * rows.stop : 2, ::2].astype(np.intp)
        mine = self._owner.take(whole)
        levels = np.zeros(mine.size, np.intp)
        for kind, ranks in enumerate(self._ranks):
            here = np.flatnonzero(mine == kind)
            levels[here] = ranks.rank(self._expose(kind, _pick_pixels(lighting, rows, here)))
        levels += mine.ravel() * np.intp(LEVELS)
        linear = material.ramps.reshape(-1, 3).take(levels, axis=0).reshape(*mine.shape, 3)
        light = lighting.light[rows][..., None]
        if self._neighbours is not None:
            linear *= self._light_hollows(rows, mine)
        self._coat.cover(linear, rows, whole, light)
        return linear

    def _expose(self, kind: int, place: "_Places") -> Floats:
        """Expose n places as if all granules were of one colour.

        Returns (n,) the natural logarithm of what they send to the camera.
        """
        material = self._material
        luminance = material.luminance[kind]
        sent = luminance * place.light / (1 - luminance * place.hollow)
        lamp = np.float32(_LAMP_RADIUS**2)
        width = (self._lighting.roughness * material.roughness[kind]) ** 2 + lamp
        spread = width.take(place.granules)
        fade = 1 + place.away / (2 * spread)
        sent += material.gloss[kind] * place.mirrored * lamp / (spread * fade * fade)
        return np.asarray(
            np.log(np.maximum(sent, np.float32(_DARKEST))) + place.grain * (1 - place.hollow),
            np.float32,
        )

    def _spread_albedo(self) -> Floats:
        """Compute the albedo that a place sees around it. Returns (size, size, 3) linear RGB."""
        lighting, size = self._lighting, self._lighting.size
        mine = self._owner.take(lighting.granules[::2, ::2])
        sent = self._material.albedo.take(mine, axis=0)
        sent *= lighting.light[..., None]
        canvas = replace(lighting.canvas, size=max(size // _COARSE, 1))
        small = (canvas.size, canvas.size)
        coarse = np.asarray(cv2.resize(sent, small, interpolation=cv2.INTER_AREA), np.float32)
        spread = canvas.blur(coarse, BOUNCE_REACH * canvas.granule)
        around = cv2.resize(lighting.around, small, interpolation=cv2.INTER_AREA)
        spread /= np.maximum(around, np.float32(_DARKEST))[..., None]
        return lighting.canvas.enlarge(spread)

    def _light_hollows(self, rows: slice, mine: NDArray[np.uint8]) -> Floats:
        """Compute a factor on linear RGB: what hollows get from these neighbours over the same.

        Light that goes to and fro between walls of albedo a which hide a part h of the sky grows by
        1 / (1 - a h); a colour's ramp has that of walls of its own colour.
        """
        assert self._neighbours is not None
        hollow = self._lighting.hollow[rows][..., None]
        own = self._material.albedo.take(mine, axis=0)
        factor = (1 - hollow * own) / (1 - hollow * self._neighbours[rows])
        factor += np.float32(_WHITENING) * (_measure_luminance(factor)[..., None] - factor)
        factor = np.where(factor > 1, 1 + _BRIGHTENING * (factor - 1), factor)
        factor[mine == self._joint] = 1
        return np.asarray(factor, np.float32)


@dataclass(frozen=True, eq=False)
class _Places:
    """What is known of the light at n places, (n,) each: see Lighting."""

    granules: NDArray[np.int32]
    light: Floats
    hollow: Floats
    around: Floats
    mirrored: Floats
    away: Floats
    grain: Floats


def _pick_pixels(lighting: Lighting, rows: slice, here: NDArray[np.intp]) -> _Places:
    """Pick pixels of some rows. here: (n,) their indices, row by row."""
    granules = lighting.granules[2 * rows.start : 2 * rows.stop : 2, ::2]
    maps = (part[rows].ravel().take(here) for part in _list_maps(lighting))
    return _Places(granules.ravel().take(here), *maps)


def _pick_sample(lighting: Lighting) -> _Places:
    """Pick a sample of the pixels of the whole tile, none in the joints."""
    few = (slice(None, None, _SAMPLE),) * 2
    granules = lighting.granules[:: 2 * _SAMPLE, :: 2 * _SAMPLE]
    tile = granules != NONE
    return _Places(granules[tile], *(part[few][tile] for part in _list_maps(lighting)))


def _list_maps(lighting: Lighting) -> tuple[Floats, ...]:
    """List the maps of `lighting` in the order that _Places has them."""
    return (
        *(lighting.light, lighting.hollow, lighting.around, lighting.mirrored, lighting.away),
        lighting.noise.grain,
    )


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
        at = np.clip(step, 0, len(self._table) - 1).astype(np.int32)
        return np.asarray(self._table.take(at), np.intp)


def measure_roughness(layout: Layout, lighting: Lighting) -> Floats:
    """Measure how rough each place is to light, as renderers count it: (size, size), 0 to 1.

    The square root of GGX's alpha: of the slopes that mirror, and of how broad the lamp is that
    they mirror. Binder lies on what is open; where the sky is hidden rubber is dull.
    """
    material = prepare_material(layout)
    owner = np.append(layout.owner, np.uint8(len(layout.colors)))
    slopes = (lighting.roughness * material.roughness.take(owner)) ** 2 + _LAMP_RADIUS**2
    own = np.minimum((2 * slopes) ** 0.25, 1).astype(np.float32)
    rough = own.take(lighting.granules[::2, ::2])
    rough += (1 - rough) * (1 - measure_openness(lighting) ** 2)
    return np.asarray(rough, np.float32)


def _blend_outlines(linear: Floats, granules: NDArray[np.int32], canvas: Canvas) -> Floats:
    """Blend the pixels that several granules share, in place.

    A pixel is of the granule of its first quarter. Each other quarter has the colour of the nearest
    pixel that is of the quarter's granule. linear: (size, size, 3), which is returned. granules:
    (2 * size, 2 * size) of each quarter.
    """
    size = len(linear)
    own = np.ascontiguousarray(granules[::2, ::2])
    quarters = {place: granules[place[0] :: 2, place[1] :: 2] for place in _OTHER_QUARTERS}
    shared = np.flatnonzero(np.logical_or.reduce([one != own for one in quarters.values()]))
    row, column = np.divmod(shared, size)
    pixels = linear.reshape(-1, 3)
    blend = pixels.take(shared, axis=0)
    for place, quarter in quarters.items():
        granule_there = quarter.ravel().take(shared)
        source = shared.copy()
        for down, right in (*(beside for beside in _OTHER_QUARTERS if beside != place), place):
            at = canvas.take_beside(row + down) * size + canvas.take_beside(column + right)
            np.copyto(source, at, where=own.ravel().take(at) == granule_there)
        np.copyto(source, shared, where=own.ravel().take(shared) == granule_there)
        blend += pixels.take(source, axis=0)
    pixels[shared] = blend / np.float32(1 + len(quarters))
    return linear


def _let_chroma_stray(linear: Floats, change: Floats) -> None:
    """Change the logarithm of linear RGB (h, w, 3) but not the luminance, in place."""
    before = _measure_luminance(linear)
    linear *= np.exp(change)
    linear *= (before / np.maximum(_measure_luminance(linear), 1e-6))[..., None]


def _measure_luminance(linear: Floats) -> Floats:
    """Measure the luminance of linear RGB (h, w, 3). Returns (h, w)."""
    red, green, blue = (np.float32(part) for part in LUMINANCE)
    return np.asarray(red * linear[..., 0] + green * linear[..., 1] + blue * linear[..., 2])
