"""LoRAs: fused into the weights for good, or beside the UNet and switched on for one picture.

The distilled LoRA of the quality `turbo` is switched on: undoing a fusion is inexact, and a second,
fused UNet takes 5 GB. For its few steps the small extra products cost next to nothing, and switched
off it leaves no trace: pictures of other qualities are the same to the bit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional

from plitka.errors import WeightsError
from plitka.weights.lora_file import Change, Lora


def read_factors(file: Any, change: Change, device: str) -> tuple[Tensor, Tensor, float]:
    """Read down and up in float32, and the factor of their product besides the scale.

    file: the LoRA's, opened by `safe_open`. Shapes are (rank, in, ...) and (out, rank, ...).
    """
    down, up = (
        file.get_tensor(name).to(device, torch.float32) for name in (change.down, change.up)
    )
    alpha = change.alpha
    if isinstance(alpha, str):
        alpha = file.get_tensor(alpha).item()
    return down, up, change.compute_factor(alpha)


class LoraAdapter(torch.nn.Module):
    """A LoRA on modules of the UNet, with alpha / rank already multiplied into `up`."""

    def __init__(self, unet: Any, lora: Lora, device: str) -> None:
        super().__init__()
        named = {name.replace(".", "_"): module for name, module in unet.named_modules()}
        self._targets: list[tuple[str, torch.nn.Module]] = []
        with safe_open(lora.path, "pt") as file:
            for change in lora.changes:
                module = named[change.module]
                down, up, factor = read_factors(file, change, device)
                if module.weight.dim() == 2:
                    down, up = down.flatten(1), up.flatten(1)
                self.register_buffer(f"{change.module}_down", down.to(unet.dtype))
                self.register_buffer(f"{change.module}_up", (factor * up).to(unet.dtype))
                # In a list, since as an attribute the UNet's module would move with this one.
                self._targets.append((change.module, module))

    @contextmanager
    def on(self) -> Iterator[None]:
        """Add the LoRA to the outputs of the UNet's modules, for the length of the block."""
        hooks = [
            module.register_forward_hook(partial(self._add, name)) for name, module in self._targets
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _add(self, name: str, module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        down, up = getattr(self, f"{name}_down"), getattr(self, f"{name}_up")
        if down.dim() == 2:
            return output + functional.linear(functional.linear(inputs[0], down), up)
        inner = functional.conv2d(
            inputs[0], down, None, module.stride, module.padding, module.dilation
        )
        return output + functional.conv2d(inner, up)


@torch.no_grad()
def fuse_lora(pipe: Any, lora: Lora, scale: float) -> None:
    """Set W + scale * alpha / rank * up @ down in every module, in float32 and rounded once.

    The same as diffusers' fuse_lora followed by unload_lora_weights, without adapters in between.
    Raises WeightsError where a weight becomes NaN or inf.
    """
    modules = {
        component: {
            name.removeprefix("text_model.").replace(".", "_"): module
            for name, module in getattr(pipe, component).named_modules()
        }
        for component in ("unet", "text_encoder", "text_encoder_2")
    }
    with safe_open(lora.path, "pt") as file:
        for change in lora.changes:
            weight = modules[change.component][change.module].weight
            down, up, factor = read_factors(file, change, weight.device)
            fused = torch.addmm(
                weight.float().flatten(1), up.flatten(1), down.flatten(1), alpha=scale * factor
            )
            fused = fused.reshape(weight.shape).to(weight.dtype)
            if not all(torch.isfinite(end) for end in fused.aminmax()):
                raise WeightsError(
                    f"{lora.title}: with it, {change.component} {change.module} holds NaN or inf;"
                    " take another LoRA or a smaller PLITKA_LORA_SCALE"
                )
            weight.copy_(fused)
