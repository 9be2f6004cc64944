"""The training loop on a small SDXL: what it changes, goes on from, and bears."""

import math
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from plitka.engines.sdxl.text_encoding import PromptEncoder
from plitka.errors import EngineError
from plitka.request.presets import PRESETS, Preset
from plitka.training.samples import Sample
from plitka.training.sdxl.captions import CaptionEncoder
from plitka.training.sdxl.latents import Latents, encode_samples
from plitka.training.sdxl.loop import Diverged
from plitka.training.sdxl.loss import Noisy, compute_losses
from plitka.training.sdxl.networks import Networks
from plitka.training.sdxl.processes import Processes
from plitka.training.sdxl.states import State, load_state, save_state
from plitka.training.sdxl.timesteps import find_visited
from plitka.training.sdxl.token_rows import HALVES
from tests.support import small_training
from tests.support.marks import long
from tests.support.small_sdxl import SmallSdxl
from tests.support.small_training import (
    encode_renders,
    load_small,
    make_loop,
    random_latents,
    read_values,
    run,
)


def measure_held_out(networks: Networks, latents: Latents) -> float:
    """The loss at fixed noise, at four of the timesteps that pictures visit."""
    generator = torch.Generator().manual_seed(1)
    device = Processes().device
    losses = []
    with torch.no_grad():
        for index, timestep in [(i, t) for i in range(len(latents)) for t in (50, 180, 300, 430)]:
            noise = torch.randn(latents.mean.shape[1:], generator=generator)
            sample = Noisy(latents.mean[index], noise, timestep, latents.captions[index])
            encode = CaptionEncoder(networks, device)
            losses.append(compute_losses(networks, [sample], encode, device).item())
    return float(np.mean(losses))


def collect_base(networks: Networks) -> dict[str, torch.Tensor]:
    """All tensors of the four networks that are not trained."""
    pipe = networks.pipe
    parts = {"unet": pipe.unet, "vae": pipe.vae, "l": pipe.text_encoder, "g": pipe.text_encoder_2}
    return {
        f"{part}.{name}": tensor.clone()
        for part, network in parts.items()
        for name, tensor in network.state_dict().items()
        if ".default." not in name
    }


@pytest.mark.long
def test_thirty_steps_learn_and_change_only_the_lora_and_the_rows(small_sdxl: SmallSdxl) -> None:
    networks = load_small(small_sdxl)
    learnt, held_out = encode_renders(networks, 12), encode_renders(networks, 2, first=100)
    before, base = measure_held_out(networks, held_out), collect_base(networks)
    rows = [row.detach().clone() for row in networks.rows.rows]
    loop = run(make_loop(networks, learnt, 30), 30)

    assert np.mean(loop.losses[-10:]) < np.mean(loop.losses[:10])
    assert measure_held_out(networks, held_out) < 0.9 * before
    after = collect_base(networks)
    assert [name for name in base if not torch.equal(base[name], after[name])] == []
    for row, old, (_, encoder) in zip(networks.rows.rows, rows, networks.encoders, strict=True):
        table = encoder.get_input_embeddings().weight
        usual = table.norm(dim=-1).mean()
        assert (row - old).norm(dim=-1).min() > 0.1 * usual
        assert ((row.norm(dim=-1) / usual - 1).abs() < 0.15).all()
    lora = [name for name in networks.trained() if name not in HALVES]
    assert all(networks.trained()[name].abs().max() > 0 for name in lora)


def test_six_steps_are_equal_to_the_bit_to_three_a_state_and_three(
    small_sdxl: SmallSdxl, tmp_path: Path
) -> None:
    latents = random_latents(6)
    whole = run(make_loop(load_small(small_sdxl), latents, 6), 6)
    first = run(make_loop(load_small(small_sdxl), latents, 6), 3)
    save_state(tmp_path, first.make_state({}))
    second = make_loop(load_small(small_sdxl), latents, 6)
    state = load_state(tmp_path)
    assert state is not None
    second.restore(state)
    run(second, 3)
    assert second.losses == whole.losses
    expected, values = read_values(whole), read_values(second)
    assert [name for name in expected if not np.array_equal(expected[name], values[name])] == []


