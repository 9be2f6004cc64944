"""The engine on a CUDA card that is not there: waits, copies, memory, and what failures leave.

The small model, in half precision as on a card. `python -m benchmarks.fake_card` does it with the
published configuration.
"""

import functools
import gc
import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from plitka.engines.base import Drawn
from plitka.engines.sdxl import options
from plitka.engines.sdxl.engine import SdxlEngine
from plitka.engines.sdxl.memory_plan import MemoryPlan
from plitka.engines.sdxl.recovery import Recovery
from plitka.errors import EngineError
from plitka.request.plan import Plan, make_plan
from plitka.runtime.timing import Stages
from plitka.tile.layout import Layout, lay
from tests.conftest import LoadSdxl
from tests.support.drawing import draw
from tests.support.recipes import parse
from tests.support.settings import load_engine
from tests.support.small_sdxl import SmallSdxl, read_modules
from tests.support.sparse_sdxl import write_sparse_lora
from tests.support.torch_internals import find_obstacle

if OBSTACLE := find_obstacle():
    pytest.skip(OBSTACLE, allow_module_level=True)

from tests.support.card_pictures import Cancelled, before, cancel, run_out
from tests.support.fake_card import FakeCard

COLORS = [{"name": "red", "proportion": 60}, {"name": "white", "proportion": 40}]
GIB = 2**30


@pytest.fixture(scope="module")
def loaded(small_sdxl: SmallSdxl) -> Iterator[tuple[SdxlEngine, FakeCard]]:
    """One engine on one card for all tests."""
    with pytest.MonkeyPatch.context() as patch, FakeCard(gib=1) as card:
        for name, value in small_sdxl.settings().items():
            patch.setenv(name, value)
        patch.setenv(options.OVERLAP, "0")  # another thread would be without the card
        patch.setenv("PLITKA_CUDA_GRAPHS", "0")  # test_graphs.py has them
        engine = load_engine("sdxl", dtype=None)
        gc.freeze()  # so that searches for cycles take no time
        yield engine, card
        gc.unfreeze()


@pytest.fixture
def engine(loaded: tuple[SdxlEngine, FakeCard]) -> Iterator[Any]:
    engine, card = loaded
    card.forget()
    yield engine
    card.total = GIB
    engine.memory.plan, engine.memory.recovery = "resident", Recovery()


@pytest.fixture
def card(loaded: tuple[SdxlEngine, FakeCard]) -> FakeCard:
    return loaded[1]


def drawn(
    engine: SdxlEngine,
    angle: float = 0,
    at_step: Callable[[], None] = lambda: None,
    steps: int = 2,
    **over: object,
) -> Drawn:
    plan, layout = planned(angle, json.dumps(over))
    return draw(engine, plan, 64, steps, layout, at_step)


@functools.cache
def planned(angle: float, over: str) -> tuple[Plan, Layout]:
    body = {"colors": COLORS, "angle": angle, "seed": 7, "overrides": json.loads(over)}
    plan = make_plan(parse(json.dumps(body)))
    return plan, lay(plan.recipe)


def settle(engine: SdxlEngine, plan: MemoryPlan, angle: float = 45) -> None:
    """Draw once under a plan, so that all is where it belongs."""
    engine.memory.plan = plan
    drawn(engine, angle)


def test_with_another_torch_the_tests_of_this_file_are_skipped_and_say_why() -> None:
    assert find_obstacle() is None
    told = find_obstacle("2.14.0+cu130")
    assert told == "the fake card was made for torch 2.13.0, and 2.14.0 is installed"


# The loop


