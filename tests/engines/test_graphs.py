"""CUDA graphs: what is replayed is the same to the bit, and reads nothing that is gone.

With numbers on the CPU, where a stand-in for the graph does its work again; without numbers on a
card that is not there.
"""

import gc
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from plitka.engines.base import Drawn
from plitka.engines.sdxl import capture
from plitka.engines.sdxl.graphs import NetworkGraphs
from plitka.request.plan import make_plan
from plitka.runtime.timing import Stages
from tests.support.drawing import draw
from tests.support.fake_card import FakeCard
from tests.support.recipes import parse
from tests.support.rerun_graph import RerunGraph
from tests.support.settings import load_engine
from tests.support.small_sdxl import SmallSdxl
from tests.support.torch_internals import find_obstacle

OBSTACLE = find_obstacle()
SIZE, GIB = 64, 2**30


@pytest.fixture(autouse=True)
def one_small_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "DRAWN_SIZES", (SIZE,))


def drawn(engine: Any, angle: float = 0, quality: str = "standard", **over: object) -> Drawn:
    body = {
        "colors": [{"name": "red", "proportion": 60}, {"name": "white", "proportion": 40}],
        "angle": angle,
        "seed": 7,
        "quality": quality,
        "overrides": {"negative_prompt": "flat", **over},
    }
    return draw(engine, make_plan(parse(json.dumps(body))), SIZE, 6)


