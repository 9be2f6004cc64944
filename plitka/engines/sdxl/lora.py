"""LoRAs and their kin: fused into the weights for good, or switched on for one picture.

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

from plitka.engines.sdxl import adapter_algebra
from plitka.errors import WeightsError
from plitka.weights.lora import Change, Lora


def _read_parts(file: Any, change: Change, device: Any) -> dict[str, Tensor]:
    """Read the tensors of one module in float32. file: opened by `safe_open`."""
    return {
        part: file.get_tensor(name).to(device, torch.float32) for part, name in change.parts.items()
    }


class LoraAdapter(torch.nn.Module):
    """A plain LoRA on modules of the UNet, with alpha / rank already multiplied into `up`."""

    def __init__(self, unet: Any, lora: Lora, device: str) -> None:
        super().__init__()
        named = {name.replace(".", "_"): module for name, module in unet.named_modules()}
        dtype = unet.dtype  # which walks through the whole UNet
        self._targets: list[tuple[str, torch.nn.Module]] = []
        with safe_open(lora.path, "pt") as file:
            for change in lora.changes:
                module = named[change.module]
                parts = _read_parts(file, change, device)
                down, up = adapter_algebra.fold_factors(parts, module.weight)
                up = adapter_algebra.compute_factor(change, parts) * up
                if down.dim() == 4:
                    up = up[:, :, None, None]
                self.register_buffer(f"{change.module}_down", down.to(dtype))
                self.register_buffer(f"{change.module}_up", up.to(dtype))
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
    with safe_open(lora.path, "pt") as file:
        for change in lora.changes:
            module = modules[change.component][change.module]
            parts = _read_parts(file, change, module.weight.device)
            own_bias = getattr(module, "bias", None)  # an embedding has not even the field
            if own_bias is not None:
                bias = own_bias.to(torch.float32, copy=True)
                added = adapter_algebra.compute_bias_change(change, parts, bias)
                if added is not None:
                    _replace(lora, change, own_bias, bias.add_(added, alpha=scale))
            if change.method is not None:
                weight = module.weight.to(torch.float32, copy=True)
                fused = adapter_algebra.change_weight(change, parts, weight, scale)
                _replace(lora, change, module.weight, fused)


def _replace(lora: Lora, change: Change, parameter: Tensor, fused: Tensor) -> None:
    rounded = fused.to(parameter.dtype)
    if not all(torch.isfinite(end) for end in rounded.aminmax()):
        raise WeightsError(
            f"{lora.title}: with it, {change.component} {change.module} holds NaN or inf; take"
            " another LoRA or a smaller PLITKA_LORA_SCALE"
        )
    parameter.copy_(rounded)