@pytest.mark.parametrize("angle", [0, 45, 90])
def test_no_step_waits_for_the_card_or_copies_and_all_is_in_half_precision(
    angle: float, engine: Any, card: FakeCard
) -> None:
    seen: list[tuple[int, int]] = []
    picture = drawn(
        engine, angle, lambda: seen.append((len(card.waits), len(card.copies))), steps=4
    )
    assert len(seen) == picture.steps == 2
    assert len(set(seen)) == 1
    assert len(card.waits) == 1  # whether the latents are finite
    assert picture.metrics["dtype"] == "float16"
    assert engine.pipe.unet.conv_in.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_prompt_of_many_chunks_is_no_obstacle(engine: Any) -> None:
    long = ", ".join(["rubber tile"] * 60)
    assert drawn(engine, 45, negative_prompt=long).image.shape == (64, 64, 3)


def test_mistakes_are_found_that_a_processor_forgives(engine: Any, card: FakeCard) -> None:
    """That the tests of this file can fail."""
    with before(engine, "unet", lambda: engine.pipe.unet.conv_in.weight.sum().item()):
        drawn(engine)
    assert len(card.waits) == 2  # one more
    engine.pipe.unet.conv_out.to("cpu")
    with pytest.raises(RuntimeError, match="device"):
        drawn(engine)
    engine.pipe.unet.conv_out.to("cuda:0")


