"""The edge of a pool in the sun: coping, water, handrails, a lounger, a wall with greenery."""

import numpy as np

from benchmarks.scene_models.lights import make_sky, make_sun
from benchmarks.scene_models.materials import make_mottle, make_wood, matte, metal, satin, textured
from benchmarks.scene_models.plants import add_hedge, add_tree
from benchmarks.scene_models.shapes import Mesh, Model, box, sheet, tube, turn
from plitka.arrays import Doubles, Floats
from plitka.scene.scenes import SCENES

_EDGE, _COPING, _FAR = 5.4, 0.34, 13.0  # where the floor ends; breadth of the coping; far side
_LEVEL, _DEPTH = -0.07, 1.35  # of the water's surface; of the basin below it


def build() -> Model:
    model = Model(floor=(-16, 16, -4, _EDGE), reference=(70.0, 1.05))
    stone = textured(make_mottle("#d9d0be", 4, 0.05, 1.5, 22), 1.3, 0.7, 0.3)
    for k in range(-14, 14):
        left = k * 1.0 + 0.3
        model.add(box((left, _EDGE, -0.05), (left + 0.996, _EDGE + _COPING, 0.0), stone, 0.008))
        model.add(box((left, _FAR, -0.05), (left + 0.996, _FAR + _COPING, 0.0), stone, 0.008))
    model.add(
        box((-16, _EDGE - 0.01, -0.4), (16, _EDGE + _COPING - 0.03, -0.05), matte("#7fb9c4"), 0)
    )
    model.add(box((-16, _FAR + 0.03, -0.4), (16, _FAR + _COPING, -0.05), matte("#7fb9c4"), 0))
    model.add(
        box(
            (-20, _FAR + _COPING, -0.3),
            (20, 32, -0.004),
            textured(make_mottle("#cbbfa9", 5, 0.04), 2.0, 0.8, 0.2),
            0,
        )
    )
    _add_water(model)
    _add_handrails(model, 1.9)
    _add_lounger(model, -2.0, 4.25)
    model.add(
        box(
            (-20, 16.8, 0),
            (20, 17.1, 2.1),
            textured(make_mottle("#ece6da", 7, 0.015), 2.4, 0.8, 0.2),
            0.02,
        )
    )
    add_hedge(model, (-20, 17.2, 0), (20, 18.4, 2.85), 9, 26000, 0.08)
    olive = ("#7f8c68", "#8d9a75", "#6f7d5b", "#9aa583")
    for k, (x, at) in enumerate(((-5.6, 15.2), (0.9, 15.6), (6.9, 15.0))):
        model.add(
            box(
                (x - 0.3, at - 0.3, 0), (x + 0.3, at + 0.3, 0.55), satin("#c9c3b8", 0.8, 0.2), 0.012
            )
        )
        add_tree(model, x, at, 3.1, 2.0, 60 + k, 6500, 0.085, olive)
    model.lights += [
        make_sky((1.7, 2.7, 4.3), (4.8, 5.5, 6.2)),
        make_sun((-0.60, 0.05, 0.79), 1.2, (30.0, 27.4, 23.8)),
    ]
    return model


def _waves() -> tuple[Doubles, Doubles]:
    """Wave vectors (n, 2), in 1/m, and heights with phases (n, 2)."""
    rng = np.random.default_rng(12)
    length = 0.28 * 1.35 ** np.arange(10)
    azimuth = rng.normal(0.5, 0.9, 10)
    vectors = 2 * np.pi / length[:, None] * np.stack([np.cos(azimuth), np.sin(azimuth)], 1)
    return vectors, np.stack([0.0024 * length**0.75, rng.uniform(0, 2 * np.pi, 10)], 1)


