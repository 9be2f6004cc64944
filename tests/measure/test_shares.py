import csv
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from plitka.color import palette
from plitka.images import photograph
from plitka.measure.shares import Measurement, measure, total_variation
from plitka.tile import render
from plitka.tile.layout import lay
from tests.support.recipes import asked

SHARED = os.environ.get("PLITKA_SHARED")
COLORS = palette.load()


@pytest.mark.parametrize(
    "recipe",
    [
        {"red": 70, "blue": 30},
        {"black": 30, "white": 70},
        {"red": 1, "white": 99},
        {"red": 25, "blue": 25, "green": 25, "yellow": 25},
        {"brown": 50, "gray": 30, "white": 20},
    ],
    ids=lambda recipe: "+".join(recipe),
)
def test_shares_are_measured_on_the_picture_alone(recipe: dict[str, float]) -> None:
    layout = lay(asked(recipe, 30))
    measured = measure(render.render_picture(layout, 1024), layout.colors)
    assert total_variation(measured.shares, layout.shares) < 0.09
    assert sum(measured.shares) == pytest.approx(1)
    assert 0 < measured.gaps < 0.1


def test_a_color_that_is_not_there_is_not_found() -> None:
    layout = lay(asked({"red": 60, "blue": 40}))
    wanted = [*layout.colors, COLORS.find("yellow")]
    shares = measure(render.render_picture(layout, 1024), wanted).shares
    assert shares[2] < 0.01


def test_a_wrong_picture_measures_wrong() -> None:
    layout = lay(asked({"red": 60, "white": 40}))
    picture = render.render_picture(layout, 512)
    measured = measure(picture, [COLORS.find("white"), COLORS.find("red")])
    assert total_variation(measured.shares, (0.6, 0.4)) == pytest.approx(0.2, abs=0.06)


def test_a_black_picture_has_no_granules_to_measure() -> None:
    dark = np.zeros((128, 128, 3), np.uint8)
    measured = measure(dark, [COLORS.find("red"), COLORS.find("blue")])
    assert measured == Measurement((0.0, 0.0), ((0.0, 0.0), (0.0, 0.0)), (), (None, None), 1.0, 0.0)


@pytest.mark.parametrize(
    "recipe",
    [
        {"red": 60, "blue": 40},
        {"white": 70, "black": 30},
        {"red": 40, "blue": 30, "green": 20, "yellow": 10},
    ],
    ids="+".join,
)
def test_darkness_and_a_yellow_cast_leave_the_shares_as_they_are(recipe: dict[str, float]) -> None:
    layout = lay(asked(recipe, 30))
    picture = render.render_picture(layout, 1024)
    for light in ((0.75, 0.75, 0.75), (1, 0.95, 0.7)):
        lit = (picture * np.array(light)).astype(np.uint8)
        shares = measure(lit, layout.colors).shares
        assert total_variation(shares, layout.shares) < 0.04


@pytest.mark.parametrize("absent", ["black", "white", "green", "pink", "orange", "sky blue"])
def test_every_absent_color_gets_next_to_nothing(absent: str) -> None:
    layout = lay(asked({"red": 60, "blue": 40}, 30))
    wanted = [*layout.colors, COLORS.find(absent)]
    assert measure(render.render_picture(layout, 1024), wanted).shares[2] < 0.03


def test_a_color_that_was_not_looked_for_is_undecided() -> None:
    layout = lay(asked({"red": 50, "blue": 50}))
    measured = measure(render.render_picture(layout, 768), layout.colors[:1])
    assert measured.shares == (1.0,)
    assert measured.undecided == pytest.approx(0.5 * (1 - measured.gaps), abs=0.1)


@pytest.mark.parametrize(
    ("vivid", "gray"), [("yellow", "white"), ("grass green", "light gray"), ("red", "gray")]
)
def test_no_light_makes_a_gray_as_vivid_as_a_color(vivid: str, gray: str) -> None:
    layout = lay(asked({"blue": 50, vivid: 50}))
    wanted = [COLORS.find("blue"), COLORS.find(gray)]
    measured = measure(render.render_picture(layout, 1024), wanted)
    assert measured.shares[0] > 0.99
    assert measured.undecided > 0.4


