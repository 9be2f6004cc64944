"""Recognition: which colours a picture shows, where nobody says so."""

import numpy as np
import pytest

from plitka.color import palette
from plitka.measure.recognition import recognize
from plitka.tile.layout import lay
from plitka.tile.render import render_picture
from tests.support.recipes import asked

KNOWN = palette.load()


def recognized(shares: dict[str, int], *mixes: str, gain: float = 1.0) -> dict[str, float] | None:
    """What is recognized on a render, in percent. mixes: "RED BLUE". gain: of its red light."""
    picture = render_picture(lay(asked(shares, seed=3)), 512) * np.array([gain, 1, 1])
    colors = [[KNOWN.find(code) for code in mix.split()] for mix in mixes]
    found = recognize(np.clip(picture, 0, 255).astype(np.uint8), KNOWN.colors, colors)
    if found is None:
        return None
    caption, _ = found
    pairs = zip(caption.colors, caption.percent, strict=True)
    return {color.code: percent for color, percent in pairs}


@pytest.mark.parametrize(
    "shares",
    [
        {"RED": 100},
        {"DKGREEN": 100},
        {"RED": 60, "WHITE": 40},
        {"BLUE": 30, "YELLOW": 70},
        {"RED": 20, "BLUE": 30, "WHITE": 50},
    ],
)
def test_the_colors_of_a_render_are_recognized_among_all(shares: dict[str, int]) -> None:
    assert recognized(shares) == pytest.approx(shares, abs=4)


def test_in_other_light_a_mixture_is_compared_with_those_that_are_made() -> None:
    shares = {"RED": 30, "BLUE": 70}
    assert recognized(shares, "WHITE BLACK", "BLUE RED", "RED BLUE WHITE", gain=0.8) == (
        pytest.approx(shares, abs=5)
    )


def test_one_color_is_not_taken_for_a_mix_that_has_it() -> None:
    assert recognized({"ORANGE": 100}, "RED YELLOW") == {"ORANGE": 100}


def test_what_no_color_of_the_palette_explains_is_not_recognized() -> None:
    assert recognized({"RED": 100}, gain=0.0) is None
