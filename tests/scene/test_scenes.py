"""Scenes: their scale, their light, and the colours of their floors."""

import numpy as np
import pytest

from plitka.color.cielab import ciede2000, rgb_to_lab
from plitka.ground.ground import Ground
from plitka.ground.mat import Mat
from plitka.scene.camera import find_pixel, project_floor
from plitka.scene.plates import DECODED, MOST_LIGHT, load_plates
from plitka.scene.render import render_scene, render_small
from plitka.scene.scenes import HEIGHT, SCENES, WIDTH

NAMES = list(SCENES)


def even_ground(color: tuple[int, int, int], tile_mm: float | None = None) -> Ground:
    """A ground of one colour, poured, or in square tiles of this side."""
    picture = np.full((64, 64, 3), color, np.uint8)
    mat = Mat(picture, np.zeros((64, 64), np.int32), np.zeros(1, np.uint8), 64)
    tiles = None if tile_mm is None else (tile_mm, tile_mm)
    return Ground(None, None, "square", tiles, 0.0, 7, 100.0, mat, ())


@pytest.mark.parametrize("name", NAMES)
def test_a_place_on_the_floor_is_seen_where_its_pixel_looks(name: str) -> None:
    camera = SCENES[name].camera
    x, y = find_pixel(camera, 700.0, -4000.0, WIDTH, HEIGHT)
    row, column = int(y), int(x)
    places = project_floor(camera, WIDTH, HEIGHT, row, y - row)
    assert places.down[0, column] == pytest.approx(-4000, abs=1)
    assert places.right[0, column] == pytest.approx(
        700 + (column + 0.5 - x) * places.across[0, 0], abs=1
    )


def test_a_tile_of_500_mm_spans_what_the_camera_says() -> None:
    """Joints are found in the picture where the camera projects every 500 mm."""
    scene = SCENES["room"]
    plain = render_scene(scene, even_ground((200, 200, 200))).astype(float).sum(-1)
    tiled = render_scene(scene, even_ground((200, 200, 200), 500.0)).astype(float).sum(-1)
    row = 950
    darker = (plain - tiled)[row]
    seen = np.flatnonzero(
        (darker > 60) & (darker >= np.roll(darker, 1)) & (darker > np.roll(darker, -1))
    )
    away = (
        -scene.camera.height
        * scene.camera.focal
        * WIDTH
        / (row + 0.5 - scene.camera.horizon * HEIGHT)
    )
    joints = [find_pixel(scene.camera, 500.0 * k, away, WIDTH, HEIGHT)[0] for k in range(-6, 7)]
    expected = [x for x in joints if 5 < x < WIDTH - 5]
    assert len(expected) >= 4
    assert all(np.abs(seen + 0.5 - x).min() <= 1.0 for x in expected)
    assert len(seen) == len(expected)


def test_what_is_50_mm_long_on_a_mat_is_50_mm_long_on_the_floor() -> None:
    """Stripes of a mat are as broad in the picture as the camera sees 50 mm there."""
    scene, row = SCENES["room"], 950
    picture = np.full((640, 640, 3), 210, np.uint8)
    picture[:, np.arange(640) % 8 < 4] = 60
    mat = Mat(picture, np.zeros((640, 640), np.int32), np.zeros(1, np.uint8), 640)
    striped = Ground(None, None, "square", None, 0.0, 7, 4000.0, mat, ())
    shown = render_scene(scene, striped)[row, 900:1300].astype(float).sum(-1)
    spectrum = np.abs(np.fft.rfft((shown - shown.mean()) * np.hanning(400), 8000))
    period = 8000 / int(spectrum.argmax())
    across = scene.camera.height / (row + 0.5 - scene.camera.horizon * HEIGHT)
    assert period == pytest.approx(50 / across, rel=0.04)


COLORS = [(176, 64, 48), (60, 96, 140), (200, 190, 170), (70, 110, 60), (60, 60, 62)]


@pytest.mark.parametrize(("name", "color"), list(zip(NAMES, COLORS, strict=True)))
def test_a_lit_floor_has_the_color_of_the_tile(name: str, color: tuple[int, int, int]) -> None:
    """Where the light is full, a floor has the tile's colour within 2 CIEDE2000."""
    scene = SCENES[name]
    plates = load_plates(scene)
    picture = render_scene(scene, even_ground(color))
    light = DECODED.take(plates.light).mean(-1) * MOST_LIGHT
    full = (plates.cover == 255) & (np.abs(light - 1) < 0.06)
    assert full.sum() > 2000
    shown = rgb_to_lab(picture)[full].mean(axis=0)
    tile = rgb_to_lab(np.array([[color]], np.uint8))[0, 0]
    assert float(ciede2000(shown, tile)) < 2.0


@pytest.mark.parametrize("name", NAMES)
def test_a_floor_has_shadows_that_are_darker_than_its_light(name: str) -> None:
    plates = load_plates(SCENES[name])
    light = DECODED.take(plates.light).mean(-1)[plates.cover == 255] * MOST_LIGHT
    dark, lit = np.percentile(light, [2, 90])
    assert dark < 0.6 * lit
    assert 0.7 < lit < 2.5


def test_a_scene_is_the_same_each_time() -> None:
    ground = even_ground((120, 110, 90), 500.0)
    scene = SCENES["room"]
    assert bool((render_scene(scene, ground) == render_scene(scene, ground)).all())


def test_another_mix_changes_the_floor_and_what_its_light_falls_on() -> None:
    scene = SCENES["room"]
    plates = load_plates(scene)
    dark, light = (render_scene(scene, even_ground((v, v, v))).astype(int) for v in (30, 220))
    floor, wall = plates.cover == 255, plates.cover == 0
    assert (light - dark)[floor].mean() > 100
    assert 0 < (light - dark)[wall].mean() < 60


def test_a_thumbnail_looks_like_its_scene() -> None:
    scene = SCENES["pool"]
    large = render_scene(scene, even_ground((150, 140, 120)))
    color = np.array([DECODED[v] for v in (150, 140, 120)], np.float32)
    small = render_small(scene, color, 320)
    shrunk = large.reshape(200, 5, 320, 5, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - small).mean() < 4
