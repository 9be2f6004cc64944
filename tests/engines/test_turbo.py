"""The quality `turbo`: a distilled LoRA, switched on for its pictures and for no others."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, LCMScheduler, TCDScheduler
from safetensors.torch import save_file
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from plitka import pipeline
from plitka.engines.procedural import RenderEngine
from plitka.engines.sdxl import loading, sampling
from plitka.engines.sdxl.bake import bake
from plitka.errors import EngineError
from plitka.pipeline import plan_for_engine
from plitka.request.plan import make_plan
from plitka.request.recipe import Recipe, RecipeError
from plitka.settings import read_settings
from plitka.weights.noise import Noise
from plitka.weights.turbo_kind import TurboKind
from tests.conftest import LoadSdxl
from tests.engines.test_sdxl import OutOfMemory
from tests.support.drawing import draw
from tests.support.recipes import parse, request
from tests.support.small_sdxl import SmallSdxl, load_base
from tests.support.trained_loras import Trained, kohya


def asked(quality: str, angle: float = 0, **over: object) -> Recipe:
    body = json.loads(request({"red": 60, "white": 40}, angle))
    return parse(json.dumps({**body, "quality": quality, "overrides": over}))


def drawn(engine: Any, made: Recipe, steps: int = 4) -> Any:
    settled = make_plan(made)
    return draw(engine, settled, 128, steps)


@pytest.fixture(scope="module")
def distilled(small_sdxl: SmallSdxl, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA in kohya's form on linear layers and convolutions."""
    path: Path = tmp_path_factory.mktemp("turbo") / "distilled.safetensors"
    save_file(kohya(Trained(load_base(small_sdxl))), path)
    return path


def drawn_beside(engine: Any, made: Recipe) -> Any:
    """Without weights of its own for turbo, which `engine` then has no more."""
    assert engine.turbo.is_fused
    engine.turbo.give_up_weights()
    return drawn(engine, made).image.astype(int)


def list_weights(engine: Any) -> list[tuple[int, torch.Tensor]]:
    """Where each weight of the UNet lies, and a copy of it."""
    return [(p.data_ptr(), p.clone()) for p in engine.pipe.unet.parameters()]


def are_untouched(engine: Any, before: list[tuple[int, torch.Tensor]]) -> bool:
    now = engine.pipe.unet.parameters()
    return all(
        parameter.data_ptr() == place and torch.equal(parameter, weight)
        for parameter, (place, weight) in zip(now, before, strict=True)
    )


def predict(engine: Any) -> torch.Tensor:
    """What the UNet makes of noise."""
    generator = torch.Generator().manual_seed(2)
    latents = torch.randn(1, 4, 16, 16, generator=generator)
    words = torch.randn(1, 77, 2048, generator=generator)
    added = {"text_embeds": torch.zeros(1, 1280), "time_ids": torch.zeros(1, 6)}
    with torch.no_grad():
        predicted: torch.Tensor = engine.pipe.unet(
            latents, 500, words, added_cond_kwargs=added
        ).sample
    return predicted


