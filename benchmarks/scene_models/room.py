"""A light room: windows on the left, a sideboard, a chair, a plant."""

from itertools import pairwise

import numpy as np

from benchmarks.scene_models.lights import make_sky, make_sun
from benchmarks.scene_models.materials import (
    leaf,
    make_mottle,
    make_wood,
    matte,
    satin,
    textured,
    textured_matte,
)
from benchmarks.scene_models.shapes import Model, box, lathe, sheet, tube, turn

_BACK, _LEFT, _RIGHT, _CEILING = 5.6, -3.1, 3.6, 2.9
_WALL = "#e9e5dd"


def build() -> Model:
    model = Model(floor=(_LEFT, _RIGHT, -4.0, _BACK), reference=(50.0, 0.74))
    plaster = textured_matte(make_mottle(_WALL, 1, 0.012, 1.5, 30), 2.0)
    skirting = satin("#f1efea", 0.45)
    frame = satin("#f4f3ef", 0.4)
    near = -3.0
    model.add(box((_LEFT - 0.2, _BACK, 0), (_RIGHT + 0.2, _BACK + 0.2, _CEILING), plaster, 0))
    model.add(box((_RIGHT, near, 0), (_RIGHT + 0.2, _BACK, _CEILING), plaster, 0))
    model.add(
        box(
            (_LEFT - 0.2, near, _CEILING),
            (_RIGHT + 0.2, _BACK + 0.2, _CEILING + 0.2),
            matte("#f2f0ec"),
            0,
        )
    )
    model.add(box((_LEFT, near - 0.2, 0), (_RIGHT, near, _CEILING), plaster, 0))
    model.add(box((_LEFT, _BACK - 0.016, 0), (_RIGHT, _BACK, 0.09), skirting, 0.004))
    model.add(box((_RIGHT - 0.016, near, 0), (_RIGHT, _BACK, 0.09), skirting, 0.004))
    # The left wall: piers between three tall windows.
    windows = [(-1.2, 0.4), (1.3, 2.7), (3.3, 4.7)]
    low, high = 0.35, 2.55
    edges = [near, *(edge for window in windows for edge in window), _BACK]
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        model.add(box((_LEFT - 0.28, start, 0), (_LEFT, end, _CEILING), plaster, 0))
    for start, end in windows:
        model.add(box((_LEFT - 0.28, start, 0), (_LEFT, end, low), plaster, 0))
        model.add(box((_LEFT - 0.28, start, high), (_LEFT, end, _CEILING), plaster, 0))
        model.add(
            box((_LEFT - 0.3, start - 0.02, low), (_LEFT + 0.05, end + 0.02, low + 0.03), frame)
        )
        for y in (start, (start + end) / 2 - 0.03, end - 0.06):
            model.add(box((_LEFT - 0.24, y, low), (_LEFT - 0.18, y + 0.06, high), frame))
        for z in (low + 0.03, high - 0.06):
            model.add(box((_LEFT - 0.24, start, z), (_LEFT - 0.18, end, z + 0.06), frame))
    model.add(box((_LEFT, near, 0), (_LEFT + 0.016, _BACK, 0.09), skirting, 0.004))
    _add_sideboard(model)
    _add_chair(model, 1.75, 3.45)
    _add_plant(model, 2.95, 5.0)
    _add_pictures(model)
    model.lights += [
        make_sky((9.6, 11.2, 13.2), (12.0, 12.8, 13.6), only=270),
        make_sun((-0.80, -0.26, 0.56), 1.6, (13.5, 12.2, 10.6)),
    ]
    return model


