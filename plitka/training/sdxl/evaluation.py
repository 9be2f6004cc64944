"""What a state is worth: its held-out loss at fixed noise, and held-out recipes drawn and measured.

Recipes are drawn by the engine's own steps and not matched, for matching would set the colours.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from plitka.engines.sdxl import sampling
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.guidance import plan_steps
from plitka.engines.sdxl.options import Options
from plitka.engines.sdxl.text_encoding import PromptEncoder
from plitka.measure.shares import measure
from plitka.measure.texture import measure_texture_distance
from plitka.request.plan import count_steps, make_plan
from plitka.request.prompt import build_prompt
from plitka.request.recipe import Overrides, Recipe
from plitka.tile import render
from plitka.tile.layout import lay
from plitka.training.choice import Drawing, Evaluation, ScaleTrial
from plitka.training.inspection import Inspection
from plitka.training.options import TrainingOptions
from plitka.training.samples import Sample, make_held_out
from plitka.training.sdxl.latents import encode_picture
from plitka.training.sdxl.loss import EncodeTexts, Noisy, compute_losses
from plitka.training.sdxl.networks import Networks

_LEVELS = (0.1, 0.35, 0.6, 0.85)  # of the visited timesteps, at which the loss is computed
_SCALES = (0.6, 0.75, 0.9, 1.0)  # of the LoRA, that are tried at the end

Pictures = tuple[NDArray[np.uint8], ...]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What states are evaluated on.

    noisy: samples of held-out photographs with fixed noise. samples: the photographs whose recipes
    are drawn, and names: theirs.
    """

    noisy: tuple[Noisy, ...]
    samples: tuple[Sample, ...]
    names: tuple[str, ...]


def prepare_held_out(
    networks: Networks,
    inspection: Inspection,
    options: TrainingOptions,
    resolution: int,
    visited: int,
    device: Device,
) -> HeldOut:
    """Encode the held-out photographs, and fix their noise. visited: the highest timestep."""
    generator = torch.Generator().manual_seed(options.seed)
    held = [make_held_out(inspection, index, resolution) for index in inspection.held_out]
    noisy = []
    for sample in held:
        with torch.no_grad():
            latents = encode_picture(networks.pipe.vae, sample.pixels, device)[0][0]
        caption = build_prompt(sample.recipe, networks.subject)
        for level in _LEVELS:
            noise = torch.randn(latents.shape, generator=generator)
            noisy.append(Noisy(latents, noise, int(level * visited), caption))
    chosen = [held[number % len(held)] for number in range(options.drawn)]
    names = tuple(inspection.photographs[sample.photograph].name for sample in chosen)
    return HeldOut(tuple(noisy), tuple(chosen), names)


@torch.no_grad()
def evaluate(
    networks: Networks,
    values: Mapping[str, Tensor],
    held_out: HeldOut,
    step: int,
    encode: EncodeTexts,
    device: Device,
) -> tuple[Evaluation, Pictures]:
    """Evaluate a state. values: of what is trained, which is as before afterwards."""
    with networks.holding(values):
        losses = [
            compute_losses(networks, [sample], encode, device).item() for sample in held_out.noisy
        ]
        drawings, pictures = draw_held_out(networks, held_out, device)
    return Evaluation(step, float(np.mean(losses)), drawings), pictures


@torch.no_grad()
def try_scales(
    networks: Networks, values: Mapping[str, Tensor], held_out: HeldOut, device: Device
) -> tuple[ScaleTrial, ...]:
    """Draw the held-out recipes at several scales of the LoRA."""
    trials = []
    for scale in _SCALES:
        with networks.holding(values, scale):
            drawings, _ = draw_held_out(networks, held_out, device)
        whole = Evaluation(0, 0.0, drawings)
        trials.append(ScaleTrial(scale, whole.texture, whole.total_variation))
    return tuple(trials)


def draw_held_out(
    networks: Networks, held_out: HeldOut, device: Device
) -> tuple[tuple[Drawing, ...], Pictures]:
    """Draw the held-out recipes, and measure what comes out."""
    drawings = []
    pictures = []
    for number, (sample, name) in enumerate(zip(held_out.samples, held_out.names, strict=True)):
        recipe = replace(sample.recipe, seed=number, overrides=Overrides(use_controlnet=False))
        picture = draw_picture(networks, recipe, sample.pixels.shape[0], device)
        measured = measure(picture, [part.color for part in recipe.shares])
        drawings.append(
            Drawing(
                prompt=build_prompt(recipe, networks.subject),
                photograph=name,
                total_variation=measured.compare([part.share for part in recipe.shares]),
                texture=measure_texture_distance(picture, sample.pixels),
                undecided=measured.undecided,
            )
        )
        pictures.append(picture)
    return tuple(drawings), tuple(pictures)


@torch.no_grad()
def draw_picture(
    networks: Networks, recipe: Recipe, size: int, device: Device
) -> NDArray[np.uint8]:
    """Draw a recipe as the engine draws its final picture without a ControlNet.

    size: pixels a side. Returns (size, size, 3), 0 to 255.
    """
    pipe = networks.pipe
    plan = make_plan(recipe, networks.subject)
    rendered = render.render_picture(lay(recipe), size)
    encoder = PromptEncoder(pipe, keep=False)
    embeddings = encoder.encode(plan.prompt, plan.negative_prompt, nullcontext())
    condition = sampling.make_condition(embeddings.to(device.name), size, plan.guidance_scale)
    count = count_steps(plan.steps_final, plan.strength)
    schedule = sampling.make_schedule(pipe.scheduler, plan.steps_final, count, device.name)
    steps = plan_steps(schedule.sigmas, plan.guidance_scale, 0.0, Options())
    generator = torch.Generator("cpu").manual_seed(recipe.seed)
    latents = sampling.encode_image(pipe.vae, rendered, generator, like=condition.text)
    latents = sampling.add_noise(schedule, latents, generator)
    latents = sampling.denoise(pipe.unet, schedule, steps, latents, condition, lambda: None)
    return sampling.make_picture(sampling.decode_latents(pipe.vae, latents))
