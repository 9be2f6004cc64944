"""LoRAs and their kin, fused into the weights for good; the one that comes and goes is turbo's."""

from collections.abc import Iterator
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from plitka.engines.sdxl import adapter_algebra
from plitka.engines.sdxl.adapter_algebra import Tensors
from plitka.errors import WeightsError
from plitka.weights.lora import Change, Lora
from plitka.weights.settings import LORA_SCALE


def read_changes(lora: Lora, device: Any) -> Iterator[tuple[Change, Tensors]]:
    """Read what a LoRA does to each module, and the tensors of it: on the device, in float32."""
    with safe_open(lora.path, "pt") as file:
        for change in lora.changes:
            yield (
                change,
                {
                    part: file.get_tensor(name).to(device, torch.float32)
                    for part, name in change.parts.items()
                },
            )


@torch.no_grad()
def fuse_lora(pipe: Any, lora: Lora, scale: float) -> None:
    """Move every weight and bias from the base's value to the adapter's by the scale.

    W + scale * (method(W) - W), in float32 and rounded once; for a plain LoRA that is
    W + scale * alpha / rank * up @ down. Raises WeightsError where a value becomes NaN or inf.
    """
    modules = {
        component: {
            name.removeprefix("text_model.").replace(".", "_"): module
            for name, module in getattr(pipe, component).named_modules()
        }
        for component in ("unet", "text_encoder", "text_encoder_2")
    }
    for change, parts in read_changes(lora, pipe.unet.device):
        module = modules[change.component][change.module]
        own_bias = getattr(module, "bias", None)  # an embedding has not even the field
        if own_bias is not None:
            bias = own_bias.to(torch.float32, copy=True)
            added = adapter_algebra.compute_bias_change(change, parts, bias)
            if added is not None:
                own_bias.copy_(round_fused(lora, change, bias.add_(added, alpha=scale), own_bias))
        if change.method is not None:
            weight = module.weight.to(torch.float32, copy=True)
            fused = adapter_algebra.change_weight(change, parts, weight, scale)
            module.weight.copy_(round_fused(lora, change, fused, module.weight))


def round_fused(
    lora: Lora,
    change: Change,
    fused: Tensor,
    like: Tensor,
    remedy: str = f"take another LoRA or a smaller {LORA_SCALE}",
) -> Tensor:
    """Round what was fused in float32, once, to the type and memory format of the base's.

    remedy: ends the WeightsError that is raised where a number becomes NaN or infinite.
    """
    rounded = torch.empty_like(like).copy_(fused)
    if not all(torch.isfinite(end) for end in rounded.aminmax()):
        raise WeightsError(
            f"{lora.title}: with it, {change.component} {change.module} holds NaN or inf; {remedy}"
        )
    return rounded
