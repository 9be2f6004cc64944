import csv
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from plitka.color import palette
from plitka.images import photograph
from plitka.measure.shares import Measurement, measure
from plitka.tile import render
from plitka.tile.layout import Layout, lay
from tests.support.recipes import asked

SHARED = os.environ.get("PLITKA_SHARED")
COLORS = palette.load()
GRANITE: dict[str, float] = {"gray": 45, "light gray": 25, "dark gray": 20, "white": 10}


def measured(
    recipe: dict[str, float], size: int = 512, seed: int = 7
) -> tuple[Layout, Measurement]:
    layout = lay(asked(recipe, seed))
    return layout, measure(render.render_picture(layout, size), layout.colors)


def covers(result: Measurement, true: tuple[float, ...]) -> list[bool]:
    bounds = zip(result.intervals, true, strict=True)
    return [low <= share <= high for (low, high), share in bounds]


def widths(result: Measurement) -> list[float]:
    return [high - low for low, high in result.intervals]


def test_granite_has_no_false_figure() -> None:
    layout, result = measured(GRANITE)
    assert all(covers(result, layout.shares))
    assert result.groups == ((0, 1, 2),)
    assert result.shares[3] == pytest.approx(0.1, abs=0.03)
    assert widths(result)[3] < 0.06
    assert result.compare(layout.shares) < 0.03


@pytest.mark.parametrize(
    "recipe",
    [{"white": 50, "pearl": 50}, {"black": 50, "dark gray": 50}, {"gray": 70, "light gray": 30}],
    ids="+".join,
)
def test_look_alikes_are_a_group_whose_shares_are_estimated(recipe: dict[str, float]) -> None:
    layout, result = measured(recipe)
    assert result.groups == ((0, 1),)
    assert all(covers(result, layout.shares))
    assert result.shares[0] == pytest.approx(layout.shares[0], abs=0.15)
    assert sum(result.shares) == pytest.approx(1)
    assert min(widths(result)) > 0.1


def test_of_colors_that_are_the_same_only_their_sum_is_known() -> None:
    layout = lay(asked({"violet": 65, "white": 35}))
    wanted = [COLORS.find(code) for code in ("VIOLET", "PURPLE", "WHITE")]
    result = measure(render.render_picture(layout, 512), wanted)
    assert result.groups == ((0, 1),)
    assert sum(result.shares[:2]) == pytest.approx(0.65, abs=0.03)
    for low, high in result.intervals[:2]:
        assert low == 0
        assert high == pytest.approx(0.65, abs=0.06)
    assert widths(result)[2] < 0.1
    assert covers(result, (0.2, 0.45, 0.35)) == [True] * 3


@pytest.mark.parametrize(
    "recipe",
    [
        {"red": 60, "blue": 40},
        {"red": 40, "blue": 30, "green": 20, "yellow": 10},
        {"dark green": 25, "grass green": 25, "green apple": 25, "lime green": 25},
    ],
    ids="+".join,
)
def test_colors_that_differ_are_told_apart_and_nearly_sure(recipe: dict[str, float]) -> None:
    layout, result = measured(recipe)
    assert result.groups == ()
    assert max(widths(result)) < 0.09
    assert np.abs(np.subtract(result.shares, layout.shares)).max() < 0.04


def test_a_small_share_has_a_narrower_interval_than_a_large_one() -> None:
    _, result = measured({"red": 60, "blue": 30, "yellow": 8, "white": 2})
    assert all(large > small for large, small in pairwise(widths(result)))


def test_a_single_color_is_all_there_is() -> None:
    _, result = measured({"gray": 100})
    assert result.shares == (1.0,)
    assert result.intervals == ((1.0, 1.0),)
    assert result.groups == ()


def test_a_color_that_is_not_there_is_nearly_sure_not_to_be() -> None:
    layout = lay(asked({"red": 60, "blue": 40}))
    wanted = [*layout.colors, COLORS.find("yellow")]
    result = measure(render.render_picture(layout, 512), wanted)
    assert result.shares[2] == 0
    assert result.intervals[2][0] == 0
    assert result.intervals[2][1] <= 0.03
    assert result.groups == ()


@pytest.mark.parametrize("count", [1, 2, 8])
@pytest.mark.parametrize(
    "shape", [(128, 128), (130, 129), (128, 700)], ids=lambda shape: "x".join(map(str, shape))
)
@pytest.mark.parametrize("shade", [0, 128, 255])
def test_intervals_of_any_picture_hold_the_shares(
    count: int, shape: tuple[int, int], shade: int
) -> None:
    wanted = COLORS.colors[1 : 1 + 3 * count : 3]
    result = measure(np.full((*shape, 3), shade, np.uint8), wanted)
    for share, (low, high) in zip(result.shares, result.intervals, strict=True):
        assert 0 <= low <= share <= high <= 1
    assert sum(result.shares) == pytest.approx(1) or set(result.shares) == {0.0}


def test_where_no_color_is_shown_none_has_any_share() -> None:
    layout = lay(asked({"red": 60, "blue": 40}))
    wanted = [COLORS.find("yellow"), COLORS.find("white")]
    result = measure(render.render_picture(layout, 512), wanted)
    assert result.intervals == ((0.0, 0.0), (0.0, 0.0))
    assert result.groups == ()


def test_intervals_hold_the_true_share_in_most_cases_and_not_in_all() -> None:
    rng = np.random.default_rng(3)
    names = [color.phrase for color in COLORS.colors]
    held: list[bool] = []
    for seed in range(12):
        chosen = rng.choice(len(names), 5, replace=False)
        parts = rng.dirichlet(np.ones(5)) * 0.9 + 0.02
        recipe = dict(zip([names[index] for index in chosen], 100 * parts, strict=True))
        layout, result = measured(recipe, seed=seed)
        held += covers(result, layout.shares)
        told = set(range(5)) - {index for group in result.groups for index in group}
        off = np.abs(np.subtract(result.shares, layout.shares))
        assert max((off[index] for index in told), default=0) < 0.06
    assert 0.85 <= np.mean(held) <= 0.99


@pytest.mark.skipif(SHARED is None, reason="PLITKA_SHARED names no folder of photographs")
def test_intervals_hold_the_true_shares_of_photographs() -> None:
    photos = Path(str(SHARED)) / "photos"
    held: list[bool] = []
    with (photos / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            codes = row["colours"].split("+")
            if len(codes) > 1:
                true = tuple(float(part) / 100 for part in row["percent_true"].split("+"))
                colors = [COLORS.find(code) for code in codes]
                result = measure(photograph.load(photos / row["file"]).pixels, colors)
                held += covers(result, true)
                assert max(widths(result)) < 0.15
    assert 0.85 <= np.mean(held) <= 0.97


@pytest.mark.parametrize(
    "recipe", [{"white": 50, "pearl": 50}, {"green": 50, "green apple": 50}], ids="+".join
)
def test_in_a_light_stronger_than_their_difference_colors_are_not_told_apart(
    recipe: dict[str, float],
) -> None:
    layout = lay(asked(recipe))
    dim = (0.85 * render.render_picture(layout, 512)).astype(np.uint8)
    result = measure(dim, layout.colors)
    assert result.groups == ((0, 1),)
    assert all(covers(result, layout.shares))


def test_a_colors_mode_is_not_given_to_another_color_that_claims_it() -> None:
    layout = lay(asked({"blue": 12, "dark blue": 50, "violet": 38}, 30))
    result = measure(render.render_picture(layout, 512), layout.colors)
    assert np.abs(np.subtract(result.shares, layout.shares)).max() < 0.06
