"""The engine with the published configuration on a CUDA card that is not there.

What only full size shows: that memory plans are chosen on cards on which they can draw.
`python -m benchmarks.fake_card --failures` does all of it with everything.
"""

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from plitka.engines.sdxl import capture, options
from plitka.engines.sdxl.memory_plan import PLANS, MemoryPlan, compute_needs
from plitka.errors import EngineError
from plitka.request.recipe import QUALITIES, Quality
from plitka.runtime.timing import Stages
from tests.support.settings import load_engine
from tests.support.sparse_sdxl import write_sparse_sdxl
from tests.support.torch_internals import find_obstacle

if OBSTACLE := find_obstacle():
    pytest.skip(OBSTACLE, allow_module_level=True)

from tests.support.card_pictures import (
    GIB,
    LARGE,
    LONG_PROMPT,
    SLACK,
    STAGES,
    Artist,
    Cancelled,
    before,
    cancel,
    run_out,
)
from tests.support.fake_card import FakeCard


@pytest.fixture(scope="module")
def artist(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Artist]:
    """One engine on one card for all tests."""
    files = write_sparse_sdxl(tmp_path_factory.mktemp("sdxl"))
    with pytest.MonkeyPatch.context() as patch, FakeCard(LARGE / GIB) as card:
        for name, value in files.environment().items():
            patch.setenv(name, value)
        patch.setenv(options.OVERLAP, "0")  # another thread would be without the card
        artist = Artist(load_engine("sdxl", dtype=None), card)
        gc.freeze()  # so that searches for cycles take no time
        yield artist
        gc.unfreeze()


@pytest.fixture
def engine(artist: Artist) -> Any:
    return artist.engine


def test_setup_takes_no_more_than_the_plan_asks_for(artist: Artist, engine: Any) -> None:
    assert engine.turbo.is_fused
    needed = engine.memory.needs
    assert artist.card.peak + SLACK < needed.of("resident") + needed.turbo


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_draws_at_its_edge_with_slack_and_no_step_waits_or_copies(
    plan: MemoryPlan, artist: Artist
) -> None:
    artist.settle(plan)
    not_kept = {"negative_prompt": f"{plan}, {LONG_PROMPT}"}  # so that the encoders are needed
    for angle, size, overrides in (
        (45, 1024, not_kept),
        (0, 1024, {}),
        (90, 512, {}),  # its ControlNet takes the other's place
    ):
        asked = artist.fill(plan)
        picture = artist.draw(angle, size, "standard", **overrides)
        assert picture.drawn.image.shape == (size, size, 3)
        assert picture.drawn.metrics["memory_plan"] == plan
        assert picture.peak + SLACK <= asked
        assert picture.in_loop == ()


@pytest.mark.parametrize("plan", ["resident", "tiled_vae"])
def test_a_vae_in_single_precision_draws_at_its_edge_with_slack(
    plan: MemoryPlan, artist: Artist, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As SDXL's own, which asks for more than any other."""
    artist.settle(plan)
    needed, vae = engine.memory.needs, engine.pipe.vae
    halves = {part: getattr(needed, part) // 2 for part in ("unet", "vae", "controlnet", "turbo")}
    encoders = {"text_encoder": needed.text_encoders // 2, "text_encoder_2": 0}
    upcast = compute_needs({**halves, **encoders}, "float16", upcasts=True)
    assert upcast.of(plan) >= needed.of(plan)
    monkeypatch.setattr(engine.memory, "needs", upcast)
    asked = artist.fill(plan)
    vae.register_to_config(force_upcast=True)
    try:
        picture = artist.draw(45, 1024)
    finally:
        vae.register_to_config(force_upcast=False)
    assert picture.drawn.metrics["memory_plan"] == plan
    assert picture.peak + SLACK <= asked


@pytest.mark.parametrize("quality", QUALITIES)
def test_no_step_of_any_quality_waits_or_copies(quality: Quality, artist: Artist) -> None:
    artist.settle("resident")
    for angle, size in ((0, 512), (45, 512), (45, 1024)):
        assert artist.draw(angle, size, quality).in_loop == ()


def test_guided_turbo_draws_at_its_edge_with_slack_and_no_step_waits_or_copies(
    artist: Artist,
) -> None:
    """With weights of its own, as the other qualities have theirs."""
    artist.settle("resident")
    asked = artist.fill("resident")
    for over, guided in (({}, 2), ({"guidance_scale": 1}, 0), ({}, 2)):
        picture = artist.draw(45, 1024, "turbo", **over)
        assert picture.drawn.steps == 2
        assert picture.drawn.metrics["guided_steps"] == guided
        assert picture.peak + SLACK <= asked
        assert picture.in_loop == ()


def test_graphs_take_what_the_plan_has_for_them_with_slack(
    artist: Artist, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The larger of the two sizes, whose memory the smaller one shares."""
    monkeypatch.setattr(capture, "DRAWN_SIZES", (1024,))
    held = artist.settle("resident")
    engine.capture_graphs(Stages())
    gc.collect()
    assert artist.card.allocated - held + SLACK <= engine.memory.needs.graphs
    for quality in ("fast", "turbo"):
        picture = artist.draw(45, 1024, quality, negative_prompt="flat")
        assert picture.drawn.metrics["graph_replays"] == 2 * picture.drawn.steps
        assert picture.in_loop == ()
    engine.faster.graphs = None


@pytest.mark.parametrize("stage", STAGES)
def test_what_fails_on_the_smallest_card_leaves_it_as_it_was(
    stage: str, artist: Artist, engine: Any
) -> None:
    held = artist.settle("offload")
    artist.fill("offload")
    with before(engine, stage, cancel), pytest.raises(Cancelled):
        artist.draw(45, negative_prompt=f"{stage} cancelled")
    engine.health_check()
    assert artist.card.allocated <= held
    with before(engine, stage, run_out(artist.card)), pytest.raises(EngineError, match="memory"):
        artist.draw(45, negative_prompt=f"{stage} out of memory")
    engine.health_check()
    assert artist.card.allocated <= held


def test_when_a_neighbour_takes_memory_the_next_plan_that_fits_is_taken_at_once(
    artist: Artist, engine: Any
) -> None:
    artist.settle("resident")
    asked = artist.card.total = engine.memory.needs.of_picture("tiled_vae", controlled=True)
    picture = artist.draw(45, 1024)
    assert picture.drawn.metrics["memory_plan"] == "tiled_vae"
    assert artist.card.allocated <= asked
