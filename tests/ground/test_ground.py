"""The ground as it is seen: joints, lines, zones, and the exact shares of its plan."""

import json
from typing import Any

import numpy as np
import pytest

from plitka.arrays import Floats
from plitka.ground.ground import NONE, Ground, make_ground
from plitka.ground.laying import find_tiles
from plitka.ground.mat import Mat
from plitka.ground.plan_view import deal_plan, draw_color_plan, draw_plan
from plitka.ground.zones import sum_up_shares
from plitka.request.recipe import Recipe
from plitka.request.surface import Laying
from tests.support.recipes import asked, parse

WHITE = [{"name": "white", "proportion": 100}]
SIDE = 64


def recipe(laid: dict[str, Any], angle: float = 0) -> Recipe:
    colors = [{"name": "red", "proportion": 60}, {"name": "black", "proportion": 40}]
    return parse(json.dumps({"colors": colors, "angle": angle, "seed": 7, "surface": laid}))


def make_plain_mat(tile: Recipe) -> Mat:
    """A mat of square granules, each a pixel, in even gray; a white mix is white."""
    gray = 255 if tile.shares[0].name == "white" else 128
    count = SIDE * SIDE
    owner = np.searchsorted(
        np.cumsum([part.share for part in tile.shares]),
        np.random.default_rng(1).random(count),
    )
    granules = np.arange(count, dtype=np.int32).reshape(SIDE, SIDE)
    picture = np.full((SIDE, SIDE, 3), gray, np.uint8)
    return Mat(picture, granules, owner.astype(np.uint8), SIDE)


def make_plain_ground(laid: dict[str, Any], angle: float = 0) -> Ground:
    return make_ground(recipe(laid, angle), make_plain_mat)


def see(ground: Ground, *places: tuple[float, float]) -> Floats:
    """The brightness of places, each as a pixel of 0.5 mm shows it."""
    right, down = np.array(places, np.float32).T
    return ground.sample(right, down, np.array(0.5, np.float32))[:, 0]


def test_a_recipe_without_a_surface_goes_on_in_square_tiles() -> None:
    ground = make_ground(asked({"red": 100}), make_plain_mat)
    joints = see(ground, (0, 250), (-500, 250), (250, 1000), (1e4, 250))
    tiles = see(ground, (250, 250), (-250, 250), (750, 1250))
    assert ground.width_mm is None
    assert joints.max() < 0.2 * tiles.min()


def test_bricks_are_shifted_by_half_in_every_other_row() -> None:
    ground = make_plain_ground({"laying": "brick", "tile_mm": [600, 300]})
    joints = see(ground, (600, 150), (300, 450), (900, 450), (600, 750), (100, 300))
    tiles = see(ground, (300, 150), (600, 450), (300, 750))
    assert joints.max() < 0.2 * tiles.min()


def test_joints_of_herringbone_run_where_its_bricks_meet() -> None:
    ground = make_plain_ground({"laying": "herringbone", "tile_mm": [200, 100]})
    # The brick from (0, 0) to (200, 100), the one below it, a step to the right, and the upright
    # one at its end, from (200, -100) to (300, 100).
    joints = see(ground, (100, 0), (0, 50), (50, 100), (200, 50), (300, 0), (250, 100), (250, -100))
    bricks = see(ground, (100, 50), (150, 50), (200, 150), (250, 0), (250, 50), (250, -50))
    assert joints.max() < 0.2 * bricks.min()


@pytest.mark.parametrize("tile", [(200.0, 100.0), (250.0, 100.0), (600.0, 90.0)])
@pytest.mark.parametrize("angle", [0, 30, 45])
def test_bricks_of_herringbone_cover_the_ground_and_are_all_of_one_size(
    tile: tuple[float, float], angle: float
) -> None:
    axis = np.arange(0.5, 1600, 4, dtype=np.float32)
    right, down = (place.ravel() for place in np.meshgrid(axis, axis))
    tiles = find_tiles("herringbone", tile, angle, right, down)
    assert tiles.inside.min() >= 0
    assert tiles.inside.max() <= min(tile) / 2
    _, brick, count = np.unique(
        np.stack([tiles.row, tiles.column]), axis=1, return_inverse=True, return_counts=True
    )
    whole = tile[0] * tile[1] / 16  # places on a brick
    assert count.max() < 1.1 * whole
    middle = brick.reshape(len(axis), -1)[200, 200]
    assert count[middle] == pytest.approx(whole, rel=0.1)


