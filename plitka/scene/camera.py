"""Cameras that look level over a floor: pixels of a picture -> places on the floor, in millimetres.

The picture plane is upright, so that what is upright stays upright in the picture, as architects'
photographs have it; the horizon is where the lens was shifted to.
"""

import math
from dataclasses import dataclass

import numpy as np

from plitka.arrays import Floats


@dataclass(frozen=True)
class Camera:
    """A camera over a floor.

    height: over the floor, in mm. horizon: its place in the picture, in heights of the picture from
    above. focal: focal length, in widths of the picture. turn: of its view to the right, in
    degrees.
    """

    height: float
    horizon: float
    focal: float
    turn: float = 0.0


@dataclass(frozen=True, eq=False)
class FloorPlaces:
    """Where pixels lie on the floor, each (rows, columns).

    right, down: in mm from the foot of the camera; down is towards the viewer. across: how many mm
    of the floor a pixel covers from left to right, (rows, 1). along: likewise from top to bottom.
    """

    right: Floats
    down: Floats
    across: Floats
    along: Floats


def project_floor(
    camera: Camera, width: int, height: int, first: int, place: float = 0.5
) -> FloorPlaces:
    """Project the pixels of all rows from `first`, which lies below the horizon, onto the floor.

    width, height: of the whole picture, in pixels. place: within a pixel, from top to bottom.
    """
    focal = camera.focal * width
    rows = np.arange(first, height, dtype=np.float64)[:, None] + place - camera.horizon * height
    columns = np.arange(width, dtype=np.float64)[None, :] + 0.5 - width / 2
    away = camera.height * focal / rows
    aside = camera.height * columns / rows
    turn = math.radians(camera.turn)
    right = aside * math.cos(turn) + away * math.sin(turn)
    down = aside * math.sin(turn) - away * math.cos(turn)
    return FloorPlaces(
        right.astype(np.float32),
        down.astype(np.float32),
        (camera.height / rows).astype(np.float32),
        (camera.height * focal / (rows * rows)).astype(np.float32),
    )


def find_pixel(
    camera: Camera, right: float, down: float, width: int, height: int
) -> tuple[float, float]:
    """Find where a place on the floor, in mm, is seen: (x, y) in pixels.

    It must lie before the camera.
    """
    turn = math.radians(camera.turn)
    aside = right * math.cos(turn) + down * math.sin(turn)
    away = right * math.sin(turn) - down * math.cos(turn)
    scale = camera.focal * width / away
    return width / 2 + aside * scale, camera.horizon * height + camera.height * scale
