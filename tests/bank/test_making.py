"""Making a bank: what becomes of photographs."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from plitka.bank.bank import measure_tone, rank_pixels
from plitka.bank.cutting import even_light
from plitka.bank.making import NotBanked, make_colors
from plitka.bank.quilting import SMALLEST, quilt
from plitka.color import palette
from plitka.color.cielab import rgb_to_lab
from tests.support.photo_banks import draw_photograph

BLUE = palette.load().find("BLUE")


def write(file: Path, side: int, scale: float = 1.0) -> Path:
    pixels = draw_photograph("BLUE")[:side, :side]
    scaled = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(file), np.ascontiguousarray(scaled[..., ::-1]))
    return file


def test_one_photograph_of_the_least_size_is_enough(tmp_path: Path) -> None:
    (color,) = make_colors({BLUE: [write(tmp_path / "1.png", SMALLEST)]})
    (made,) = color.photographs
    surface = quilt([made.source], np.ones((512, 512), bool), (1,))
    assert (surface.granules >= 0).all()
    assert len(made.whole) >= 12


def test_a_smaller_one_is_left_out_and_told(tmp_path: Path) -> None:
    told: list[NotBanked] = []
    file = write(tmp_path / "1.png", SMALLEST - 1)
    assert make_colors({BLUE: [file]}, told.append) == []
    (left_out,) = told
    assert left_out.file == file
    assert "too small for the bank: 227x227 pixels" in left_out.reason
    assert "at least 228 a side" in left_out.reason


def test_a_photograph_from_nearby_is_brought_to_the_granules_of_a_picture(tmp_path: Path) -> None:
    (color,) = make_colors({BLUE: [write(tmp_path / "1.png", 360, scale=3)]})
    (made,) = color.photographs
    assert made.sure
    assert made.factor == pytest.approx(1 / 3, rel=0.15)
    assert made.source.pixels.shape[0] == pytest.approx(360, rel=0.15)


def test_light_that_falls_from_one_side_is_evened() -> None:
    pixels = draw_photograph("WHITE")
    slope = np.linspace(0.6, 1, pixels.shape[1])[None, :, None]
    uneven = (pixels * slope).astype(np.uint8)
    before, after = (rgb_to_lab(image)[..., 0] for image in (uneven, even_light(uneven)))
    sides = [light[:, :90].mean() - light[:, -90:].mean() for light in (before, after)]
    assert abs(sides[0]) > 15
    assert abs(sides[1]) < 5


def test_ranks_and_the_tone_give_the_pixels_back() -> None:
    pixels = draw_photograph("BLUE")
    lab = rgb_to_lab(pixels)
    tone = measure_tone([lab.reshape(-1, 3)])
    planes = rank_pixels(pixels, tone)
    ranks = np.linspace(0, 1, len(tone))
    back = np.stack([np.interp(planes[..., 0], ranks, tone[:, plane]) for plane in range(3)], -1)
    back[..., 1:] += planes[..., 1:]
    assert np.abs(back - lab).mean() < 0.05
    assert planes[..., 0].mean() == pytest.approx(0.5, abs=0.01)
