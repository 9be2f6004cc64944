import csv
import os
from pathlib import Path

import numpy as np
import pytest

from plitka import fidelity, palette, pictures, render
from plitka.layout import lay
from tests.recipes import asked

SHARED = os.environ.get("PLITKA_SHARED")
COLOURS = palette.load()


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
    measured = fidelity.measure(render.picture(layout, 1024), layout.colours)
    assert fidelity.total_variation(measured.shares, layout.shares) < 0.09
    assert sum(measured.shares) == pytest.approx(1)
    assert 0 < measured.gaps < 0.1


def test_a_colour_that_is_not_there_is_not_found() -> None:
    layout = lay(asked({"red": 60, "blue": 40}))
    wanted = [*layout.colours, COLOURS.find("yellow")]
    shares = fidelity.measure(render.picture(layout, 1024), wanted).shares
    assert shares[2] < 0.01


def test_a_wrong_picture_measures_wrong() -> None:
    layout = lay(asked({"red": 60, "white": 40}))
    picture = render.picture(layout, 512)
    measured = fidelity.measure(picture, [COLOURS.find("white"), COLOURS.find("red")])
    assert fidelity.total_variation(measured.shares, (0.6, 0.4)) == pytest.approx(0.2, abs=0.06)


def test_a_black_picture_has_no_granules_to_measure() -> None:
    dark = np.zeros((64, 64, 3), np.uint8)
    measured = fidelity.measure(dark, [COLOURS.find("red"), COLOURS.find("blue")])
    assert measured == fidelity.Measurement((0.0, 0.0), (None, None), 1.0, 0.0)


@pytest.mark.skipif(SHARED is None, reason="PLITKA_SHARED names no folder of photographs")
def test_shares_are_found_on_photographs() -> None:
    photos = Path(str(SHARED)) / "photos"
    errors = []
    with (photos / "labels.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            codes = row["colours"].split("+")
            if len(codes) == 1:
                continue
            # The green granules of the mixtures are those of GREEN, whatever the files say.
            colours = [COLOURS.find("GREEN" if code == "DKGREEN" else code) for code in codes]
            shares = fidelity.measure(pictures.load(photos / row["file"]), colours).shares
            true = np.array(row["percent_true"].split("+"), float)
            errors.append(np.abs(100 * np.array(shares) - true).mean())
    assert len(errors) > 20
    assert np.mean(errors) < 2.5
