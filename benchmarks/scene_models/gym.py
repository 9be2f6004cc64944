"""A gym: a wall of mirrors, racks of dumbbells, a bench, a cage; strips of light."""

import numpy as np

from benchmarks.scene_models.lights import make_sky, shine
from benchmarks.scene_models.materials import (
    make_mottle,
    matte,
    metal,
    mirror,
    satin,
    textured_matte,
)
from benchmarks.scene_models.shapes import Material, Mesh, Model, ball, box, lathe, tube, turn

_BACK, _LEFT, _RIGHT, _CEILING, _NEAR = 6.2, -3.9, 3.9, 3.1, -3.5


def build() -> Model:
    model = Model(floor=(_LEFT, _RIGHT, _NEAR, _BACK), reference=(60.0, 0.95))
    concrete = textured_matte(make_mottle("#b9b6b0", 2, 0.03, 1.5, 36), 2.6)
    white = matte("#dddbd6")
    dark = satin("#2a2c2d", 0.55)
    model.add(box((_LEFT - 0.2, _BACK + 0.012, 0), (_RIGHT + 0.2, _BACK + 0.3, _CEILING), white, 0))
    model.add(box((_RIGHT, _NEAR, 0), (_RIGHT + 0.2, _BACK + 0.3, _CEILING), concrete, 0))
    model.add(box((_LEFT - 0.2, _NEAR - 0.2, 0), (_RIGHT + 0.2, _NEAR, _CEILING), white, 0))
    model.add(
        box(
            (_LEFT - 0.2, _NEAR, _CEILING),
            (_RIGHT + 0.2, _BACK + 0.3, _CEILING + 0.2),
            matte("#cfcdc9"),
            0,
        )
    )
    model.add(box((_LEFT, _BACK - 0.012, 0), (_RIGHT, _BACK + 0.012, 0.1), dark, 0.003))
    model.add(box((_RIGHT - 0.012, _NEAR, 0), (_RIGHT, _BACK, 0.1), dark, 0.003))
    # Mirrors: six panes over the back wall.
    panes = 6
    for k in range(panes):
        left = _LEFT + 0.3 + k * (_RIGHT - _LEFT - 0.6) / panes
        right = left + (_RIGHT - _LEFT - 0.6) / panes - 0.004
        corners = np.array(
            [[left, _BACK, 0.12], [right, _BACK, 0.12], [right, _BACK, 2.35], [left, _BACK, 2.35]]
        )
        model.mirrors.append(Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]]), mirror(0.84)))
        model.add(
            box((left, _BACK + 0.002, 0.12), (right, _BACK + 0.012, 2.35), matte("#6f7f7a"), 0)
        )
    _add_windows(model, concrete)
    for x in (-2.2, 0.0, 2.2):
        strip = np.array(
            [
                [x - 0.05, _NEAR + 0.8, _CEILING - 0.05],
                [x + 0.05, _NEAR + 0.8, _CEILING - 0.05],
                [x + 0.05, _BACK - 0.5, _CEILING - 0.05],
                [x - 0.05, _BACK - 0.5, _CEILING - 0.05],
            ]
        )
        model.lights.append(
            shine(Mesh(strip, np.array([[0, 2, 1], [0, 3, 2]]), matte("#000000")), (15, 14.6, 13.8))
        )
        model.add(
            box(
                (x - 0.06, _NEAR + 0.8, _CEILING - 0.049),
                (x + 0.06, _BACK - 0.5, _CEILING),
                dark,
                0,
            )
        )
    _add_rack(model, -0.75, _BACK - 0.45)
    _add_cage(model, 2.55, 4.35)
    _add_bench(model, 1.15, 3.5)
    _add_kettlebells(model)
    model.add(ball((-3.1, 5.2, 0.325), 0.325, satin("#5d7f86", 0.5)))
    for k, color in enumerate(("#40474a", "#7c8a80", "#a8623f")):
        radius, y = 0.075, 5.7
        model.add(
            tube(
                [[-2.75 + 0.17 * k, y, 0.1], [-2.75 + 0.17 * k, y, 0.72]],
                radius,
                satin(color, 0.7),
                40,
            )
        )
    model.lights.append(make_sky((7.0, 7.8, 8.8), (8.6, 9.0, 9.4), only=270))
    return model