@pytest.mark.parametrize("plan", [long("checkpointed"), "lean"])
def test_smaller_plans_take_the_same_step(small_sdxl: SmallSdxl, plan: str) -> None:
    latents = random_latents(4)
    one = run(make_loop(load_small(small_sdxl), latents, 4), 2)
    other = run(make_loop(load_small(small_sdxl), latents, 4, plan=plan), 2)
    # Without the rows, which `lean` freezes, the first step is the same to rounding.
    assert other.losses[0] == pytest.approx(one.losses[0], rel=1e-5)
    values, expected = other.networks.trained(), one.networks.trained()
    rows = (values[half] for half in HALVES)
    assert all(row.requires_grad == (plan != "lean") for row in rows)
    if plan == "checkpointed":
        for name, value in expected.items():
            assert torch.allclose(values[name], value, atol=1e-5), name


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("plan", ["fast", "lean"])
def test_half_precision_trains_values_of_single_precision(
    small_sdxl: SmallSdxl, dtype: str, plan: str
) -> None:
    networks, warnings = load_small(small_sdxl, dtype=dtype), list[str]()
    before = {name: value.detach().clone() for name, value in networks.trained().items()}
    options, latents = small_training.replace_options(batch=1), random_latents(4)
    loop = make_loop(networks, latents, 8, options, plan, warnings, dtype)
    run(loop, 3)
    assert warnings == []
    assert networks.pipe.unet.conv_in.weight.dtype == getattr(torch, dtype)
    assert networks.pipe.vae.dtype == torch.float32
    for name, value in networks.trained().items():
        assert value.dtype == torch.float32
        assert torch.isfinite(value).all()
        is_row = name in HALVES
        assert torch.equal(value, before[name]) == (is_row and plan == "lean"), name


@pytest.mark.long
def test_overflowing_gradients_of_half_precision_make_the_scale_smaller(
    small_sdxl: SmallSdxl,
) -> None:
    networks, warnings = load_small(small_sdxl, dtype="float16"), list[str]()
    options = small_training.replace_options(batch=1)
    latents = random_latents(4)
    loop = make_loop(networks, latents, 12, options, warnings=warnings, dtype="float16")
    state = loop.make_state({})
    state.notes["loop"]["scale"] = {**state.notes["loop"]["scale"], "scale": 2.0**26}
    loop.restore(state)
    run(loop, 12)
    assert warnings == []
    assert all(math.isfinite(loss) for loss in loop.losses)
    assert loop.make_state({}).notes["loop"]["scale"]["scale"] < 2.0**26
    assert any(value.any() for name, value in networks.trained().items() if ".lora_B." in name)


def fail_when(networks: Networks, condition: Any) -> None:
    """Let the UNet run out of memory where a condition on its input holds."""

    def hook(module: Any, inputs: tuple[torch.Tensor, ...], named: dict[str, Any]) -> None:
        if torch.is_grad_enabled() and condition(module, inputs[0]):
            raise torch.OutOfMemoryError("CUDA out of memory")

    networks.pipe.unet.register_forward_pre_hook(hook, with_kwargs=True)


@pytest.mark.long
def test_out_of_memory_takes_the_next_plan_and_the_same_step(small_sdxl: SmallSdxl) -> None:
    networks, warnings = load_small(small_sdxl), list[str]()
    fail_when(networks, lambda unet, samples: len(samples) > 1)
    loop = run(make_loop(networks, random_latents(4), 3, warnings=warnings), 3)
    assert loop.plan == "lean"
    assert len(loop.losses) == 3
    assert ["lean" in warning or "checkpointed" in warning for warning in warnings] == [True, True]


def test_memory_that_never_suffices_is_an_error_with_a_remedy(small_sdxl: SmallSdxl) -> None:
    networks = load_small(small_sdxl)
    fail_when(networks, lambda unet, samples: True)
    with pytest.raises(EngineError, match="--resolution or --rank"):
        run(make_loop(networks, random_latents(4), 3), 1)


def spoil(latents: Latents, count: int) -> Latents:
    mean = latents.mean.clone()
    mean[:count] = math.nan
    return Latents(mean, latents.deviation, latents.captions)


def test_a_loss_that_is_no_number_skips_its_step(small_sdxl: SmallSdxl) -> None:
    networks, warnings = load_small(small_sdxl), list[str]()
    options = small_training.replace_options(batch=1)
    loop = make_loop(networks, spoil(random_latents(6), 1), 6, options, warnings=warnings)
    run(loop, 6)
    assert sum(math.isnan(loss) for loss in loop.losses) == 1
    assert all(np.isfinite(value).all() for value in read_values(loop).values())
    assert len(warnings) == 1
    assert "skipped" in warnings[0]


