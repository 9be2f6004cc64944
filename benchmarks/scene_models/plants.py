"""Plants of thousands of leaves: lawn, hedges, crowns of trees, lavender."""

from collections.abc import Callable

import numpy as np

from benchmarks.scene_models.materials import leaf, matte, satin
from benchmarks.scene_models.shapes import Material, Mesh, Model, box, tube
from plitka.arrays import Doubles

LAWN = ("#7d9c4c", "#8bac55", "#9bb85e", "#738f48", "#aabf68")
HEDGE = ("#74974f", "#82a65a", "#90b265", "#678847")
TREE = ("#6c8f46", "#7fa150", "#90b05b", "#5f803f")


def add_lawn(
    model: Model,
    left: float,
    right: float,
    near: float,
    far: float,
    inside: Callable[[Doubles, Doubles], np.ndarray],
    seed: int,
    density: float = 1800,
    height: float = 0.055,
    level: float = 0.02,
) -> None:
    """Sow a lawn on the part of a rectangle that is `inside`; thinner where it is far away."""
    rng = np.random.default_rng(seed)
    count = int((right - left) * (far - near) * density)
    x, y = rng.uniform(left, right, count), rng.uniform(near, far, count)
    kept = inside(x, y) & (rng.random(count) < np.minimum(1, (5.0 / np.maximum(y, 0.5)) ** 1.2))
    x, y = x[kept], y[kept]
    scale = np.maximum(1, (y / 5) ** 0.6)
    for part, color in enumerate(LAWN):
        chosen = slice(part, None, len(LAWN))
        model.add(
            _grow_blades(x[chosen], y[chosen], scale[chosen], height, level, leaf(color), rng)
        )


def _grow_blades(
    x: Doubles,
    y: Doubles,
    scale: Doubles,
    height: float,
    level: float,
    material: Material,
    rng: np.random.Generator,
) -> Mesh:
    count = len(x)
    azimuth = rng.uniform(0, 2 * np.pi, count)
    length = height * rng.uniform(0.55, 1.25, count)
    lean = rng.uniform(0.1, 0.9, count) * length
    breadth = 0.0035 * scale * rng.uniform(0.7, 1.3, count)
    face = azimuth + rng.normal(np.pi / 2, 0.4, count)
    foot = np.stack([x, y, np.full(count, level)], 1)
    out = np.stack([np.cos(azimuth), np.sin(azimuth), 0 * x], 1)
    wide = np.stack([np.cos(face), np.sin(face), 0 * x], 1) * breadth[:, None]
    up = np.array([0, 0, 1.0])
    middle = foot + out * (0.3 * lean)[:, None] + up * (0.6 * length)[:, None]
    tip = foot + out * lean[:, None] + up * length[:, None]
    vertices = np.stack(
        [foot - wide, foot + wide, middle - 0.8 * wide, middle + 0.8 * wide, tip], 1
    )
    base = np.arange(count)[:, None, None] * 5
    faces = np.array([[0, 1, 2], [1, 3, 2], [2, 3, 4]]) + base
    return Mesh(vertices.reshape(-1, 3), faces.reshape(-1, 3), material)