def _add_windows(model: Model, wall: Material) -> None:
    frame = satin("#2e3132", 0.45)
    windows, low, high = [(-1.5, 0.7), (1.3, 3.2), (3.8, 5.6)], 0.9, 2.7
    edges = [_NEAR, *(edge for window in windows for edge in window), _BACK + 0.3]
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        model.add(box((_LEFT - 0.25, start, 0), (_LEFT, end, _CEILING), wall, 0))
    for start, end in windows:
        model.add(box((_LEFT - 0.25, start, 0), (_LEFT, end, low), wall, 0))
        model.add(box((_LEFT - 0.25, start, high), (_LEFT, end, _CEILING), wall, 0))
        for y in (start, (start + end) / 2 - 0.025, end - 0.05):
            model.add(box((_LEFT - 0.2, y, low), (_LEFT - 0.14, y + 0.05, high), frame))
        for z in (low, high - 0.05):
            model.add(box((_LEFT - 0.2, start, z), (_LEFT - 0.14, end, z + 0.05), frame))


def _dumbbell(x: float, y: float, z: float, size: float) -> list[Mesh]:
    """A round-headed dumbbell that lies towards the viewer."""
    rubber, chrome = satin("#1f2021", 0.55, 0.45), metal("#d5d6d8", 0.18)
    radius, half, head = 0.040 + 0.045 * size, 0.075 + 0.01 * size, 0.045 + 0.055 * size
    parts = [tube([[x, y - half, z], [x, y + half, z]], 0.014, chrome, 20)]
    for side in (-1, 1):
        inner, outer = y + side * half, y + side * (half + head)
        edge = 0.008 * side
        parts.append(
            tube(
                [[x, inner, z], [x, inner + edge, z], [x, outer - edge, z], [x, outer, z]],
                [radius * 0.88, radius, radius, radius * 0.86],
                rubber,
                32,
            )
        )
        parts.append(
            tube(
                [[x, outer - side * 0.002, z], [x, outer + side * 0.002, z]],
                radius * 0.55,
                metal("#b8babc", 0.3),
                28,
            )
        )
    return parts


def _add_rack(model: Model, x: float, y: float) -> None:
    frame = satin("#33373a", 0.42)
    half = 1.25
    for side in (-half, half):
        model.add(
            box((x + side - 0.04, y - 0.30, 0), (x + side + 0.04, y + 0.30, 0.06), frame, 0.006)
        )
        model.add(
            box((x + side - 0.035, y + 0.14, 0), (x + side + 0.035, y + 0.22, 1.08), frame, 0.006)
        )
    for level, (height, out) in enumerate(((0.26, -0.20), (0.60, -0.06), (0.94, 0.08))):
        for lift, at in ((0.0, out - 0.11), (0.03, out + 0.11)):
            model.add(
                box(
                    (x - half, y + at - 0.025, height + lift),
                    (x + half, y + at + 0.025, height + lift + 0.035),
                    frame,
                    0.005,
                )
            )
        count = (9, 11, 13)[level]
        for k in range(count):
            size = (0.75, 0.45, 0.12)[level] + 0.25 * k / count
            place = x - half + 0.13 + (2 * half - 0.26) * (k + 0.5) / count
            for part in _dumbbell(place, y + out, height + 0.06 + 0.040 + 0.045 * size, size):
                model.add(part)


