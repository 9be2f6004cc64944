import cv2
import numpy as np
import pytest

from plitka.arrays import Floats, Image
from plitka.color import palette
from plitka.tile import render
from plitka.tile.edge_maps import draw_canny_edges, draw_soft_edges
from plitka.tile.layout import NONE, lay
from tests.support.recipes import asked


def lab(image: Image) -> Floats:
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB))


@pytest.mark.parametrize("color", palette.load().colors, ids=lambda color: color.code)
def test_a_tile_of_one_color_has_the_lightness_and_chroma_of_its_photograph(
    color: palette.Color,
) -> None:
    picture = lab(render.render_picture(lay(asked({color.code: 100})), 512))
    median = np.median(picture.reshape(-1, 3), axis=0)
    assert np.linalg.norm(median - color.lab) < 4
    quartiles = np.percentile(picture[..., 0], [5, 25, 75, 95])
    p5, p25, _, p75, p95 = color.lightness
    assert np.abs(quartiles - (p5, p25, p75, p95)).max() < 8


def test_the_preview_is_the_final_picture_made_smaller() -> None:
    layout = lay(asked({"black": 50, "white": 50}, 30))
    final = cv2.resize(
        render.render_picture(layout, 1024), (512, 512), interpolation=cv2.INTER_AREA
    )
    preview = render.render_picture(layout, 512)
    assert np.abs(final.astype(int) - preview).mean() < 11
    assert np.corrcoef(final.ravel(), preview.ravel())[0, 1] > 0.97


@pytest.mark.parametrize(("names", "angle"), [(("black", "white"), 45), (("black",), 90)])
def test_the_colormap_has_the_flat_colors_of_the_recipe_and_one_more_for_joints(
    names: tuple[str, ...], angle: float
) -> None:
    layout = lay(asked(dict.fromkeys(names, 100 / len(names)), angle))
    image = render.render_colormap(layout, 1024)
    found = {tuple(pixel) for pixel in np.unique(image.reshape(-1, 3), axis=0).tolist()}
    wanted = {color.srgb for color in layout.colors}
    assert wanted < found
    assert len(found) == len(wanted) + 1
    joint = layout.map_colors(1024) == NONE
    assert not {tuple(pixel) for pixel in image[joint].tolist()} & wanted


@pytest.mark.parametrize("names", [("red", "blue"), ("pearl",), ("black",)])
def test_edge_images_show_granules_and_above_all_the_joints(names: tuple[str, ...]) -> None:
    layout = lay(asked(dict.fromkeys(names, 100 / len(names)), 45))
    picture = render.render_picture(layout, 1024)
    canny, soft = draw_canny_edges(layout, picture), draw_soft_edges(layout, picture)
    assert canny.shape == soft.shape == (1024, 1024, 3)
    assert set(np.unique(canny)) == {0, 255}
    assert len(np.unique(soft)) > 100
    joint = cv2.dilate((layout.map_colors(1024) == NONE).astype(np.uint8), np.ones((5, 5)))
    for edges in (canny, soft):
        assert (edges[..., 0] == edges[..., 1]).all()
        gray = edges[..., 0].astype(float)
        assert gray[joint == 1].mean() > 1.5 * gray[joint == 0].mean()
        assert 0.03 < np.mean(gray[joint == 0] > 127) < 0.35


@pytest.mark.usefixtures("threads")
def test_the_same_layout_gives_the_same_bytes_with_any_number_of_threads() -> None:
    layout = lay(asked({"red": 50, "blue": 50}, 30))
    drawn = []
    for count in (1, 2, 8):
        cv2.setNumThreads(count)
        drawn.append(render.render_picture(layout, 512))
    assert np.array_equal(drawn[0], drawn[1])
    assert np.array_equal(drawn[0], drawn[2])


def test_2048_works() -> None:
    layout = lay(asked({"red": 50, "white": 50}))
    large = cv2.resize(
        render.render_picture(layout, 2048), (512, 512), interpolation=cv2.INTER_AREA
    )
    small = render.render_picture(layout, 512)
    assert np.corrcoef(large.ravel(), small.ravel())[0, 1] > 0.97


def test_light_comes_from_the_upper_left() -> None:
    layout = lay(asked({"gray": 100}, 90))
    light = lab(render.render_picture(layout, 1024))[..., 0]
    before, after = slice(512 - 6, 512 - 3), slice(512 + 3, 512 + 6)
    assert light[:, after].mean() > light[:, before].mean() + 5  # edges that face left
    assert light[after].mean() > light[before].mean() + 5  # and up


def test_granules_that_lie_deeper_are_darker() -> None:
    layout = lay(asked({"beige": 100}))
    light = lab(render.render_picture(layout, 1024))[..., 0]
    height = layout.height[layout.map_granules(1024)]
    low, high = np.quantile(height, [0.25, 0.75])
    assert light[height < low].mean() < light[height > high].mean() - 4


def test_the_texture_does_not_repeat() -> None:
    light = lab(render.render_picture(lay(asked({"gray": 100})), 1024))[..., 0]
    spectrum = np.abs(np.fft.fft2(light - light.mean())) ** 2
    likeness = np.fft.ifft2(spectrum).real
    likeness /= likeness[0, 0]
    likeness[:48, :48] = likeness[-48:, :48] = likeness[:48, -48:] = likeness[-48:, -48:] = 0
    assert likeness.max() < 0.1


def test_every_granule_face_has_grain_and_none_is_flat() -> None:
    layout = lay(asked({"blue": 100}))
    light = lab(render.render_picture(layout, 1024))[..., 0]
    facets = layout.map_facets(1024)
    area = np.bincount(facets.ravel())
    mean = np.bincount(facets.ravel(), light.ravel()) / np.maximum(area, 1)
    spread = np.bincount(facets.ravel(), (light - mean[facets]).ravel() ** 2)
    large = area > 60
    assert np.sqrt(spread[large] / area[large]).min() > 0.3
