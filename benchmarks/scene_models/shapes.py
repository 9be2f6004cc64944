"""Shapes as triangles: positions in metres, x to the right, y away from the camera, z up."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plitka.arrays import Doubles

Material = dict[str, Any]
"""A BSDF as Mitsuba reads it."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles of one material.

    vertices: (n, 3). faces: (m, 3) indices. material: see Material. texture: (n, 2) places on the
    material's texture, or None. smooth: whether normals are smoothed between faces.
    """

    vertices: Doubles
    faces: np.ndarray
    material: Material
    texture: Doubles | None = None
    smooth: bool = False


@dataclass
class Model:
    """A scene for the path tracer.

    floor: the rectangle that is laid, in metres: left, right, near, far. reference: a percentile of
    the light on the floor, and what it counts as, in parts of full light. meshes: all that stands
    on the floor. mirrors: those that mirror it. lights: emitters as Mitsuba reads them, with what
    shines, or None where it is the sky.
    """

    floor: tuple[float, float, float, float]
    reference: tuple[float, float] = (80.0, 1.0)
    meshes: list[Mesh] = field(default_factory=list)
    mirrors: list[Mesh] = field(default_factory=list)
    lights: list[tuple[Mesh | None, dict[str, Any]]] = field(default_factory=list)

    def add(self, *meshes: Mesh) -> None:
        self.meshes.extend(meshes)


def box(
    low: tuple[float, ...], high: tuple[float, ...], material: Material, bevel: float = 0.004
) -> Mesh:
    """Make a box along the axes whose edges are cut by `bevel` metres: no real edge is sharp.

    Each face has its own places on the texture, in metres.
    """
    a, b = np.minimum(low, high), np.maximum(low, high)
    bevel = min(bevel, 0.45 * float((b - a).min()))
    vertices: list[list[float]] = []
    texture: list[list[float]] = []
    faces: list[list[int]] = []
    corner: dict[tuple[int, ...], int] = {}
    for axis in range(3):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        for end in (0, 1):
            first = len(vertices)
            for u, v in ((0, 0), (1, 0), (1, 1), (0, 1)):
                place = [0.0, 0.0, 0.0]
                place[axis] = float((a, b)[end][axis])
                place[one] = float(b[one] - bevel if u else a[one] + bevel)
                place[other] = float(b[other] - bevel if v else a[other] + bevel)
                sides = [0, 0, 0]
                sides[axis], sides[one], sides[other] = end, u, v
                corner[(axis, *sides)] = len(vertices)
                vertices.append(place)
                flat = sorted((one, other))
                texture.append([place[flat[0]], place[flat[1]]])
            quad = [first, first + 1, first + 2, first + 3]
            faces += _turn(quad, bool(end))
    for axis in range(3):  # the cut edges run along `axis`
        one, other = (axis + 1) % 3, (axis + 2) % 3
        for u in (0, 1):
            for v in (0, 1):
                ring = []
                for along, side in ((0, one), (1, one), (1, other), (0, other)):
                    sides = [0, 0, 0]
                    sides[axis], sides[one], sides[other] = along, u, v
                    ring.append(corner[(side, *sides)])
                faces += _turn(ring, (u + v) % 2 == 0)
    for ends in np.ndindex(2, 2, 2):
        ring = [corner[(axis, *ends)] for axis in range(3)]
        faces.append(ring if sum(ends) % 2 else ring[::-1])
    return Mesh(np.array(vertices), np.array(faces), material, np.array(texture))


def _turn(quad: list[int], forward: bool) -> list[list[int]]:
    """Cut a quadrilateral into two triangles."""
    a, b, c, d = quad if forward else quad[::-1]
    return [[a, b, c], [a, c, d]]


def tube(
    points: Any, radius: Any, material: Material, sides: int = 24, closed: bool = True
) -> Mesh:
    """Make a round tube along a line of points (n, 3); radius: of all, or of each point."""
    line = np.asarray(points, float)
    radii = np.broadcast_to(np.asarray(radius, float), len(line))
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    start = np.array([0.0, 0.0, 1.0]) if abs(along[0][2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    normals = []
    normal = start
    for direction in along:  # carried along, so that the tube does not twist
        normal = normal - direction * (normal @ direction)
        normal /= np.linalg.norm(normal)
        normals.append(normal)
    across = np.array(normals)
    other = np.cross(along, across)
    angles = np.arange(sides) * 2 * np.pi / sides
    ring = (
        np.cos(angles)[None, :, None] * across[:, None]
        + np.sin(angles)[None, :, None] * other[:, None]
    )
    vertices = (line[:, None] + radii[:, None, None] * ring).reshape(-1, 3)
    faces = []
    for step in range(len(line) - 1):
        here, there = step * sides, (step + 1) * sides
        for k in range(sides):
            n = (k + 1) % sides
            faces += [[here + k, here + n, there + n], [here + k, there + n, there + k]]
    mesh = Mesh(vertices, np.array(faces), material, smooth=True)
    return _close(mesh, line, sides) if closed else mesh


def _close(mesh: Mesh, line: Doubles, sides: int) -> Mesh:
    """Close both ends of a tube, with edges of their own."""
    count = len(mesh.vertices)
    first, last = mesh.vertices[:sides], mesh.vertices[-sides:]
    vertices = np.concatenate([mesh.vertices, first, last, line[:1], line[-1:]])
    faces = [mesh.faces]
    for base, middle, forward in (
        (count, count + 2 * sides, False),
        (count + sides, count + 2 * sides + 1, True),
    ):
        ring = base + np.arange(sides)
        following = base + (np.arange(sides) + 1) % sides
        end = np.stack([np.full(sides, middle), ring, following], 1)
        faces.append(end if forward else end[:, ::-1])
    return Mesh(vertices, np.concatenate(faces), mesh.material, smooth=True)


def cylinder(base: Any, height: float, radius: float, material: Material, sides: int = 48) -> Mesh:
    """Make an upright cylinder whose upper edge is rounded a little."""
    x, y, z = base
    edge = min(0.004, radius / 4, height / 4)
    heights = [0, height - edge, height - edge / 3, height]
    radii = [radius, radius, radius - edge / 3, radius - edge]
    return tube([[x, y, z + h] for h in heights], radii, material, sides)


def lathe(base: Any, profile: Any, material: Material, sides: int = 64) -> Mesh:
    """Turn a profile of (radius, height) around an upright axis at `base`."""
    x, y, z = base
    outline = np.asarray(profile, float)
    angles = np.arange(sides) * 2 * np.pi / sides
    vertices = np.stack(
        [
            x + outline[:, :1] * np.cos(angles),
            y + outline[:, :1] * np.sin(angles),
            z + np.repeat(outline[:, 1:], sides, 1),
        ],
        -1,
    ).reshape(-1, 3)
    return Mesh(vertices, _grid_faces(len(outline), sides, closed=True), material, smooth=True)


def ball(center: Any, radius: float, material: Material) -> Mesh:
    """Make a sphere."""
    turn = np.linspace(-np.pi / 2, np.pi / 2, 25)
    profile = np.stack([radius * np.cos(turn), radius * np.sin(turn)], 1)
    return lathe(center, profile, material, 48)


def sheet(grid: Any, material: Material, texture: Any = None, smooth: bool = True) -> Mesh:
    """Make a surface of a grid of points (rows, columns, 3). texture: (rows, columns, 2)."""
    points = np.asarray(grid, float)
    rows, columns = points.shape[:2]
    places = None if texture is None else np.asarray(texture, float).reshape(-1, 2)
    return Mesh(points.reshape(-1, 3), _grid_faces(rows, columns), material, places, smooth)


def _grid_faces(rows: int, columns: int, closed: bool = False) -> np.ndarray:
    across = np.arange(columns if closed else columns - 1)
    down = np.arange(rows - 1)[:, None] * columns
    a, b = down + across, down + (across + 1) % columns
    quads = np.stack([a, b, b + columns, a + columns], -1).reshape(-1, 4)
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def turn(mesh: Mesh, degrees: float, about: tuple[float, float]) -> Mesh:
    """Turn a mesh about an upright axis."""
    angle = np.radians(degrees)
    x, y = about
    moved = mesh.vertices - (x, y, 0)
    turned = np.stack(
        [
            moved[:, 0] * np.cos(angle) - moved[:, 1] * np.sin(angle),
            moved[:, 0] * np.sin(angle) + moved[:, 1] * np.cos(angle),
            moved[:, 2],
        ],
        1,
    )
    return Mesh(turned + np.array((x, y, 0)), mesh.faces, mesh.material, mesh.texture, mesh.smooth)
