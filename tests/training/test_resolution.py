"""The resolution that photographs bear."""

import pytest

from plitka.training.inspection import Inspection
from plitka.training.resolution import bears_half_size, choose_resolution
from tests.support.trainings import inspected, photographed


def photographs(side: int, scale: float, count: int = 10) -> Inspection:
    return inspected(
        *(
            photographed(f"{number}.jpg", {"RED": 1.0}, size=(side, side + 100), scale=scale)
            for number in range(count)
        )
    )


@pytest.mark.parametrize(
    ("side", "scale", "resolution"),
    [
        (4000, 0.5, 1024),
        (1500, 0.6, 1024),  # 1,035 pixels with a little enlargement
        (1024, 0.5, 1024),  # as it is: 1,024 pixels, its granules twice as large
        (768, 0.9, 768),
        (768, 0.65, 768),
        (700, 0.5, 512),
        (600, 1.5, 1024),
    ],
)
def test_the_largest_is_what_the_photographs_bear(side: int, scale: float, resolution: int) -> None:
    assert choose_resolution(0, photographs(side, scale)) == resolution


def test_one_small_photograph_in_ten_does_not_count_and_two_do() -> None:
    large, small = photographs(4000, 0.5, 9).photographs, photographs(600, 0.5, 2).photographs
    assert choose_resolution(0, inspected(*large, small[0])) == 1024
    assert choose_resolution(0, inspected(*large[:8], *small)) == 512


def test_what_is_asked_for_is_taken() -> None:
    assert choose_resolution(512, photographs(4000, 0.5)) == 512


def test_previews_are_trained_on_where_most_photographs_show_whole_tiles() -> None:
    assert bears_half_size(photographs(4000, 0.5))
    assert not bears_half_size(photographs(768, 0.9))
