"""PLITKA_COMPILE: all is compiled when the engine is loaded, and nothing in predictions."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch._dynamo.utils import counters

from plitka.engines.sdxl import capture, compilation, loading
from plitka.engines.sdxl.engine import SdxlEngine
from plitka.engines.sdxl.loading import Loaded
from plitka.engines.sdxl.options import BACKENDS
from plitka.errors import EngineError
from plitka.request.plan import make_plan
from plitka.runtime.timing import Stages
from plitka.settings import read_settings
from tests.conftest import LoadSdxl
from tests.engines.test_sdxl import OutOfMemory
from tests.support.drawing import draw
from tests.support.recipes import parse, request
from tests.support.rerun_graph import RerunGraph
from tests.support.small_sdxl import SMALL, SmallSdxl, save_controlnet

SIZES = (64, 128)
SHORT = {"negative_prompt": "flat"}  # the small tokenizers know letters, and few words
TURBO_MODULE = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"


@pytest.fixture(scope="module")
def smaller(small_sdxl: SmallSdxl, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The small model with one layer a block: following every operation takes its time."""
    folder: Path = tmp_path_factory.mktemp("smaller")
    torch.manual_seed(6)
    layers = {"layers_per_block": 1, "transformer_layers_per_block": (1, 1, 1)}
    unet = diffusers.UNet2DConditionModel(**{**SMALL.unet, **layers})
    base = folder / "base"
    base.mkdir()
    for part in small_sdxl.base.iterdir():
        if part.name != "unet":
            (base / part.name).symlink_to(part)
    unet.save_pretrained(base / "unet")
    controlnets = {
        kind: save_controlnet(folder / kind, seed, unet=unet)
        for seed, kind in enumerate(("canny", "softedge"))
    }
    save_file(
        {
            f"{TURBO_MODULE}.lora_down.weight": torch.randn(2, 32),
            f"{TURBO_MODULE}.lora_up.weight": torch.randn(32, 2),
        },
        folder / "turbo.safetensors",
    )
    return small_sdxl.settings(
        BASE=base,
        TURBO_LORA=folder / "turbo.safetensors",
        **{f"CONTROLNET_{kind.upper()}": path for kind, path in controlnets.items()},
    )


def loaded(settings: dict[str, str], **more: str) -> Loaded:
    """With weights in the order in memory that a CUDA card likes, which the networks hand on."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**settings, **more}.items():
            patch.setenv(name, value)
        parts = loading.load(read_settings().sdxl, None)
        for network in (parts.pipe.unet, parts.pipe.vae):
            network.to(memory_format=torch.channels_last)
        return parts


@pytest.fixture(scope="module")
def compiled(smaller: dict[str, str]) -> Iterator[SdxlEngine]:
    """By the backend that makes no code: what is compiled for which shapes is the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compilation, "DRAWN_SIZES", SIZES)
        yield SdxlEngine(loaded(smaller, PLITKA_COMPILE="eager"))
    torch._dynamo.reset()


@pytest.fixture(scope="module")
def plain(smaller: dict[str, str]) -> SdxlEngine:
    return SdxlEngine(loaded(smaller))


def drawn(
    engine: SdxlEngine, size: int, angle: float = 0, quality: str = "standard", **over: object
) -> Any:
    body = json.loads(request({"red": 60, "white": 40}, angle))
    overrides = {**SHORT, **over}
    settled = make_plan(parse(json.dumps({**body, "quality": quality, "overrides": overrides})))
    return draw(engine, settled, size, 4)


