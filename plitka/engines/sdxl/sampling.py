"""From noise to latents to pixels, for all plans: one loop on SDXL's own modules.

It does what diffusers' four SDXL pipelines do (text to image and image to image, each with and
without a ControlNet), equal to the bit where no step leaves anything out.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from diffusers.utils.torch_utils import randn_tensor
from numpy.typing import NDArray
from torch import Tensor

from plitka.engines.sdxl import passes
from plitka.engines.sdxl.consistency import ConsistencySampler
from plitka.engines.sdxl.guidance import Step
from plitka.engines.sdxl.text_encoding import PromptEmbeddings
from plitka.engines.sdxl.text_keys import make_text_keys
from plitka.errors import EngineError

_DOWNSCALING = 8  # pixels a side of a latent

Run: TypeAlias = Callable[..., Any]
"""Makes a pass: `run(function, network, *arguments)` gives what `call` gives."""


def call(function: Callable[..., Any], network: Any, *arguments: Any) -> Any:
    """Make a pass of a network by its function in `passes`."""
    return function(network, *arguments)


@dataclass(frozen=True)
class Schedule:
    """The part of a scheduler's schedule that is run.

    timesteps: (steps,) on the device. sigmas: the noise level of each, from high to low.
    """

    scheduler: Any
    timesteps: Tensor
    sigmas: tuple[float, ...]


def make_schedule(scheduler: Any, length: int, count: int, device: str) -> Schedule:
    """Make the schedule of the last `count` of `length` steps."""
    scheduler.set_timesteps(length, device=device)
    first = length - count
    scheduler.set_begin_index(first)
    sigmas = tuple(scheduler.sigmas[first:-1].tolist())
    return Schedule(scheduler, scheduler.timesteps[first:], sigmas)


@dataclass(frozen=True)
class Condition:
    """What the networks are conditioned on, the unconditional sample first.

    text: (2, tokens, 2048). pooled: (2, 1280). time_ids: (2, 6). controlnet: the network, None for
    none. edges: its control image, (2, 3, size, size), 0 to 1. scale: of its residuals, 0 to 2.
    """

    text: Tensor
    pooled: Tensor
    time_ids: Tensor
    guidance_scale: float
    controlnet: Any = None
    edges: Tensor | None = None
    scale: float = 0.0


def make_condition(
    embeddings: PromptEmbeddings,
    size: int,
    guidance_scale: float,
    controlnet: Any = None,
    edges: NDArray[np.uint8] | None = None,
    scale: float = 0.0,
) -> Condition:
    """Put together what the networks are conditioned on.

    embeddings: on the device. size: pixels a side. edges: (size, size) or (size, size, 3), 0 to
    255, given with a ControlNet only.
    """
    text = torch.cat([embeddings.negative, embeddings.prompt])
    time_ids = [[size, size, 0, 0, size, size]] * 2  # original size, crop, target size
    control_image = None
    if edges is not None:
        rgb = edges if edges.ndim == 3 else np.repeat(edges[..., None], 3, axis=2)
        image = _to_tensor(rgb).contiguous().to(text.device, controlnet.dtype)
        control_image = torch.cat([image] * 2)
    return Condition(
        text=text,
        pooled=torch.cat([embeddings.negative_pooled, embeddings.pooled]),
        time_ids=torch.tensor(time_ids, dtype=text.dtype, device=text.device),
        guidance_scale=guidance_scale,
        controlnet=controlnet,
        edges=control_image,
        scale=scale,
    )


def draw_noise(schedule: Schedule, size: int, generator: torch.Generator, like: Tensor) -> Tensor:
    """Draw the latents that text to image starts from, (1, 4, size / 8, size / 8).

    like: a tensor of the device and dtype that they get.
    """
    noise: Tensor = randn_tensor(
        (1, 4, size // _DOWNSCALING, size // _DOWNSCALING),
        generator=generator,
        device=like.device,
        dtype=like.dtype,
    )
    latents: Tensor = noise * schedule.scheduler.init_noise_sigma
    return latents


def encode_image(
    vae: Any, image: NDArray[np.uint8], generator: torch.Generator, like: Tensor
) -> Tensor:
    """Encode an init image to latents, (1, 4, size / 8, size / 8).

    image: (size, size, 3) RGB, 0 to 255. like: a tensor of the device and dtype that they get.
    """
    pixels = (2.0 * _to_tensor(image) - 1.0).to(like.device, like.dtype)
    with _upcast_vae(vae):
        latents = vae.encode(pixels.to(vae.dtype)).latent_dist.sample(generator)
    scaled: Tensor = vae.config.scaling_factor * latents.to(like.dtype)
    return scaled


def add_noise(schedule: Schedule, latents: Tensor, generator: torch.Generator) -> Tensor:
    """Add as much noise to latents as there is at the schedule's first step."""
    noise = randn_tensor(
        latents.shape, generator=generator, device=latents.device, dtype=latents.dtype
    )
    noisy: Tensor = schedule.scheduler.add_noise(latents, noise, schedule.timesteps[:1])
    return noisy


def draw_step_noise(schedule: Schedule, latents: Tensor, generator: torch.Generator) -> None:
    """Draw the noise that steps put on, where the scheduler's do."""
    if isinstance(schedule.scheduler, ConsistencySampler):
        schedule.scheduler.draw_noise(len(schedule.timesteps), generator, latents)


