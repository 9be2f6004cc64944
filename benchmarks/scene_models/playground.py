"""A playground in the sun: swings, a slide, domes, a curved border of lawn, trees."""

import numpy as np

from benchmarks.scene_models.lights import make_sky, make_sun
from benchmarks.scene_models.materials import make_wood, matte, metal, satin, textured
from benchmarks.scene_models.plants import add_hedge, add_lawn, add_tree
from benchmarks.scene_models.shapes import Model, box, lathe, sheet, tube
from plitka.arrays import Doubles


def build() -> Model:
    model = Model(floor=(-16, 16, -6, 13), reference=(80.0, 1.08))
    _add_border(model)
    _add_swings(model, -2.7, 7.1)
    _add_slide(model, 3.15, 6.9)
    yellow, blue, red = (satin(color, 0.6) for color in ("#d9a62e", "#3f7f95", "#b8563c"))
    for x, y, radius, paint in (
        (0.25, 4.9, 0.28, yellow),
        (0.86, 5.45, 0.2, blue),
        (-0.3, 5.75, 0.16, red),
    ):
        turn = np.linspace(0, np.pi / 2, 20)
        model.add(
            lathe((x, y, 0), np.stack([radius * np.cos(turn), radius * np.sin(turn)], 1), paint)
        )
    add_tree(model, -6.4, 4.6, 6.0, 4.6, 3, 11000, 0.12)  # beside the picture: its shadow falls in
    for k, (x, y, height, breadth) in enumerate(
        (
            (-9.5, 19, 8.5, 6.5),
            (-3.2, 22, 7.6, 6),
            (3.6, 20.5, 8.8, 7),
            (9.8, 18.5, 7.4, 6),
            (15, 22, 9, 7),
            (-15.5, 22, 9, 7),
        )
    ):
        add_tree(model, x, y, height, breadth, 20 + k, 8000, 0.22)
    add_hedge(model, (-20, 15.2, 0), (20, 16.4, 1.55), 5, 34000, 0.085)
    model.lights += [
        make_sky((1.7, 2.7, 4.3), (4.8, 5.5, 6.2)),
        make_sun((-0.66, -0.24, 0.71), 1.3, (30.0, 27.4, 23.8)),
    ]
    return model


def _border(x: Doubles) -> Doubles:
    """Where the lawn begins, y for each x."""
    return np.asarray(8.9 + 0.8 * np.sin(0.42 * x + 0.9) + 0.25 * np.sin(0.9 * x))


def _add_border(model: Model) -> None:
    x = np.linspace(-16, 16, 200)
    y = _border(x)
    concrete = satin("#bdb8ae", 0.8, 0.2)
    kerb = [
        np.stack([x, y + a, np.full(200, h)], 1)
        for a, h in ((0, 0), (0, 0.05), (0.006, 0.056), (0.074, 0.056), (0.08, 0.05), (0.08, 0))
    ]
    model.add(sheet(np.stack(kerb), concrete, smooth=False))
    soil = [
        np.stack([x, y + 0.07, np.full(200, 0.02)], 1),
        np.stack([x, np.full(200, 60.0), np.full(200, 0.02)], 1),
    ]
    model.add(sheet(np.stack(soil), matte("#465a2b"), smooth=False))
    add_lawn(model, -12, 12, 7.5, 15.2, lambda a, b: b > _border(a) + 0.1, 7, 1500, 0.07, 0.02)


def _add_swings(model: Model, x: float, y: float) -> None:
    steel, wood = metal("#b9bcbd", 0.35), satin("#3c4a4f", 0.45)
    top, half = 2.25, 1.55
    for side in (-half, half):
        for lean in (-0.85, 0.85):
            model.add(
                tube(
                    [[x + side * 1.06, y + lean, 0], [x + side, y + 0.02 * lean, top]], 0.045, wood
                )
            )
    model.add(tube([[x - half - 0.12, y, top], [x + half + 0.12, y, top]], 0.05, wood))
    seat = satin("#2b2b2a", 0.6)
    for middle, swing in ((-0.72, 0.0), (0.72, 0.16)):
        for side in (-0.22, 0.22):
            model.add(
                tube(
                    [[x + middle + side, y, top - 0.05], [x + middle + side, y - swing, 0.47]],
                    0.007,
                    steel,
                    8,
                )
            )
        model.add(
            box(
                (x + middle - 0.24, y - swing - 0.09, 0.44),
                (x + middle + 0.24, y - swing + 0.09, 0.475),
                seat,
                0.012,
            )
        )