class Calls(TorchDispatchMode):  # type: ignore[no-untyped-call]  # partly typed
    """Lists the operators that run, with the shapes of what they work on."""

    def __init__(self) -> None:
        mode: Any = TorchDispatchMode
        mode.__init__(self)
        self.listed: list[tuple[str, list[torch.Size]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tensors = [item for item in tree_leaves(args) if isinstance(item, torch.Tensor)]
        self.listed.append((str(func), [tensor.shape for tensor in tensors]))
        return func(*args, **(kwargs or {}))


def list_calls(engine: Any) -> list[tuple[str, list[torch.Size]]]:
    calls: Any = Calls()
    with calls:
        predict(engine)
    listed: list[tuple[str, list[torch.Size]]] = calls.listed
    return listed


@pytest.mark.parametrize("angle", [0, 45])
def test_turbo_draws_with_its_lora_fused(
    angle: float, load_sdxl: LoadSdxl, distilled: Path
) -> None:
    engine = load_sdxl(TURBO_LORA=distilled)
    own = drawn(engine, asked("turbo", angle)).image.astype(int)
    without = drawn(engine, asked("standard", angle, guidance_scale=1)).image
    assert np.abs(own - without).max() > 20
    fused = load_sdxl(LORA=distilled, LORA_SCALE="1", TURBO_LORA=distilled)
    assert fused.turbo is not None
    fused.turbo.give_up_weights()
    fused.turbo._targets.clear()  # as fused and scheduled, but not switched on twice
    assert np.array_equal(drawn(fused, asked("turbo", angle)).image, own)
    assert np.abs(drawn_beside(engine, asked("turbo", angle)) - own).max() <= 2


def test_weights_of_turbos_own_leave_the_unet_the_calls_that_it_has_without(
    load_sdxl: LoadSdxl, distilled: Path
) -> None:
    """So neither launches nor floating point operations are more than the plain UNet's."""
    engine: Any = load_sdxl(TURBO_LORA=distilled)
    plain = list_calls(engine)
    with engine.turbo.on():
        assert list_calls(engine) == plain
    engine.turbo.give_up_weights()
    with engine.turbo.on():
        assert len(list_calls(engine)) > len(plain)


def test_other_qualities_are_the_same_to_the_bit_before_beside_and_after(
    load_sdxl: LoadSdxl, distilled: Path
) -> None:
    plain = drawn(load_sdxl(), asked("standard", 45)).image
    engine = load_sdxl(TURBO_LORA=distilled)
    before = list_weights(engine)
    for _ in range(2):
        assert np.array_equal(drawn(engine, asked("standard", 45)).image, plain)
        drawn(engine, asked("turbo", 45))
    assert are_untouched(engine, before)


def test_turbo_ended_by_whatever_leaves_the_weights_as_they_were(
    load_sdxl: LoadSdxl, distilled: Path
) -> None:
    engine: Any = load_sdxl(TURBO_LORA=distilled)
    before = list_weights(engine)
    errors = (KeyboardInterrupt(), EngineError("broken"), torch.OutOfMemoryError("out of memory"))
    for error in errors:

        def end(*_: object, error: BaseException = error) -> None:
            raise error

        hook = engine.pipe.unet.conv_out.register_forward_hook(end)
        with pytest.raises((type(error), EngineError)):
            drawn(engine, asked("turbo"))
        hook.remove()
        assert are_untouched(engine, before)


def test_turbo_cancelled_while_its_weights_are_swapped_leaves_a_sound_engine(
    load_sdxl: LoadSdxl, distilled: Path
) -> None:
    """Cog cancels by a signal, which may come in any line: also where pointers are put back."""
    engine: Any = load_sdxl(TURBO_LORA=distilled)
    plain = drawn(engine, asked("standard")).image
    swapped = engine.turbo.on()
    swapped.__enter__()  # and never left, as if the signal had come there
    engine.memory.doubt_places()
    assert np.array_equal(drawn(engine, asked("standard")).image, plain)


@pytest.mark.parametrize("memory_plan", ["encoders_on_cpu", "offload"])
def test_every_memory_plan_draws_the_same_turbo(
    memory_plan: Any, load_sdxl: LoadSdxl, distilled: Path
) -> None:
    engine: Any = load_sdxl(TURBO_LORA=distilled)
    plain = drawn(engine, asked("turbo")).image.astype(int)
    engine.memory.plan = memory_plan
    assert np.abs(drawn(engine, asked("turbo")).image - plain).max() <= 2
    assert engine.turbo.is_fused is (memory_plan != "offload")


def test_out_of_memory_turbo_gives_up_its_own_weights_before_a_slower_plan(
    load_sdxl: LoadSdxl, distilled: Path
) -> None:
    engine: Any = load_sdxl(TURBO_LORA=distilled)
    plain = drawn(engine, asked("turbo")).image.astype(int)
    for expected in ("resident", "encoders_on_cpu"):
        OutOfMemory(engine.pipe.vae.decoder, times=1)
        again = drawn(engine, asked("turbo"))
        assert again.metrics["memory_plan"] == expected
        assert not engine.turbo.is_fused
        assert np.abs(again.image - plain).max() <= 2


def test_turbo_is_few_unguided_steps_of_the_schedule_that_it_was_trained_on(
    load_sdxl: LoadSdxl, distilled: Path
) -> None:
    engine = load_sdxl(TURBO_LORA=distilled)
    seen: list[tuple[int, int]] = []
    engine.pipe.unet.time_proj.register_forward_pre_hook(
        lambda _, times: seen.append((len(times[0]), int(times[0])))
    )
    settled = make_plan(asked("turbo", color_control="prompt"))
    draw(engine, settled, 128, settled.steps_final)
    assert seen == [(1, t) for t in (999, 874, 749, 624, 499, 374, 249, 124)]
    seen.clear()
    drawn(engine, asked("turbo"), settled.steps_final)
    assert seen == [(1, t) for t in (499, 374, 249, 124)]


def test_a_lora_that_preserves_guidance_is_guided_in_all_of_its_steps(
    load_sdxl: LoadSdxl, distilled: Path, tmp_path: Path
) -> None:
    renamed = tmp_path / "Hyper-SDXL-8steps-CFG-lora.safetensors"
    renamed.symlink_to(distilled)
    engine = load_sdxl(TURBO_LORA=renamed)
    plan = plan_for_engine(asked("turbo"), engine)
    assert (plan.guidance_scale, plan.steps_final) == (6.5, 8)
    seen: list[int] = []
    engine.pipe.unet.conv_in.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    picture = draw(engine, plan, 128, plan.steps_final)
    assert seen == [2, 2, 2, 2]
    assert picture.metrics["guided_steps"] == 4


@pytest.mark.parametrize("count", [8, 4])
def test_the_steps_of_hyper_sd_are_those_of_ddim_as_its_card_has_it(count: int) -> None:
    """Every step guided; DDIM shrinks what it ends with by the root of its last alpha."""
    base = loading.make_scheduler(Noise())
    kind = TurboKind("Hyper-SD", 8, 6.5, "")
    schedule = sampling.make_schedule(loading.make_turbo_scheduler(base, kind), 8, count, "cpu")
    ddim: Any = DDIMScheduler.from_config(
        base.config, timestep_spacing="trailing", set_alpha_to_one=False, clip_sample=False
    )
    ddim.set_timesteps(8)
    assert schedule.timesteps.tolist() == ddim.timesteps[-count:].tolist()
    generator = torch.Generator().manual_seed(3)
    clean, noise = (torch.randn(1, 4, 8, 8, generator=generator) for _ in range(2))
    ours = schedule.scheduler.add_noise(clean, noise, schedule.timesteps[:1])
    theirs = ddim.add_noise(clean, noise, ddim.timesteps[-count:][:1])

    def predict(sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        return torch.tanh(sample.flip(-1) + timestep / 1000)

    for ours_at, theirs_at in zip(schedule.timesteps, ddim.timesteps[-count:], strict=True):
        scaled = schedule.scheduler.scale_model_input(ours, ours_at)
        assert torch.allclose(scaled, theirs, atol=1e-5)
        ours = schedule.scheduler.step(predict(scaled, ours_at), ours_at, ours)[0]
        theirs = ddim.step(predict(theirs, theirs_at), theirs_at, theirs)[0]
    last = ddim.alphas_cumprod[0].sqrt()
    assert last > 0.9995
    assert torch.allclose(ours * last, theirs, atol=1e-5)


@pytest.mark.parametrize("noise", [Noise(), Noise("v_prediction")])
@pytest.mark.parametrize("count", [4, 2])
@pytest.mark.parametrize(
    ("family", "theirs", "times"),
    [
        ("LCM", LCMScheduler, [999, 759, 499, 259]),
        ("TCD", TCDScheduler, [999, 759, 499, 259]),
        ("DMD2", LCMScheduler, [999, 749, 499, 249]),
    ],
)
def test_the_steps_of_lcm_tcd_and_dmd2_are_those_of_the_schedulers_on_their_cards(
    family: Any, theirs: Any, times: list[int], count: int, noise: Noise
) -> None:
    base = loading.make_scheduler(noise)
    ours = loading.make_turbo_scheduler(base, TurboKind(family, 4, 1, ""))
    schedule = sampling.make_schedule(ours, 4, count, "cpu")
    theirs = theirs.from_config(base.config, set_alpha_to_one=False)
    theirs.set_timesteps(timesteps=times)
    theirs.set_begin_index(4 - count)
    assert schedule.timesteps.tolist() == times[-count:]
    generator = torch.Generator().manual_seed(3)
    clean, added = (torch.randn(1, 4, 8, 8, generator=generator) for _ in range(2))
    latents = ours.add_noise(clean, added, schedule.timesteps[:1])
    reference = theirs.add_noise(clean, added, theirs.timesteps[-count:][:1])
    sampling.draw_step_noise(schedule, latents, torch.Generator().manual_seed(5))
    generator.manual_seed(5)

    def predict(sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        return torch.tanh(sample.flip(-1) + timestep / 1000)

    for ours_at, theirs_at in zip(schedule.timesteps, theirs.timesteps[-count:], strict=True):
        scaled = ours.scale_model_input(latents, ours_at)
        assert torch.allclose(scaled, reference, atol=1e-4)
        latents = ours.step(predict(scaled, ours_at), ours_at, latents)[0]
        output = predict(reference, theirs_at)
        reference = theirs.step(output, theirs_at, reference, generator=generator)[0]
    assert torch.allclose(latents, reference, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("length", [2, 3, 5, 6, 8])
def test_lcm_takes_the_timesteps_that_its_own_scheduler_takes(length: int) -> None:
    base = loading.make_scheduler(Noise())
    ours = loading.make_turbo_scheduler(base, TurboKind("LCM", length, 1, ""))
    theirs: Any = LCMScheduler.from_config(base.config)
    theirs.set_timesteps(length)
    schedule = sampling.make_schedule(ours, length, length, "cpu")
    assert schedule.timesteps.tolist() == theirs.timesteps.tolist()


def test_noise_that_steps_put_on_comes_from_the_seed(
    load_sdxl: LoadSdxl, distilled: Path, tmp_path: Path
) -> None:
    renamed = tmp_path / "lcm-lora-sdxl.safetensors"
    renamed.symlink_to(distilled)
    engine = load_sdxl(TURBO_LORA=renamed)
    plan = plan_for_engine(asked("turbo", 45), engine)
    assert (plan.guidance_scale, plan.steps_final) == (1, 8)
    one, again = (draw(engine, plan, 128, plan.steps_final) for _ in range(2))
    assert one.steps == 4
    assert np.array_equal(one.image, again.image)


def test_a_turbo_tile_is_matched_and_measured_as_any_other(
    load_sdxl: LoadSdxl, distilled: Path
) -> None:
    *_, last = pipeline.make(asked("turbo"), load_sdxl(TURBO_LORA=distilled))
    assert last.metrics["matched"]
    assert last.metrics["steps"] == {"preview": 4, "final": 4}
    assert last.metrics["drawing"]["final"]["guided_steps"] == 0
    before, after = (
        last.metrics[name]["final"]
        for name in ("total_variation_before_matching", "total_variation")
    )
    assert after < 0.05
    assert after <= before


def test_without_its_weights_turbo_is_refused_in_one_line_before_any_work(
    load_sdxl: LoadSdxl,
) -> None:
    with pytest.raises(
        RecipeError, match=r'^quality: "turbo" needs [^\n]+PLITKA_TURBO_LORA[^\n]+$'
    ):
        next(pipeline.make(asked("turbo"), load_sdxl()))


def test_the_render_engine_draws_turbo_as_it_draws_all(load_sdxl: LoadSdxl) -> None:
    one, other = (next(pipeline.make(asked(q), RenderEngine())) for q in ("turbo", "standard"))
    assert np.array_equal(one.image, other.image)


def test_factors_of_any_dimensions_and_a_middle_one_are_switched_on_as_they_are_fused(
    load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    """1x1 convolutions saved flat, Linear layers saved with 1x1 behind, LoCon's three factors."""
    generator = torch.Generator().manual_seed(2)
    shapes = {
        "down_blocks_1_resnets_0_conv_shortcut": ((4, 16), (32, 4)),
        "up_blocks_2_resnets_0_conv_shortcut": ((4, 48, 1, 1), (16, 4)),
        "mid_block_attentions_0_proj_in": ((4, 32, 1, 1), (32, 4, 1, 1)),
        "up_blocks_2_resnets_2_conv2": ((4, 144), (16, 4)),
        "conv_in": ((4, 4, 1, 1), (16, 4, 1, 1), (4, 4, 3, 3)),
    }
    file = {
        f"lora_unet_{module}.lora_{part}.weight": 0.3 * torch.randn(shape, generator=generator)
        for module, factors in shapes.items()
        for part, shape in zip(("down", "up", "mid"), factors, strict=False)
    }
    path = tmp_path / "distilled.safetensors"
    save_file(file, path)
    engine: Any = load_sdxl(TURBO_LORA=path)
    fused = load_sdxl(LORA=path, LORA_SCALE="1")
    plain, expected = predict(engine), predict(fused)
    with engine.turbo.on():
        assert torch.equal(predict(engine), expected)
    engine.turbo.give_up_weights()
    with engine.turbo.on():
        assert (predict(engine) - expected).norm() < 1e-4 * (expected - plain).norm()
    assert torch.equal(predict(engine), plain)


_FACTORS = {"lora_down.weight": (4, 32), "lora_up.weight": (32, 4)}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({**_FACTORS, "dora_scale": (32, 1)}, "dora_scale is more than up times down"),
        ({**_FACTORS, "lora_up.bias": (32,)}, "lora_up.bias is more than up times down"),
        ({**_FACTORS, "diff_b": (32,)}, "diff_b is more than up times down"),
        ({"diff": (32, 32)}, "diff is more than up times down"),
        (
            {f"hada_{w}_{half}": (32, 32) for w in ("w1", "w2") for half in "ab"},
            "hada_w1_a is more than up times down",
        ),
    ],
)
def test_a_turbo_lora_of_another_method_is_refused_before_any_picture(
    parts: dict[str, tuple[int, ...]], said: str, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    name = "lora_unet_mid_block_attentions_0_proj_in"
    path = tmp_path / "distilled.safetensors"
    save_file({f"{name}.{part}": torch.ones(shape) for part, shape in parts.items()}, path)
    with pytest.raises(EngineError, match=f"{path}: {name}.{said}.*PLITKA_TURBO_LORA"):
        load_sdxl(TURBO_LORA=path)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (None, "no such file"),
        ({"lora_unet_nowhere.lora_down.weight": torch.zeros(2, 2)}, "find no module"),
        (
            {
                "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": torch.zeros(
                    2, 768
                ),
                "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": torch.zeros(64, 2),
            },
            "changes the text_encoder too",
        ),
    ],
)
def test_a_wrong_turbo_lora_stops_setup_and_names_its_setting(
    tensors: dict[str, torch.Tensor] | None, said: str, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    path = tmp_path / "distilled.safetensors"
    if tensors is not None:
        save_file(tensors, path)
    with pytest.raises(EngineError, match=f"{path}.*{said}.*PLITKA_TURBO_LORA"):
        load_sdxl(TURBO_LORA=path)


def test_a_turbo_lora_keeps_its_configuration_in_a_snapshot(
    small_sdxl: SmallSdxl, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    """PEFT's alphas lie beside the file, and are copied with it."""
    folder = tmp_path / "trained"
    folder.mkdir()
    name = "base_model.model.mid_block.attentions.0.proj_in"
    save_file(
        {f"{name}.lora_A.weight": torch.ones(4, 32), f"{name}.lora_B.weight": torch.ones(32, 4)},
        folder / "adapter_model.safetensors",
    )
    (folder / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 10}))
    engine = load_sdxl(TURBO_LORA=folder)
    bake(tmp_path / "baked", read_settings().sdxl.weights, None, ())
    again = load_sdxl(BASE=tmp_path / "baked", TURBO_LORA="", EMBEDDINGS="", LORA="", VAE="base")
    for loaded in (engine, again):
        assert loaded.turbo is not None
        up = loaded.turbo.get_buffer("mid_block_attentions_0_proj_in_up")
        assert torch.equal(up, torch.full((32, 4), 2.5))