@dataclass(frozen=True)
class Inputs:
    """What the networks get beside the latents, for two samples or for one: made once a picture.

    text: the UNet's keys and values of it, (samples, features). pooled: (samples, 1280). time_ids:
    (samples, 6). control_text: the ControlNet's keys and values; edges: its control image,
    embedded, (samples, 320, size / 8, size / 8); both None where it has none.
    """

    text: Tensor
    pooled: Tensor
    time_ids: Tensor
    control_text: Tensor | None = None
    edges: Tensor | None = None


def denoise(
    unet: Any,
    schedule: Schedule,
    steps: Sequence[Step],
    latents: Tensor,
    condition: Condition,
    at_step: Callable[[], None],
    run: Run = call,
) -> Tensor:
    """Run the schedule on latents, (1, 4, height, width). Return the denoised ones.

    steps: what each step computes. at_step: called after each step; may raise to abort.
    run: makes the networks' passes, which may have been compiled.
    Nothing here waits for the device: the work is only put into its queue.
    """
    inputs = {
        guided: make_inputs(unet, condition, guided)
        for guided in sorted({step.guided for step in steps})
    }
    deep: Tensor | None = None
    # Whole numbers of a type that depends on the scheduler; the networks make them float32.
    times = schedule.timesteps.float()
    for step, timestep, time in zip(steps, schedule.timesteps, times, strict=True):
        given = inputs[step.guided]
        samples = torch.cat([latents] * step.samples)
        samples = schedule.scheduler.scale_model_input(samples, timestep)
        inputs_of_step = (samples, time, given.text, given.pooled, given.time_ids)
        residuals: Sequence[Tensor] = ()
        if step.controlled:
            residuals = run_controlnet(condition, samples, time, given, step.deep, run)
        if step.deep:
            noise, deep = run(passes.run_unet, unet, *inputs_of_step, residuals)
        else:
            assert deep is not None  # the first step computes them
            kept = deep[-step.samples :]  # without guidance, the conditional sample's alone
            noise = run(passes.run_shallow_unet, unet, *inputs_of_step, kept, residuals)
        if step.guided:
            unconditional, conditional = noise.chunk(2)
            noise = unconditional + condition.guidance_scale * (conditional - unconditional)
        latents = schedule.scheduler.step(noise, timestep, latents, return_dict=False)[0]
        at_step()
    return latents


def run_controlnet(
    condition: Condition,
    samples: Tensor,
    timestep: Tensor,
    given: Inputs,
    deep: bool = True,
    run: Run = call,
) -> Sequence[Tensor]:
    """Run the condition's ControlNet; return its residuals, none where there is no ControlNet.

    deep: whether for a full pass of the UNet, and not for a shallow one.
    The residuals are scaled here, so that a pass is the same at all scales.
    """
    if condition.controlnet is None:
        return ()
    residuals: Sequence[Tensor] = run(
        passes.run_controlnet if deep else passes.run_shallow_controlnet,
        condition.controlnet,
        samples,
        timestep,
        given.control_text,
        given.pooled,
        given.time_ids,
        given.edges,
    )
    return [part * condition.scale for part in residuals]


def make_inputs(unet: Any, condition: Condition, guided: bool) -> Inputs:
    """Make what guided steps get, or the others, which have the conditional sample alone."""
    rows = slice(0, 2) if guided else slice(1, 2)
    text = condition.text[rows]
    network, edges = condition.controlnet, condition.edges
    return Inputs(
        text=make_text_keys(unet, text),
        pooled=condition.pooled[rows],
        time_ids=condition.time_ids[rows],
        control_text=None if edges is None else make_text_keys(network, text),
        edges=None if edges is None else passes.embed_edges(network, edges[rows]),
    )


def decode_latents(vae: Any, latents: Tensor) -> Tensor:
    """Decode (1, 4, height, width) to (1, 3, 8 * height, 8 * width), about -1 to 1.

    The picture stays on the device.
    """
    with _upcast_vae(vae):
        image: Tensor = vae.decode(
            latents.to(vae.dtype) / vae.config.scaling_factor, return_dict=False
        )[0]
    return image


def make_picture(decoded: Tensor) -> NDArray[np.uint8]:
    """Convert what the VAE decoded, (1, 3, size, size), -1 to 1, to (size, size, 3), 0 to 255.

    Raises EngineError for NaN and infinity.
    """
    pixels = decoded * 0.5 + 0.5
    picture = pixels[0].cpu().permute(1, 2, 0).float().numpy()
    if not np.isfinite(picture).all():  # before infinities become black and white
        raise EngineError(
            "the VAE returned NaN or inf, so the picture would be black: it overflowed in half"
            " precision; set PLITKA_VAE to madebyollin/sdxl-vae-fp16-fix, or use another LoRA or"
            " a smaller scale"
        )
    return np.asarray(np.rint(picture.clip(0, 1) * 255), np.uint8)


@contextmanager
def _upcast_vae(vae: Any) -> Iterator[None]:
    """Let the VAE work in float32 in the block, where it is in float16 and its config asks for it.

    The published SDXL VAE overflows in half precision, and its config says so.
    """
    needed = vae.config.force_upcast and vae.dtype == torch.float16
    if needed:
        vae.to(dtype=torch.float32)
    try:
        yield
    finally:
        if needed:
            vae.to(dtype=torch.float16)


def _to_tensor(image: NDArray[np.uint8]) -> Tensor:
    """Convert (height, width, channels), 0 to 255, to (1, channels, height, width), 0 to 1."""
    return torch.from_numpy(image.astype(np.float32) / 255.0)[None].permute(0, 3, 1, 2)
