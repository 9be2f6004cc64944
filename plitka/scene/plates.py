"""Plates: what a path tracer found of a scene, once and for all mixes, as pictures in plates/.

Light adds up, so a scene is its objects over a black floor, the light on the floor, and the light
that comes back from a floor. The light is in parts of what a floor in full, even light gets, so
that granules have the colours that the tile has. `python -m benchmarks.scene_plates` makes them.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image as Pictures

from plitka.arrays import Floats, Image
from plitka.color.srgb import decode_srgb
from plitka.scene.scenes import HEIGHT, WIDTH, Scene

_FOLDER = Path(__file__).parent / "plates"
_KEPT = 3  # scenes, of 9 MB each

MOST_LIGHT = 2.5
"""The most light that a plate can hold, in parts of full light."""


@dataclass(frozen=True, eq=False)
class Plates:
    """The plates of a scene.

    objects: (HEIGHT, WIDTH, 3) sRGB, all but the floor, black where the floor is. cover: (HEIGHT,
    WIDTH) how much of a pixel is floor, 0 to 255. light: (HEIGHT, WIDTH, 3) encoded as sRGB, in
    parts of MOST_LIGHT. returned: likewise, what a white floor adds to the objects.
    """

    objects: Image
    cover: Image
    light: Image
    returned: Image


@lru_cache(maxsize=_KEPT)
def load_plates(scene: Scene) -> Plates:
    """Load the plates of a scene."""
    return Plates(
        _read(scene, "objects", "RGB"),
        _read(scene, "cover", "L"),
        _read(scene, "light", "RGB"),
        _read(scene, "returned", "RGB"),
    )


def _read(scene: Scene, part: str, mode: str) -> Image:
    with Pictures.open(_FOLDER / f"{scene.name}-{part}.webp") as file:
        picture = file.convert(mode)
    if picture.size != (WIDTH, HEIGHT):
        picture = picture.resize((WIDTH, HEIGHT), Pictures.Resampling.BICUBIC)
    return np.asarray(picture)


DECODED: Floats = np.array([decode_srgb(value / 255) for value in range(256)], np.float32)
"""Linear light, 0 to 1, of each byte of sRGB."""
