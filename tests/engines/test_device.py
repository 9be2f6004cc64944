from dataclasses import replace

import pytest

from plitka.engines.sdxl import architecture, options
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.memory_plan import (
    PLANS,
    MemoryPlan,
    choose_plan,
    compute_model_needs,
    compute_needs,
    step_down,
)
from plitka.errors import EngineError
from plitka.weights import models
from tests.support.small_sdxl import SmallSdxl

GIB = 2**30
CARD = Device("cuda:0", "Some GPU", "float16", 24 * GIB)
SDXL = {
    "unet": 2_567_463_684,
    "text_encoder": 123_060_480,
    "text_encoder_2": 694_659_840,
    "vae": 83_653_863,
    "controlnet": 1_251_014_800,
}


@pytest.mark.parametrize(
    ("free", "memory_plan"),
    [
        (80, "resident"),
        (24, "resident"),
        (12, "encoders_on_cpu"),
        (10, "tiled_vae"),
        (8, "offload"),
    ],
)
def test_the_fastest_plan_that_fits_is_chosen(free: int, memory_plan: MemoryPlan) -> None:
    needed = compute_needs(SDXL, "float16")
    assert choose_plan(CARD, free * GIB, needed) == memory_plan


@pytest.mark.parametrize(
    ("free", "memory_plan", "fits"),
    [
        (24, "resident", True),
        (16, "resident", False),
        (18, "encoders_on_cpu", True),
        (12, "tiled_vae", False),
        (24, "offload", False),
    ],
)
def test_turbo_has_weights_of_its_own_where_a_plan_leaves_room(
    free: int, memory_plan: MemoryPlan, fits: bool
) -> None:
    needed = compute_needs({**SDXL, "turbo": SDXL["unet"]}, "float16")
    assert needed.turbo == needed.unet
    assert needed.leaves_turbo_room(memory_plan, free * GIB) is fits
    assert not compute_needs(SDXL, "float16").leaves_turbo_room(memory_plan, free * GIB)


def test_each_plan_needs_less_than_the_one_before() -> None:
    needed = compute_needs(SDXL, "float16")
    sizes = [needed.of(plan) for plan in PLANS]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 4


@pytest.mark.parametrize(
    ("free", "memory_plan"),
    [
        (14.6, "resident"),  # a T4
        (15.5, "resident"),  # an RTX 4080
        (13, "encoders_on_cpu"),
        (9.3, "tiled_vae"),
    ],
)
def test_with_sdxls_own_vae_no_smaller_plan_is_chosen_than_a_card_bears(
    free: float, memory_plan: MemoryPlan
) -> None:
    needed = compute_needs(SDXL, "float16", upcasts=True)
    assert choose_plan(CARD, int(free * GIB), needed) == memory_plan


def test_a_vae_that_asks_for_single_precision_takes_more_to_decode_and_no_more_else(
    small_sdxl: SmallSdxl,
) -> None:
    base = models.check_base(small_sdxl.base, architecture, True)
    vae = base.models["vae"]
    half, upcast = (
        compute_model_needs(
            base, replace(vae, config={**vae.config, "force_upcast": upcasts}), None, "float16"
        )
        for upcasts in (False, True)
    )
    assert upcast.decode - half.decode == half.decode // 2 + half.vae
    assert upcast.decode_tiled - half.decode_tiled == half.decode_tiled // 2 + half.vae
    assert (upcast.vae, upcast.denoise) == (half.vae, half.denoise)


@pytest.mark.parametrize(
    ("room", "controlled", "seen"),
    [
        (24, True, ["resident", "encoders_on_cpu", "tiled_vae", "offload"]),
        (10, True, ["resident", "tiled_vae", "offload"]),
        (7, False, ["resident", "tiled_vae", "offload"]),
        (7, True, ["resident", "offload"]),
        (2, False, ["resident", "offload"]),
    ],
)
def test_a_step_down_is_to_the_fastest_plan_that_fits_and_ends_at_the_smallest(
    room: int, controlled: bool, seen: list[MemoryPlan]
) -> None:
    needed = compute_needs(SDXL, "float16")
    stepped: list[MemoryPlan] = ["resident"]
    while (smaller := step_down(stepped[-1], room * GIB, needed, controlled)) is not None:
        stepped.append(smaller)
    assert stepped == seen


def test_beside_a_second_controlnet_there_is_room_to_decode() -> None:
    needed = compute_needs(SDXL, "float16")
    assert needed.of_work("resident") == 3.5 * GIB  # to decode; to denoise takes 1.7
    assert needed.of_work("tiled_vae") == needed.text_encoders + needed.encode_text
    assert needed.of("resident") - needed.of("encoders_on_cpu") == needed.text_encoders


def test_too_little_memory_is_an_error_that_says_what_to_do() -> None:
    needed = compute_needs(SDXL, "float16")
    with pytest.raises(EngineError, match=r"Some GPU: 4\.0 GiB of memory is free.*larger device"):
        choose_plan(CARD, 4 * GIB, needed)


def test_without_a_gpu_nothing_is_moved_between_devices() -> None:
    cpu = replace(CARD, name="cpu", dtype="float32")
    needed = compute_needs(SDXL, "float32")
    plans = {choose_plan(cpu, free * GIB, needed) for free in range(20, 64)}
    assert plans == {"resident", "tiled_vae"}


@pytest.mark.parametrize("text", ["0", "1.5", "-1", "half", "nan"])
def test_a_wrong_fraction_is_refused(text: str) -> None:
    with pytest.raises(EngineError, match=r"PLITKA_GPU_MEMORY_FRACTION: got"):
        options.read_memory_fraction({options.MEMORY_FRACTION: text})


def test_the_fraction_is_all_unless_it_is_set() -> None:
    assert (
        options.read_memory_fraction({})
        == options.read_memory_fraction({options.MEMORY_FRACTION: ""})
        == 1
    )
    assert options.read_memory_fraction({options.MEMORY_FRACTION: "0.5"}) == 0.5