def _add_slide(model: Model, x: float, y: float) -> None:
    """A platform on four posts, with a roof, and a steel slide to the viewer's left."""
    larch = textured(make_wood("#b98a58", 8, along_x=False), 0.9, 0.6, 0.3)
    plank = textured(make_wood("#c0925f", 9), 0.9, 0.6, 0.3)
    steel, paint = metal("#cfd2d3", 0.22), satin("#3f7f95", 0.5)
    half, deck = 0.55, 1.25
    for a in (-half, half):
        for b in (-half, half):
            model.add(
                box(
                    (x + a - 0.05, y + b - 0.05, 0),
                    (x + a + 0.05, y + b + 0.05, 2.55),
                    larch,
                    0.008,
                )
            )
    for k in range(9):
        b = y - half + 0.06 + k * (2 * half - 0.12) / 8
        model.add(
            box(
                (x - half - 0.02, b - 0.06, deck - 0.04),
                (x + half + 0.02, b + 0.06, deck),
                plank,
                0.004,
            )
        )
    for level in (1.5, 1.68, 1.86, 2.04):
        model.add(
            box(
                (x - half, y + half - 0.02, level),
                (x + half, y + half + 0.02, level + 0.1),
                plank,
                0.005,
            )
        )
        model.add(
            box(
                (x + half - 0.02, y - half, level),
                (x + half + 0.02, y + half, level + 0.1),
                larch,
                0.005,
            )
        )
    ridge = [
        [[x - 0.78, y - 0.72, 2.42], [x + 0.78, y - 0.72, 2.42]],
        [[x - 0.78, y, 2.95], [x + 0.78, y, 2.95]],
        [[x - 0.78, y + 0.72, 2.42], [x + 0.78, y + 0.72, 2.42]],
    ]
    model.add(
        sheet(ridge, paint, smooth=False),
        sheet(np.array(ridge) - (0, 0, 0.03), paint, smooth=False),
    )
    # The slide runs to the left.
    t = np.linspace(0, 1, 30)
    run = x - half + 0.02 - 2.35 * t
    drop = 0.24 + (deck - 0.24) * (1 - t) ** 1.25 * (1 + 0.25 * t)
    drop[-6:] = drop[-6] + (0.22 - drop[-6]) * np.linspace(0, 1, 6) ** 0.7
    chute = [
        np.stack([run, np.full(30, y + b), drop + h], 1)
        for b, h in (
            (-0.27, 0.13),
            (-0.26, 0.02),
            (-0.23, 0),
            (0.23, 0),
            (0.26, 0.02),
            (0.27, 0.13),
        )
    ]
    model.add(sheet(np.stack(chute), steel))
    for b in (-0.275, 0.275):
        model.add(tube(np.stack([run, np.full(30, y + b), drop + 0.135], 1), 0.018, paint, 12))
    for at in (20, 28):
        for b in (-0.2, 0.2):
            model.add(tube([[run[at], y + b, 0], [run[at], y + b, drop[at]]], 0.022, paint, 12))
    # A ladder on the right.
    for b in (-0.22, 0.22):
        model.add(
            tube(
                [[x + half + 0.75, y + b, 0], [x + half + 0.04, y + b, deck + 0.65]],
                0.022,
                paint,
                12,
            )
        )
    for k in range(1, 5):
        s = k / 6.4
        model.add(
            tube(
                [
                    [x + half + 0.75 - 0.71 * s, y - 0.22, 1.9 * s],
                    [x + half + 0.75 - 0.71 * s, y + 0.22, 1.9 * s],
                ],
                0.018,
                steel,
                12,
            )
        )