def test_where_no_color_that_was_looked_for_is_there_all_is_undecided() -> None:
    layout = lay(asked({"red": 60, "blue": 40}, 20))
    wanted = [COLORS.find("yellow"), COLORS.find("white")]
    measured = measure(render.render_picture(layout, 768), wanted)
    assert measured.shares == (0.0, 0.0)
    assert measured.differences == (None, None)
    assert measured.undecided > 0.9
    assert measured.gaps < 0.1


def test_a_color_is_not_judged_by_granules_of_colors_beside_it() -> None:
    layout = lay(asked({"blue": 60, "black": 20, "white": 20}, 20))
    wanted = [COLORS.find("black"), COLORS.find("white")]
    measured = measure(render.render_picture(layout, 768), wanted)
    assert measured.undecided == pytest.approx(0.6, abs=0.08)
    assert all(difference is not None and difference < 5 for difference in measured.differences)


def test_the_difference_tells_how_far_a_color_lies_from_the_palette() -> None:
    red = COLORS.find("red")
    layout = lay(asked({"red": 100}))
    picture = render.render_picture(layout, 768)
    (near,) = measure(picture, [red]).differences
    (far,) = measure((0.75 * picture).astype(np.uint8), [red]).differences
    assert near is not None
    assert far is not None
    assert near < 2
    assert 5 < far < 20


@pytest.mark.parametrize("size", [256, 512, 1024, 1536])
def test_the_size_of_the_picture_does_not_matter(size: int) -> None:
    layout = lay(asked({"red": 60, "white": 40}, 30))
    picture = cv2.resize(
        render.render_picture(layout, 1024), (size, size), interpolation=cv2.INTER_AREA
    )
    shares = measure(np.asarray(picture, np.uint8), layout.colors).shares
    assert total_variation(shares, layout.shares) < 0.05


def test_the_order_of_the_colors_does_not_matter() -> None:
    layout = lay(asked({"red": 40, "blue": 30, "green": 20, "yellow": 10}, 30))
    picture = render.render_picture(layout, 512)
    forth = measure(picture, layout.colors)
    back = measure(picture, layout.colors[::-1])
    assert back.shares[::-1] == pytest.approx(forth.shares, abs=0.001)


@pytest.mark.skipif(SHARED is None, reason="PLITKA_SHARED names no folder of photographs")
def test_shares_are_found_on_photographs_under_the_names_of_their_labels() -> None:
    photos = Path(str(SHARED)) / "photos"
    errors = {}
    with (photos / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            codes = row["colours"].split("+")
            if len(codes) == 1:
                continue
            colors = [COLORS.find(code) for code in codes]
            shares = measure(photograph.load(photos / row["file"]).pixels, colors).shares
            true = np.array(row["percent_true"].split("+"), float)
            errors[row["file"]] = np.abs(100 * np.array(shares) - true).mean()
    assert len(errors) > 20
    assert np.mean(list(errors.values())) <= 2.0
    assert not {name: error for name, error in errors.items() if error > 5}


def test_a_bright_exposure_of_granules_far_from_their_color_in_the_palette_is_that_color() -> None:
    """Mixtures for playgrounds often hold a green much lighter than the one they are named for."""
    layout = lay(asked({"blue": 60, "grass green": 30, "red": 10}, 20))
    linear = (render.render_picture(layout, 768) / 255) ** 2.2 * 2.0
    bright = np.asarray(255 * np.clip(linear, 0, 1) ** (1 / 2.2), np.uint8)
    wanted = [COLORS.find(code) for code in ("BLUE", "DKGREEN", "RED")]
    measured = measure(bright, wanted)
    assert total_variation(measured.shares, layout.shares) < 0.05


@pytest.mark.parametrize("recipe", [{"gray": 100}, {"white": 60, "black": 40}], ids="+".join)
def test_grays_are_none_of_the_colors_that_are_not_gray(recipe: dict[str, float]) -> None:
    picture = render.render_picture(lay(asked(recipe)), 768)
    wanted = [COLORS.find(code) for code in ("LTGREEN", "BLUE", "YELLOW")]
    measured = measure(picture, wanted)
    assert measured.differences == (None, None, None)
    assert measured.undecided > 0.8