def _add_sideboard(model: Model) -> None:
    oak = textured(make_wood("#b98d5e", 3), 1.1, 0.5, 0.35)
    dark = matte("#3a352f")
    left, right, back, front = -1.55, 0.45, _BACK - 0.03, _BACK - 0.48
    low, high = 0.20, 0.74
    model.add(box((left, front, high - 0.024), (right, back, high), oak))
    model.add(box((left, front, low), (right, back, low + 0.024), oak))
    for x in (left, right - 0.024):
        model.add(box((x, front, low), (x + 0.024, back, high), oak))
    model.add(box((left + 0.02, front + 0.03, low + 0.02), (right - 0.02, back, high - 0.02), dark))
    for k in range(4):
        x = left + 0.027 + k * (right - left - 0.054) / 4
        width = (right - left - 0.054) / 4 - 0.004
        model.add(
            box(
                (x, front + 0.004, low + 0.028),
                (x + width, front + 0.024, high - 0.028),
                oak,
                0.002,
            )
        )
    black = satin("#26241f", 0.5)
    for x in (left + 0.14, right - 0.14):
        for y in (front + 0.07, back - 0.07):
            model.add(tube([[x, y, 0], [x, y, low]], [0.011, 0.016], black))
    # A bowl, books and a vase.
    model.add(lathe((-0.1, front + 0.22, high), _bowl(0.15, 0.075), satin("#cfc6b6", 0.35)))
    for k, (color, thick) in enumerate(
        (("#6f7f7a", 0.028), ("#d9cdb8", 0.022), ("#94502f", 0.031))
    ):
        z = high + (0, 0.028, 0.05)[k]
        model.add(
            turn(
                box(
                    (-0.92, front + 0.1, z),
                    (-0.64, front + 0.31, z + thick),
                    satin(color, 0.6),
                    0.002,
                ),
                4 * k - 5,
                (-0.78, front + 0.2),
            )
        )
    profile = [
        (0.0, 0),
        (0.06, 0),
        (0.085, 0.05),
        (0.095, 0.13),
        (0.07, 0.22),
        (0.032, 0.28),
        (0.036, 0.32),
        (0.028, 0.32),
        (0.025, 0.28),
        (0.0, 0.26),
    ]
    model.add(lathe((-1.28, front + 0.24, high), _smooth(profile), satin("#3f4b4a", 0.35)))


def _add_chair(model: Model, x: float, y: float) -> None:
    """A wooden shell chair on four slanted legs, turned towards the window."""
    ash = textured(make_wood("#c9a678", 5), 0.8, 0.42, 0.45)
    steel = satin("#23221f", 0.4)
    parts = []
    u = np.linspace(-1, 1, 25)
    seat = []
    for t in np.linspace(0, 1, 25):  # front edge -> back edge -> top of the back
        if t < 0.55:
            s = t / 0.55
            depth, height = -0.22 + 0.42 * s, 0.452 - 0.025 * s - 0.03 * (1 - s) ** 6
            half = 0.225 + 0.02 * s
        else:
            s = (t - 0.55) / 0.45
            bend = np.sin(s * np.pi / 2)
            depth, height = 0.20 + 0.14 * bend + 0.03 * s, 0.427 + 0.40 * s**1.35
            half = 0.245 - 0.035 * s**3
        round_off = np.sqrt(np.maximum(1 - np.abs(u) ** 8 * 0.0, 0))
        curl = 0.035 * u**2 if t < 0.55 else -0.05 * u**2 * min(1, (t - 0.55) * 6)
        row = np.stack([half * u * round_off, np.full(25, depth), np.full(25, height)], 1)
        row[:, 2 if t < 0.55 else 1] += curl
        seat.append(row)
    grid = np.array(seat)
    places = np.stack(
        [
            grid[..., 0],
            np.cumsum(np.r_[0, np.linalg.norm(np.diff(grid[:, 12], axis=0), axis=1)])[:, None]
            + 0 * grid[..., 0],
        ],
        -1,
    )
    under = grid + np.array((0, 0.004, -0.012))
    parts += [sheet(grid, ash, places), sheet(under[:, ::-1], ash, places)]
    rim = np.concatenate([grid[0], grid[:, -1], grid[-1, ::-1], grid[::-1, 0]])
    parts.append(tube(rim + np.array((0, 0.002, -0.006)), 0.0075, ash, 10))
    for side in (-1, 1):
        parts.append(
            tube([[side * 0.24, -0.22, 0], [side * 0.17, -0.13, 0.43]], [0.010, 0.012], steel)
        )
        parts.append(
            tube([[side * 0.24, 0.25, 0], [side * 0.17, 0.12, 0.42]], [0.010, 0.012], steel)
        )
        parts.append(tube([[side * 0.17, -0.13, 0.425], [side * 0.17, 0.12, 0.415]], 0.010, steel))
    for part in parts:
        model.add(
            turn(
                type(part)(
                    part.vertices + np.array((x, y, 0)),
                    part.faces,
                    part.material,
                    part.texture,
                    part.smooth,
                ),
                62,
                (x, y),
            )
        )