def test_three_in_a_row_go_back_at_half_the_rate_once_and_then_fail(
    small_sdxl: SmallSdxl, tmp_path: Path
) -> None:
    networks, warnings = load_small(small_sdxl), list[str]()
    loop = make_loop(networks, spoil(random_latents(4), 4), 9, warnings=warnings)
    save_state(tmp_path, loop.make_state({}))
    run(loop, 3)
    assert loop.is_diverging
    state = load_state(tmp_path)
    assert state is not None
    loop.halve_rates(state)
    assert (loop.step, loop.is_diverging) == (0, False)
    assert "half the rate" in warnings[-1]
    run(loop, 3)
    with pytest.raises(Diverged, match="not numbers"):
        loop.halve_rates(state)


def test_captions_are_encoded_as_the_prompts_of_pictures(small_sdxl: SmallSdxl) -> None:
    networks = load_small(small_sdxl, small_training.replace_options(vectors=8))
    assert [row.shape for row in networks.rows.rows] == [(8, 768), (8, 1280)]
    for colors in range(1, 9):
        parts = [networks.subject.text, *["12% grass green"] * colors]
        prompt = ", ".join(parts)
        whole = PromptEncoder(networks.pipe, keep=False).encode(prompt, "", nullcontext())
        with torch.no_grad():
            states, pooled = CaptionEncoder(networks, Processes().device)([prompt])
        assert torch.equal(states, whole.prompt)
        assert torch.equal(pooled, whole.pooled)


class IndexVae:
    """A VAE whose latents say which picture they are of."""

    device, dtype, use_tiling = torch.device("cpu"), torch.float32, False
    config = type("Config", (), {"scaling_factor": 1.0})

    def encode(self, picture: torch.Tensor) -> Any:
        level = (picture.mean() + 1) * 127.5
        mean = level.round().expand(1, 4, 2, 2)
        return type("Output", (), {"latent_dist": type("D", (), {"mean": mean, "std": 0 * mean})})


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_latent_keeps_its_caption_in_whatever_order_samples_come(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(40).tolist()
    recipe = small_training.render_mixture({"red": 100}, 0, 16).recipe
    samples = [(n, Sample(np.full((16, 16, 3), n, np.uint8), recipe, n, None)) for n in order]
    encoded = encode_samples(
        IndexVae(), samples, lambda sample: f"caption {sample.photograph}", Processes().device
    )
    for index, caption in enumerate(encoded.captions):
        assert caption == f"caption {index}"
        assert encoded.mean[index, 0, 0, 0].item() == index


def test_visited_timesteps_are_those_of_the_presets(
    small_sdxl: SmallSdxl, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = load_small(small_sdxl).noise
    before = find_visited(noise)
    assert before.usual.timestep < before.highest.timestep < 600
    assert before.find_start(before.usual.timestep) == before.usual
    assert before.find_start(before.usual.timestep + 1) == before.highest
    monkeypatch.setitem(PRESETS, "high", Preset(40, 60, 6.0, strength=0.9))
    after = find_visited(noise)
    assert after.usual == before.usual
    assert after.highest.timestep > 700


KILLED = """
import sys, torch
from pathlib import Path
from plitka.training.sdxl.states import State, save_state
step = 0
while True:
    step += 1
    tensors = {name: torch.full((200, 1000), float(step)) for name in "abcdef"}
    save_state(Path(sys.argv[1]), State(step, tensors, {"of": step}))
    print(step, flush=True)
"""


@pytest.mark.parametrize("after", [2, 5])
def test_states_are_whole_though_the_process_is_killed_while_it_writes(
    tmp_path: Path, after: int
) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    seen = 0
    while seen < after:
        seen = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    state = load_state(tmp_path)
    assert state is not None
    assert state.step >= after
    assert state.notes["of"] == state.step
    assert all((tensor == state.step).all() for tensor in state.tensors.values())
    assert len([place for place in tmp_path.iterdir() if place.suffix != ".part"]) <= 3


def test_a_damaged_state_gives_way_to_the_one_before(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save_state(tmp_path, State(step, {"a": torch.full((4,), float(step))}, {}))
    assert sorted(place.name for place in tmp_path.iterdir()) == ["step-000002", "step-000003"]
    file = tmp_path / "step-000003" / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-4])
    state = load_state(tmp_path)
    assert state is not None
    assert state.step == 2
