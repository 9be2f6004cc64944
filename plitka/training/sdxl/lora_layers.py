"""The LoRA on the UNet while it is trained: its factors in float32, its work in the UNet's dtype.

Under autocast CUDA computes norms in float32 and keeps what they read for the backward pass, and
PEFT casts the input of each of its layers to the dtype of the factors. Both cost a third of the
memory of a step, and the base model would compute otherwise than it does when it draws. So each
factor casts itself to the dtype of what comes in, and nothing else is cast.
"""

from functools import partial
from typing import Any

import torch
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from torch import Tensor
from torch.nn import functional

ADAPTER = "default"
"""PEFT's name of the adapter that is trained."""

LORA_TARGETS = ("to_q", "to_k", "to_v", "to_out.0", "conv2")
"""Modules of the UNet: those of the LoRA that Plitka was made for."""


def attach_lora(unet: Any, rank: int, seed: int) -> None:
    """Attach a new LoRA to a frozen UNet; its alpha is its rank, and it changes nothing yet."""
    with torch.random.fork_rng(devices=[]):  # PEFT draws from the global generator
        torch.manual_seed(seed)
        unet.add_adapter(
            LoraConfig(
                r=rank,
                lora_alpha=rank,
                init_lora_weights="gaussian",
                target_modules=list(LORA_TARGETS),
            ),
            ADAPTER,
        )
    for layer in unet.modules():
        if isinstance(layer, LoraLayer):
            layer.cast_input_dtype_enabled = False
            for factors in (layer.lora_A, layer.lora_B):
                factor = factors[ADAPTER]
                factor.to(torch.float32)
                factor.forward = partial(_apply, factor)


def _apply(factor: Any, values: Tensor) -> Tensor:
    """Apply one factor, a linear layer or a convolution without bias, in the values' dtype."""
    weight = factor.weight.to(values.dtype)
    if weight.dim() == 2:
        return functional.linear(values, weight)
    return functional.conv2d(values, weight, None, factor.stride, factor.padding, factor.dilation)
