import cv2
import numpy as np
import pytest

from plitka.color import palette
from plitka.color.tone import compute_tone
from plitka.color.tone_table import RANKS
from plitka.tile import render
from plitka.tile.canvas import Canvas
from plitka.tile.horizon import light_relief
from plitka.tile.layout import NONE, lay, recolor_layout
from plitka.tile.lighting import compute_lighting
from plitka.tile.noise import make_noise
from plitka.tile.relief import Relief, describe_relief
from tests.support.recipes import asked

SIZE = 512


def described(angle: float = 0, size: int = SIZE, seed: int = 20) -> Relief:
    layout = lay(asked({"red": 50, "blue": 50}, angle, seed))
    return describe_relief(layout, size, make_noise(seed, Canvas(size)))


def lightness(image: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0])


@pytest.mark.parametrize("angle", [0, 45])
def test_a_surface_has_unit_normals_that_face_the_viewer(angle: float) -> None:
    relief = described(angle)
    normals = relief.compute_normals()
    assert normals.shape == (SIZE, SIZE, 3)
    assert np.allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-5)
    assert normals[..., 2].min() > 0


def test_joints_are_the_flat_ground_of_a_surface() -> None:
    relief = described(45)
    joint = (relief.granules[::2, ::2] == NONE) & (relief.granules[1::2, 1::2] == NONE)
    inside = cv2.erode(joint.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert inside.any()
    assert np.abs(relief.height[inside]).max() < 1e-6
    assert relief.height[~joint].mean() > 0.5


def test_a_surface_is_the_same_at_every_size() -> None:
    small, large = described(size=256), described(size=1024)
    halved = cv2.resize(large.height, (256, 256), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(small.height.ravel(), halved.ravel())[0, 1] > 0.95


def test_hollows_see_less_of_the_sky_than_what_stands_out() -> None:
    relief = described()
    light, openness = light_relief(relief)
    assert openness.min() > 0
    assert openness.max() <= 1
    around = cv2.blur(relief.height, (31, 31))
    deep, high = relief.height < around - 0.4, relief.height > around + 0.4
    assert openness[deep].mean() < 0.75 * openness[high].mean()
    assert light[deep].mean() < 0.75 * light[high].mean()


@pytest.mark.parametrize("name", ["beige", "dark blue", "black"])
def test_pits_and_glints_are_as_deep_and_bright_as_the_tone_of_the_color(name: str) -> None:
    color = palette.load().find(name)
    shown = lightness(render.render_picture(lay(asked({name: 100})), 1024))
    for rank, slack in ((0.01, 5), (0.5, 3), (0.99, 5)):
        wanted = np.interp(rank, RANKS, compute_tone(color)[:, 0])
        assert np.quantile(shown, rank) == pytest.approx(wanted, abs=slack)


def test_dark_rubber_glints_white() -> None:
    picture = render.render_picture(lay(asked({"black": 100})), 1024)
    shown = lightness(picture)
    assert np.quantile(shown, 0.998) > np.median(shown) + 25


def test_a_hollow_is_darker_among_dark_granules_than_among_its_like() -> None:
    layout = lay(asked({"yellow": 30, "black": 70}))
    mine = layout.map_colors(1024) == 0
    mine = cv2.erode(mine.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0  # no borders
    among_dark = lightness(render.render_picture(layout, 1024))[mine]
    alike = recolor_layout(layout, asked({"yellow": 100}))
    among_like = lightness(render.render_picture(alike, 1024))[mine]
    assert np.quantile(among_dark, 0.02) < np.quantile(among_like, 0.02) - 3
    assert np.median(among_dark) == pytest.approx(np.median(among_like), abs=3)


def test_a_render_is_the_same_with_any_number_of_threads() -> None:
    layout = lay(asked({"red": 60, "white": 40}, 30))
    pictures = []
    before = cv2.getNumThreads()
    try:
        for threads in (1, 3):
            cv2.setNumThreads(threads)
            pictures.append(render.render_picture(layout, SIZE))
    finally:
        cv2.setNumThreads(before)
    assert np.array_equal(pictures[0], pictures[1])


def test_light_kept_for_one_mixture_serves_another() -> None:
    layout = lay(asked({"red": 60, "white": 40}))
    other = recolor_layout(layout, asked({"green": 20, "gray": 80}))
    light = compute_lighting(layout, 256)
    afresh = render.render_picture(other, 256)
    assert np.array_equal(render.render_picture(other, 256, light), afresh)
