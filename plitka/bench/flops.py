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
from plitka.engines.sdxl.guidance import Step, plan_steps
from plitka.engines.sdxl.options import PLAIN, Options
from plitka.request.plan import DRAWN_SIZES, Plan, count_steps

_TOKENS = 77


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


def count_prediction(size: str, settled: Plan, options: Options) -> Flops:
    """Preview and final picture of Plitka's own, by a model of this size."""
    total = Flops()
    for pixels, length in zip(
        DRAWN_SIZES, (settled.steps_preview, settled.steps_final), strict=True
    ):
        run = plan_picture_steps(settled, length, options)
        total += Flops(
            unet=sum(count_unet(size, pixels, step.samples) for step in run),
            controlnet=sum(count_controlnet(size, pixels, s.samples) for s in run if s.controlled),
            vae=count_decode(size, pixels)
            + (count_encode(size, pixels) if settled.strength is not None else 0.0),
        )
    return total


def count_old_prediction(size: str, settled: Plan) -> Flops:
    """The old procedure: text to image, every step guided, nothing left out, no ControlNet."""
    total = Flops()
    for pixels, length in zip(
        DRAWN_SIZES, (settled.steps_preview, settled.steps_final), strict=True
    ):
        total += Flops(unet=length * count_unet(size, pixels, 2), vae=count_decode(size, pixels))
    return total


def plan_picture_steps(settled: Plan, length: int, options: Options = PLAIN) -> tuple[Step, ...]:
    """The steps that the engine runs for one picture."""
    config = random_models.make_scheduler().config
    scheduler: Any = DPMSolverMultistepScheduler.from_config(
        config, algorithm_type="dpmsolver++", use_karras_sigmas=True
    )
    if settled.recipe.quality == "turbo":
        scheduler = EulerDiscreteScheduler.from_config(config, timestep_spacing="trailing")
    run = count_steps(length, settled.strength)
    schedule = sampling.make_schedule(scheduler, length, run, "cpu")
    scale = 0.0 if settled.control.kind is None else settled.controlnet_scale
    return plan_steps(schedule.sigmas, settled.guidance_scale, scale, options)


# One call of one network


@functools.cache
def count_unet(size: str, pixels: int, samples: int) -> float:
    """Of one step. A ControlNet's residuals are added within, and additions are not counted."""
    network = _on_meta(size, "unet")
    return _counted(lambda: network(**_inputs(pixels, samples)))


@functools.cache
def count_controlnet(size: str, pixels: int, samples: int) -> float:
    network = _on_meta(size, "controlnet")
    given = {**_inputs(pixels, samples), **_edges(pixels, samples)}
    return _counted(lambda: network(**given))


@functools.cache
def count_decode(size: str, pixels: int) -> float:
    network = _on_meta(size, "vae")
    return _counted(lambda: network.decode(_meta(1, 4, pixels // 8, pixels // 8)))


@functools.cache
def count_encode(size: str, pixels: int) -> float:
    network = _on_meta(size, "vae")
    return _counted(lambda: network.encode(_meta(1, 3, pixels, pixels)))


def count_parameters(size: str, part: str) -> int:
    return sum(math.prod(p.shape) for p in _on_meta(size, part).parameters())


@functools.cache
def _on_meta(size: str, part: str) -> Any:
    make: dict[str, Callable[[random_models.Architecture], Any]] = {
        "unet": random_models.make_unet,
        "controlnet": random_models.make_controlnet,
        "vae": random_models.make_vae,
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
