import json
from dataclasses import replace

import numpy as np
import pytest

from plitka import __version__, pipeline
from plitka.engines.procedural import RenderEngine
from plitka.errors import EngineError
from plitka.request.recipe import draw_seed
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


def test_the_sdxl_engine_is_the_default_and_without_weights_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PLITKA_ENGINE", raising=False)
    monkeypatch.setenv("PLITKA_BASE", "/absent")
    with pytest.raises(EngineError, match=r"(?s)/absent: no such .*PLITKA_ENGINE=render"):
        load_engine()


def test_an_unknown_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLITKA_ENGINE", "redner")
    with pytest.raises(EngineError, match="'redner'; choose one of: sdxl, render"):
        load_engine()
