"""The engine on a CUDA card that is not there: waits, copies, memory, and what failures leave.

The small model, in half precision as on a card. `python -m benchmarks.fake_card` does it with the
published configuration.
"""

import functools
import gc
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from plitka.engines.base import Drawn
from plitka.engines.sdxl import options
from plitka.engines.sdxl.engine import SdxlEngine
from plitka.engines.sdxl.memory_plan import MemoryPlan
from plitka.errors import EngineError
from plitka.request.plan import Plan, make_plan
from plitka.runtime.timing import Stages
from plitka.tile.layout import Layout, lay
from tests.conftest import LoadSdxl
from tests.support.drawing import draw
from tests.support.fake_card import FakeCard, find_obstacle
from tests.support.recipes import parse
from tests.support.settings import load_engine
from tests.support.small_sdxl import SmallSdxl, read_modules
from tests.support.sparse_sdxl import write_sparse_lora

OBSTACLE = find_obstacle()
pytestmark = pytest.mark.skipif(OBSTACLE is not None, reason=str(OBSTACLE))

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
        yield load_engine("sdxl", dtype=None), card


@pytest.fixture
def engine(loaded: tuple[SdxlEngine, FakeCard]) -> Iterator[Any]:
    engine, card = loaded
    card.forget()
    yield engine
    card.total = GIB
    engine.memory_plan = "resident"


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
    engine.memory_plan = plan
    drawn(engine, angle)


def before(engine: Any, stage: str, act: Callable[[], None]) -> Any:
    """Have something happen before a network works. Gives the hook."""
    if stage in ("unet", "controlnet"):  # whose blocks are called, and not they themselves
        stage += ".conv_in"
    name, _, rest = stage.partition(".")
    owner = engine.controlnets.loaded["softedge"] if name == "controlnet" else None
    network = (owner or getattr(engine.pipe, name)).get_submodule(rest)

    def hook(*_: object) -> None:  # what it returned would be taken as the network's input
        act()

    return network.register_forward_pre_hook(hook)


class Cancelled(BaseException):
    """As Cog's CancellationException."""


def cancel() -> None:
    raise Cancelled


def run_out(card: FakeCard, times: int = 1) -> Callable[[], None]:
    """Have the card run out of memory at the first calls of what is returned."""
    left = [None] * times

    def take() -> None:
        if left:
            left.pop()
            torch.empty(card.total, dtype=torch.uint8, device="cuda:0")

    return take


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
    hook = before(engine, "unet", lambda: engine.pipe.unet.conv_in.weight.sum().item())
    drawn(engine)
    hook.remove()
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
    networks = (engine.pipe.unet, engine.pipe.vae, *engine._encoders)
    weights = [size for _, size, line in card.copies if "network_reading" in line]
    assert len(weights) == len(networks)
    assert sum(weights) >= sum(p.nbytes for n in networks for p in n.parameters())


def test_prepared_it_has_the_controlnets_that_leave_room_and_has_drawn_both_sizes(
    engine: Any, card: FakeCard, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        engine.controlnets.evict()
    card.total = card.allocated + engine._needs.controlnet + engine._needs.of_work("resident")
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
    hook = before(engine, stage, cancel)
    with pytest.raises(Cancelled):
        drawn(engine, 45, negative_prompt=f"not encoded before {plan} {stage}")
    hook.remove()
    card.total = held + engine._needs.decode_tiled  # no more than a healthy engine asks for
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
    hook = before(engine, stage, run_out(card))
    if then is None:
        with pytest.raises(EngineError, match=r"out of memory.*Tried to allocate.*larger device"):
            drawn(engine, 45)
    else:
        picture = drawn(engine, 45, negative_prompt=f"not encoded before {plan} {stage}")
        assert picture.metrics["memory_plan"] == engine.memory_plan == then
    hook.remove()
    gc.collect()
    assert card.allocated <= held
    engine.health_check()


def test_a_second_controlnet_evicts_the_first_where_nothing_could_be_decoded_beside_both(
    engine: Any, card: FakeCard
) -> None:
    settle(engine, "resident")
    engine.controlnets.evict(keep="softedge")
    needed = engine._needs
    card.total = card.allocated + needed.controlnet + needed.denoise
    drawn(engine, 90)
    assert list(engine.controlnets.loaded) == ["canny"]
    card.total = card.allocated + needed.controlnet + needed.decode + 2**21  # and its embeddings
    drawn(engine, 45)
    assert list(engine.controlnets.loaded) == ["canny", "softedge"]
    assert engine.memory_plan == "resident"


def test_when_a_neighbour_takes_memory_the_picture_is_drawn_by_the_plan_that_fits(
    engine: Any, card: FakeCard
) -> None:
    settle(engine, "resident", angle=0)
    card.total = engine._needs.of_picture("tiled_vae", controlled=False)
    hook = before(engine, "vae.decoder", run_out(card, times=2))
    assert drawn(engine).metrics["memory_plan"] == "tiled_vae"
    hook.remove()
