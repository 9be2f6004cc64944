from dataclasses import replace

import numpy as np
import pytest

from plitka.color import cielab, palette
from plitka.color.palette import Color
from plitka.color.tone import compute_tone, make_ramp, measure_tone
from plitka.color.tone_table import RANKS, format_tone, parse_tone

PALETTE = palette.load()
HEXES = ["#000000", "#ffffff", "#0000ff", "#ffff00", "#1e90ff", "#7f7f7f", "#d0ad55"]
EVERY = [*PALETTE.colors, *map(PALETTE.make_free_color, HEXES)]


def test_the_tone_of_pixels_is_their_lightness_and_their_chroma_at_each_rank() -> None:
    rank = np.linspace(0, 1, 20_001)
    pixels = np.column_stack([10 + 80 * rank, 50 * rank, -20 * rank])
    shuffled = np.random.default_rng(0).permutation(pixels)
    tone = measure_tone(shuffled)
    inner = slice(1, -1)
    wanted = np.column_stack([np.interp(RANKS, rank, channel) for channel in pixels.T])
    assert np.abs(tone - wanted)[inner].max() < 0.7
    assert np.all(np.diff(tone[:, 0]) >= 0)


def test_one_odd_pixel_does_not_make_an_end_of_a_tone() -> None:
    gray = np.full((100_000, 3), (50.0, 0.0, 0.0))
    gray[0], gray[1] = (0, 0, 0), (100, 0, 0)
    assert measure_tone(gray)[[0, -1], 0].tolist() == [50, 50]


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_few_pixels_have_a_tone_too(count: int) -> None:
    tone = measure_tone(np.tile((30.0, 5.0, -5.0), (count, 1)))
    assert np.allclose(tone, (30, 5, -5))


def test_no_pixels_have_none() -> None:
    with pytest.raises(ValueError, match="no pixels"):
        measure_tone(np.empty((0, 3)))


@pytest.mark.parametrize("color", EVERY, ids=lambda color: color.code)
def test_a_ramp_rises_and_its_median_is_the_color_s(color: Color) -> None:
    ramp = make_ramp(color, 4096)
    assert ramp.shape == (4096, 3)
    assert ramp.min() >= 0
    assert ramp.max() <= 1
    lab = cielab.linear_to_lab(ramp)
    assert np.diff(lab[:, 0]).min() > -0.5
    assert cielab.ciede2000(np.median(lab, axis=0), color.lab) < 2


@pytest.mark.parametrize("color", PALETTE.colors, ids=lambda color: color.code)
def test_a_tone_has_the_percentiles_of_its_color(color: Color) -> None:
    tone = compute_tone(color)
    found = np.interp((0.05, 0.25, 0.5, 0.75, 0.95), RANKS, tone[:, 0])
    assert found == pytest.approx(color.lightness, abs=0.01)


@pytest.mark.parametrize("code", ["BEIGE", "GRSGRN", "ORANGE", "TURQSE", "WHITE"])
def test_a_tone_that_is_not_known_is_estimated_near_the_measured_one(code: str) -> None:
    measured = PALETTE.find(code)
    estimated = compute_tone(replace(measured, code="OURS", tone=()))
    off = np.abs(estimated - compute_tone(measured))[2:-2]
    assert off[:, 0].mean() < 2
    assert off[:, 1:].mean() < 4


def test_a_tone_is_written_as_it_is_read() -> None:
    tone = PALETTE.find("DKBLUE").tone
    assert parse_tone(format_tone(tone)) == tone
    assert "-0.0" not in format_tone([(-0.04, 0.0, -0.01)] * len(RANKS))