def graphs() -> int:
    """How often something has been compiled so far."""
    return int(counters["stats"]["unique_graphs"])


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would have to be compiled is an error, where pictures run it as it is."""

    def use_compiled_code(fits: bool = True) -> Any:
        stance: Any = torch.compiler.set_stance
        return stance("fail_on_recompile" if fits else "force_eager")

    monkeypatch.setattr(compilation, "use_compiled_code", use_compiled_code)


@pytest.mark.usefixtures("strict")
def test_all_is_compiled_before_the_first_picture_and_draws_the_same(
    compiled: SdxlEngine, plain: SdxlEngine
) -> None:
    """Of ControlNets as well, which come later, in a thread beside the one that compiled."""
    before = graphs()
    # One to try; a block with three numbers of tokens, guided or not; the decoder's two sizes.
    assert before == 1 + 3 * 2 + 2
    with ThreadPoolExecutor(1) as beside:
        for size, angle in ((64, 0), (64, 45), (64, 90), (128, 0), (128, 45)):
            one = beside.submit(drawn, compiled, size, angle).result()
            assert one.metrics["compiled"]
            assert one.metrics["guided_steps"] == 1  # of 2
            assert np.array_equal(one.image, drawn(plain, size, angle).image)
    for over in ({"color_control": "prompt"}, {"guidance_scale": 1}, {"controlnet_scale": 2}):
        assert drawn(compiled, 64, 45, "high", **over).metrics["compiled"]
    assert graphs() == before


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("over", [{}, {"guidance_scale": 6}, {"angle": 45}])
def test_the_same_code_draws_turbo_with_weights_of_its_own(
    over: dict[str, Any], compiled: SdxlEngine, plain: SdxlEngine
) -> None:
    before = graphs()
    one, other = (drawn(engine, 64, quality="turbo", **over) for engine in (compiled, plain))
    assert one.metrics["compiled"]
    assert np.array_equal(one.image, other.image)
    assert np.array_equal(drawn(compiled, 64).image, drawn(plain, 64).image)
    assert graphs() == before


def test_what_compiled_code_was_not_made_for_goes_without_and_compiles_nothing(
    compiled: SdxlEngine, plain: SdxlEngine
) -> None:
    before = graphs()
    one, other = (drawn(engine, 64, negative_prompt="flat, " * 60) for engine in (compiled, plain))
    assert not one.metrics["compiled"]
    assert np.array_equal(one.image, other.image)
    assert drawn(compiled, 64).metrics["compiled"]
    assert graphs() == before


@pytest.mark.usefixtures("strict")
def test_graphs_replay_compiled_blocks(
    compiled: SdxlEngine, plain: SdxlEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "DRAWN_SIZES", (64,))
    compiled.capture_graphs(Stages(), RerunGraph)
    one = drawn(compiled, 64)
    compiled.faster.graphs = None
    assert one.metrics["compiled"]
    assert one.metrics["graph_replays"] == one.steps
    assert np.array_equal(one.image, drawn(plain, 64).image)


def test_without_a_compiler_setup_fails_at_once_and_says_what_to_do(
    load_sdxl: LoadSdxl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PLITKA_COMPILE", "1")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))  # nothing made before
    with (
        torch._inductor.config.patch({"cpp.cxx": (None, "no-such-compiler")}),
        pytest.raises(EngineError, match=r"^PLITKA_COMPILE: inductor cannot [^\n]+g\+\+[^\n]+$"),
    ):
        load_sdxl()


def test_every_backend_that_is_offered_is_known_to_torch() -> None:
    assert set(BACKENDS) <= set(torch.compiler.list_backends(exclude_tags=()))


def test_nothing_is_compiled_unless_that_is_asked_for(plain: SdxlEngine) -> None:
    before = graphs()
    assert not drawn(plain, 64).metrics["compiled"]
    assert graphs() == before


@pytest.mark.usefixtures("strict")
def test_without_memory_to_keep_pictures_whole_compiled_code_rests_until_there_is_some_again(
    compiled: SdxlEngine, plain: SdxlEngine
) -> None:
    """The last test of `compiled`, whose turbo has no weights of its own any more afterwards."""
    whole = drawn(plain, 64).image.astype(int)
    before = graphs()
    while compiled.controlnets.evict(None):  # else they leave first
        pass
    OutOfMemory(compiled.pipe.vae.decoder, times=1)
    assert np.array_equal(drawn(compiled, 64).image, whole)  # turbo's own weights are given up
    assert not drawn(compiled, 64, quality="turbo").metrics["compiled"]
    for memory_plan, still in (("encoders_on_cpu", True), ("tiled_vae", False)):
        OutOfMemory(compiled.pipe.vae.decoder, times=1)
        again = drawn(compiled, 64)
        assert again.metrics["memory_plan"] == memory_plan
        assert again.metrics["compiled"] is still
        assert np.abs(again.image - whole).max() <= 1
    pictures = [drawn(compiled, 64) for _ in range(9)]  # memory ran out twice
    assert [picture.metrics["compiled"] for picture in pictures] == [False] * 8 + [True]
    assert pictures[-1].metrics["memory_plan"] == "resident"
    assert np.array_equal(pictures[-1].image, whole)
    compiled.memory.plan = "offload"  # weights go to other places
    assert not drawn(compiled, 64).metrics["compiled"]
    compiled.memory.plan = "resident"
    assert drawn(compiled, 64).metrics["compiled"]
    assert graphs() == before


def test_a_memory_plan_that_moves_networks_is_not_compiled_and_says_so(
    smaller: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    before = graphs()
    parts = replace(loaded(smaller, PLITKA_COMPILE="eager"), memory_plan="tiled_vae")
    assert not drawn(SdxlEngine(parts), 64).metrics["compiled"]
    assert "PLITKA_COMPILE: nothing is compiled with the memory plan tiled_vae" in caplog.text
    assert graphs() == before
