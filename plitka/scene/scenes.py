"""The scenes: what each is called and how its camera stands; their light and objects are plates."""

from collections.abc import Mapping
from dataclasses import dataclass

from plitka.scene.camera import Camera

WIDTH, HEIGHT = 1600, 1000


@dataclass(frozen=True)
class Scene:
    """A scene.

    name: of its plates and in requests. mirror: how far before the camera a mirror stands across
    the view, in mm; None where there is none.
    """

    name: str
    camera: Camera
    mirror: float | None = None


SCENES: Mapping[str, Scene] = {
    scene.name: scene
    for scene in (
        Scene("room", Camera(height=1250, horizon=0.34, focal=0.80)),
        Scene("playground", Camera(height=1500, horizon=0.30, focal=0.85)),
        Scene("path", Camera(height=1350, horizon=0.28, focal=0.85)),
        Scene("gym", Camera(height=1250, horizon=0.34, focal=0.78), mirror=6200),
        Scene("pool", Camera(height=1450, horizon=0.25, focal=0.80)),
    )
}
