"""Noise: the small irregularities of rubber, made once on a lattice that repeats over the tile.

Each field belongs to the tile, not to the picture: it is resized to the picture's size, so that
every size shows the same tile. A seed moves the fields about. A canvas of more frames than two has
the same fields several times: granules hide that.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats
from plitka.tile.canvas import Canvas

NODES = 1024
"""Nodes of the lattice over a frame's side; a granule has 20 of them across."""

_LARGEST = 2  # frame sides of a lattice
_PAD = 32  # nodes, more than a blur reaches
_BUMP_SPECTRUM = 2.5  # height falls with frequency to this power: what torn surfaces are like
_BUMP_LONGEST = 30  # nodes: longer waves are facets already
_GRAIN = ((0.6, 0.06), (1.5, 0.015))  # (scale in nodes, standard deviation of log brightness)
_GRAIN_SKEW = 0.4  # log-normal: rubber has bright specks rather than dark ones
_STRAY_SCALE = 1.5  # nodes
_DUST_SCALE = 0.7  # nodes: a speck's
_DUST_PATCH = 5.0  # nodes: the size of dusty places
_DUST_THRESHOLD = 1.8  # standard deviations: dust is sparse


@dataclass(frozen=True, eq=False)
class Noise:
    """The fields of one tile at one size.

    bumps: (size, size) complex64, slopes to the right (real) and downwards (imaginary), standard
    deviation 1 each; it repeats beyond its edges. grain: (size, size) log brightness. stray: (size,
    size) standard deviation 1, of how colours stray. dust: (size, size) 0 (none) and up.
    """

    bumps: NDArray[np.complex64]
    grain: Floats
    stray: Floats
    dust: Floats


def make_noise(seed: int, canvas: Canvas) -> Noise:
    """Make the noise of a tile."""
    repeats = int(np.ceil(canvas.side / _LARGEST))
    nodes = round(NODES * canvas.side / repeats)
    down, right = np.random.default_rng((seed, 2)).integers(0, nodes, 2).tolist()
    bumps, *plain = _make_fields(nodes)
    moved = [np.roll(field, (down, right), (0, 1)) for field in plain]
    grain, stray, dust = (canvas.resize(field, repeats) for field in moved)
    slopes = np.empty((canvas.size, canvas.size), np.complex64)
    slopes.real = canvas.resize(bumps.real.copy(), repeats)
    slopes.imag = canvas.resize(bumps.imag.copy(), repeats)
    return Noise(slopes, grain, stray, dust)


@lru_cache(maxsize=1)
def _make_fields(nodes: int) -> tuple[NDArray[np.complex64], Floats, Floats, Floats]:
    """Make the four fields of Noise on a lattice that repeats, (nodes, nodes) each."""
    rng = np.random.default_rng(1968)
    grain = np.zeros((nodes, nodes), np.float32)
    for scale, deviation in _GRAIN:
        specks = np.exp(np.float32(_GRAIN_SKEW) * _make_smooth(rng, nodes, scale))
        grain += _standardize(specks) * np.float32(deviation)
    stray = _make_smooth(rng, nodes, _STRAY_SCALE)
    specks = _make_smooth(rng, nodes, _DUST_SCALE)
    specks = specks + np.float32(0.7) * _make_smooth(rng, nodes, _DUST_PATCH)
    dust = np.clip(specks - np.float32(_DUST_THRESHOLD), 0, 2)
    return _make_bumps(rng, nodes), grain, stray, dust


def _make_smooth(rng: np.random.Generator, nodes: int, scale: float) -> Floats:
    """Make Gaussian noise, (nodes, nodes), standard deviation 1, that repeats. scale: in nodes."""
    noise = rng.standard_normal((nodes, nodes), dtype=np.float32)
    padded = np.pad(noise, _PAD, mode="wrap")
    smooth = cv2.GaussianBlur(padded, (0, 0), scale)[_PAD:-_PAD, _PAD:-_PAD]
    return _standardize(np.asarray(smooth, np.float32))


def _standardize(field: Floats) -> Floats:
    """Bring a field to mean 0 and standard deviation 1."""
    return np.asarray((field - field.mean()) / field.std(), np.float32)


def _make_bumps(rng: np.random.Generator, nodes: int) -> NDArray[np.complex64]:
    """Make the slopes of a rough surface whose spectrum falls by a power. (nodes, nodes)."""
    down, right = np.fft.fftfreq(nodes)[:, None], np.fft.rfftfreq(nodes)[None, :]
    frequency = np.hypot(down, right)
    kept = frequency > 1 / _BUMP_LONGEST
    amplitude = np.where(kept, np.maximum(frequency, 1 / nodes) ** -_BUMP_SPECTRUM, 0)
    noise = rng.standard_normal((nodes, nodes), dtype=np.float32)
    height = np.fft.rfft2(noise) * amplitude.astype(np.float32)
    slopes = [
        np.fft.irfft2((height * (2j * np.pi * way)).astype(np.complex64), s=(nodes, nodes))
        for way in (right, down)
    ]
    deviation = np.sqrt((slopes[0] ** 2 + slopes[1] ** 2).mean() / 2)
    return np.asarray((slopes[0] + 1j * slopes[1]) / deviation, np.complex64)
