"""The SDXL engine on a small model: what it loads, what it draws, what it does when things fail."""

import functools
import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from plitka import pipeline
from plitka.engines.base import Drawn
from plitka.engines.sdxl import device
from plitka.errors import EngineError
from plitka.request.plan import make_plan
from plitka.request.recipe import Recipe, RecipeError
from plitka.tile.layout import Layout, lay
from tests.conftest import LoadSdxl
from tests.support import small_sdxl as small
from tests.support.drawing import draw
from tests.support.marks import long
from tests.support.recipes import asked, parse, request
from tests.support.settings import load_engine
from tests.support.small_sdxl import SmallSdxl

REAL = Path(os.environ.get("PLITKA_SHARED", "")) / (
    "weights/rubber-tile-lora-v4_sdxl_embeddings.safetensors"
)
SHARES = {"red": 60.0, "white": 40.0}


@pytest.fixture(scope="module")
def module_patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def engine(small_sdxl: SmallSdxl, module_patch: pytest.MonkeyPatch) -> Any:
    """One engine for the tests that leave it as it was."""
    for name, value in small_sdxl.settings().items():
        module_patch.setenv(name, value)
    return load_engine("sdxl")


def drawn(
    engine: Any, angle: float = 0, seed: int = 7, size: int = 128, steps: int = 4, **over: object
) -> Drawn:
    body = json.loads(request(SHARES, angle, seed))
    settled = make_plan(parse(json.dumps({**body, "overrides": over})))
    return draw(engine, settled, size, steps, laid(angle, seed))


@functools.cache
def laid(angle: float, seed: int) -> Layout:
    return lay(asked(SHARES, angle, seed))


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    return int(np.abs(one.astype(int) - other).max())


# What is loaded


def test_the_scheduler_is_dpm_solver_with_karras_sigmas_and_nothing_marks_or_censors(
    engine: Any,
) -> None:
    scheduler = engine.pipe.scheduler
    assert type(scheduler).__name__ == "DPMSolverMultistepScheduler"
    assert scheduler.config.algorithm_type == "dpmsolver++"
    assert scheduler.config.use_karras_sigmas is True
    assert engine.pipe.watermark is None
    assert not hasattr(engine.pipe, "safety_checker")