def _add_plant(model: Model, x: float, y: float) -> None:
    """A plant of long leaves in a pot."""
    pot = [
        (0.0, 0),
        (0.15, 0),
        (0.165, 0.02),
        (0.205, 0.36),
        (0.205, 0.385),
        (0.185, 0.385),
        (0.18, 0.34),
        (0.0, 0.33),
    ]
    model.add(lathe((x, y, 0), _smooth(pot, 2), satin("#d9d5cc", 0.6)))
    model.add(lathe((x, y, 0.335), [(0.0, 0.0), (0.18, 0.0)], matte("#2c231b")))
    rng = np.random.default_rng(4)
    greens = [leaf(color) for color in ("#4c6b3a", "#587a40", "#3d5a34", "#6a8748")]
    for k in range(34):
        azimuth = k * 2.4 + rng.uniform(-0.2, 0.2)
        lean = rng.uniform(0.18, 1.0) * (0.35 + 0.65 * k / 34)
        length = rng.uniform(0.75, 1.25)
        t = np.linspace(0, 1, 14)
        out = length * (np.sin(lean) * t + 0.32 * lean * t**2.6)
        up = length * (np.cos(lean * 0.7) * t - 0.38 * lean * t**2.6)
        width = 0.036 * np.sin(np.pi * np.clip(t * 0.96 + 0.04, 0, 1)) ** 0.7
        direction = np.array([np.cos(azimuth), np.sin(azimuth)])
        beside = np.array([-direction[1], direction[0]])
        rows = []
        for side, lift in ((-1, 0.35), (0, 0), (1, 0.35)):
            flat = direction * (0.03 + out)[:, None] + side * beside * width[:, None]
            rows.append(np.concatenate([flat, (0.33 + up + lift * width * abs(side))[:, None]], 1))
        grid = np.stack(rows, 1) + np.array((x, y, 0))
        grid[..., 0] = np.minimum(grid[..., 0], _RIGHT - 0.02)
        grid[..., 1] = np.minimum(grid[..., 1], _BACK - 0.02)
        model.add(sheet(grid, greens[k % 4]))


def _add_pictures(model: Model) -> None:
    oak = textured(make_wood("#b98d5e", 6, along_x=False), 1.0, 0.5)
    left, right, low, high = -0.98, -0.12, 1.22, 2.28
    model.add(box((left, _BACK - 0.03, low), (right, _BACK, high), oak, 0.003))
    side = 512
    paper = np.ones((side, side, 3), np.float32) * (0.80, 0.78, 0.73)
    rows, columns = np.mgrid[0:side, 0:side] / side
    for cx, cy, radius, color in (
        (0.44, 0.60, 0.23, (0.42, 0.16, 0.08)),
        (0.62, 0.40, 0.16, (0.10, 0.17, 0.17)),
        (0.36, 0.30, 0.09, (0.62, 0.45, 0.2)),
    ):
        inside = np.clip((radius - np.hypot(columns - cx, (rows - cy) * 1.2)) * 200, 0, 1)[
            ..., None
        ]
        paper = paper * (1 - inside) + inside * np.array(color)
    grid = np.array(
        [
            [[x, _BACK - 0.0305, z] for x in (left + 0.025, right - 0.025)]
            for z in (low + 0.025, high - 0.025)
        ]
    )
    model.add(
        sheet(
            grid,
            textured_matte(paper[::-1].astype(np.float32), 1.0),
            [[(0, 1), (1, 1)], [(0, 0), (1, 0)]],
            smooth=False,
        )
    )


def _bowl(radius: float, height: float) -> list[tuple[float, float]]:
    turn_ = np.linspace(0, np.pi / 2, 14)
    outer = [(0.35 * radius + 0.65 * radius * np.sin(a), height * (1 - np.cos(a))) for a in turn_]
    inner = [(0.95 * r, h + 0.006) for r, h in outer[::-1]]
    return [(0.0, 0.0), *outer, *inner, (0.0, 0.006)]


def _smooth(profile: list[tuple[float, float]], times: int = 3) -> list[tuple[float, float]]:
    """Cut the corners of a profile, which rounds them (Chaikin)."""
    for _ in range(times):
        cut = [profile[0]]
        for (a, b), (c, d) in pairwise(profile):
            cut += [
                (0.75 * a + 0.25 * c, 0.75 * b + 0.25 * d),
                (0.25 * a + 0.75 * c, 0.25 * b + 0.75 * d),
            ]
        profile = [*cut, profile[-1]]
    return profile
