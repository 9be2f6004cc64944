"""What a small UNet predicts, to compare two of them by."""

from typing import Any

import torch
from torch import Tensor


@torch.no_grad()
def predict(unet: Any) -> Tensor:
    """Predict the same noise each time, in single precision: (2, 4, 16, 16)."""
    generator = torch.Generator().manual_seed(6)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    predicted: Tensor = unet(
        draw(2, 4, 16, 16),
        torch.tensor([300, 40]),
        draw(2, 77, 2048),
        added_cond_kwargs={"text_embeds": draw(2, 1280), "time_ids": draw(2, 6)},
        return_dict=False,
    )[0]
    return predicted
