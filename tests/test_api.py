"""Plitka from Python, as docs/api.md shows it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from plitka import api
from plitka.images import photograph

if TYPE_CHECKING:
    from tests.support.small_sdxl import SmallSdxl

ROOT = Path(__file__).resolve().parents[1]


def test_equal_recipes_give_equal_bytes_however_they_are_spelt() -> None:
    recipe = api.Recipe({"red": 60, "#1e90ff": 40}, seed=3)
    request = {
        "colors": [{"name": "red", "proportion": 0.6}, {"hex": "#1e90ff", "proportion": 0.4}],
        "seed": 3,
    }
    first, second = (api.make(one, engine="render") for one in (recipe, request))
    assert first.final.encode_png() == second.final.encode_png()
    assert first.seed == 3
    assert first.final.image.shape == (1024, 1024, 3)
    assert first.preview.shares.keys() == {"red", "#1e90ff"}
    assert first.metrics["engine"] == "render"


def test_prepared_an_engine_has_all_that_many_tiles_need(
    small_sdxl: "SmallSdxl", monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in small_sdxl.settings().items():
        monkeypatch.setenv(name, value)
    for cached in (api._read_settings, api._load_engine):
        cached.cache_clear()
    api.prepare(engine="render")
    api.prepare(engine="sdxl")
    engine: Any = api._find_engine("sdxl", None).engine
    assert set(engine.controlnets.loaded) == {"canny", "softedge"}
    for cached in (api._read_settings, api._load_engine):
        cached.cache_clear()


def test_a_bad_recipe_names_its_field() -> None:
    with pytest.raises(api.RecipeError, match=r"angle: got 200"):
        api.make(api.Recipe({"red": 100}, angle=200), engine="render")
    with pytest.raises(api.EngineError, match="oil"):
        api.make(api.Recipe({"red": 100}), engine="oil")


def test_a_file_and_its_pixels_measure_the_same(red_and_blue: Path) -> None:
    pixels = photograph.load(red_and_blue).pixels
    from_file = api.measure(red_and_blue, ["red", "blue"])
    assert from_file == api.measure(pixels, ["red", "blue"])
    assert abs(from_file.shares["red"] - 0.6) < 0.05
    assert from_file.intervals["red"][0] <= from_file.shares["red"] <= from_file.intervals["red"][1]


def test_measuring_refuses_what_it_cannot_use(red_and_blue: Path) -> None:
    with pytest.raises(api.UnknownColor, match="blu"):
        api.measure(red_and_blue, ["blu"])
    with pytest.raises(api.UnknownColor, match="there already"):
        api.measure(red_and_blue, ["red", "RED"])
    with pytest.raises(api.PictureError, match=r"nowhere\.png"):
        api.measure("nowhere.png", ["red"])
    with pytest.raises(TypeError, match="uint8"):
        api.measure(np.zeros((200, 200, 3)), ["red"])  # type: ignore[arg-type]  # which it says
    with pytest.raises(api.TooSmall):
        api.measure(np.zeros((20, 20, 3), np.uint8), ["red"])


def test_matching_brings_a_picture_to_a_recipe(red_and_blue: Path) -> None:
    matched = api.match(red_and_blue, api.Recipe({"green": 70, "white": 30}, seed=1))
    assert abs(matched.after.shares["green"] - 0.7) < 0.03
    assert matched.picture.shares == matched.after.shares
    assert matched.picture.image.shape == (768, 768, 3)