def test_what_stays_on_the_card_is_not_touched_between_pictures(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(engine, 45)
    moved: list[object] = []
    apply: Any = torch.nn.Module._apply

    def watch(module: torch.nn.Module, *rest: Any) -> Any:
        moved.append(module)
        return apply(module, *rest)

    monkeypatch.setattr(torch.nn.Module, "_apply", watch)
    drawn(engine, 45)
    assert moved == []


# Setup


def test_networks_come_to_the_card_in_a_copy_each_as_long_as_they_are_small(
    card: FakeCard, load_sdxl: LoadSdxl
) -> None:
    card.forget()
    engine = load_sdxl(dtype=None, LORA="none", EMBEDDINGS="none")
    networks = (engine.pipe.unet, engine.pipe.vae, *engine.memory.encoders)
    weights = [size for _, size, line in card.copies if "network_reading" in line]
    assert len(weights) == len(networks)
    assert sum(weights) >= sum(p.nbytes for n in networks for p in n.parameters())


def test_prepared_it_has_the_controlnets_that_leave_room_and_has_drawn_both_sizes(
    engine: Any, card: FakeCard, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        engine.controlnets.evict()
    needed = engine.memory.needs
    card.total = card.allocated + needed.controlnet + needed.of_work("resident")
    with caplog.at_level("INFO", "plitka"):
        engine.prepare(stages := Stages())
    assert list(engine.controlnets.loaded) == ["canny"]
    assert "ControlNet softedge: no room for it until a picture needs it" in caplog.messages
    drawn_sizes = [
        line for line in caplog.messages if "2 steps, 1 guided, 2 with ControlNet" in line
    ]
    assert [line.split(":")[0] for line in drawn_sizes] == ["512x512", "1024x1024"]
    assert list(stages.seconds) == ["load ControlNet canny", "warm up"]
    card.total = GIB
    engine.prepare(stages)
    assert set(engine.controlnets.loaded) == {"canny", "softedge"}


# Fusing


def test_a_lora_is_fused_in_full_single_precision(
    card: FakeCard, small_sdxl: SmallSdxl, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    modules = read_modules(small_sdxl.base)["unet"]
    shapes = {name: shape for name, (shape, _) in modules.items() if name.endswith("to_q")}
    card.computed.clear()
    load_sdxl(
        dtype=None, CUDA_GRAPHS="0", LORA=write_sparse_lora(tmp_path / "lora.safetensors", shapes)
    )
    assert card.computed["aten.mm.default"] > 0
    assert card.tf32 == []
    assert torch.backends.cuda.matmul.allow_tf32


# Turbo


def test_turbos_own_weights_lie_on_the_card_until_memory_runs_out(
    card: FakeCard, small_sdxl: SmallSdxl, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    modules = read_modules(small_sdxl.base)["unet"]
    shapes = {name: shape for name, (shape, _) in modules.items() if name.endswith("to_q")}
    card.tf32.clear()
    lora = write_sparse_lora(tmp_path / "distilled.safetensors", shapes)
    engine: Any = load_sdxl(dtype=None, CUDA_GRAPHS="0", TURBO_LORA=lora)
    assert card.tf32 == []
    own = engine.turbo.list_weights()
    assert len(own) == len(shapes)
    assert sum(weight.nbytes for weight in own) == engine.memory.needs.turbo
    plan = make_plan(parse(json.dumps({"colors": COLORS, "quality": "turbo", "seed": 7})))
    seen: list[tuple[int, int]] = []

    def note() -> None:
        seen.append((len(card.waits), len(card.copies)))

    for fused in (True, False):
        card.forget()
        with nullcontext() if fused else before(engine, "unet", run_out(card)):
            picture = draw(engine, plan, 64, plan.steps_final, lay(plan.recipe), note)
        assert engine.turbo.is_fused is fused
        assert picture.metrics["memory_plan"] == "resident"
        assert all(weight.device.type == "cuda" for weight in engine.turbo.list_weights())
        assert len(seen[-4:]) == picture.steps == 4
        assert len(set(seen[-4:])) == 1  # no step waits or copies


def test_noise_that_steps_put_on_is_on_the_card_before_the_first(
    card: FakeCard, small_sdxl: SmallSdxl, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    modules = read_modules(small_sdxl.base)["unet"]
    shapes = {name: shape for name, (shape, _) in modules.items() if name.endswith("to_q")}
    lora = write_sparse_lora(tmp_path / "lcm-lora-sdxl.safetensors", shapes)
    engine: Any = load_sdxl(dtype=None, CUDA_GRAPHS="0", TURBO_LORA=lora)
    plan = make_plan(parse(json.dumps({"colors": COLORS, "quality": "turbo", "seed": 7})))
    seen: list[tuple[int, int]] = []

    def note(*_: object) -> None:
        seen.append((len(card.waits), len(card.copies)))

    engine.pipe.unet.conv_in.register_forward_pre_hook(note)
    picture = draw(engine, plan, 64, plan.steps_final, lay(plan.recipe), note)
    assert len(seen) == 2 * picture.steps
    assert len(set(seen)) == 1


# Memory


def test_offloaded_weights_are_copied_to_the_card_and_dropped_there(
    engine: Any, card: FakeCard
) -> None:
    settle(engine, "offload")
    card.forget()
    held = card.allocated
    drawn(engine, 45)
    back = sum(size for kind, size, _ in card.copies if kind == "from card")
    there = sum(size for kind, size, _ in card.copies if kind == "to card")
    assert back == 64 * 64 * 3 * 2  # the picture
    assert there > 1_000_000
    assert card.allocated == held < 1_000_000


def test_networks_that_visit_leave_without_a_search_for_cycles_of_objects(engine: Any) -> None:
    settle(engine, "offload")
    searches: list[object] = []

    def note(phase: str, about: object) -> None:
        searches.append(phase)

    gc.disable()  # what Python does by itself
    gc.callbacks.append(note)
    try:
        drawn(engine, 45, negative_prompt="not encoded before, and without a search")
    finally:
        gc.callbacks.remove(note)
        gc.enable()
    assert searches == []


@pytest.mark.parametrize(
    ("plan", "stage"),
    [
        ("resident", "unet"),
        ("encoders_on_cpu", "text_encoder_2"),
        ("offload", "text_encoder_2"),
        ("offload", "vae.encoder"),
        ("offload", "controlnet"),
        ("offload", "vae.decoder"),
    ],
)
def test_cancelled_anywhere_the_card_is_as_before_and_the_engine_well(
    plan: MemoryPlan, stage: str, engine: Any, card: FakeCard
) -> None:
    settle(engine, plan)
    held = card.allocated
    with before(engine, stage, cancel), pytest.raises(Cancelled):
        drawn(engine, 45, negative_prompt=f"not encoded before {plan} {stage}")
    card.total = held + engine.memory.needs.decode_tiled  # no more than a healthy engine asks for
    engine.health_check()
    gc.collect()
    assert card.allocated <= held


@pytest.mark.parametrize(
    ("plan", "stage", "then"),
    [
        ("resident", "vae.decoder", "encoders_on_cpu"),
        ("encoders_on_cpu", "text_encoder_2", "tiled_vae"),
        ("tiled_vae", "unet", "offload"),
        ("offload", "controlnet", None),
    ],
)
def test_out_of_memory_anywhere_leaves_an_engine_that_draws(
    plan: MemoryPlan, stage: str, then: MemoryPlan | None, engine: Any, card: FakeCard
) -> None:
    settle(engine, plan)
    engine.controlnets.evict(keep="softedge")
    held = card.allocated
    with before(engine, stage, run_out(card)):
        if then is None:
            told = r"out of memory.*Tried to allocate.*larger device"
            with pytest.raises(EngineError, match=told):
                drawn(engine, 45)
        else:
            picture = drawn(engine, 45, negative_prompt=f"not encoded before {plan} {stage}")
            assert picture.metrics["memory_plan"] == engine.memory.plan == then
    gc.collect()
    assert card.allocated <= held
    engine.health_check()


def test_a_second_controlnet_evicts_the_first_where_nothing_could_be_decoded_beside_both(
    engine: Any, card: FakeCard
) -> None:
    settle(engine, "resident")
    engine.controlnets.evict(keep="softedge")
    needed = engine.memory.needs
    card.total = card.allocated + needed.controlnet + needed.denoise
    drawn(engine, 90)
    assert list(engine.controlnets.loaded) == ["canny"]
    card.total = card.allocated + needed.controlnet + needed.decode + 2**21  # and its embeddings
    drawn(engine, 45)
    assert list(engine.controlnets.loaded) == ["canny", "softedge"]
    assert engine.memory.plan == "resident"


def test_when_a_neighbour_takes_memory_the_picture_is_drawn_by_the_plan_that_fits(
    engine: Any, card: FakeCard
) -> None:
    settle(engine, "resident", angle=0)
    card.total = engine.memory.needs.of_picture("tiled_vae", controlled=False)
    with before(engine, "vae.decoder", run_out(card, times=2)):
        assert drawn(engine).metrics["memory_plan"] == "tiled_vae"


def test_when_the_neighbour_is_gone_the_faster_plan_is_taken_up_after_some_pictures(
    engine: Any, card: FakeCard
) -> None:
    settle(engine, "resident", angle=0)
    while engine.controlnets.evict():  # which would be given up first
        pass
    card.total = engine.memory.needs.of_picture("tiled_vae", controlled=False)
    for pictures in (4, 8):  # memory runs out once more, and the wait is doubled
        with before(engine, "vae.decoder", run_out(card)):
            assert drawn(engine, steps=1).metrics["memory_plan"] == "tiled_vae"
        card.total = GIB
        plans = [drawn(engine, steps=1).metrics["memory_plan"] for _ in range(pictures + 1)]
        assert plans == [*["tiled_vae"] * pictures, "resident"]
        assert not engine.pipe.vae.use_tiling
        card.total = engine.memory.needs.of_picture("tiled_vae", controlled=False)


def test_an_error_taken_for_want_of_memory_is_named_though_others_follow(
    engine: Any, card: FakeCard
) -> None:
    settle(engine, "tiled_vae", angle=0)
    words = iter(["CUDNN: unable to find an engine to execute this computation", "out of memory"])

    def fail() -> None:
        raise RuntimeError(next(words))

    with before(engine, "unet", fail), pytest.raises(EngineError, match="unable to find an engine"):
        drawn(engine)
