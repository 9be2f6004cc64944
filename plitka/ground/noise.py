"""Random numbers of places: each place has its own, and the same one each time."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats
from plitka.ground.remap import look_up

_NODES = 64  # of smooth noise, after which it repeats


def hash_places(seed: int, stream: int, *keys: NDArray[np.int32]) -> Floats:
    """Return a random number, 0 to 1, for each place (n,) of integer keys."""
    mixed = np.full(keys[0].shape, (seed * 0x9E3779B1 + stream * 0x85EBCA77) % 2**32, np.uint32)
    for key in keys:
        mixed ^= key.astype(np.uint32)
        mixed = _scramble(mixed)
    return np.asarray((mixed >> np.uint32(8)).astype(np.float32) / np.float32(2**24), np.float32)


def _scramble(value: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Scramble bits; the finalizer of MurmurHash3."""
    value = (value ^ (value >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    value = (value ^ (value >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return value ^ (value >> np.uint32(16))


def wave(seed: int, stream: int, x: Floats, y: Floats) -> Floats:
    """Return smooth noise, about -1 to 1, at places (n,); its independent values are 1 apart."""
    return look_up(_make_nodes(seed, stream), x, y, cv2.INTER_LINEAR)[:, 0]


@lru_cache(maxsize=16)
def _make_nodes(seed: int, stream: int) -> Floats:
    rng = np.random.default_rng((seed, 30, stream))
    return rng.uniform(-1, 1, (_NODES, _NODES)).astype(np.float32)
