"""The loss of some samples: how far the UNet's prediction is from the noise that was added."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from plitka.engines.sdxl.device import Device
from plitka.training.sdxl.networks import Networks

_DOWNSCALING = 8  # pixels a side of a latent

EncodeTexts: TypeAlias = Callable[[Sequence[str]], tuple[Tensor, Tensor]]
"""Captions -> (n, 77 * chunks, 2048) and pooled (n, 1280)."""


@dataclass(frozen=True, eq=False)
class Noisy:
    """One sample with the noise that it gets.

    latents, noise: (4, height, width) float32 on the CPU. timestep: 0 to 999.
    """

    latents: Tensor
    noise: Tensor
    timestep: int
    caption: str


def compute_losses(
    networks: Networks, samples: Sequence[Noisy], encode: EncodeTexts, device: Device
) -> Tensor:
    """Compute the mean squared error of each sample, (n,) float32. All samples are of one size."""
    unet, scheduler = networks.pipe.unet, networks.pipe.scheduler
    place, dtype = torch.device(device.name), getattr(torch, device.dtype)
    latents = torch.stack([sample.latents for sample in samples]).to(place)
    noise = torch.stack([sample.noise for sample in samples]).to(place)
    timesteps = torch.tensor([sample.timestep for sample in samples], device=place)
    kept = scheduler.alphas_cumprod.to(place)[timesteps].float()[:, None, None, None]
    signal, spread = kept.sqrt(), (1 - kept).sqrt()
    noisy = signal * latents + spread * noise
    predicts_velocity = scheduler.config.prediction_type == "v_prediction"
    target = signal * noise - spread * latents if predicts_velocity else noise
    text, pooled = encode([sample.caption for sample in samples])
    side = latents.shape[-1] * _DOWNSCALING
    time_ids = torch.tensor([[side, side, 0, 0, side, side]] * len(samples), device=place)
    predicted = unet(
        noisy.to(dtype),
        timesteps,
        encoder_hidden_states=text.to(place, dtype),
        added_cond_kwargs={"text_embeds": pooled.to(place, dtype), "time_ids": time_ids.to(dtype)},
        return_dict=False,
    )[0]
    losses: Tensor = ((predicted.float() - target) ** 2).mean(dim=(1, 2, 3))
    return losses