@pytest.fixture(scope="module")
def engine(small_sdxl: SmallSdxl, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """On the CPU, with the LoRA of turbo and both ControlNets loaded."""
    turbo = tmp_path_factory.mktemp("turbo") / "turbo.safetensors"
    generator = torch.Generator().manual_seed(8)
    module = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
    save_file(
        {
            f"{module}.lora_down.weight": torch.randn(2, 32, generator=generator),
            f"{module}.lora_up.weight": torch.randn(32, 2, generator=generator),
        },
        turbo,
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in small_sdxl.settings(TURBO_LORA=turbo).items():
            patch.setenv(name, value)
        engine = load_engine("sdxl")
    engine.pipe.unet.to(memory_format=torch.channels_last)  # as on a card
    for kind in ("softedge", "canny"):
        engine.controlnets.get(kind, "cpu").to(memory_format=torch.channels_last)
    return engine


@pytest.fixture(scope="module")
def plain(engine: Any) -> dict[str, Drawn]:
    """What the engine draws without graphs."""
    return {name: drawn(engine, **what) for name, what in PICTURES.items()}


PICTURES: dict[str, dict[str, Any]] = {
    "no ControlNet": {"angle": 0},
    "soft edges": {"angle": 45},
    "Canny edges": {"angle": 90},
    "another scale": {"angle": 45, "controlnet_scale": 1.7},
    "another scale of guidance": {"angle": 45, "guidance_scale": 9.5},
    "unguided": {"angle": 45, "guidance_scale": 1},
    "from noise": {"angle": 45, "color_control": "prompt"},
    "fast": {"angle": 45, "quality": "fast"},
    "turbo": {"angle": 0, "quality": "turbo"},
    "turbo with edges": {"angle": 45, "quality": "turbo"},
}


@pytest.fixture
def captured(engine: Any, plain: dict[str, Drawn]) -> Iterator[Any]:
    """The engine with graphs."""
    engine.capture_graphs(Stages(), RerunGraph)
    yield engine
    engine.faster.graphs = None


def test_what_graphs_draw_is_the_same_to_the_bit_in_any_thread(
    captured: Any, plain: dict[str, Drawn]
) -> None:
    with ThreadPoolExecutor(1) as beside:
        for name, what in PICTURES.items():
            one = beside.submit(drawn, captured, **what).result()
            assert np.array_equal(one.image, plain[name].image), name
            calls = one.steps + one.metrics["controlnet_steps"]
            assert one.metrics["graph_replays"] == calls, name
            assert plain[name].metrics["graph_replays"] == 0
    assert captured.faster.graphs is not None
    # Guided or not, full or shallow: the UNet with residuals and without, two ControlNets; turbo's.
    assert len(captured.faster.graphs) == 4 * (2 + 2) + 2


def test_what_nothing_was_captured_for_is_drawn_without(captured: Any) -> None:
    long = drawn(captured, 45, negative_prompt="flat, " * 60)
    assert long.metrics["graph_replays"] == 0
    captured.faster.graphs = None
    again = drawn(captured, 45, negative_prompt="flat, " * 60)
    assert np.array_equal(long.image, again.image)


def test_a_controlnet_that_comes_later_runs_without_graphs_and_the_unet_with_them(
    captured: Any, plain: dict[str, Drawn]
) -> None:
    while captured.controlnets.evict():
        pass
    captured.controlnets.get("softedge", "cpu").to(memory_format=torch.channels_last)
    picture = drawn(captured, **PICTURES["soft edges"])
    assert picture.metrics["graph_replays"] == picture.steps
    assert np.array_equal(picture.image, plain["soft edges"].image)


def test_a_graph_that_gives_something_else_is_not_used(
    engine: Any, plain: dict[str, Drawn], caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong(RerunGraph):
        def replay(self) -> None:
            pass

    engine.capture_graphs(Stages(), Wrong)
    assert "PLITKA_CUDA_GRAPHS: pictures are drawn without graphs" in caplog.text
    picture = drawn(engine, **PICTURES["no ControlNet"])
    assert picture.metrics["graph_replays"] == 0
    assert np.array_equal(picture.image, plain["no ControlNet"].image)


def test_a_plan_that_moves_weights_takes_the_graphs_with_it(engine: Any) -> None:
    engine.faster.graphs = NetworkGraphs(RerunGraph)
    engine.memory.plan = "offload"
    drawn(engine)
    assert engine.faster.graphs is None
    engine.memory.plan = "resident"


# On a card that is not there


@pytest.fixture(scope="module")
def on_card(small_sdxl: SmallSdxl) -> Iterator[tuple[Any, FakeCard]]:
    """Without graphs so far, with one ControlNet."""
    if OBSTACLE is not None:
        pytest.skip(OBSTACLE)
    with pytest.MonkeyPatch.context() as patch, FakeCard(gib=1) as card:
        patch.setattr(capture, "DRAWN_SIZES", (SIZE,))
        patch.setenv("PLITKA_CUDA_GRAPHS", "0")
        patch.setenv("PLITKA_OVERLAP", "0")  # another thread would be without the card
        for name, value in small_sdxl.settings().items():
            patch.setenv(name, value)
        engine = load_engine("sdxl", dtype=None)
        assert engine.faster.graphs is None
        engine.controlnets.evict(keep="softedge")
        engine.faster.options = replace(engine.options, cuda_graphs=True)
        yield engine, card


def test_without_room_for_graphs_nothing_is_captured(on_card: tuple[Any, FakeCard]) -> None:
    engine, card = on_card
    needed = engine.memory.needs
    card.total = card.allocated + needed.of_work("resident") + needed.graphs - 1
    engine.capture_graphs(Stages())
    assert engine.faster.graphs is None
    card.total = GIB


def test_work_that_cannot_be_captured_is_done_without_and_said(
    on_card: tuple[Any, FakeCard], caplog: pytest.LogCaptureFixture
) -> None:
    engine, _ = on_card
    hook = engine.pipe.unet.conv_in.register_forward_pre_hook(
        lambda *_: engine.pipe.unet.conv_in.weight.sum().item() and None
    )
    engine.capture_graphs(Stages())
    hook.remove()
    assert engine.faster.graphs is None
    assert "not permitted when stream is capturing" in caplog.text


def test_captured_work_neither_waits_nor_copies_and_is_all_that_steps_launch(
    on_card: tuple[Any, FakeCard],
) -> None:
    engine, card = on_card
    card.computed.clear()
    drawn(engine, 45)
    eager = card.computed["aten.convolution.default"]
    held, captured = card.allocated, card.graphs.captured
    engine.capture_graphs(Stages())
    # Guided or not, full or shallow: the UNet with residuals and without, and the ControlNet.
    assert card.graphs.captured - captured == 4 * 3
    assert 0 < card.allocated - held < engine.memory.needs.graphs
    card.forget()
    card.computed.clear()
    card.graphs.replayed = 0
    picture = drawn(engine, 45)
    assert card.graphs.replayed == picture.metrics["graph_replays"] == 2 * picture.steps
    assert card.computed["aten.convolution.default"] < eager / 3  # the VAE's
    assert len(card.waits) == 1

    weight = engine.pipe.unet.conv_in.weight  # had it moved, that would be found here
    engine.pipe.unet.conv_in.weight = torch.nn.Parameter(weight.clone(), requires_grad=False)
    del weight
    gc.collect()
    with pytest.raises(RuntimeError, match="illegal memory access"):
        drawn(engine)


def test_graphs_are_given_up_before_a_faster_memory_plan_is_and_never_captured_anew(
    on_card: tuple[Any, FakeCard],
) -> None:
    """The graphs are those of the test before."""
    engine, card = on_card
    engine.controlnets.evict()  # which would be given up first
    held, captured = card.allocated, card.graphs.captured
    left = [None]

    def run_out(*_: object) -> None:
        if left:
            left.pop()
            torch.empty(card.total, dtype=torch.uint8, device="cuda:0")

    hook = engine.pipe.vae.encoder.register_forward_pre_hook(run_out)
    picture = drawn(engine)
    hook.remove()
    assert picture.metrics["memory_plan"] == "resident"
    assert picture.metrics["graph_replays"] == 0
    assert card.graphs.captured == captured
    gc.collect()
    assert card.allocated < held
