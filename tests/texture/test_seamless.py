import numpy as np
import pytest
from numpy.typing import NDArray

from plitka.texture.errors import TextureError
from plitka.texture.seamless import Seamless, count_shares, render_seamless
from plitka.tile.layout import lay_seamless
from tests.support.recipes import asked

MIX = {"red": 50.0, "white": 30.0, "black": 20.0}


@pytest.fixture(scope="module")
def texture() -> Seamless:
    return render_seamless(asked(MIX, seed=9), 512, 1.0)


def steps(picture: NDArray[np.generic], axis: int) -> tuple[float, NDArray[np.float64]]:
    """Mean absolute step across the border, and across each line inside."""
    values = np.moveaxis(picture.astype(np.float64), axis, 0)
    every = np.abs(values - np.roll(values, 1, axis=0)).reshape(len(values), -1).mean(axis=1)
    return float(every[0]), every[1:]


@pytest.mark.parametrize("axis", [0, 1])
def test_a_step_across_the_border_is_no_larger_than_inside(texture: Seamless, axis: int) -> None:
    border, inside = steps(texture.image, axis)
    assert border < inside.mean() + 2 * inside.std()


def test_granules_that_reach_over_an_edge_come_back_at_the_opposite_one(texture: Seamless) -> None:
    granules = texture.granules
    for first, last in ((granules[0], granules[-1]), (granules[:, 0], granules[:, -1])):
        assert np.mean(first == last) > 0.75
    across = texture.layout.centres[np.intersect1d(granules[:, 0], granules[:, -1])][:, 0]
    assert (across < 0.1).any()
    assert (across > 0.9).any()


def test_the_texture_is_no_frame_with_its_edges_mended(texture: Seamless) -> None:
    """Rolled by half its side, no line of it stands out."""
    rolled = np.roll(texture.image, (256, 256), (0, 1)).astype(np.float64)
    for axis in (0, 1):
        lines = rolled.mean(axis=(1 - axis, 2))
        middle = lines[250:262]
        assert np.abs(middle - lines.mean()).max() < 4 * lines.std()


def test_shares_on_the_index_map_are_exact_to_a_tenth_of_a_point(texture: Seamless) -> None:
    assert np.abs(np.subtract(texture.shares, texture.layout.shares)).max() < 0.001
    assert texture.shares == count_shares(texture.colors, 3)


def test_every_size_shows_the_same_granules() -> None:
    layout = lay_seamless(asked(MIX), 0.5)
    small, large = layout.map_granules(512), layout.map_granules(1024)
    assert np.mean(small == large[::2, ::2]) > 0.87


def test_the_length_is_counted_in_granules() -> None:
    texture = render_seamless(asked(MIX), 256, 0.5, granule_mm=3.0)
    assert texture.side_mm == pytest.approx(25.6 * 3.0)
    width = np.sqrt(texture.granules.size / len(np.unique(texture.granules)))
    assert 256 / 25.6 * 0.5 < width < 256 / 25.6


def test_the_angle_of_laying_leaves_no_joint_in_it() -> None:
    laid = render_seamless(asked(MIX, 45), 256, 0.5)
    straight = render_seamless(asked(MIX, 0), 256, 0.5)
    assert bool((laid.granules >= 0).all())
    assert np.array_equal(laid.image, straight.image)


@pytest.mark.parametrize(
    ("size", "frames", "granule_mm", "said"),
    [
        (1024, 4.0, 2.5, "512 mm at 1024 pixels: with granules of 2.5 mm it can be 63 to 320 mm"),
        (4096, 0.3, 2.5, "it can be 250 to 1280 mm"),
        (1024, 1.0, 9.0, "granules of 9 mm: allowed are 1 to 4 mm"),
        (1024, float("nan"), 2.5, "a side of nan mm"),
    ],
)
def test_a_scale_that_shows_no_granules_is_refused(
    size: int, frames: float, granule_mm: float, said: str
) -> None:
    with pytest.raises(TextureError, match=said):
        render_seamless(asked(MIX), size, frames, granule_mm)
