"""A garden path that bends away between lawn and lavender, in the shade of trees."""

import numpy as np

from benchmarks.scene_models.lights import make_sky, make_sun
from benchmarks.scene_models.materials import make_wood, matte, satin, textured
from benchmarks.scene_models.plants import add_hedge, add_lavender, add_lawn, add_post, add_tree
from benchmarks.scene_models.shapes import Model, box, sheet, turn
from plitka.arrays import Doubles

_HALF = 0.85  # of the path's width, in metres


def _middle(y: Doubles) -> Doubles:
    """Where the path's middle lies, x for each y: straight at first, then in a long bend."""
    return np.asarray(0.03 + 0.035 * np.maximum(y - 3, 0) ** 2)


def build() -> Model:
    model = Model(floor=(-14, 20, -4, 24), reference=(80.0, 1.1))
    y = np.linspace(-1, 22, 240)
    slope = np.gradient(_middle(y), y)
    beside = np.stack([np.ones_like(y), -slope], 1) / np.hypot(1, slope)[:, None]
    middle = np.stack([_middle(y), y], 1)
    steel = satin("#6a625a", 0.55, 0.4)
    for side in (-1, 1):
        rows = []
        for out, height in (
            (0, 0),
            (0, 0.035),
            (0.002, 0.037),
            (0.048, 0.037),
            (0.05, 0.035),
            (0.05, 0.0),
        ):
            place = middle + side * beside * (_HALF + out)
            rows.append(np.concatenate([place, np.full((240, 1), height)], 1))
        model.add(sheet(np.stack(rows), steel, smooth=False))
        near = np.concatenate(
            [middle + side * beside * (_HALF + 0.04), np.full((240, 1), 0.012)], 1
        )
        far = near.copy()
        far[:, 0] = -14 if side < 0 else 20
        far[:, 1] = y
        model.add(sheet(np.stack([near, far]), matte("#41532a"), smooth=False))

    def is_lawn(x: Doubles, at: Doubles) -> np.ndarray:
        away = np.abs(x - _middle(at)) / np.hypot(
            1, np.gradient(_middle(at + 0.0)) * 0 + 0.07 * np.maximum(at - 3, 0)
        )
        return np.asarray((away > _HALF + 0.055) & ~((x > _middle(at)) & (away < _HALF + 0.95)))

    add_lawn(model, -5, 7.5, 2.0, 13, is_lawn, 11, 2600, 0.05, 0.012)
    rng = np.random.default_rng(8)
    number = 0
    for at in np.arange(2.5, 15, 0.42):
        for out in (0.30, 0.68):
            x = (
                float(_middle(np.array(at)))
                + _HALF * np.hypot(1, 0.07 * max(at - 3, 0))
                + out
                + rng.normal(0, 0.04)
            )
            add_lavender(model, x, at + rng.normal(0, 0.06), 100 + number, rng.uniform(0.42, 0.56))
            number += 1
    for at in (3.7, 6.6, 9.4):
        add_post(
            model,
            float(_middle(np.array(at))) - _HALF * np.hypot(1, 0.07 * max(at - 3, 0)) - 0.35,
            at,
            0.62,
        )
    add_hedge(model, (-5.4, 1.0, 0), (-4.2, 15.0, 1.7), 3, 30000, 0.055)
    add_hedge(model, (-7.0, 14.6, 0), (16, 15.8, 1.9), 4, 30000, 0.07)
    _add_bench(model, -2.1, 7.6)
    add_tree(model, -4.6, 2.4, 5.4, 3.4, 6, 7000, 0.10)
    for k, (x, at, height, breadth) in enumerate(
        ((-8, 20, 8, 6.5), (-1.0, 21, 7.2, 6), (6, 19.5, 8.4, 6.5), (12.5, 20, 8, 7))
    ):
        add_tree(model, x, at, height, breadth, 40 + k, 8000, 0.2)
    model.lights += [
        make_sky((1.7, 2.7, 4.3), (4.8, 5.5, 6.2)),
        make_sun((-0.66, -0.10, 0.73), 1.2, (30.0, 27.4, 23.8)),
    ]
    return model


def _add_bench(model: Model, x: float, y: float) -> None:
    teak = textured(make_wood("#a77c51", 12, along_x=False), 0.9, 0.65, 0.3)
    iron = satin("#2e302f", 0.5)
    parts = [
        box(
            (x - 0.22 + 0.115 * k, y - 0.8, 0.43),
            (x - 0.12 + 0.115 * k, y + 0.8, 0.46),
            teak,
            0.005,
        )
        for k in range(4)
    ]
    parts += [
        box(
            (x - 0.27 - 0.02 * k, y - 0.8, 0.53 + 0.13 * k),
            (x - 0.245 - 0.02 * k, y + 0.8, 0.63 + 0.13 * k),
            teak,
            0.005,
        )
        for k in range(3)
    ]
    for b in (-0.62, 0.62):
        parts.append(
            box((x - 0.22, y + b - 0.025, 0), (x - 0.17, y + b + 0.025, 0.43), iron, 0.005)
        )
        parts.append(
            box((x + 0.16, y + b - 0.025, 0), (x + 0.21, y + b + 0.025, 0.43), iron, 0.005)
        )
        parts.append(
            box((x - 0.22, y + b - 0.025, 0.39), (x + 0.21, y + b + 0.025, 0.43), iron, 0.005)
        )
        parts.append(
            box((x - 0.25, y + b - 0.02, 0.43), (x - 0.22, y + b + 0.02, 0.9), iron, 0.005)
        )
    model.add(*(turn(part, 4, (x, y)) for part in parts))
