"""The photo engine in the pipeline, and as what sdxl starts from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plitka import pipeline
from plitka.engines import registry
from plitka.engines.base import DrawRequest, Guides
from plitka.engines.sdxl.options import SdxlSettings
from plitka.errors import EngineError
from plitka.matching.match import match
from plitka.request.plan import make_plan
from plitka.request.surface import Surface
from plitka.settings import Settings, read_settings
from plitka.tile.edge_maps import draw_canny_edges, draw_soft_edges
from tests.conftest import LoadSdxl
from tests.support.photo_banks import write_references, write_small_bank
from tests.support.recipes import asked


def refuse() -> SdxlSettings:
    raise AssertionError("the weights' settings are read")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    references = write_references(tmp_path_factory.mktemp("refs"))
    return write_small_bank(tmp_path_factory.mktemp("bank"), references)


def test_pictures_are_counted_on_the_layout_and_say_which_engine_drew_them(folder: Path) -> None:
    engine = registry.load_engine("photo", refuse, bank=folder)
    made = list(pipeline.make(asked({"blue": 60, "white": 40}, 45), engine))
    assert [picture.kind for picture in made] == ["preview", "final", "colormap"]
    for picture in made:
        assert picture.record["engine"] == "photo"
        assert picture.shares == pytest.approx((0.6, 0.4), abs=0.002)
    final = made[1]
    assert final.measured is not None
    assert final.measured.shares == pytest.approx((0.6, 0.4), abs=0.08)


def test_without_a_bank_it_says_how_to_make_one(tmp_path: Path) -> None:
    for bank in (None, tmp_path / "none"):
        with pytest.raises(EngineError, match=r"no photo bank.*python -m plitka calibrate refs"):
            registry.load_engine("photo", refuse, bank=bank)


def test_a_layout_of_the_bank_guides_and_matches_as_any_does(folder: Path) -> None:
    engine = registry.load_engine("photo", refuse, bank=folder)
    recipe = asked({"blue": 50, "white": 50}, 30)
    layout = engine.lay(recipe)
    plan = make_plan(recipe)
    guides = engine.make_guides(plan, layout, 1024)
    picture = engine.draw(DrawRequest(plan, layout, 1024, 1, guides)).image
    for draw in (draw_canny_edges, draw_soft_edges):
        assert 0.02 < (draw(layout, picture) > 128).mean() < 0.5
    matched = match(picture, layout)
    assert matched.after.shares == pytest.approx((0.5, 0.5), abs=0.05)
    flat = np.full((1024, 1024, 3), 128, np.uint8)
    assert match(flat, layout).image.std() > 10  # which got the bank's granules


def test_the_environment_names_the_bank_and_the_init_image(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLITKA_BANK", str(folder))
    monkeypatch.setenv("PLITKA_INIT", "photo")
    settings = read_settings()
    assert (settings.bank_folder, settings.init) == (folder, "photo")
    assert Settings({}).init == "render"
    with pytest.raises(EngineError, match=r"PLITKA_INIT: no engine named .* paints init images"):
        registry.load_engine("sdxl", refuse, init="oil", bank=folder)
    with pytest.raises(EngineError, match="no photo bank"):
        registry.load_engine("sdxl", refuse, init="photo")


def test_sdxl_starts_from_a_tile_of_the_bank_where_the_settings_say_so(
    folder: Path, load_sdxl: LoadSdxl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLITKA_BANK", str(folder))
    monkeypatch.setenv("PLITKA_INIT", "photo")
    engine = load_sdxl()
    recipe = asked({"blue": 50, "white": 50}, 30)
    layout = engine.lay(recipe)
    guides = engine.make_guides(pipeline.plan_for_engine(recipe, engine), layout, 512)
    photo = registry.load_engine("photo", refuse, bank=folder)
    again = photo.lay(recipe)
    assert np.array_equal(layout.map_colors(1024), again.map_colors(1024))
    request = DrawRequest(make_plan(recipe), again, 512, 1, Guides())
    assert guides.init is not None
    assert np.array_equal(guides.init, photo.draw(request).image)


def test_a_surface_is_laid_with_tiles_of_the_bank(folder: Path) -> None:
    engine = registry.load_engine("photo", refuse, bank=folder)
    laid = Surface(600, 400, 2.5, "poured", None)
    recipe = replace(asked({"blue": 60, "white": 40}), surface=laid)
    preview = pipeline.make_one("preview", recipe, engine, engine.lay(recipe))
    assert preview.image.shape == (341, 512, 3)
    (base,) = preview.record["surface"]["zones"]
    assert base["shares"] == pytest.approx({"blue": 0.6, "white": 0.4}, abs=0.001)
    assert "measured" not in base
    blue = preview.image[..., 2].astype(int) - preview.image[..., 0]
    assert (blue > 30).mean() == pytest.approx(0.6, abs=0.1)
