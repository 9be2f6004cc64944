import json
from dataclasses import replace

import numpy as np
import pytest

from plitka import __version__, pipeline
from plitka.engines.procedural import RenderEngine
from plitka.errors import EngineError
from plitka.measure.description import name_groups, name_intervals, name_shares
from plitka.request.recipe import ColorControl, Overrides, draw_seed
from plitka.settings import read_settings
from tests.support.recipes import asked, parse
from tests.support.settings import load_engine


def test_pictures_come_in_order_and_size() -> None:
    made = list(pipeline.make(asked({"red": 60, "white": 40}, 45), RenderEngine()))
    assert [(picture.kind, picture.image.shape) for picture in made] == [
        ("preview", (512, 512, 3)),
        ("final", (1024, 1024, 3)),
        ("colormap", (1024, 1024, 3)),
    ]
    assert all(picture.image.dtype == np.uint8 for picture in made)
    assert made[2].shares == pytest.approx((0.6, 0.4), abs=0.001)


def test_a_picture_can_be_made_again_from_its_record() -> None:
    first = next(
        pipeline.make(replace(asked({"red": 60, "white": 40}, 30), seed=-1), RenderEngine())
    )
    record = first.record
    assert record["version"] == __version__
    assert record["seed"] == record["request"]["seed"] >= 0
    assert record["prompt"].startswith("ohwx_rubber_tile <s0><s1>, 60% red, 40% white")
    assert record["measured"]["red"] == pytest.approx(0.6, abs=0.05)
    assert record["shares"]["red"] == pytest.approx(0.6, abs=0.002)

    again = next(pipeline.make(parse(json.dumps(record["request"])), RenderEngine()))
    assert np.array_equal(again.image, first.image)
    assert again.record == record


def test_a_seed_of_minus_1_is_drawn_anew_each_time() -> None:
    open_seed = replace(asked({"red": 100}), seed=-1)
    seeds = {draw_seed(open_seed).seed for _ in range(5)}
    assert len(seeds) == 5
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_metrics_name_what_was_asked_and_what_came_out() -> None:
    *_, last = pipeline.make(asked({"red": 60, "white": 40}, 45), RenderEngine())
    metrics = last.metrics
    assert metrics["seed"] == 7
    assert metrics["engine"] == "render"
    assert metrics["controlnet"] == "none"
    assert metrics["controlnet_reason"] == "the render engine draws without one"
    assert metrics["steps"] == {"preview": 0, "final": 0}
    assert set(metrics["seconds"]) >= {"layout", "preview", "final", "colormap"}
    assert metrics["peak_memory_mb"] > 0
    red, white = metrics["colors"]
    assert (red["name"], red["requested"]) == ("red", 0.6)
    assert white["final"] == pytest.approx(0.4, abs=0.05)
    assert metrics["total_variation"]["colormap"] < 0.001


class Painter(RenderEngine):
    """Draws as one does who keeps to the layout only roughly."""

    draws_exactly = False


GRANITE = {"gray": 45, "light gray": 25, "dark gray": 20, "white": 10}


def test_the_shares_of_a_render_are_counted_and_the_measured_ones_stand_beside() -> None:
    requested = [share / 100 for share in GRANITE.values()]
    for picture in pipeline.make(asked(GRANITE), RenderEngine()):
        record, metrics = picture.record, picture.metrics
        assert picture.shares == pytest.approx(requested, abs=0.002)
        assert list(record["shares"].values()) == pytest.approx(picture.shares, abs=1e-5)
        assert record["counted"]
        assert record["total_variation"] < 0.002
        assert [color[picture.kind] for color in metrics["colors"]] == list(
            record["shares"].values()
        )
        assert metrics["total_variation"][picture.kind] == record["total_variation"]
        if picture.measured is None:
            assert picture.kind == "colormap"
            continue
        assert record["measured"] == name_shares(picture.measured.shares, GRANITE)
        assert record["intervals"] == name_intervals(picture.measured, GRANITE)
        assert record["groups"] == name_groups(picture.measured, list(GRANITE))
        assert metrics["groups"][picture.kind] == record["groups"]
        gray = metrics["colors"][0]
        assert gray["measured"][picture.kind] == record["measured"]["gray"]
        assert gray["intervals"][picture.kind] == record["intervals"]["gray"]
        off = picture.measured.compare(requested)
        assert record["total_variation_measured"] == pytest.approx(off, abs=1e-5)
    assert metrics["counted"] == ["preview", "final", "colormap"]


