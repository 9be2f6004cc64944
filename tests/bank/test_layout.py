"""Tiles of a bank's granules: exact shares, the same tile everywhere, no hole and no repeat."""

from collections.abc import Mapping

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from plitka.bank.bank import Bank
from plitka.bank.layout import QuiltedLayout, lay
from plitka.bank.painting import paint
from plitka.color.cielab import ciede2000, rgb_to_lab
from plitka.tile.layout import NONE
from plitka.tile.render import render_colormap
from tests.support.recipes import asked

Shares = Mapping[str, float]

RECIPES: list[Shares] = [
    {"blue": 100},
    {"blue": 60, "white": 40},
    {"red": 1, "white": 99},
    {"black": 30, "yellow": 30, "green": 30, "blue": 10},
    dict.fromkeys(("red", "blue", "green", "yellow", "black", "white", "gray", "brown"), 12.5),
]


def shares(layout: QuiltedLayout, size: int) -> NDArray[np.float64]:
    seen = layout.map_colors(size)
    area = np.bincount(seen[seen != NONE], minlength=len(layout.colors))
    return np.asarray(area / area.sum())


@pytest.mark.parametrize("recipe", RECIPES, ids="+".join)
@pytest.mark.parametrize("angle", [0, 45, 137.5])
def test_visible_area_of_each_color_meets_its_share_within_a_tenth_of_a_point(
    bank: Bank, recipe: Shares, angle: float
) -> None:
    layout = lay(bank, asked(recipe, angle))
    assert np.abs(shares(layout, 1024) - layout.shares).max() < 0.001


@pytest.mark.parametrize("angle", [0, 1, 45, 90, 137.5])
def test_granules_leave_no_hole_but_the_joints(bank: Bank, angle: float) -> None:
    layout = lay(bank, asked({"blue": 50, "white": 50}, angle))
    bare = layout.map_granules(2048) == NONE
    if angle == 0:
        assert not bare.any()
    else:
        inside, _ = layout.map_joints(2048)
        assert np.array_equal(bare, inside <= 0)
        assert 0.009 < bare.mean() < 0.02


def test_the_same_recipe_gives_the_same_picture_in_one_thread_or_two(bank: Bank) -> None:
    recipe = asked({"blue": 50, "red": 50}, 30)
    threads = cv2.getNumThreads()
    pictures = []
    try:
        for count in (1, 2):
            cv2.setNumThreads(count)
            pictures.append(paint(lay(bank, recipe), 1024))
    finally:
        cv2.setNumThreads(threads)
    assert np.array_equal(pictures[0], pictures[1])


def test_another_seed_gives_another_tile(bank: Bank) -> None:
    one, other = (lay(bank, asked({"blue": 100}, seed=seed)) for seed in (1, 2))
    assert (one.map_granules(512) != other.map_granules(512)).mean() > 0.9


@pytest.mark.parametrize("angle", [0, 45])
def test_smaller_and_larger_pictures_show_the_same_tile(bank: Bank, angle: float) -> None:
    layout = lay(bank, asked({"blue": 50, "white": 50}, angle))
    full = paint(layout, 1024)
    assert np.mean(layout.map_granules(2048)[::2, ::2] == layout.map_granules(1024)) == 1
    for size in (512, 2048):
        assert np.abs(shares(layout, size) - 0.5).max() < 0.005
        back = cv2.resize(paint(layout, size), (256, 256), interpolation=cv2.INTER_AREA)
        small = cv2.resize(full, (256, 256), interpolation=cv2.INTER_AREA)
        assert np.abs(back.astype(int) - small).mean() < 2


@pytest.mark.parametrize("name", ["blue", "white", "red", "black"], ids=str)
def test_a_tile_has_the_median_of_its_color_whether_the_bank_has_it_or_not(
    bank: Bank, name: str
) -> None:
    recipe = asked({name: 100})
    picture = rgb_to_lab(paint(lay(bank, recipe), 1024))
    median = np.median(picture.reshape(-1, 3), axis=0)
    assert float(ciede2000(median, recipe.shares[0].color.lab)) < 2


def test_the_picture_shows_each_color_where_the_colormap_has_it(bank: Bank) -> None:
    layout = lay(bank, asked({"yellow": 50, "blue": 50}, 45))
    picture = rgb_to_lab(paint(layout, 1024)).reshape(-1, 3)
    owner = layout.map_colors(1024).ravel()
    labs = np.array([color.lab for color in layout.colors])
    blueness = [np.median(picture[owner == color, 2]) for color in range(2)]
    assert blueness[0] > labs[0, 2] - 15
    assert blueness[1] < labs[1, 2] + 15
    flat = render_colormap(layout, 1024).reshape(-1, 3)
    assert {tuple(flat[owner == color][0]) for color in range(2)} == {c.srgb for c in layout.colors}


def test_turning_a_tile_adds_no_specks(bank: Bank) -> None:
    straight, turned = (
        lay(bank, asked({"blue": 50, "white": 50}, angle)).planes[..., 0] for angle in (0, 30)
    )
    assert (turned > 0.999).mean() <= 1.2 * (straight > 0.999).mean()
    assert (turned < 0.001).mean() <= 1.2 * (straight < 0.001).mean()


def test_no_place_of_a_photograph_is_seen_twice_side_by_side(bank: Bank) -> None:
    gray = cv2.cvtColor(paint(lay(bank, asked({"blue": 100})), 1024), cv2.COLOR_RGB2GRAY)
    patch = gray[480:540, 480:540]
    found = cv2.matchTemplate(gray[360:660, 360:660], patch, cv2.TM_CCOEFF_NORMED)
    found[110:131, 110:131] = 0  # itself
    assert found.max() < 0.8
