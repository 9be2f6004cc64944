"""Lights: the sun, the sky and shining surfaces, as Mitsuba reads them."""

from typing import Any

import mitsuba as mi
import numpy as np

from benchmarks.scene_models.materials import matte
from benchmarks.scene_models.shapes import Mesh

Light = tuple[Mesh | None, dict[str, Any]]
_FAR = 400.0  # metres to the sun


def shine(mesh: Mesh, radiance: tuple[float, ...]) -> Light:
    """Let a surface shine."""
    return mesh, {"type": "area", "radiance": {"type": "rgb", "value": list(radiance)}}


def make_sun(
    towards: tuple[float, float, float], breadth: float, irradiance: tuple[float, ...]
) -> Light:
    """Make a sun of `breadth` degrees, more than the real one's half: its shadows are softer.

    towards: where it stands. irradiance: on a surface that faces it.
    """
    direction = np.asarray(towards, float) / np.linalg.norm(towards)
    radius = _FAR * np.tan(np.radians(breadth / 2))
    one = np.cross(direction, (0.0, 0.0, 1.0))
    one /= np.linalg.norm(one)
    other = np.cross(direction, one)
    angles = np.arange(32) * 2 * np.pi / 32
    rim = np.cos(angles)[:, None] * one + np.sin(angles)[:, None] * other
    vertices = direction * _FAR + radius * np.concatenate([rim, np.zeros((1, 3))])
    ring = np.arange(32)
    faces = np.stack([np.full(32, 32), ring, (ring + 1) % 32], 1)
    normal = np.cross(rim[0], rim[1])
    if normal @ direction > 0:
        faces = faces[:, ::-1]
    solid = np.pi * np.tan(np.radians(breadth / 2)) ** 2
    return shine(
        Mesh(vertices, faces, matte("#000000")), tuple(value / solid for value in irradiance)
    )


def make_sky(
    top: tuple[float, ...],
    horizon: tuple[float, ...],
    only: float | None = None,
) -> Light:
    """Make a sky that goes over from one radiance to another.

    only: azimuth, in degrees to the right of the view, around
    which it is bright, where no other part of it can be seen; so rays are not wasted on it.
    """
    rows, columns = 128, 256
    elevation = np.pi / 2 - (np.arange(rows) + 0.5) / rows * np.pi
    share = np.clip(np.sin(elevation), 0, 1)[:, None, None] ** 0.45
    sky = share * np.array(top) + (1 - share) * np.array(horizon)
    picture = np.broadcast_to(sky, (rows, columns, 3)).astype(np.float32).copy()
    if only is not None:
        azimuth = (np.arange(columns) + 0.5) / columns * 360
        away = np.abs((azimuth - only + 180) % 360 - 180)
        picture *= ((away < 85) & (np.abs(elevation[:, None]) < np.radians(75)))[..., None]
    turned = mi.ScalarTransform4f().rotate([1, 0, 0], 90)
    return None, {"type": "envmap", "bitmap": mi.Bitmap(picture), "to_world": turned}
