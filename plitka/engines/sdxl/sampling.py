"""The way from noise to latents, for all plans: one loop on SDXL's own modules.

What diffusers' four SDXL pipelines do (text to image, image to image, each without and with a
ControlNet), to the bit where nothing is left out, and free to leave out what a step does not need.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers.utils.torch_utils import randn_tensor
from numpy.typing import NDArray
from torch import Tensor

from plitka.engines.sdxl.guidance import Step
from plitka.engines.sdxl.text_encoding import PromptEmbeddings

_DOWNSCALING = 8  # pixels a side of a latent


@dataclass(frozen=True)
class Schedule:
    """The part of a scheduler's schedule that is run.

    timesteps: (run,) on the device. sigmas: their noise levels, from high to low.
    """

    scheduler: Any
    timesteps: Tensor
    sigmas: tuple[float, ...]


def make_schedule(scheduler: Any, steps: int, run: int, device: str) -> Schedule:
    """The last `run` of `steps` steps."""
    scheduler.set_timesteps(steps, device=device)
    first = steps - run
    scheduler.set_begin_index(first)
    sigmas = tuple(scheduler.sigmas[first:-1].tolist())
    return Schedule(scheduler, scheduler.timesteps[first:], sigmas)


@dataclass(frozen=True)
class Condition:
    """text: (2, tokens, 2048), pooled: (2, 1280), time_ids: (2, 6): the unconditional sample first.

    controlnet: the network; edges: (2, 3, size, size) in 0..1; scale: of its residuals.
    """

    text: Tensor
    pooled: Tensor
    time_ids: Tensor
    guidance_scale: float
    controlnet: Any = None
    edges: Tensor | None = None
    scale: float = 0.0


def make_condition(
    embedded: PromptEmbeddings,
    size: int,
    guidance_scale: float,
    controlnet: Any = None,
    edges: NDArray[np.uint8] | None = None,
    scale: float = 0.0,
) -> Condition:
    """embedded: on the device. edges: (size, size) or (size, size, 3), 0..255."""
    text = torch.cat([embedded.negative, embedded.prompt])
    time_ids = [[size, size, 0, 0, size, size]] * 2  # original size, crop, target size
    drawn = None
    if edges is not None:
        rgb = edges if edges.ndim == 3 else np.repeat(edges[..., None], 3, axis=2)
        drawn = torch.cat([_to_tensor(rgb).contiguous().to(text.device, controlnet.dtype)] * 2)
    return Condition(
        text=text,
        pooled=torch.cat([embedded.negative_pooled, embedded.pooled]),
        time_ids=torch.tensor(time_ids, dtype=text.dtype, device=text.device),
        guidance_scale=guidance_scale,
        controlnet=controlnet,
        edges=drawn,
        scale=scale,
    )


def draw_noise(plan: Schedule, size: int, generator: torch.Generator, like: Tensor) -> Tensor:
    """Latents to begin with where there is no init image, (1, 4, size / 8, size / 8)."""
    latents: Tensor = randn_tensor(
        (1, 4, size // _DOWNSCALING, size // _DOWNSCALING),
        generator=generator,
        device=like.device,
        dtype=like.dtype,
    )
    begun: Tensor = latents * plan.scheduler.init_noise_sigma
    return begun


def encode_image(
    vae: Any, image: NDArray[np.uint8], generator: torch.Generator, like: Tensor
) -> Tensor:
    """An init image's latents. image: (size, size, 3), 0..255. `like` gives device and dtype."""
    pixels = (2.0 * _to_tensor(image) - 1.0).to(like.device, like.dtype)
    with _Precise(vae):
        latents = vae.encode(pixels.to(vae.dtype)).latent_dist.sample(generator)
    scaled: Tensor = vae.config.scaling_factor * latents.to(like.dtype)
    return scaled


def add_noise(plan: Schedule, latents: Tensor, generator: torch.Generator) -> Tensor:
    """Latents with as much noise as the schedule's first step takes away."""
    grain = randn_tensor(
        latents.shape, generator=generator, device=latents.device, dtype=latents.dtype
    )
    mixed: Tensor = plan.scheduler.add_noise(latents, grain, plan.timesteps[:1])
    return mixed


def denoise(
    unet: Callable[..., Any],
    plan: Schedule,
    steps: Sequence[Step],
    latents: Tensor,
    given: Condition,
    at_step: Callable[[], None],
) -> Tensor:
    """Run the schedule. at_step: is called after each step, and may raise to end it.

    Nothing here waits for the device: what it is to do is put into its queue.
    """
    for step, timestep in zip(steps, plan.timesteps, strict=True):
        rows = slice(0, 2) if step.guided else slice(1, 2)  # of the conditional sample alone
        samples = torch.cat([latents] * step.samples)
        samples = plan.scheduler.scale_model_input(samples, timestep)
        added: dict[str, Any] = {}
        if step.controlled and given.edges is not None:
            edges = given.edges[rows]
            added = run_controlnet(given.controlnet, samples, timestep, given, rows, edges)
        predicted = unet(samples, timestep, **_shared_arguments(given, rows), **added)[0]
        if step.guided:
            without, with_text = predicted.chunk(2)
            predicted = without + given.guidance_scale * (with_text - without)
        latents = plan.scheduler.step(predicted, timestep, latents, return_dict=False)[0]
        at_step()
    return latents


def run_controlnet(
    controlnet: Any,
    samples: Tensor,
    timestep: Tensor,
    given: Condition,
    rows: slice,
    edges: Tensor,
) -> dict[str, Any]:
    """What a ControlNet adds within the UNet, as the UNet takes it."""
    down, middle = controlnet(
        samples,
        timestep,
        controlnet_cond=edges,
        conditioning_scale=given.scale,
        **_shared_arguments(given, rows),
    )
    return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}


def _shared_arguments(given: Condition, rows: slice) -> dict[str, Any]:
    """What UNet and ControlNet are both told."""
    return {
        "encoder_hidden_states": given.text[rows],
        "added_cond_kwargs": {
            "text_embeds": given.pooled[rows],
            "time_ids": given.time_ids[rows],
        },
        "return_dict": False,
    }


def decode_latents(vae: Any, latents: Tensor) -> Tensor:
    """(1, 4, height, width) -> (1, 3, 8 * height, 8 * width), about -1..1, still on the device."""
    with _Precise(vae):
        image: Tensor = vae.decode(
            latents.to(vae.dtype) / vae.config.scaling_factor, return_dict=False
        )[0]
    return image


class _Precise:
    """The published SDXL VAE overflows in half precision; it works in float32 and says so."""

    def __init__(self, vae: Any) -> None:
        self._vae = vae
        self._needed = vae.config.force_upcast and vae.dtype == torch.float16

    def __enter__(self) -> None:
        if self._needed:
            self._vae.to(dtype=torch.float32)

    def __exit__(self, *_: object) -> None:
        if self._needed:
            self._vae.to(dtype=torch.float16)


def _to_tensor(image: NDArray[np.uint8]) -> Tensor:
    """(height, width, channels), 0..255 -> (1, channels, height, width), 0..1, float32."""
    return torch.from_numpy(image.astype(np.float32) / 255.0)[None].permute(0, 3, 1, 2)
