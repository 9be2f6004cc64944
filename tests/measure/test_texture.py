"""Texture distance: what it calls near, what far, and that it says the same each time."""

from collections.abc import Mapping

import cv2
import numpy as np
import pytest

from plitka.arrays import Image
from plitka.measure.texture import (
    SMALLEST,
    measure_texture_distance,
    measure_texture_levels,
)
from plitka.tile.layout import lay
from plitka.tile.render import render_picture
from tests.support.recipes import asked

MIX = {"red": 60, "blue": 40}


def render(shares: Mapping[str, float] = MIX, seed: int = 7, size: int = 512) -> Image:
    return render_picture(lay(asked(shares, seed=seed)), size)


@pytest.fixture(scope="module")
def photograph() -> Image:
    return render(seed=7)


def test_a_picture_is_nothing_away_from_itself(photograph: Image) -> None:
    assert measure_texture_distance(photograph, photograph.copy()) == 0


def test_it_says_the_same_each_time_and_both_ways(photograph: Image) -> None:
    other = render(seed=8)
    first = measure_texture_distance(other, photograph)
    assert measure_texture_distance(other, photograph) == first
    assert measure_texture_distance(photograph, other) == pytest.approx(first, rel=1e-6)


def test_another_tile_of_the_mixture_is_nearer_than_other_shares_colors_and_none(
    photograph: Image,
) -> None:
    far = [
        render(MIX, seed=9),
        render({"red": 40, "blue": 60}),
        render({"yellow": 60, "white": 40}),
    ]
    distances = [measure_texture_distance(image, photograph) for image in far]
    assert distances == sorted(distances)
    assert distances[0] < 1
    assert distances[1] > 2 * distances[0]


@pytest.mark.parametrize(("blur", "level"), [(1.0, 0), (4.0, 1)], ids=["outlines", "facets"])
def test_what_is_smoothed_away_is_missed_on_its_level(
    photograph: Image, blur: float, level: int
) -> None:
    smooth = np.asarray(cv2.GaussianBlur(photograph, (0, 0), blur), np.uint8)
    lost = measure_texture_levels(smooth, photograph)[level]
    assert lost > 3 * measure_texture_levels(render(seed=9), photograph)[level]


def test_the_same_granules_in_another_size_are_far_and_a_piece_is_near(photograph: Image) -> None:
    piece = measure_texture_distance(photograph[:200, :300], photograph)
    half = cv2.resize(photograph, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    shrunk = measure_texture_levels(np.asarray(half, np.uint8), photograph)
    assert piece < 2
    assert shrunk[0] > 3 * measure_texture_levels(photograph[:256, :256], photograph)[0]


def test_the_distance_is_the_mean_of_its_levels(photograph: Image) -> None:
    other = render(seed=8)
    levels = measure_texture_levels(other, photograph)
    assert len(levels) == 3
    assert measure_texture_distance(other, photograph) == pytest.approx(np.mean(levels))


def test_a_picture_of_a_color_is_its_difference_away_from_another_on_the_last_level_alone() -> None:
    """Of flat colours all patches are one; only the last level, which keeps the rest, has them."""
    dark, light = (np.full((64, 64, 3), value, np.uint8) for value in (100, 140))
    outlines, facets, clumps = measure_texture_levels(dark, light)
    assert outlines == pytest.approx(0, abs=1e-3)
    assert facets == pytest.approx(0, abs=1e-3)
    assert clumps > 5


@pytest.mark.parametrize("size", [(SMALLEST, SMALLEST), (SMALLEST + 1, 90)])
def test_the_smallest_pictures_are_measured(size: tuple[int, int], photograph: Image) -> None:
    small = photograph[: size[0], : size[1]]
    assert measure_texture_distance(small, photograph) > 0


def test_a_picture_too_small_for_its_patches_is_refused(photograph: Image) -> None:
    with pytest.raises(ValueError, match=r"27x90 pixels has no texture .* takes 28 a side"):
        measure_texture_distance(photograph, photograph[:90, : SMALLEST - 1])