def test_a_poured_surface_has_no_joints() -> None:
    ground = make_plain_ground({"laying": "poured"})
    axis = np.arange(0, 2000, 3.3, dtype=np.float32)
    seen = ground.sample(axis[None, :], axis[:, None], np.array(1, np.float32))
    assert np.ptp(seen) < 1e-3


@pytest.mark.parametrize("laying", ["square", "brick", "herringbone"])
def test_no_two_tiles_show_the_same_piece(laying: Laying) -> None:
    ground = make_plain_ground({"laying": laying, "tile_mm": [300, 150]})
    x, y = (place.ravel() for place in np.meshgrid(*[np.arange(60, 90, 1, dtype=np.float32)] * 2))
    one, other = ground.find_granules(0, x, y), ground.find_granules(0, x + 600, y + 600)
    assert (one == other).mean() < 0.5


def test_a_zone_has_its_mix_and_a_line_around_it() -> None:
    circle = {"shape": "circle", "radius_mm": 300, "colors": WHITE, "line": "metal"}
    ground = make_plain_ground({"laying": "poured", "zones": [circle]})
    middle, edge, beyond = see(ground, (1500, 1000), (1800, 1000), (1900, 1000))
    assert middle == pytest.approx(1, abs=0.01)
    assert edge == pytest.approx(0.46, abs=0.01)
    assert beyond == pytest.approx(0.216, abs=0.01)


def test_a_line_thinner_than_a_pixel_is_as_much_fainter() -> None:
    circle = {"shape": "circle", "radius_mm": 300, "colors": WHITE, "line": "joint"}
    ground = make_plain_ground({"laying": "poured", "zones": [circle]})
    right = np.arange(1650, 1950, 0.5, dtype=np.float32)
    down = np.full_like(right, 1000)
    fine, coarse = (
        ground.sample(right, down, np.array(size, np.float32)).mean() for size in (0.5, 20)
    )
    assert coarse == pytest.approx(fine, rel=0.01)


ZONES = [
    {
        "shape": "border",
        "width_mm": 200,
        "line": "metal",
        "colors": [{"name": "terracotta", "proportion": 71}, {"name": "beige", "proportion": 29}],
    },
    {
        "shape": "circle",
        "radius_mm": 350,
        "colors": [
            {"name": "blue", "proportion": 50},
            {"name": "white", "proportion": 33},
            {"name": "red", "proportion": 17},
        ],
    },
    {"shape": "text", "text": "ПЛИТКА", "height_mm": 150, "colors": WHITE},
]


@pytest.mark.parametrize("size", [512, 1024])
def test_the_shares_of_every_zone_are_exact_on_the_plan(size: int) -> None:
    read = recipe({"zones": ZONES})
    ground = make_ground(read, make_plain_mat)
    plan = deal_plan(ground, read, sum_up_shares(read), size)
    assert read.surface is not None
    mixes = [read.shares, *(zone.shares for zone in read.surface.zones)]
    for mix, counted in zip(mixes, plan.shares, strict=True):
        asked_for = [part.share for part in mix]
        assert np.abs(np.subtract(counted, asked_for)).max() < 0.001
    whole = [part.share for part in plan.parts]
    assert np.abs(np.subtract(plan.count_shares(), whole)).max() < 0.01
    assert draw_color_plan(plan).shape == (round(size * 2 / 3), size, 3)


def test_granules_on_the_plan_are_those_of_the_mat_but_a_few() -> None:
    read = recipe({"laying": "poured"})
    ground = make_ground(read, make_plain_mat)
    plan = deal_plan(ground, read, read.shares, 512)
    axis = (np.arange(512, dtype=np.float32) + 0.5) * np.float32(3000 / 512)
    right, down = (place.ravel() for place in np.meshgrid(axis, axis[:341]))
    of_mat = ground.mat.owner[ground.find_granules(0, right, down)]
    assert (plan.colors.ravel() == of_mat).mean() > 0.97


def test_a_zone_outside_of_the_surface_is_not_seen() -> None:
    far = {"shape": "circle", "radius_mm": 300, "center_mm": [-900, 0], "colors": WHITE}
    read = recipe({"zones": [far]})
    ground = make_ground(read, make_plain_mat)
    plan = deal_plan(ground, read, sum_up_shares(read), 512)
    assert plan.shares[1] == (0.0,)
    assert (plan.colors == NONE).mean() < 0.05


def test_a_plan_view_has_the_surface_s_proportions() -> None:
    ground = make_plain_ground({"width_mm": 600, "length_mm": 1200})
    assert draw_plan(ground, 128).shape == (128, 64, 3)