@pytest.mark.parametrize(
    ("able", "dtype"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_f": True, "amx_bf16": False}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_a_processor_draws_in_bfloat16_where_it_has_it_and_else_in_float32(
    able: dict[str, bool],
    dtype: torch.dtype,
    load_sdxl: LoadSdxl,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    engine = load_sdxl(dtype=None)
    for module in (engine.pipe.unet, engine.pipe.vae, *engine.memory.encoders):
        assert (module.device.type, module.dtype) == ("cpu", dtype)


def rows(engine: Any) -> dict[str, torch.Tensor]:
    """The vectors that the encoders really hold at the ids of <s0> and <s1>."""
    pairs = {
        "clip_l": (engine.pipe.text_encoder, engine.pipe.tokenizer),
        "clip_g": (engine.pipe.text_encoder_2, engine.pipe.tokenizer_2),
    }
    return {
        half: encoder.get_input_embeddings().weight[
            tokenizer.convert_tokens_to_ids(["<s0>", "<s1>"])
        ]
        for half, (encoder, tokenizer) in pairs.items()
    }


@pytest.mark.parametrize("old_names", [False, True])
def test_both_encoders_hold_exactly_the_embeddings_and_the_prompt_uses_both(
    old_names: bool, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    path = tmp_path / "embeddings.safetensors"
    halves = small.save_embeddings(path, old_names)
    engine = load_sdxl(EMBEDDINGS=path)
    for half, held in rows(engine).items():
        assert torch.equal(held, halves[half].float())
    prompt = make_plan(asked(SHARES)).prompt
    for tokenizer in (engine.pipe.tokenizer, engine.pipe.tokenizer_2):
        ids = tokenizer(prompt).input_ids
        both = tokenizer.convert_tokens_to_ids(["<s0>", "<s1>"])
        assert [token for token in ids if token in both] == both
        assert tokenizer.unk_token_id not in both


@pytest.mark.skipif(not REAL.is_file(), reason="PLITKA_SHARED has no real embeddings")
def test_the_real_embeddings_are_held_exactly(load_sdxl: LoadSdxl) -> None:
    halves = load_file(REAL)
    for half, held in rows(load_sdxl(EMBEDDINGS=REAL)).items():
        assert torch.equal(held, halves[half].float())


def test_without_embeddings_the_prompt_drops_their_tokens(load_sdxl: LoadSdxl) -> None:
    engine = load_sdxl(EMBEDDINGS="none")
    picture = next(pipeline.make(quick(asked(SHARES)), engine))
    assert picture.record["prompt"].startswith("ohwx_rubber_tile, 60% red, 40% white")


def quick(made: Recipe) -> Recipe:
    """The recipe with the fewest steps, for pictures of full size."""
    overrides = replace(made.overrides, num_inference_steps_preview=2, num_inference_steps_final=2)
    return replace(made, overrides=overrides)


def test_a_single_checkpoint_is_the_same_model_as_its_folder(
    engine: Any, small_sdxl: SmallSdxl, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    for file in small_sdxl.base.rglob("*"):
        if file.suffix in (".json", ".txt"):
            copy = tmp_path / file.relative_to(small_sdxl.base)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    path = small.save_checkpoint(tmp_path / "checkpoint.safetensors", small_sdxl.base)
    one = load_sdxl(BASE=path, VAE="base")
    for component in ("unet", "text_encoder", "text_encoder_2"):
        held = getattr(one.pipe, component).state_dict()
        for name, tensor in getattr(engine.pipe, component).state_dict().items():
            assert torch.equal(held[name], tensor), name
    assert drawn(one).image.shape == (128, 128, 3)


def test_setup_logs_a_line_for_each_stage_with_seconds_and_memory(
    load_sdxl: LoadSdxl, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "plitka"):
        load_sdxl()
    for stage in ("check weights", "load unet", "load embeddings", "place networks"):
        (line,) = (line for line in caplog.messages if line.startswith(f"{stage}: "))
        assert re.search(r": [\d.]+ s, ([\d.]+ [MG]B at [\d.]+ GB/s, )?process ", line)
        assert line.endswith("MiB")
    assert any("memory plan resident" in line for line in caplog.messages)


# What is drawn


@pytest.mark.parametrize("over", [{}, {"color_control": "prompt"}])
@pytest.mark.parametrize("angle", [0, 45])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_picture(
    engine: Any, angle: float, over: dict[str, Any]
) -> None:
    first, again, other = (drawn(engine, angle, seed, **over).image for seed in (7, 7, 8))
    assert first.tobytes() == again.tobytes()
    assert difference(first, other) > 50
    assert first.dtype == np.uint8
    assert first.std() > 5


@pytest.mark.parametrize("angle", [0, 45])
def test_bfloat16_is_equal_between_runs_and_near_to_float32(
    angle: float, engine: Any, load_sdxl: LoadSdxl
) -> None:
    half = load_sdxl(dtype="bfloat16")
    first, again = (drawn(half, angle).image for _ in range(2))
    assert first.tobytes() == again.tobytes()
    whole = drawn(engine, angle).image
    assert np.abs(first.astype(int) - whole).mean() < 3


def test_the_layout_shows_through_by_strength(engine: Any) -> None:
    """At little strength the colours of the render are still there; from text they are not."""
    near, far = (drawn(engine, steps=20, strength=s).image for s in (0.05, 1.0))
    again = drawn(engine, steps=20, strength=0.05, guidance_scale=12).image
    assert difference(near, far) > 50
    assert np.abs(near.astype(int) - again).mean() < np.abs(far.astype(int) - near).mean()


@pytest.mark.parametrize(
    ("steps", "strength", "run"),
    [(2, 0.05, 1), (1, 0.05, 1), (1, 1.0, 1), (4, 1.0, 4), (10, 0.58, 5), (50, 0.58, 29)],
)
def test_image_to_image_runs_the_last_part_of_the_schedule_and_at_least_one_step(
    engine: Any, steps: int, strength: float, run: int
) -> None:
    assert drawn(engine, size=64, steps=steps, strength=strength).steps == run


def test_text_to_image_runs_the_whole_schedule(engine: Any) -> None:
    assert drawn(engine, size=64, steps=5, color_control="prompt").steps == 5


@pytest.mark.parametrize(
    "over", [{"guidance_scale": 12}, {"negative_prompt": "red"}, {"color_control": "prompt"}]
)
def test_what_the_recipe_overrides_changes_the_picture(engine: Any, over: dict[str, Any]) -> None:
    assert difference(drawn(engine).image, drawn(engine, **over).image) > 0


def test_guidance_of_1_and_an_empty_negative_prompt_work(engine: Any) -> None:
    assert drawn(engine, guidance_scale=1, negative_prompt="").steps == 2


def test_a_scale_for_the_lora_is_refused_before_anything_is_drawn(engine: Any) -> None:
    body = {**json.loads(request(SHARES)), "overrides": {"lora_scale": 0.5}}
    with pytest.raises(
        RecipeError, match=r"overrides\.lora_scale: got 0\.5, but the LoRA is fused"
    ):
        next(pipeline.make(parse(json.dumps(body)), engine))


def test_metrics_tell_plan_device_dtype_and_memory(engine: Any) -> None:
    *_, last = pipeline.make(quick(asked(SHARES, 45)), engine)
    final = last.metrics["drawing"]["final"]
    assert (final["device"], final["dtype"]) == ("CPU", "float32")
    assert final["memory_plan"] == "resident"
    assert final["memory"]["process_mb"] > 100
    assert final["seconds"]["denoise"] > 0
    assert last.metrics["steps"] == {"preview": 1, "final": 1}
    assert last.metrics["controlnet"] == "softedge"


# ControlNets


def test_angles_load_networks_when_they_are_needed_and_once(
    load_sdxl: LoadSdxl, caplog: pytest.LogCaptureFixture
) -> None:
    engine = load_sdxl()
    loaded = []
    with caplog.at_level(logging.INFO, "plitka"):
        for angle in (0, 45, 90, 0, 45, 90):
            drawn(engine, angle, size=64)
            loaded.append(sorted(engine.controlnets.loaded))
    assert loaded == [[], ["softedge"], *[["canny", "softedge"]] * 4]
    lines = [line for line in caplog.messages if line.startswith("load ControlNet")]
    assert [line.split(":")[0] for line in lines] == [
        "load ControlNet softedge",
        "load ControlNet canny",
    ]


def test_drawing_leaves_every_module_as_it_was(load_sdxl: LoadSdxl) -> None:
    engine = load_sdxl()
    held = {part: getattr(engine.pipe, part).state_dict() for part in ("unet", "vae")}
    before = {part: {n: t.clone() for n, t in now.items()} for part, now in held.items()}
    for angle in (0, 45):
        drawn(engine, angle)
    for part, tensors in before.items():
        for name, tensor in getattr(engine.pipe, part).state_dict().items():
            assert tensor.dtype == tensors[name].dtype
            assert torch.equal(tensor, tensors[name])


def test_a_controlnet_changes_the_picture_and_a_scale_of_0_equals_none(
    load_sdxl: LoadSdxl,
) -> None:
    engine = load_sdxl()
    none = drawn(engine, 45, use_controlnet=False).image
    assert drawn(engine, 45, controlnet_scale=0).image.tobytes() == none.tobytes()
    assert not engine.controlnets.loaded
    assert difference(drawn(engine, 45).image, none) > 0
    half, whole = (drawn(engine, 45, controlnet_scale=scale).image for scale in (0.5, 1.5))
    assert difference(half, drawn(engine, 45).image) == 0
    assert difference(half, whole) > 0


def test_a_network_that_cannot_be_loaded_fails_its_prediction_and_leaves_the_rest_working(
    load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    engine = load_sdxl(CONTROLNET_SOFTEDGE=tmp_path / "absent")
    with pytest.raises(EngineError, match=r"absent: no such .*PLITKA_CONTROLNET_SOFTEDGE"):
        drawn(engine, 45)
    assert drawn(engine, 90).steps == drawn(engine, 0).steps == 2


# Long prompts


def test_a_short_prompt_is_encoded_as_diffusers_does(engine: Any) -> None:
    ours = engine._prompt_encoder.encode("red tile", "blue", nullcontext())
    theirs = engine.pipe.encode_prompt(
        "red tile", device="cpu", do_classifier_free_guidance=True, negative_prompt="blue"
    )
    parts = (ours.prompt, ours.negative, ours.pooled, ours.negative_pooled)
    for own, other in zip(parts, theirs, strict=True):
        assert torch.allclose(own, other, atol=1e-5)


def test_words_beyond_77_tokens_count(engine: Any, caplog: pytest.LogCaptureFixture) -> None:
    long = ", ".join(["rubber tile"] * 60)
    with caplog.at_level(logging.INFO, "plitka"):
        one, other = (
            drawn(engine, negative_prompt=f"{long}, {end}").image for end in ("red", "blue")
        )
    assert difference(one, other) > 0
    assert any(
        line.startswith("negative prompt: ") and "chunks" in line for line in caplog.messages
    )


def test_prompts_are_encoded_once(engine: Any) -> None:
    entered: list[str] = []

    @contextmanager
    def on_device() -> Iterator[None]:
        entered.append("before")
        yield
        entered.append("after")

    for _ in range(2):
        engine._prompt_encoder.encode("red rubber", "white rubber", on_device())
    assert entered == ["before", "after"]


# Memory


class OutOfMemory:
    """Runs out of memory at the first calls of a module, as CUDA does."""

    def __init__(
        self, module: torch.nn.Module, times: int, error: RuntimeError | None = None
    ) -> None:
        self._left = times
        self._error = error or torch.cuda.OutOfMemoryError(
            "CUDA out of memory. Tried to allocate 2.00 GiB"
        )
        self._hook = module.register_forward_pre_hook(self._fail)

    def _fail(self, *_: object) -> None:
        if self._left > 0:
            self._left -= 1
            raise self._error

    def remove(self) -> None:
        self._hook.remove()


def test_out_of_memory_first_evicts_then_steps_down_and_draws_the_same_picture(
    load_sdxl: LoadSdxl, caplog: pytest.LogCaptureFixture
) -> None:
    engine = load_sdxl()
    good = drawn(engine, 45).image
    drawn(engine, 90)
    OutOfMemory(engine.pipe.unet.conv_in, times=1)
    again = drawn(engine, 45)
    assert again.image.tobytes() == good.tobytes()
    assert again.metrics["memory_plan"] == "resident"
    assert list(engine.controlnets.loaded) == ["softedge"]
    OutOfMemory(engine.pipe.unet.conv_in, times=2)
    again = drawn(engine, 45)
    assert again.image.tobytes() == good.tobytes()
    assert engine.memory.plan == again.metrics["memory_plan"] == "tiled_vae"
    assert "out of memory with the memory plan resident; once more with" in caplog.text
    assert list(engine.controlnets.loaded) == ["softedge"]


@pytest.mark.long
def test_out_of_memory_under_every_plan_is_a_clear_error_and_the_next_prediction_works(
    load_sdxl: LoadSdxl,
) -> None:
    engine = load_sdxl()
    full = OutOfMemory(engine.pipe.vae.decoder, times=100)
    with pytest.raises(EngineError, match=r"out of memory on CPU \(CUDA out.*plan offload.*larger"):
        drawn(engine)
    full.remove()
    assert drawn(engine).steps == 2


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        torch.AcceleratorError("CUDA error: out of memory", 2),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling cublasCreate(handle)"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB)"),
    ],
    ids=str,
)
def test_every_way_to_say_that_memory_ran_out_is_known(error: RuntimeError) -> None:
    assert device.is_out_of_memory(error)


def test_what_cublas_says_of_memory_counts_and_other_errors_pass(load_sdxl: LoadSdxl) -> None:
    engine = load_sdxl()
    OutOfMemory(
        engine.pipe.unet.conv_in, 1, RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when")
    )
    assert drawn(engine).metrics["memory_plan"] == "encoders_on_cpu"
    OutOfMemory(engine.pipe.unet.conv_in, 1, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        drawn(engine)


@pytest.mark.parametrize("memory_plan", [long("encoders_on_cpu"), "tiled_vae", "offload"])
def test_every_memory_plan_draws_the_same_picture(
    memory_plan: Any, engine: Any, load_sdxl: LoadSdxl
) -> None:
    other = load_sdxl()
    other.memory.plan = memory_plan
    for angle in (0, 45):
        one = drawn(other, angle).image
        assert difference(one, drawn(engine, angle).image) <= 1


def test_a_picture_of_1024_is_really_decoded_in_tiles(load_sdxl: LoadSdxl) -> None:
    engine = load_sdxl()
    sizes: list[int] = []
    engine.pipe.vae.decoder.register_forward_pre_hook(
        lambda _, inputs: sizes.append(inputs[0].shape[-1])
    )
    engine.memory.plan = "tiled_vae"
    whole = drawn(engine, size=1024, steps=1)
    assert max(sizes) == 64
    assert len(sizes) > 1
    assert whole.image.shape == (1024, 1024, 3)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_nan_or_inf_from_the_vae_is_an_error_and_no_black_picture(
    value: float, load_sdxl: LoadSdxl
) -> None:
    engine = load_sdxl()
    engine.pipe.vae.decoder.conv_out.bias.fill_(value)
    with pytest.raises(EngineError, match=r"^the VAE returned NaN or inf.*PLITKA_VAE"):
        drawn(engine)


# Cancelling


class Cancelled(BaseException):
    """As Cog's CancellationException."""


@pytest.mark.parametrize(
    "where",
    ["vae.decoder", "step 2", *map(long, ("unet.conv_in", "vae.encoder", "text_encoder_2"))],
)
@pytest.mark.parametrize("memory_plan", ["resident", "offload"])
def test_cancelled_anywhere_the_engine_draws_the_next_picture_as_ever(
    where: str, memory_plan: Any, engine: Any, load_sdxl: LoadSdxl
) -> None:
    other = load_sdxl()
    other.memory.plan = memory_plan
    steps_left = [2] if where == "step 2" else [1]
    module = _submodule(other.pipe, where)

    def cancel(*_: object) -> None:
        steps_left[0] -= 1
        if steps_left[0] == 0:
            raise Cancelled

    hook = module.register_forward_pre_hook(cancel)
    with pytest.raises(Cancelled):
        drawn(other, 45)
    hook.remove()
    assert difference(drawn(other, 45).image, drawn(engine, 45).image) <= 1


def _submodule(pipe: Any, where: str) -> torch.nn.Module:
    if where.startswith("step"):
        where = "unet.conv_in"
    name, _, rest = where.partition(".")
    module: torch.nn.Module = getattr(pipe, name).get_submodule(rest)
    return module