@pytest.mark.parametrize("control", ["layout", "prompt"])
def test_the_shares_of_other_pictures_are_measured(control: ColorControl) -> None:
    recipe = replace(asked({"red": 60, "white": 40}), overrides=Overrides(color_control=control))
    preview = next(pipeline.make(recipe, Painter()))
    assert preview.measured is not None
    assert preview.shares == preview.measured.shares
    assert preview.metrics["matched"] == preview.record["matched"] == (control == "layout")
    assert preview.record["shares"] == preview.record["measured"]
    assert not preview.record["counted"]
    before = preview.record["before_matching"]
    assert set(before) == {"measured", "intervals", "groups", "total_variation"}
    assert preview.metrics["counted"] == []
    red = preview.metrics["colors"][0]
    assert red["preview"] == red["measured"]["preview"]
    assert red["before_matching"]["preview"] == before["measured"]["red"]
    assert red["intervals_before_matching"]["preview"] == before["intervals"]["red"]


def test_the_sdxl_engine_is_the_default_and_without_weights_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PLITKA_ENGINE", raising=False)
    monkeypatch.setenv("PLITKA_BASE", "/absent")
    with pytest.raises(EngineError, match=r"(?s)PLITKA_ENGINE=render.*/absent: no such "):
        read_settings().choose_engine(None).load()


def test_an_unknown_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLITKA_ENGINE", "redner")
    with pytest.raises(EngineError, match="'redner'; choose one of: sdxl, render"):
        load_engine()


SURFACE = {
    "colors": [{"name": "dark gray", "proportion": 60}, {"name": "black", "proportion": 40}],
    "angle": 45,
    "seed": 7,
    "surface": {
        "width_mm": 1200,
        "length_mm": 800,
        "laying": "herringbone",
        "tile_mm": [200, 100],
        "zones": [
            {
                "shape": "border",
                "name": "кромка",
                "width_mm": 100,
                "line": "metal",
                "colors": [{"name": "red", "proportion": 70}, {"name": "black", "proportion": 30}],
            }
        ],
    },
}


def test_a_surface_is_drawn_from_above_with_the_exact_shares_of_its_zones() -> None:
    recipe = parse(json.dumps(SURFACE))
    made = list(pipeline.make(recipe, RenderEngine()))
    assert [(picture.kind, picture.image.shape) for picture in made] == [
        ("preview", (341, 512, 3)),
        ("final", (683, 1024, 3)),
        ("colormap", (683, 1024, 3)),
    ]
    for picture in made:
        base, border = picture.record["surface"]["zones"]
        assert border["name"] == "кромка"
        assert border["area_m2"] == pytest.approx(1.2 * 0.8 - 0.6)
        assert border["line_m"] == pytest.approx(2 * (1.0 + 0.6))
        assert base["shares"] == pytest.approx({"dark gray": 0.6, "black": 0.4}, abs=0.001)
        assert border["shares"] == pytest.approx({"red": 0.7, "black": 0.3}, abs=0.001)
        assert list(picture.record["shares"]) == ["dark gray", "black", "red"]
    assert made[1].record["surface"]["mm_per_pixel"] == pytest.approx(1200 / 1024)
    assert made[-1].metrics["zones"] == made[-1].record["surface"]["zones"]

    again = parse(json.dumps(made[0].record["request"]))
    assert again == recipe
    engine = RenderEngine()
    preview = pipeline.make_one("preview", again, engine, engine.lay(again))
    assert preview.record == made[0].record
    assert np.array_equal(preview.image, made[0].image)


class Guessing(RenderEngine):
    """An engine whose pictures only resemble the layout, as a diffusion model's do."""

    name = "guessing"
    draws_exactly = False


def test_a_surface_of_an_engine_that_does_not_draw_exactly_tells_what_is_measured() -> None:
    request = {
        "colors": [{"name": "red", "proportion": 60}, {"name": "white", "proportion": 40}],
        "seed": 7,
        "overrides": {"color_control": "prompt"},
        "surface": {"width_mm": 600, "length_mm": 600, "laying": "poured"},
    }
    recipe = parse(json.dumps(request))
    engine = Guessing()
    preview = pipeline.make_one("preview", recipe, engine, engine.lay(recipe))
    (base,) = preview.record["surface"]["zones"]
    assert base["shares"] == pytest.approx({"red": 0.6, "white": 0.4}, abs=0.001)
    assert preview.record["counted"] is False
    assert preview.record["shares"] == base["measured"]
    assert base["measured"] != base["shares"]
