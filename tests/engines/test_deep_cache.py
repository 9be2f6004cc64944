"""The quality `fast`: between full steps, the UNet's highest resolution alone is computed."""

import json
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from plitka.bench import random_models
from plitka.engines.sdxl import passes
from plitka.engines.sdxl.guidance import choose_deep_interval, plan_steps
from plitka.engines.sdxl.memory_plan import MemoryPlan
from plitka.engines.sdxl.options import Interval, Options
from plitka.engines.sdxl.text_keys import keep_text_keys, make_text_keys
from plitka.request.plan import make_plan
from tests.support.drawing import draw
from tests.support.recipes import parse, request
from tests.support.settings import load_engine
from tests.support.small_sdxl import SmallSdxl

SIZE, STEPS = 64, 6


@pytest.fixture(scope="module")
def engine(small_sdxl: SmallSdxl) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in small_sdxl.settings().items():
            patch.setenv(name, value)
        return load_engine("sdxl")


@pytest.fixture(autouse=True)
def as_loaded(engine: Any) -> None:
    engine.options, engine.memory.plan = Options(), "resident"


def drawn(engine: Any, quality: str = "fast", angle: float = 45, **over: object) -> Any:
    body = json.loads(request({"red": 60, "white": 40}, angle))
    overrides = {"strength": 1, **over}
    plan = make_plan(parse(json.dumps({**body, "quality": quality, "overrides": overrides})))
    return draw(engine, plan, SIZE, STEPS)


class Calls:
    """Notes the samples that modules are called with, in order."""

    def __init__(self, **modules: torch.nn.Module) -> None:
        self.seen: list[tuple[str, int]] = []
        for name, module in modules.items():
            module.register_forward_pre_hook(partial(self._note, name))

    def _note(self, name: str, _: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self.seen.append((name, len(inputs[0])))


# The passes


@pytest.mark.parametrize("samples", [1, 2])
def test_a_shallow_pass_is_the_full_one_to_the_bit_where_the_deep_features_are_its_own(
    samples: int,
) -> None:
    torch.manual_seed(0)
    small = random_models.ARCHITECTURES["small"]
    unet, controlnet = random_models.make_unet(small), random_models.make_controlnet(small)
    for network in (unet, controlnet):
        keep_text_keys(network)
        for parameter in network.parameters():  # a new ControlNet adds nothing
            torch.nn.init.normal_(parameter, std=0.1)
    text, edges = torch.randn(samples, 77, 2048), torch.rand(samples, 3, 64, 64)
    latents, pooled = torch.randn(samples, 4, 8, 8), torch.randn(samples, 1280)
    time, ids = torch.tensor(400), torch.ones(samples, 6)
    beside = (latents, time, make_text_keys(unet, text), pooled, ids)
    control = (latents, time, make_text_keys(controlnet, text), pooled, ids)
    embedded = passes.embed_edges(controlnet, edges)
    with torch.inference_mode():
        residuals = passes.run_controlnet(controlnet, *control, embedded)
        top = passes.run_shallow_controlnet(controlnet, *control, embedded)
        assert len(top) == 3
        assert all(map(torch.equal, top, residuals[:3]))
        assert all(part.abs().max() > 0 for part in residuals)
        for given, shallow in ((residuals, top), ([], [])):
            noise, deep = passes.run_unet(unet, *beside, given)
            assert torch.equal(passes.run_shallow_unet(unet, *beside, deep, shallow), noise)
            assert not torch.equal(passes.run_shallow_unet(unet, *beside, 2 * deep, shallow), noise)


# The steps


@pytest.mark.parametrize(
    ("interval", "guidance", "deep"),
    [
        (1, Interval(), "111111"),
        (2, Interval(), "101010"),
        (3, Interval(), "100100"),
        (2, Interval(low=2.5), "101010"),  # unguided steps take the conditional sample's features
        (2, Interval(high=9.0), "110101"),  # guided ones cannot do the reverse
    ],
)
def test_of_every_few_steps_the_first_computes_the_deep_features(
    interval: int, guidance: Interval, deep: str
) -> None:
    sigmas = (14.0, 8.0, 4.0, 2.0, 1.0, 0.5)
    steps = plan_steps(sigmas, 6.5, 0.5, Options(guidance=guidance), interval)
    assert "".join(str(int(step.deep)) for step in steps) == deep


def test_between_full_steps_neither_network_goes_below_its_highest_resolution(engine: Any) -> None:
    drawn(engine)
    calls = Calls(
        unet=engine.pipe.unet.conv_in,
        unet_below=engine.pipe.unet.mid_block.resnets[0],
        controlnet=engine.controlnets.loaded["softedge"].conv_in,
        controlnet_below=engine.controlnets.loaded["softedge"].mid_block.resnets[0],
    )
    picture = drawn(engine)
    whole = ["controlnet", "controlnet_below", "unet", "unet_below"]
    top = ["controlnet", "unet"]
    guided = [(name, 2) for name in whole + top + whole + top]
    assert calls.seen == guided + [(name, 1) for name in whole + top]
    assert (picture.steps, picture.metrics["deep_steps"], picture.metrics["guided_steps"]) == (
        6,
        3,
        4,
    )


# The pictures


def test_with_the_cache_off_fast_is_standard_in_its_own_steps_to_the_bit(engine: Any) -> None:
    fast = drawn(engine).image
    standard = drawn(engine, "standard").image
    engine.options = Options(deep_interval=1)
    assert np.array_equal(drawn(engine).image, standard)
    assert not np.array_equal(fast, standard)
    engine.options = Options(deep_interval=2)
    assert np.array_equal(drawn(engine, "standard").image, fast)


@pytest.mark.parametrize("memory_plan", ["tiled_vae", "offload"])
def test_every_memory_plan_draws_the_same_fast_picture(
    memory_plan: MemoryPlan, engine: Any
) -> None:
    plain = drawn(engine, angle=90).image.astype(int)
    engine.memory.plan = memory_plan
    assert np.abs(drawn(engine, angle=90).image - plain).max() <= 1  # tiles differ by rounding


def test_the_few_steps_of_turbo_are_all_run_in_full() -> None:
    body = json.loads(request({"red": 60, "white": 40}))
    turbo, fast = (
        make_plan(parse(json.dumps({**body, "quality": quality}))) for quality in ("turbo", "fast")
    )
    assert [choose_deep_interval(turbo, Options(deep_interval=k)) for k in (None, 1, 2)] == [
        1,
        1,
        1,
    ]
    assert [choose_deep_interval(fast, Options(deep_interval=k)) for k in (None, 1, 3)] == [2, 1, 3]
