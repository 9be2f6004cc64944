"""Memory plans of a training: their figures against counted bytes, and which one is chosen."""

from functools import partial
from typing import Any

import pytest
import torch

from plitka.bench.activations import Kept, count_encoders, count_unet, make_unet_on_meta
from plitka.bench.flops import count_parameters
from plitka.engines.sdxl import architecture
from plitka.engines.sdxl.device import Device
from plitka.errors import TrainingError
from plitka.training.sdxl.lora_layers import attach_lora
from plitka.training.sdxl.memory import (
    TrainingNeeds,
    choose_training_plan,
    compute_model_needs,
    compute_training_needs,
    count_trainable,
    describe_training_plan,
    step_down,
)
from plitka.weights import models
from tests.support.small_sdxl import SmallSdxl, load_base
from tests.support.unet_predictions import predict

PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")
CARD = Device("cuda:0", "NVIDIA L4", "bfloat16", 24 * 2**30)
CPU = Device("cpu", "CPU", "float32", 64 * 2**30)


def needs_of_sdxl(pixels: int, dtype: str = "bfloat16") -> TrainingNeeds:
    parameters = {part: count_parameters("full", part) for part in PARTS}
    return compute_training_needs(parameters, 25_425_920, dtype, pixels)


@pytest.fixture(scope="module")
def unet() -> Any:
    """The full UNet with its LoRA, without content."""
    return make_unet_on_meta(torch.bfloat16, partial(attach_lora, rank=16, seed=0))


@pytest.mark.long
@pytest.mark.parametrize(
    ("pixels", "batch", "plan"), [(1024, 1, "fast"), (512, 4, "fast"), (768, 2, "checkpointed")]
)
def test_the_plans_reckon_with_what_autograd_keeps(
    unet: Any, pixels: int, batch: int, plan: Any
) -> None:
    kept: Kept = count_unet(unet, batch, pixels, 154, checkpointed=plan != "fast")
    counted = kept.peak + count_encoders(torch.bfloat16, 2 * batch)
    assert needs_of_sdxl(pixels).count_kept(plan, batch) == pytest.approx(counted, rel=0.15)


def test_the_numbers_that_are_trained_are_counted_by_shapes(unet: Any) -> None:
    shapes = {
        name.replace(".base_layer", ""): tuple(value.shape)
        for name, value in unet.named_parameters()
        if "lora_" not in name
    }
    trained = sum(one.numel() for one in unet.parameters() if one.requires_grad)
    assert count_trainable(shapes, 16) == trained == 25_425_920


def test_what_lies_on_the_device_is_all_weights_and_the_optimizers() -> None:
    """5.1 GB of UNet, 1.6 GB of encoders, and 20 bytes for each number that is trained."""
    needs = needs_of_sdxl(1024)
    assert needs.unet == 2 * 2_567_463_684
    assert needs.encoders == 2 * (123_060_480 + 694_659_840)
    assert needs.trained == 20 * 25_425_920


@pytest.mark.parametrize("pixels", [512, 768, 1024])
@pytest.mark.parametrize("batch", [1, 4])
def test_each_plan_needs_less_than_the_one_before(pixels: int, batch: int) -> None:
    needs = needs_of_sdxl(pixels)
    fast, checkpointed, lean = (needs.of(plan, batch) for plan in ("fast", "checkpointed", "lean"))
    assert fast > checkpointed > lean
    assert needs.of("lean", batch) == needs.of("lean", 1)


@pytest.mark.parametrize(("gib", "plan"), [(80, "fast"), (24, "checkpointed"), (10, "lean")])
def test_the_fastest_plan_that_fits_is_chosen(gib: int, plan: str) -> None:
    assert choose_training_plan(CARD, gib * 2**30, needs_of_sdxl(1024), 4) == plan


def test_without_a_card_there_is_nowhere_to_put_the_encoders() -> None:
    needs = needs_of_sdxl(512, "float32")
    assert choose_training_plan(CPU, needs.of("checkpointed", 1), needs, 1) == "checkpointed"
    with pytest.raises(TrainingError, match="smaller batch, resolution or rank"):
        choose_training_plan(CPU, needs.of("checkpointed", 1) - 1, needs, 1)


def test_too_little_memory_is_told_with_what_would_help() -> None:
    with pytest.raises(TrainingError) as raised:
        choose_training_plan(CARD, 5 * 2**30, needs_of_sdxl(1024), 4)
    told = str(raised.value)
    assert told.startswith("NVIDIA L4: 5.0 GiB of memory is free and this training needs 7.")
    assert "take a smaller resolution or rank" in told


def test_plans_step_down_until_the_smallest() -> None:
    assert step_down("fast") == "checkpointed"
    assert step_down("checkpointed") == "lean"
    assert step_down("lean") is None
    described = describe_training_plan("lean", needs_of_sdxl(512), 4)
    assert described.startswith("memory plan lean: checkpointed, one sample at a time")


def test_a_models_needs_are_those_of_its_shapes(small_sdxl: SmallSdxl) -> None:
    base = models.check_base(small_sdxl.base, architecture, True, None)
    needs = compute_model_needs(base, 4, "float32", 512)
    pipe = load_base(small_sdxl)
    assert needs.unet == 4 * sum(one.numel() for one in pipe.unet.parameters())
    assert needs.vae == 4 * sum(one.numel() for one in pipe.vae.parameters())
    pipe.unet.requires_grad_(False)
    attach_lora(pipe.unet, 4, 0)
    trained = sum(one.numel() for one in pipe.unet.parameters() if one.requires_grad)
    assert needs.trained == 20 * trained
    assert choose_training_plan(CPU, 2 * 2**30, needs, 4) == "fast"


# The LoRA's layers


def test_a_new_lora_changes_nothing_and_is_the_same_for_the_same_seed(
    small_sdxl: SmallSdxl,
) -> None:
    pipe = load_base(small_sdxl)
    before = predict(pipe.unet)
    state = torch.random.get_rng_state()
    pipe.unet.requires_grad_(False)
    attach_lora(pipe.unet, 4, 7)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(predict(pipe.unet), before)
    again = load_base(small_sdxl).unet
    attach_lora(again, 4, 7)
    drawn = {name: value for name, value in pipe.unet.named_parameters() if "lora_A" in name}
    assert drawn
    for name, value in again.named_parameters():
        assert "lora_A" not in name or torch.equal(value, drawn[name])


def test_factors_stay_in_single_precision_and_work_in_the_networks_own(
    small_sdxl: SmallSdxl,
) -> None:
    """The gradient comes back in float32, and nothing else was cast."""
    unet = load_base(small_sdxl).unet.to(torch.bfloat16).requires_grad_(False)
    attach_lora(unet, 4, 7)
    trained = [one for one in unet.parameters() if one.requires_grad]
    assert {one.dtype for one in trained} == {torch.float32}

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, dtype=torch.bfloat16)

    seen: set[torch.dtype] = set()

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.dim() == 4 or tensor.shape[-1:] == (2048,):  # and no statistic
            seen.add(tensor.dtype)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        predicted = unet(
            draw(1, 4, 16, 16),
            torch.tensor([40]),
            draw(1, 77, 2048),
            added_cond_kwargs={"text_embeds": draw(1, 1280), "time_ids": draw(1, 6)},
            return_dict=False,
        )[0]
    predicted.float().square().mean().backward()
    assert all(one.grad is not None and one.grad.dtype == torch.float32 for one in trained)
    assert any(one.grad is not None and one.grad.abs().max() > 0 for one in trained)
    assert seen == {torch.bfloat16}
