"""Samples as latents: encoded once, before the first step, and kept on disk with their captions.

Each latent carries its own caption: one trainer keeps them apart, by the order of two shuffles, and
gives pictures the captions of others.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from plitka.engines.sdxl.device import Device, is_out_of_memory, release_memory
from plitka.training.draws import Kind
from plitka.training.samples import Sample

_CAPTIONS, _MARK = "captions", "training"  # in the notes of a file


@dataclass(frozen=True, eq=False)
class Latents:
    """Samples of one kind as the VAE encoded them, N of them, on the CPU.

    mean, deviation: (N, 4, size / 8, size / 8) float32, scaled as the UNet reads them. captions: N
    prompts. renders: like `mean`, of the renders that the samples were matched to; None where these
    are not needed.
    """

    mean: Tensor
    deviation: Tensor
    captions: tuple[str, ...]
    renders: Tensor | None = None

    def __len__(self) -> int:
        return len(self.captions)

    def save(self, file: Path, mark: str) -> None:
        """Write to a file, whole or not at all. mark: of the training that they are for."""
        tensors = {"mean": self.mean, "deviation": self.deviation}
        if self.renders is not None:
            tensors["renders"] = self.renders
        part = file.with_suffix(".part")
        save_file(tensors, part, {_CAPTIONS: json.dumps(self.captions), _MARK: mark})
        part.replace(file)


def load_latents(file: Path) -> Latents:
    """Read what `save` wrote."""
    with safe_open(file, "pt") as opened:
        tensors = {name: opened.get_tensor(name).clone() for name in opened.keys()}  # noqa: SIM118
        captions = tuple(json.loads(opened.metadata()[_CAPTIONS]))
    return Latents(tensors["mean"], tensors["deviation"], captions, tensors.get("renders"))


def is_made_for(file: Path, mark: str) -> bool:
    """Whether latents are there, and are those of the training with this mark."""
    if not file.is_file():
        return False
    with safe_open(file, "pt") as opened:
        return bool(opened.metadata().get(_MARK) == mark)


def name_latents(kind: Kind) -> str:
    """The file of a kind's latents."""
    size, matched = kind
    return f"{'matched' if matched else 'photographs'}-{size}.safetensors"


@torch.no_grad()
def encode_samples(
    vae: Any,
    samples: Iterable[tuple[int, Sample]],
    write_prompt: Callable[[Sample], str],
    device: Device,
) -> Latents:
    """Encode samples, all of one kind, each with its number; they come in any order."""
    encoded: dict[int, tuple[Tensor, Tensor, str]] = {}
    renders: dict[int, Tensor] = {}
    for number, sample in samples:
        encoded[number] = (*encode_picture(vae, sample.pixels, device), write_prompt(sample))
        if sample.render is not None:
            renders[number] = encode_picture(vae, sample.render, device)[0]
    means, deviations, captions = zip(*(encoded[key] for key in sorted(encoded)), strict=True)
    return Latents(
        torch.cat(means),
        torch.cat(deviations),
        captions,
        torch.cat([renders[key] for key in sorted(renders)]) if renders else None,
    )


def encode_picture(vae: Any, pixels: NDArray[np.uint8], device: Device) -> tuple[Tensor, Tensor]:
    """Encode (size, size, 3), 0 to 255; returns mean and deviation, (1, 4, size / 8, size / 8).

    On a device that cannot hold the activations of a whole picture the VAE works in tiles then.
    """
    scaled = torch.from_numpy(pixels.astype(np.float32) / 127.5 - 1)[None].permute(0, 3, 1, 2)
    picture = scaled.contiguous().to(vae.device, vae.dtype)
    try:
        encoded = vae.encode(picture).latent_dist
    except RuntimeError as error:
        if not is_out_of_memory(error) or vae.use_tiling:
            raise
        release_memory(device)
        vae.enable_tiling()
        encoded = vae.encode(picture).latent_dist
    factor = vae.config.scaling_factor
    return (encoded.mean * factor).float().cpu(), (encoded.std * factor).float().cpu()


def draw_latents(latents: Latents, index: int, generator: torch.Generator) -> Tensor:
    """Draw one sample of the VAE's distribution, (4, size / 8, size / 8)."""
    noise = torch.randn(latents.mean.shape[1:], generator=generator)
    return latents.mean[index] + latents.deviation[index] * noise
