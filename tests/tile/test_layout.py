from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from plitka.tile.granule import CORNERS, FACETS
from plitka.tile.layout import JOINT_WIDTH, NONE, Layout, lay
from tests.support.recipes import asked

RECIPES = [
    {"red": 100.0},
    {"red": 1.0, "white": 99.0},
    {"black": 60.0, "white": 40.0},
    {"pearl": 50.0, "salmon": 30.0, "light_gray": 20.0},
    {"red": 25.0, "blue": 25.0, "green": 25.0, "yellow": 25.0},
    dict.fromkeys(("red", "blue", "green", "yellow", "black", "white", "gray", "brown"), 12.5),
    {"black": 93.0, **dict.fromkeys(("red", "blue", "green", "sand", "khaki", "pink", "gray"), 1)},
]


def shares(layout: Layout, size: int) -> NDArray[np.float64]:
    seen = layout.map_colors(size)
    area = np.bincount(seen[seen != NONE], minlength=len(layout.colors))
    return np.asarray(area / area.sum())


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: "+".join(r))
@pytest.mark.parametrize("angle", [0, 33])
def test_visible_area_of_each_color_meets_its_share_within_a_tenth_of_a_point(
    recipe: dict[str, float], angle: float
) -> None:
    for seed in (0, 1, 2**32 - 1):
        layout = lay(asked(recipe, angle, seed))
        assert np.abs(shares(layout, 1024) - layout.shares).max() < 0.001


def test_smaller_and_larger_pictures_show_the_same_tile() -> None:
    layout = lay(asked({"red": 50, "blue": 50}, 30))
    full = layout.map_granules(1024)
    assert np.mean(layout.map_granules(512) == full[::2, ::2]) > 0.87
    assert np.mean(layout.map_granules(2048)[::2, ::2] == full) > 0.87
    assert np.abs(shares(layout, 512) - 0.5).max() < 0.005


def test_one_tile_fills_the_frame_at_angle_0() -> None:
    for seed in range(3):
        assert (lay(asked({"red": 100}, 0, seed)).map_granules(1024) != NONE).all()


@pytest.mark.parametrize("angle", [1, 30, 45, 90, 137.5])
def test_joints_cross_in_the_centre_at_the_laying_angle_and_leave_no_other_hole(
    angle: float,
) -> None:
    size = 1024
    joint = lay(asked({"red": 100}, angle)).map_granules(size) == NONE
    turn = np.deg2rad(angle)
    for direction in (turn, turn + np.pi / 2):  # counter-clockwise as seen, so y runs against it
        along = np.linspace(-0.49, 0.49, 200) * size
        columns = (size / 2 + along * np.cos(direction)).astype(int)
        rows = (size / 2 - along * np.sin(direction)).astype(int)
        inside = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
        assert joint[rows[inside], columns[inside]].all()
    length = np.sum(1 / np.maximum(abs(np.cos([turn, turn + np.pi / 2])), np.sqrt(0.5)))
    assert length == pytest.approx(joint.mean() / JOINT_WIDTH, rel=0.35)


def test_a_change_of_shares_recolors_no_more_granules_than_it_must() -> None:
    before = lay(asked({"red": 50, "blue": 50}))
    after = lay(asked({"red": 60, "blue": 40}))
    assert np.array_equal(before.centres, after.centres)
    assert np.array_equal(before.chips.outline, after.chips.outline)
    assert 0.08 < np.mean(before.map_colors(1024) != after.map_colors(1024)) < 0.12


def test_a_tile_turns_with_its_angle_and_keeps_its_granules() -> None:
    first, second = lay(asked({"red": 100}, 40)), lay(asked({"red": 100}, 40.05))
    assert np.mean(first.map_granules(512) != NONE) == pytest.approx(
        np.mean(second.map_granules(512) != NONE), abs=0.002
    )
    common = min(len(first.height), len(second.height))
    assert abs(len(first.height) - len(second.height)) < 0.01 * common


def test_another_seed_is_another_tile() -> None:
    one, other = (lay(asked({"red": 50, "blue": 50}, 0, seed)).map_colors(512) for seed in (1, 2))
    assert 0.4 < np.mean(one != other) < 0.6


def test_colors_clump_no_more_than_chance() -> None:
    """Neighbours share a colour as often as independent draws would."""
    layout = lay(asked({"red": 30, "blue": 70}))
    granules = layout.map_granules(1024)
    left, right = granules[:, :-1].ravel(), granules[:, 1:].ravel()
    pairs = np.unique(np.stack([left, right], 1)[left != right], axis=0)
    same = np.mean(layout.owner[pairs[:, 0]] == layout.owner[pairs[:, 1]])
    assert same == pytest.approx(0.3**2 + 0.7**2, abs=0.03)


def test_facets_are_the_chip_shrunk_towards_its_apex() -> None:
    """Each place lies in the polygon of its facet, but for a pixel at borders."""
    layout = replace(lay(asked({"red": 50, "blue": 50}, 30)), survey=None)
    size = 2048
    facets, granules = layout.map_facets(size), layout.map_granules(size)
    assert np.array_equal(facets // FACETS, granules)
    chips = layout.chips
    top = chips.outline + (chips.apex[:, None] - chips.outline) * chips.reach[:, None, None]
    off = []
    for row, column in np.random.default_rng(0).integers(0, size, (3000, 2)):
        if granules[row, column] == NONE:
            continue
        chip, facet = divmod(int(facets[row, column]), FACETS)
        if facet < CORNERS:
            side = [facet, (facet + 1) % CORNERS]
            corners = [*chips.outline[chip][side], *top[chip][side][::-1]]
        else:
            corners = [*top[chip][[0, 1, 2, 3] if facet == CORNERS else [3, 4, 5, 0]]]
        place = (np.array([column, row]) + 0.5) / size - layout.centres[chip]
        polygon = (np.array(corners) * size).astype(np.float32)
        off.append(-cv2.pointPolygonTest(polygon, (place * size).tolist(), measureDist=True))
    assert np.quantile(off, 0.95) < 1  # edges wander, and pinholes are closed
    assert np.mean(np.array(off) < 0) > 0.8


@pytest.mark.usefixtures("threads")
def test_the_same_recipe_gives_the_same_map_with_any_number_of_threads() -> None:
    maps = []
    for count in (1, 2, 8):
        cv2.setNumThreads(count)
        maps.append(lay(replace(asked({"red": 50, "blue": 50}, 30), seed=3)).map_facets(1024))
    assert np.array_equal(maps[0], maps[1])
    assert np.array_equal(maps[0], maps[2])
