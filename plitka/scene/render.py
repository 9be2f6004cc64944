"""A ground -> a picture of a scene whose floor it is, in true scale."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats, Image
from plitka.ground.ground import Ground
from plitka.scene.camera import FloorPlaces, project_floor
from plitka.scene.plates import DECODED, MOST_LIGHT, load_plates
from plitka.scene.scenes import HEIGHT, WIDTH, Scene
from plitka.scene.tone import tone_highlights
from plitka.tile.camera import encode_linear

_KEPT = 3  # scenes whose places on the floor are kept, of up to 30 MB each
_COARSE = 257  # every so many pixels the floor is looked at for its mean colour
_SAMPLES = 2  # of a pixel, which is longer than broad on a floor that is seen at a slant
_MIDDLE = -4500.0  # where the middle of a surface lies, in mm below the camera's foot


def render_scene(scene: Scene, ground: Ground) -> Image:
    """Render a scene: (HEIGHT, WIDTH, 3) sRGB.

    A surface that ends lies in the middle of what is seen; beyond its edges its mix goes on.
    """
    plates, floor = load_plates(scene), _find_floor(scene)
    colors = np.zeros((len(floor.pixels), 3), np.float32)
    for right, down in floor.places:
        colors += sample_ground(ground, right, down, floor.footprint)
    colors *= np.float32(1 / len(floor.places))
    picture = DECODED.take(plates.objects)
    mean = colors[::_COARSE].mean(axis=0)
    picture += (
        DECODED.take(plates.returned) * (mean * np.float32(MOST_LIGHT)) * floor.rest[..., None]
    )
    flat = picture.reshape(-1, 3)
    flat[floor.pixels] += tone_highlights(colors * floor.light) * floor.cover
    return encode_linear(picture)


def sample_ground(ground: Ground, right: Floats, down: Floats, footprint: Floats) -> Floats:
    """Sample a ground at places (n,) in mm from the middle of what is shown: (n, 3) linear RGB."""
    middle_right = 0 if ground.width_mm is None else ground.width_mm / 2
    middle_down = 0 if ground.length_mm is None else ground.length_mm / 2
    return ground.sample(
        right + np.float32(middle_right), down + np.float32(middle_down), footprint
    )


@dataclass(frozen=True, eq=False)
class _Floor:
    """The pixels of a scene that show its floor; what no mix changes.

    pixels: (n,) numbers of theirs, row by row. places: for each of some samples along what a pixel
    covers, (n,) right and down, in mm. footprint: (n,) how many mm a sample covers. light: (n, 3)
    on it. cover: (n, 1) how much of a pixel is floor, 0 to 1. rest: (HEIGHT, WIDTH) how much of
    each pixel of the picture is no floor.
    """

    pixels: NDArray[np.int64]
    places: tuple[tuple[Floats, Floats], ...]
    footprint: Floats
    light: Floats
    cover: Floats
    rest: Floats


@lru_cache(maxsize=_KEPT)
def _find_floor(scene: Scene) -> _Floor:
    plates = load_plates(scene)
    pixels = np.flatnonzero(plates.cover.ravel())
    first = int(pixels[0]) // WIDTH
    below = pixels - first * WIDTH
    samples = [
        project_floor(scene.camera, WIDTH, HEIGHT, first, (number + 0.5) / _SAMPLES)
        for number in range(_SAMPLES)
    ]
    covered = np.maximum(samples[0].across, samples[0].along / _SAMPLES)
    cover = plates.cover.ravel()[pixels].astype(np.float32) / np.float32(255)
    light = DECODED.take(plates.light.reshape(-1, 3)[pixels]) * np.float32(MOST_LIGHT)
    return _Floor(
        pixels,
        tuple(_choose_places(scene, sample, below) for sample in samples),
        covered.ravel()[below // WIDTH],
        light,
        cover[:, None],
        1 - plates.cover.astype(np.float32) / np.float32(255),
    )


def _choose_places(
    scene: Scene, places: FloorPlaces, pixels: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Choose some pixels' places on the floor, from the middle of a surface, in mm: (n,) each."""
    right, down = places.right.ravel()[pixels], places.down.ravel()[pixels]
    if scene.mirror is not None:  # what lies behind a mirror is seen before it
        down = np.where(down < -scene.mirror, -2 * scene.mirror - down, down)
    return right, np.asarray(down - np.float32(_MIDDLE), np.float32)


def render_small(scene: Scene, color: Floats, width: int) -> Image:
    """Render a scene whose floor is of one colour, (3,) linear RGB, `width` pixels wide."""
    plates = load_plates(scene)
    size = (width, width * HEIGHT // WIDTH)
    objects, light, returned = (
        cv2.resize(DECODED.take(part), size, interpolation=cv2.INTER_AREA)
        for part in (plates.objects, plates.light, plates.returned)
    )
    cover = np.float32(1 / 255) * cv2.resize(
        plates.cover.astype(np.float32), size, interpolation=cv2.INTER_AREA
    )
    gain = color * np.float32(MOST_LIGHT)
    floor = light * cover[..., None] + returned * (1 - cover[..., None])
    return encode_linear(np.asarray(objects + floor * gain, np.float32))
