"""Floating point operations of a prediction, counted exactly and without running it.

Networks and tensors are on torch's meta device, which has shapes and no content.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import torch
from diffusers import DPMSolverMultistepScheduler, EulerDiscreteScheduler
from torch.utils.flop_counter import FlopCounterMode

from plitka.bench import random_models
from plitka.engines.sdxl import passes, sampling
from plitka.engines.sdxl.guidance import Step, choose_deep_interval, plan_steps
from plitka.engines.sdxl.options import PLAIN, Options
from plitka.engines.sdxl.text_keys import keep_text_keys, make_text_keys
from plitka.request.plan import DRAWN_SIZES, Plan, count_steps

Network: TypeAlias = Literal["unet", "controlnet"]

_TOKENS = 77  # of a prompt, in one chunk


@dataclass(frozen=True)
class Flops:
    """TFLOP (10^12 floating point operations, a multiplication and an addition being two)."""

    unet: float = 0.0
    controlnet: float = 0.0
    vae: float = 0.0

    @property
    def denoising(self) -> float:
        return self.unet + self.controlnet

    def __add__(self, other: "Flops") -> "Flops":
        return Flops(
            self.unet + other.unet, self.controlnet + other.controlnet, self.vae + other.vae
        )


def count_prediction(size: str, plan: Plan, options: Options) -> Flops:
    """Count preview and final picture of Plitka. size: of the model."""
    total = Flops()
    for pixels, length in zip(DRAWN_SIZES, (plan.steps_preview, plan.steps_final), strict=True):
        steps = plan_picture_steps(plan, length, options)
        total += Flops(
            unet=_count_denoising(size, "unet", pixels, steps),
            controlnet=_count_denoising(
                size, "controlnet", pixels, [step for step in steps if step.controlled]
            ),
            vae=count_decode(size, pixels)
            + (count_encode(size, pixels) if plan.strength is not None else 0.0),
        )
    return total


def _count_denoising(size: str, part: Network, pixels: int, steps: Sequence[Step]) -> float:
    """Count one network's steps of a picture, and what is made for them once."""
    once = sum(count_inputs(size, part, pixels, count) for count in {s.samples for s in steps})
    return once + sum(count_pass(size, part, pixels, step.samples, step.deep) for step in steps)


def count_old_prediction(size: str, plan: Plan) -> Flops:
    """Count the old procedure: text to image, every step guided, no ControlNet."""
    total = Flops()
    for pixels, length in zip(DRAWN_SIZES, (plan.steps_preview, plan.steps_final), strict=True):
        total += Flops(unet=length * count_unet(size, pixels, 2), vae=count_decode(size, pixels))
    return total


def plan_picture_steps(plan: Plan, length: int, options: Options = PLAIN) -> tuple[Step, ...]:
    """Plan the steps that the engine runs for one picture. length: of the noise schedule."""
    config = random_models.make_scheduler().config
    scheduler: Any = DPMSolverMultistepScheduler.from_config(
        config, algorithm_type="dpmsolver++", use_karras_sigmas=True
    )
    if plan.recipe.quality == "turbo":
        scheduler = EulerDiscreteScheduler.from_config(config, timestep_spacing="trailing")
    count = count_steps(length, plan.strength)
    schedule = sampling.make_schedule(scheduler, length, count, "cpu")
    scale = 0.0 if plan.control.kind is None else plan.controlnet_scale
    interval = choose_deep_interval(plan, options)
    return plan_steps(schedule.sigmas, plan.guidance_scale, scale, options, interval)


# TFLOP of one call of one network. size: of the model, pixels: a side, samples: 2 with guidance


@functools.cache
def count_unet(size: str, pixels: int, samples: int) -> float:
    """Count one call as diffusers' pipelines make it, with the text's keys computed anew."""
    network = _make_on_empty(size, "unet")
    text = _make_empty(samples, _TOKENS, 2048)
    added = {"text_embeds": _make_empty(samples, 1280), "time_ids": _make_empty(samples, 6)}
    latents = _make_empty(samples, 4, pixels // 8, pixels // 8)
    return _count(lambda: network(latents, _make_empty(1), text, added_cond_kwargs=added))


@functools.cache
def count_pass(size: str, part: Network, pixels: int, samples: int, deep: bool = True) -> float:
    """Count one pass. The UNet adds a ControlNet's residuals, but additions are not counted.

    deep: whether it is a full one, and not a shallow one.
    """
    network = _make_on_empty(size, part)
    inputs = (
        _make_empty(samples, 4, pixels // 8, pixels // 8),
        _make_empty(1),
        make_text_keys(network, _make_empty(samples, _TOKENS, 2048)),
        _make_empty(samples, 1280),
        _make_empty(samples, 6),
    )
    if part == "controlnet":
        edges = passes.embed_edges(network, _make_empty(samples, 3, pixels, pixels))
        run = passes.run_controlnet if deep else passes.run_shallow_controlnet
        return _count(lambda: run(network, *inputs, edges))
    if deep:
        return _count(lambda: passes.run_unet(network, *inputs))
    features = passes.run_unet(network, *inputs)[1]
    return _count(lambda: passes.run_shallow_unet(network, *inputs, features))


@functools.cache
def count_inputs(size: str, part: Network, pixels: int, samples: int) -> float:
    """Count what a picture's steps are given: the text's keys, and for a ControlNet the edges."""
    network = _make_on_empty(size, part)
    text = _count(lambda: make_text_keys(network, _make_empty(samples, _TOKENS, 2048)))
    if part == "unet":
        return text
    edges = _make_empty(samples, 3, pixels, pixels)
    return text + _count(lambda: passes.embed_edges(network, edges))


@functools.cache
def count_decode(size: str, pixels: int) -> float:
    network = _make_on_empty(size, "vae")
    return _count(lambda: network.decode(_make_empty(1, 4, pixels // 8, pixels // 8)))


@functools.cache
def count_encode(size: str, pixels: int) -> float:
    network = _make_on_empty(size, "vae")
    return _count(lambda: network.encode(_make_empty(1, 3, pixels, pixels)))


def count_parameters(size: str, part: str) -> int:
    return sum(math.prod(p.shape) for p in _make_on_empty(size, part).parameters())


@functools.cache
def _make_on_empty(size: str, part: str) -> Any:
    architecture = random_models.ARCHITECTURES[size]
    make: Mapping[str, Callable[[], Any]] = {
        "unet": functools.partial(random_models.make_unet, architecture),
        "controlnet": functools.partial(random_models.make_controlnet, architecture),
        "vae": functools.partial(random_models.make_vae, architecture),
        **random_models.list_text_encoders(architecture),
    }
    with torch.device("meta"):
        network = make[part]().eval().requires_grad_(False)
    if part in get_args(Network):
        keep_text_keys(network)
    return network


def _make_empty(*shape: int) -> torch.Tensor:
    """Make a tensor that has a shape and no content."""
    return torch.empty(shape, device="meta")


def _count(call: Callable[[], Any]) -> float:
    """Count the TFLOP of a call."""
    with FlopCounterMode(display=False) as counter:
        call()
    total: int = counter.get_total_flops()
    return total / 1e12
