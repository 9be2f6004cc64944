"""How much work a prediction is, counted exactly and without doing it: on torch's meta device."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler, EulerDiscreteScheduler
from torch.utils.flop_counter import FlopCounterMode

from plitka.bench import random_models
from plitka.engines.sdxl import sampling
from plitka.engines.sdxl.options import PLAIN, Savings, Step, steps
from plitka.request.plan import Plan

_TOKENS = 77
SIZES = (512, 1024)  # pixels a side of preview and final


@dataclass(frozen=True)
class Work:
    """TFLOP (10^12 floating point operations, a multiplication and an addition being two)."""

    unet: float = 0.0
    controlnet: float = 0.0
    vae: float = 0.0

    @property
    def denoising(self) -> float:
        return self.unet + self.controlnet

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.unet + other.unet, self.controlnet + other.controlnet, self.vae + other.vae
        )


def prediction(size: str, settled: Plan, savings: Savings) -> Work:
    """Preview and final picture of Plitka's own, by a model of this size."""
    total = Work()
    for pixels, length in zip(SIZES, (settled.steps_preview, settled.steps_final), strict=True):
        run = planned_steps(settled, length, savings)
        total += Work(
            unet=sum(unet(size, pixels, step.samples) for step in run),
            controlnet=sum(controlnet(size, pixels, s.samples) for s in run if s.controlled),
            vae=decode(size, pixels)
            + (encode(size, pixels) if settled.strength is not None else 0.0),
        )
    return total


def old_prediction(size: str, settled: Plan) -> Work:
    """The old procedure: text to image, every step guided, nothing left out, no ControlNet."""
    total = Work()
    for pixels, length in zip(SIZES, (settled.steps_preview, settled.steps_final), strict=True):
        total += Work(unet=length * unet(size, pixels, 2), vae=decode(size, pixels))
    return total


def planned_steps(settled: Plan, length: int, savings: Savings = PLAIN) -> tuple[Step, ...]:
    """The steps that the engine runs for one picture."""
    config = random_models.scheduler().config
    scheduler: Any = DPMSolverMultistepScheduler.from_config(
        config, algorithm_type="dpmsolver++", use_karras_sigmas=True
    )
    if settled.recipe.quality == "turbo":
        scheduler = EulerDiscreteScheduler.from_config(config, timestep_spacing="trailing")
    run = sampling.steps_run(length, settled.strength)
    schedule = sampling.schedule(scheduler, length, run, "cpu")
    scale = 0.0 if settled.control.kind is None else settled.controlnet_scale
    return steps(schedule.sigmas, settled.guidance_scale, scale, savings)


# One call of one network


@functools.cache
def unet(size: str, pixels: int, samples: int) -> float:
    """Of one step. A ControlNet's residuals are added within, and additions are not counted."""
    network = _on_meta(size, "unet")
    return _counted(lambda: network(**_inputs(pixels, samples)))


@functools.cache
def controlnet(size: str, pixels: int, samples: int) -> float:
    network = _on_meta(size, "controlnet")
    given = {**_inputs(pixels, samples), **_edges(pixels, samples)}
    return _counted(lambda: network(**given))


@functools.cache
def decode(size: str, pixels: int) -> float:
    network = _on_meta(size, "vae")
    return _counted(lambda: network.decode(_meta(1, 4, pixels // 8, pixels // 8)))


@functools.cache
def encode(size: str, pixels: int) -> float:
    network = _on_meta(size, "vae")
    return _counted(lambda: network.encode(_meta(1, 3, pixels, pixels)))


def parameters(size: str, part: str) -> int:
    return sum(math.prod(p.shape) for p in _on_meta(size, part).parameters())


@functools.cache
def _on_meta(size: str, part: str) -> Any:
    make: dict[str, Callable[[random_models.Architecture], Any]] = {
        "unet": random_models.unet,
        "controlnet": random_models.controlnet,
        "vae": random_models.vae,
    }
    with torch.device("meta"):
        return make[part](random_models.ARCHITECTURES[size]).eval().requires_grad_(False)


def _inputs(pixels: int, samples: int) -> dict[str, Any]:
    return {
        "sample": _meta(samples, 4, pixels // 8, pixels // 8),
        "timestep": _meta(1),
        "encoder_hidden_states": _meta(samples, _TOKENS, 2048),
        "added_cond_kwargs": {"text_embeds": _meta(samples, 1280), "time_ids": _meta(samples, 6)},
        "return_dict": False,
    }


def _edges(pixels: int, samples: int) -> dict[str, Any]:
    return {"controlnet_cond": _meta(samples, 3, pixels, pixels)}


def _meta(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def _counted(call: Callable[[], Any]) -> float:
    with FlopCounterMode(display=False) as counter:
        call()
    total: int = counter.get_total_flops()
    return total / 1e12