def scatter_leaves(
    places: Doubles, outward: Doubles, size: float, material: Material, rng: np.random.Generator
) -> Mesh:
    """Make a pointed leaf at each place (n, 3), facing roughly `outward` (n, 3)."""
    count = len(places)
    normal = outward + rng.normal(0, 0.7, (count, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    along = np.cross(normal, rng.normal(0, 1, (count, 3)))
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.cross(normal, along)
    length = (size * rng.uniform(0.6, 1.3, count))[:, None]
    bend = 0.18 * length * normal
    vertices = np.stack(
        [
            places - along * length / 2 - bend,
            places + across * length * 0.27,
            places + along * length / 2 - bend,
            places - across * length * 0.27,
        ],
        1,
    )
    faces = np.array([[0, 1, 2], [0, 2, 3]]) + np.arange(count)[:, None, None] * 4
    return Mesh(vertices.reshape(-1, 3), faces.reshape(-1, 3), material)


def add_hedge(
    model: Model,
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    seed: int,
    leaves: int = 24000,
    size: float = 0.05,
) -> None:
    """Grow a clipped hedge in a box along the axes: its front, top and sides."""
    rng = np.random.default_rng(seed)
    a, b = np.array(low), np.array(high)
    inner = 0.06
    model.add(box(tuple(a + inner), tuple(b - inner), matte("#2c3d1f"), 0.03))
    extent = b - a
    areas = np.array(
        [extent[0] * extent[2], extent[0] * extent[1], extent[1] * extent[2], extent[1] * extent[2]]
    )
    side = rng.choice(4, leaves, p=areas / areas.sum())
    places = a + rng.random((leaves, 3)) * extent
    outward = np.array([[0, -1, 0.5], [0, 0, 1], [-1, 0, 0.3], [1, 0, 0.3]], float)[side]
    depth = rng.exponential(0.035, leaves)
    places[:, 1] = np.where(side == 0, a[1] + depth, places[:, 1])
    places[:, 2] = np.where(side == 1, b[2] - depth, places[:, 2])
    places[:, 0] = np.where(
        side == 2, a[0] + depth, np.where(side == 3, b[0] - depth, places[:, 0])
    )
    places += 0.05 * np.sin(places[:, [1, 2, 0]] * 2.3 + seed)  # no hedge is flat
    for part, color in enumerate(HEDGE):
        chosen = slice(part, None, len(HEDGE))
        model.add(scatter_leaves(places[chosen], outward[chosen], size, leaf(color), rng))


def add_tree(
    model: Model,
    x: float,
    y: float,
    height: float,
    breadth: float,
    seed: int,
    leaves: int = 9000,
    size: float = 0.13,
    colors: tuple[str, ...] = TREE,
) -> None:
    """Grow a tree: a trunk, some boughs, and a crown of balls of leaves."""
    rng = np.random.default_rng(seed)
    bark = matte("#5a4a3a")
    crown = height * 0.36
    thick = 0.045 * height**0.8
    model.add(
        tube(
            [[x, y, 0], [x + 0.04, y, crown], [x, y + 0.05, height * 0.75]],
            [thick, thick * 0.7, thick * 0.25],
            bark,
            16,
        )
    )
    balls = 26
    turn = rng.uniform(0, 2 * np.pi, balls)
    up = rng.uniform(0, 1, balls)
    out = (
        breadth
        / 2
        * np.sqrt(rng.uniform(0.05, 1, balls))
        * np.sin(np.pi * np.clip(up * 0.85 + 0.15, 0, 1)) ** 0.6
    )
    middles = np.stack(
        [x + out * np.cos(turn), y + out * np.sin(turn), crown * 0.9 + up * (height - crown) * 0.9],
        1,
    )
    for middle in middles[:10]:
        model.add(
            tube(
                [[x, y, crown * 0.9], (np.array([x, y, crown]) + middle) / 2 + (0, 0, 0.1), middle],
                [thick * 0.4, thick * 0.2, 0.01],
                bark,
                8,
            )
        )
    directions = rng.normal(0, 1, (leaves, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    radius = breadth * 0.2 * rng.uniform(0.75, 1.25, balls)
    which = rng.integers(0, balls, leaves)
    places = middles[which] + directions * (radius[which] * rng.uniform(0.4, 1.0, leaves) ** 0.4)[
        :, None
    ] * (1, 1, 0.8)
    for part, color in enumerate(colors):
        chosen = slice(part, None, len(colors))
        model.add(
            scatter_leaves(places[chosen], directions[chosen] + (0, 0, 0.4), size, leaf(color), rng)
        )


def add_lavender(model: Model, x: float, y: float, seed: int, size: float = 0.5) -> None:
    """Grow a tuft of lavender: gray leaves and violet ears."""
    rng = np.random.default_rng(seed)
    count = 170
    azimuth, lean = rng.uniform(0, 2 * np.pi, count), rng.uniform(0, 0.75, count)
    length = size * rng.uniform(0.75, 1.1, count)
    tips = np.stack(
        [
            x + length * np.sin(lean) * np.cos(azimuth),
            y + length * np.sin(lean) * np.sin(azimuth),
            length * np.cos(lean),
        ],
        1,
    )
    foot = np.array([x, y, 0.0]) + rng.normal(0, 0.05, (count, 3)) * (1, 1, 0)
    wide = np.stack([-np.sin(azimuth), np.cos(azimuth), 0 * azimuth], 1) * 0.003
    vertices = np.stack([foot - wide, foot + wide, tips], 1).reshape(-1, 3)
    model.add(Mesh(vertices, np.arange(3 * count).reshape(-1, 3), leaf("#7d8b6c")))
    ears = (
        tips[:, None] - (tips - foot)[:, None] * np.linspace(0, 0.22, 9)[None, :, None]
    ).reshape(-1, 3)
    for color, part in (("#6d5b9a", 0), ("#8271ad", 1)):
        model.add(
            scatter_leaves(
                ears[part::2], rng.normal(0, 1, (len(ears[part::2]), 3)), 0.028, leaf(color), rng
            )
        )
    leaves = foot.repeat(6, 0) + (tips - foot).repeat(6, 0) * rng.uniform(0.05, 0.6, (6 * count, 1))
    model.add(scatter_leaves(leaves, rng.normal(0, 1, leaves.shape), 0.045, leaf("#8b9a7c"), rng))


def add_post(model: Model, x: float, y: float, height: float, color: str = "#2d2f2e") -> None:
    """Set a garden light: a slim post with a bright head."""
    model.add(box((x - 0.04, y - 0.04, 0), (x + 0.04, y + 0.04, height), satin(color, 0.45), 0.004))
    model.add(
        box(
            (x - 0.036, y - 0.036, height),
            (x + 0.036, y + 0.036, height + 0.09),
            satin("#f0ebdf", 0.3),
            0.004,
        )
    )
    model.add(
        box(
            (x - 0.045, y - 0.045, height + 0.09),
            (x + 0.045, y + 0.045, height + 0.105),
            satin(color, 0.45),
            0.003,
        )
    )