def _add_cage(model: Model, x: float, y: float) -> None:
    paint, steel = satin("#2f3335", 0.4), metal("#c9cbcd", 0.22)
    for a in (-0.6, 0.6):
        for b in (-0.6, 0.6):
            model.add(
                box(
                    (x + a - 0.035, y + b - 0.035, 0),
                    (x + a + 0.035, y + b + 0.035, 2.35),
                    paint,
                    0.005,
                )
            )
        model.add(box((x + a - 0.035, y - 0.6, 2.28), (x + a + 0.035, y + 0.6, 2.35), paint, 0.005))
        model.add(box((x + a - 0.035, y - 0.75, 0), (x + a + 0.035, y + 0.75, 0.06), paint, 0.005))
    for b in (-0.6, 0.6):
        model.add(tube([[x - 0.6, y + b, 2.31], [x + 0.6, y + b, 2.31]], 0.018, steel, 16))
    z, front = 1.16, y - 0.68
    model.add(tube([[x - 1.1, front, z], [x + 1.1, front, z]], 0.014, steel, 20))
    for a in (-0.6, 0.6):
        model.add(
            box(
                (x + a - 0.03, front - 0.03, z - 0.04),
                (x + a + 0.03, front + 0.06, z - 0.015),
                paint,
                0.004,
            )
        )
    for side in (-1, 1):
        for k, (radius, color) in enumerate(
            ((0.225, "#8f3b2c"), (0.225, "#2f5a78"), (0.16, "#232425"))
        ):
            at = x + side * (0.72 + 0.055 * k)
            profile = [
                (radius * s, side * d)
                for s, d in (
                    (0.08, 0.0),
                    (0.98, 0.0),
                    (1.0, 0.008),
                    (1.0, 0.037),
                    (0.98, 0.045),
                    (0.72, 0.045),
                    (0.68, 0.036),
                    (0.3, 0.036),
                    (0.27, 0.046),
                    (0.08, 0.046),
                )
            ]
            disc = lathe((0, 0, 0), profile, satin(color, 0.5), 56)
            moved = np.stack(
                [at + disc.vertices[:, 2], front + disc.vertices[:, 0], z + disc.vertices[:, 1]], 1
            )
            model.add(Mesh(moved, disc.faces, disc.material, None, True))


def _add_bench(model: Model, x: float, y: float) -> None:
    leather, paint = satin("#2a2a2b", 0.42, 0.45), satin("#3a3e41", 0.4)
    parts = [box((x - 0.14, y - 0.62, 0.385), (x + 0.14, y + 0.62, 0.45), leather, 0.022)]
    parts.append(box((x - 0.03, y - 0.5, 0.33), (x + 0.03, y + 0.5, 0.385), paint, 0.005))
    for b, wide in ((-0.46, 0.22), (0.46, 0.3)):
        parts.append(
            box((x - 0.03, y + b - 0.03, 0.03), (x + 0.03, y + b + 0.03, 0.35), paint, 0.005)
        )
        parts.append(
            box((x - wide, y + b - 0.035, 0), (x + wide, y + b + 0.035, 0.05), paint, 0.006)
        )
    model.add(*(turn(part, -24, (x, y)) for part in parts))


def _add_kettlebells(model: Model) -> None:
    for x, y, size, color in (
        (-2.35, 3.75, 1.0, "#222324"),
        (-2.02, 3.95, 0.88, "#3b5a66"),
        (-1.74, 4.12, 0.76, "#8a4a33"),
    ):
        iron = satin(color, 0.5, 0.5)
        radius = 0.105 * size
        turn_ = np.linspace(-np.pi / 2 + 0.5, np.pi / 2, 22)
        profile = [
            (0.0, 0.0),
            *np.stack([radius * np.cos(turn_), radius * (np.sin(turn_) + np.cos(0.5))], 1).tolist(),
        ]
        model.add(lathe((x, y, 0), profile, iron))
        bow = np.linspace(0, np.pi, 24)
        top = radius * 1.55
        line = np.stack(
            [
                x + 0.068 * size * np.cos(bow) * (1 + 0.25 * np.sin(bow)),
                np.full(24, y),
                top + 0.095 * size * np.sin(bow),
            ],
            1,
        )
        line = np.concatenate(
            [[[x + 0.055 * size, y, radius * 1.2]], line, [[x - 0.055 * size, y, radius * 1.2]]]
        )
        model.add(tube(line, 0.0165 * size, iron, 18))
