from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from plitka import fidelity, matching, render
from plitka.layout import Layout, lay
from tests.recipes import asked

Image = NDArray[np.uint8]

SIZE = 512
RECIPES: dict[str, dict[str, float]] = {
    "white+black": {"white": 70, "black": 30},
    "four colours": {"red": 40, "blue": 30, "green": 20, "yellow": 10},
    "pastels": {"pearl": 40, "salmon": 35, "light gray": 25},
}


@cache
def layout(recipe: str) -> Layout:
    return lay(asked(RECIPES[recipe], 20))


def tile(recipe: dict[str, float], seed: int = 8, size: int = SIZE) -> Image:
    return render.picture(lay(asked(recipe, 20, seed)), size)


@cache
def another_seed(recipe: str) -> Image:
    return tile(RECIPES[recipe])


def another_recipe(recipe: str) -> Image:
    return tile({"violet": 80, "sand": 20})


def flat_gray(recipe: str) -> Image:
    return np.full((SIZE, SIZE, 3), 128, np.uint8)


def black(recipe: str) -> Image:
    return np.zeros((SIZE, SIZE, 3), np.uint8)


def white_noise(recipe: str) -> Image:
    return np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


def smooth_noise(recipe: str) -> Image:
    noise = np.random.default_rng(2).normal(size=(SIZE, SIZE, 3)).astype(np.float32)
    smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), 12), np.float32)
    return np.asarray(np.clip(128 + 30 * smooth / smooth.std(), 0, 255), np.uint8)


def darkened(recipe: str) -> Image:
    return np.asarray(0.7 * another_seed(recipe), np.uint8)


def yellow_cast(recipe: str) -> Image:
    return np.asarray(another_seed(recipe) * np.array([1, 0.97, 0.8]), np.uint8)


SOURCES = (
    *(another_seed, another_recipe, flat_gray, black),
    *(white_noise, smooth_noise, darkened, yellow_cast),
)
CASES = [
    pytest.param(source, recipe, id=f"{source.__name__}-{recipe}")
    for source in SOURCES
    for recipe in RECIPES
    # Pearl under yellow light is not told from light gray.
    if (source, recipe) != (yellow_cast, "pastels")
]


@pytest.mark.parametrize(("source", "recipe"), CASES)
def test_any_picture_gets_the_shares_and_the_colours_of_the_recipe(
    source: Callable[[str], Image], recipe: str
) -> None:
    wanted = layout(recipe)
    shown = fidelity.measure(matching.match(source(recipe), wanted), wanted.colours)
    # Pearl and light gray are told apart less surely than colours that are no neighbours.
    assert fidelity.total_variation(shown.shares, wanted.shares) < (
        0.08 if recipe == "pastels" else 0.05
    )
    for difference in shown.differences:
        assert difference is not None
        assert difference <= 4


def test_a_share_of_one_per_cent_is_given_too() -> None:
    wanted = lay(asked({"red": 1, "white": 99}, 20))
    shown = fidelity.measure(matching.match(tile({"red": 100}), wanted), wanted.colours)
    assert shown.shares[0] == pytest.approx(0.01, abs=0.006)


def test_a_recipe_of_one_colour_is_shown_alone() -> None:
    wanted = lay(asked({"turquoise": 100}))
    matched = matching.match(tile({"red": 50, "white": 50}), wanted)
    others = lay(asked({"turquoise": 50, "red": 25, "white": 25})).colours
    assert fidelity.measure(matched, others).shares[0] > 0.98


def test_the_colours_lie_where_the_layout_has_them() -> None:
    """The picture of a single colour leaves the choice of granules to their place alone."""
    wanted = lay(asked({"red": 50, "white": 50}, 20))
    shown = matching.match(tile({"gray": 100}), wanted).astype(int)
    is_red = shown[..., 0] - shown[..., 1] > 40
    laid = wanted.colour_map(SIZE)
    assert is_red[laid == 0].mean() > 0.6
    assert is_red[laid == 1].mean() < 0.35


@pytest.mark.parametrize(
    "recipe",
    [{"red": 100}, {"brown": 50, "gray": 50}, {"pearl": 40, "salmon": 35, "light gray": 25}],
    ids="+".join,
)
def test_a_picture_that_shows_its_recipe_hardly_changes(recipe: dict[str, float]) -> None:
    wanted = lay(asked(recipe, 20))
    picture = render.picture(wanted, 1024)
    changed = np.abs(matching.match(picture, wanted).astype(int) - picture)
    assert changed.mean() < 3


@pytest.mark.parametrize(
    ("drawn", "wanted"),
    [
        ({"red": 60, "blue": 40}, {"violet": 50, "turquoise": 50}),
        ({"pearl": 50, "sand": 50}, {"yellow": 60, "beige": 40}),
        ({"red": 50, "orange": 50}, {"gray": 60, "lilac": 40}),
        ({"gray": 100}, {"red": 50, "lilac": 50}),
    ],
    ids=lambda recipe: "+".join(recipe),
)
def test_fine_light_and_shade_inside_granules_stay(
    drawn: dict[str, float], wanted: dict[str, float]
) -> None:
    before = tile(drawn)
    after = matching.match(before, lay(asked(wanted, 20)))
    assert np.corrcoef(detail(before), detail(after))[0, 1] >= 0.9


def detail(image: Image) -> NDArray[np.float32]:
    """Lightness, less what is broader than a granule's facets."""
    light = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0]
    return np.asarray((light - cv2.GaussianBlur(light, (0, 0), 2)).ravel(), np.float32)


def test_equal_pictures_are_matched_equally() -> None:
    once, again = (matching.match(white_noise(""), layout("four colours")) for _ in range(2))
    assert once.dtype == np.uint8
    assert once.tobytes() == again.tobytes()


def test_the_picture_given_is_left_as_it_is() -> None:
    picture = smooth_noise("")
    before = picture.copy()
    matching.match(picture, layout("pastels"))
    assert (picture == before).all()


@pytest.mark.parametrize(
    "shape", [(64, 48, 3), (64, 64), (64, 64, 4)], ids=lambda shape: "x".join(map(str, shape))
)
def test_a_picture_that_is_not_square_rgb_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must be square and RGB; its shape is \(64"):
        matching.match(np.zeros(shape, np.uint8), layout("four colours"))
