"""Granule scale: renders give back the factor by which they were cut and scaled."""

import cv2
import numpy as np
import pytest

from plitka.bank.granule_scale import GranuleScale, measure_granule_scale
from plitka.tile.layout import lay
from plitka.tile.render import render_picture
from tests.support.recipes import asked


@pytest.mark.parametrize("shares", [{"red": 100}, {"red": 60, "blue": 40}])
@pytest.mark.parametrize("factor", [0.5, 1.0, 2.4])
def test_a_render_that_was_scaled_gives_its_factor_back(
    shares: dict[str, int], factor: float
) -> None:
    recipe = asked(shares, seed=99)
    picture = render_picture(lay(recipe), 1024)
    if factor > 1:
        picture = picture[100:900, 60:960]
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scaled = np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=way))
    colors, parts = zip(*((part.color, part.share) for part in recipe.shares), strict=True)
    measured = measure_granule_scale(scaled.astype(np.uint8), colors, parts)
    assert measured.sure
    assert measured.factor * factor == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("kind", ["flat", "gradient", "noise", "small"])
def test_what_shows_no_granules_is_unsure(kind: str) -> None:
    side = 90 if kind == "small" else 512
    picture = {
        "flat": np.full((side, side, 3), 128),
        "gradient": np.tile(np.linspace(0, 255, side)[:, None, None], (1, side, 3)),
        "noise": np.random.default_rng(0).integers(0, 256, (side, side, 3)),
        "small": np.random.default_rng(0).integers(0, 256, (side, side, 3)),
    }[kind]
    (part,) = asked({"red": 100}).shares
    measured = measure_granule_scale(picture.astype(np.uint8), (part.color,), (1.0,))
    assert measured == GranuleScale(1.0, sure=False)
