"""Samples: pure functions of their numbers, with recipes that say what they show."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from plitka.color import palette
from plitka.images import photograph
from plitka.images.errors import PictureError
from plitka.measure.shares import measure
from plitka.request.prompt import build_prompt
from plitka.training.inspection import Inspection, TrainingPhotograph
from plitka.training.samples import find_factor, make_held_out, make_sample, round_shares
from tests.support.tile_photographs import MIXTURES, write_photograph
from tests.support.trainings import inspected, photographed

SIZE = 256


@pytest.fixture(scope="module")
def inspection(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    """Renders of 512 pixels, taken as they are; the last two are held out."""
    folder = tmp_path_factory.mktemp("tiles")
    return inspected(*(save(folder / f"{number}.jpg", number) for number in range(6)))


def save(file: Path, number: int) -> TrainingPhotograph:
    shares = MIXTURES[number]
    write_photograph(file, shares, 512, number)
    parts = {code: share / 100 for code, share in shares.items()}
    return photographed(file.name, parts, file=file, size=(512, 512))


def test_a_sample_is_a_function_of_its_arguments_alone(inspection: Inspection) -> None:
    def pixels(**changed: int) -> bytes:
        given = {"seed": 1, "number": 2, "size": SIZE} | changed
        return make_sample(inspection, **given, matched=False).pixels.tobytes()

    assert pixels() == pixels()
    assert len({pixels(), pixels(seed=2), pixels(number=3), pixels(size=SIZE + 8)}) == 4


@pytest.mark.parametrize("seed", [0, 7])
def test_consecutive_numbers_go_round_all_photographs_but_those_held_out(
    inspection: Inspection, seed: int
) -> None:
    laps = [
        [make_sample(inspection, seed, lap * 4 + n, 128, False).photograph for n in range(4)]
        for lap in range(3)
    ]
    assert [sorted(lap) for lap in laps] == [[0, 1, 2, 3]] * 3
    assert len(set(map(tuple, laps))) > 1


def test_a_real_sample_has_the_caption_of_its_photograph_in_any_order(
    inspection: Inspection,
) -> None:
    orders = set()
    for number in range(12):
        sample = make_sample(inspection, 3, number, 128, matched=False)
        shown = inspection.photographs[sample.photograph]
        given = dict(zip(shown.colors, shown.shares, strict=True))
        assert {part.color: part.share for part in sample.recipe.shares} == given
        assert sample.render is None
        orders.add(tuple(part.color for part in sample.recipe.shares) == shown.colors)
    assert orders == {True, False}


def test_a_matched_sample_shows_what_its_prompt_says(inspection: Inspection) -> None:
    for number in range(3):
        sample = make_sample(inspection, 5, number, 512, matched=True)
        shares = [part.share for part in sample.recipe.shares]
        measured = measure(sample.pixels, [part.color for part in sample.recipe.shares])
        assert measured.compare(shares) < 0.05
        assert sample.pixels.shape == (512, 512, 3)
        assert sample.render is not None
        assert sample.render.shape == (512, 512, 3)
        assert sum(round(100 * share) for share in shares) == 100
        assert {part.color.code for part in sample.recipe.shares} <= {"RED", "WHITE", "BLACK"}
        prompt = build_prompt(sample.recipe)
        assert all(f"{100 * share:.0f}% " in prompt for share in shares)


def test_it_is_turned_and_flipped_every_way(tmp_path: Path) -> None:
    picture = np.zeros((128, 128, 3), np.uint8)
    picture[:64, :64, 0], picture[64:, :64, 1] = 255, 255
    file = tmp_path / "quarters.png"
    cv2.imwrite(str(file), picture[..., ::-1])
    whole = photographed("quarters.png", {"RED": 1.0}, file=file, size=(128, 128))
    one = inspected(whole, held_out=())
    seen = {
        make_sample(one, 0, number, 128, False).pixels[32::64, 32::64].tobytes()
        for number in range(60)
    }
    assert len(seen) == 8


def test_granules_are_scaled_and_a_preview_has_them_at_half(tmp_path: Path) -> None:
    chosen = photographed("1.jpg", {"RED": 1.0}, size=(4000, 3000), scale=0.5)
    assert find_factor(chosen, 1024) == 0.5
    assert find_factor(chosen, 768) == 0.5
    assert find_factor(chosen, 512) == 0.25
    small = photographed("2.jpg", {"RED": 1.0}, size=(800, 800), scale=1.0)
    assert find_factor(small, 512) == 1.0  # half of it has 400 pixels, too few
    file = tmp_path / "bars.png"
    bars = np.zeros((800, 600, 3), np.uint8)
    bars[:, ::20] = bars[:, 1::20] = 255  # a line every 20 pixels
    cv2.imwrite(str(file), bars)
    striped = photographed("bars.png", {"RED": 1.0}, file=file, size=(600, 800), scale=0.5)
    row = make_held_out(inspected(striped, held_out=(0,)), 0, 256).pixels[128, :, 0]
    assert np.bincount(np.flatnonzero(row > 128) % 10).max() >= 24  # and every 10 on the sample


def test_a_photograph_that_is_a_little_too_small_is_enlarged_as_little_as_fits(
    tmp_path: Path,
) -> None:
    file = tmp_path / "1.jpg"
    write_photograph(file, {"RED": 100}, 240)
    small = photographed("1.jpg", {"RED": 1.0}, file=file, size=(240, 240))
    pixels = make_held_out(inspected(small, held_out=(0,)), 0, 256).pixels
    assert pixels.shape == (256, 256, 3)


def test_a_held_out_photograph_is_shown_as_it_stands(inspection: Inspection) -> None:
    sample = make_held_out(inspection, 5, SIZE)
    whole = photograph.load(inspection.photographs[5].file).pixels
    assert (sample.pixels == whole[128:384, 128:384]).all()
    assert [part.color for part in sample.recipe.shares] == list(inspection.photographs[5].colors)
    with pytest.raises(ValueError, match="not held out"):
        make_held_out(inspection, 0, SIZE)


@pytest.mark.parametrize(
    ("shares", "percent"),
    [
        ((1 / 3, 1 / 3, 1 / 3), (34, 33, 33)),
        ((0.005, 0.995), (1, 99)),
        ((0.29, 0.71), (29, 71)),
        ((0.996, 0.004), (100, 0)),
        ((1.0,), (100,)),
        ((0.125,) * 8, (13, 13, 13, 13, 12, 12, 12, 12)),
    ],
)
def test_shares_are_rounded_to_a_hundred(
    shares: tuple[float, ...], percent: tuple[int, ...]
) -> None:
    assert round_shares(shares) == percent


def test_what_rounds_to_nothing_is_not_said(tmp_path: Path) -> None:
    file = tmp_path / "1.jpg"
    write_photograph(file, {"RED": 100}, 256)
    nearly = photographed("1.jpg", {"RED": 0.997, "BLUE": 0.003}, file=file, size=(256, 256))
    sample = make_sample(inspected(nearly, held_out=()), 0, 0, 128, matched=False)
    assert [(part.name, part.share) for part in sample.recipe.shares] == [("red", 1.0)]


def test_the_colors_are_those_of_the_palette_as_calibrated(inspection: Inspection) -> None:
    known = palette.load()
    sample = make_sample(inspection, 5, 1, 128, matched=True)
    assert all(part.color in known.colors for part in sample.recipe.shares)


def test_a_photograph_that_is_gone_is_named(tmp_path: Path) -> None:
    gone = inspected(photographed("1.jpg", {"RED": 1.0}, file=tmp_path / "1.jpg"), held_out=())
    with pytest.raises(PictureError, match=r"1\.jpg"):
        make_sample(gone, 0, 0, 128, matched=False)
