"""Captions as the UNet reads them: with a gradient for the rows, or computed once and kept."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from plitka.engines.sdxl.device import Device, release_memory
from plitka.engines.sdxl.text_encoding import encode_texts
from plitka.training.sdxl.networks import Networks


class CaptionEncoder:
    """Encodes captions by the encoders on the device, until `keep` makes that needless."""

    def __init__(self, networks: Networks, device: Device) -> None:
        self._networks = networks
        self._device = device
        self._kept: dict[str, tuple[Tensor, Tensor]] = {}

    def __call__(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return (n, 77 * chunks, 2048) and pooled (n, 1280), all of as many chunks."""
        if all(caption in self._kept for caption in captions):
            kept = [self._kept[caption] for caption in captions]
            return torch.cat([states for states, _ in kept]), torch.cat([pool for _, pool in kept])
        encoded = encode_texts(self._networks.encoders, captions)
        return torch.cat(encoded.states), torch.cat(encoded.pooled)

    @torch.no_grad()
    def keep(self, captions: Sequence[str]) -> None:
        """Encode captions once, and move the encoders off the device.

        The UNet waits on the CPU meanwhile, so that this needs no more than it gives back.
        """
        pipe: Any = self._networks.pipe
        encoders = (pipe.text_encoder, pipe.text_encoder_2)
        pipe.unet.to("cpu")
        release_memory(self._device)
        for encoder in encoders:
            encoder.to(self._device.name)
        # One by one, each with as many chunks as it needs; a step of `lean` takes one as well.
        for caption in dict.fromkeys(["", *captions]):
            encoded = encode_texts(self._networks.encoders, [caption])
            self._kept[caption] = (encoded.states[0].cpu(), encoded.pooled[0].cpu())
        for encoder in encoders:
            encoder.to("cpu")
        release_memory(self._device)
        pipe.unet.to(self._device.name)