def _rise(x: Doubles, y: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Height of the water over its level, and its slopes along x and y."""
    vectors, waves = _waves()
    height, right, away = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for (a, b), (size, phase) in zip(vectors, waves, strict=True):
        argument = a * x + b * y + phase
        height += size * np.sin(argument)
        right += size * a * np.cos(argument)
        away += size * b * np.cos(argument)
    return height, right, away


def _add_water(model: Model) -> None:
    near = _EDGE + _COPING - 0.03
    across = np.linspace(-13, 13, 1100)
    along = near + (_FAR + 0.05 - near) * np.linspace(0, 1, 700) ** 1.4
    x, y = np.meshgrid(across, along)
    height, _, _ = _rise(x, y)
    places = np.stack([(x + 13) / 26, (y - near) / (_FAR + 0.05 - near)], -1)
    picture = _paint_basin(near)
    material = {
        "type": "twosided",
        "bsdf": {
            "type": "roughplastic",
            "int_ior": 1.33,
            "alpha": 0.035,
            "diffuse_reflectance": {"type": "bitmap", "bitmap": _to_bitmap(picture), "raw": True},
        },
    }
    model.add(sheet(np.stack([x, y, _LEVEL + height], -1), material, places))


def _to_bitmap(picture: Floats) -> object:
    import mitsuba as mi

    return mi.Bitmap(np.ascontiguousarray(picture[::-1], np.float32))


def _paint_basin(near: float) -> Floats:
    """Paint what the camera sees of the basin through each place of the surface, refracted."""
    rows, columns = 1400, 2000
    y = (
        near
        + (_FAR + 0.05 - near) * (np.arange(rows)[:, None] + 0.5) / rows
        + np.zeros((1, columns))
    )
    x = -13 + 26 * (np.arange(columns)[None, :] + 0.5) / columns + np.zeros((rows, 1))
    _, right, away = _rise(x, y)
    normal = np.stack([-right, -away, np.ones_like(x)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    eye = np.array([0, 0, SCENES["pool"].camera.height / 1000])
    ray = np.stack([x, y, np.full_like(x, _LEVEL)], -1) - eye
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    into = -(ray * normal).sum(-1, keepdims=True)
    ratio = 1 / 1.33
    bent = ratio * ray + (ratio * into - np.sqrt(1 - ratio**2 * (1 - into**2))) * normal
    reach = _DEPTH / np.maximum(-bent[..., 2], 0.05)
    wall = (_FAR + 0.03 - y) / np.maximum(bent[..., 1], 1e-3)
    at_wall = wall < reach
    reach = np.minimum(reach, wall)
    hit = np.stack([x, y, np.zeros_like(x)], -1) + bent * reach[..., None]
    u, v = hit[..., 0], np.where(at_wall, hit[..., 2], hit[..., 1])
    joints = np.zeros_like(u)
    soft = 0.02 + 0.004 * reach
    for value in (u, v):
        joints = np.maximum(joints, np.clip(1 - np.abs((value / 0.6) % 1 - 0.5) * 0.6 / soft, 0, 1))
    light = 1 + 0.26 * _draw_caustics(u, hit[..., 1]) * ~at_wall
    tile = np.array([0.62, 0.80, 0.80]) * (1 - 0.22 * joints)[..., None] * light[..., None]
    clear = np.exp(-reach[..., None] * np.array([0.52, 0.105, 0.055]))
    return np.asarray(np.clip(0.95 * tile * clear, 0, 0.95), np.float32)


def _draw_caustics(x: Doubles, y: Doubles) -> Doubles:
    """Draw the net of light that waves throw on the ground: bright lines, mean about 0."""
    rng = np.random.default_rng(3)
    net = np.zeros_like(x)
    for scale, weight in ((1.0, 0.6), (1.9, 0.4)):
        total = np.zeros_like(x)
        for _ in range(7):
            azimuth, phase = rng.uniform(0, 2 * np.pi, 2)
            warp = 0.35 * np.sin(2.1 * scale * (x * np.sin(azimuth) - y * np.cos(azimuth)) + phase)
            total += np.sin(
                5.2 * scale * (x * np.cos(azimuth) + y * np.sin(azimuth)) + phase + 3 * warp
            )
        net += weight * np.exp(-np.abs(total) * 1.1)
    return np.asarray((net - net.mean()) / net.std() * 0.5)


def _add_handrails(model: Model, x: float) -> None:
    steel = metal("#e2e4e5", 0.12)
    turn_ = np.linspace(0, np.pi, 24)
    for side in (-0.26, 0.26):
        arc = np.stack(
            [
                np.full(24, x + side),
                _EDGE + 0.12 - 0.33 * np.cos(turn_),
                0.50 + 0.33 * np.sin(turn_),
            ],
            1,
        )
        line = np.concatenate(
            [[[x + side, _EDGE - 0.21, 0]], arc, [[x + side, _EDGE + 0.45, -0.9]]]
        )
        model.add(tube(line, 0.021, steel, 24))
        model.add(
            tube([[x + side, _EDGE - 0.21, 0], [x + side, _EDGE - 0.21, 0.008]], 0.05, steel, 32)
        )


def _add_lounger(model: Model, x: float, y: float) -> None:
    teak = textured(make_wood("#a9794a", 14), 0.9, 0.55, 0.35)
    cloth = satin("#efe9dc", 0.9, 0.1)
    parts = [
        box((x - 0.32, y - 1.0, 0.24), (x - 0.27, y + 1.0, 0.31), teak, 0.006),
        box((x + 0.27, y - 1.0, 0.24), (x + 0.32, y + 1.0, 0.31), teak, 0.006),
    ]
    for a in (-0.295, 0.295):
        for b in (-0.85, 0.8):
            parts.append(
                box(
                    (x + a - 0.03, y + b - 0.03, 0), (x + a + 0.03, y + b + 0.03, 0.25), teak, 0.006
                )
            )
    for k in range(12):
        b = y - 0.95 + 0.1 * k
        parts.append(box((x - 0.27, b, 0.28), (x + 0.27, b + 0.075, 0.3), teak, 0.004))
    parts.append(box((x - 0.29, y - 0.98, 0.31), (x + 0.29, y + 0.28, 0.39), cloth, 0.03))
    back = box((x - 0.29, 0.0, 0.0), (x + 0.29, 0.78, 0.08), cloth, 0.03)
    frame = box((x - 0.27, 0.0, -0.03), (x + 0.27, 0.76, 0.0), teak, 0.004)
    for piece in (back, frame):
        tilt = np.radians(38)
        moved = piece.vertices.copy()
        out, up = moved[:, 1].copy(), moved[:, 2].copy()
        moved[:, 1], moved[:, 2] = (
            y + 0.27 + out * np.cos(tilt) - up * np.sin(tilt),
            0.32 + out * np.sin(tilt) + up * np.cos(tilt),
        )
        parts.append(Mesh(moved, piece.faces, piece.material, piece.texture))
    towel = box(
        (x - 0.2, y - 0.75, 0.39), (x + 0.2, y - 0.5, 0.46), satin("#4f8494", 0.95, 0.1), 0.03
    )
    model.add(*(turn(part, 68, (x, y)) for part in [*parts, towel]))
