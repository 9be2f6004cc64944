"""The distilled LoRA of the quality `turbo`: for its pictures alone, and without a trace in others.

Where there is room, the UNet has a second set of the weights that the LoRA changes, with it fused;
a picture is drawn with them by swapping pointers, and the base's own weights are never written to.
The UNet is then what it always is: as many products and launches, and compiled code serves both.
Where there is no room, the LoRA's small products are added to the outputs of the modules.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter, functional

from plitka.engines.sdxl import adapter_algebra
from plitka.engines.sdxl.lora import read_changes, round_fused
from plitka.weights.lora import Lora
from plitka.weights.settings import TURBO_LORA


class TurboLora(Module):
    """A plain LoRA of the UNet; its factors, with alpha / rank in `up`, are the buffers.

    fused: whether it gets weights of its own, on the UNet's device. The factors then stay in main
    memory until `give_up_weights`.
    """

    def __init__(self, unet: Any, lora: Lora, fused: bool) -> None:
        super().__init__()
        named = {name.replace(".", "_"): module for name, module in unet.named_modules()}
        # In lists, since as attributes the UNet's modules would move with this one.
        self._targets: list[tuple[str, Module]] = []
        self._own: list[tuple[Parameter, Tensor]] = []
        self._displaced: list[tuple[Parameter, Tensor]] = []  # the base's, while own ones are in
        home, dtype = unet.device, unet.dtype  # which walk through the whole UNet
        place = "cpu" if fused else home
        with torch.no_grad():
            for change, parts in read_changes(lora, home):
                module = named[change.module]
                down, up = adapter_algebra.fold_factors(parts, module.weight)
                up = adapter_algebra.compute_factor(change, parts) * up
                if down.dim() == 4:
                    up = up[:, :, None, None]
                self.register_buffer(f"{change.module}_down", down.to(place, dtype))
                self.register_buffer(f"{change.module}_up", up.to(place, dtype))
                self._targets.append((change.module, module))
                if fused:
                    weight = module.weight.to(torch.float32, copy=True)
                    changed = adapter_algebra.change_weight(change, parts, weight, 1.0)
                    remedy = f"set {TURBO_LORA} to another one"
                    own = round_fused(lora, change, changed, module.weight, remedy)
                    self._own.append((module.weight, own))

    @property
    def is_fused(self) -> bool:
        """Whether it has weights of its own."""
        return bool(self._own)

    def list_weights(self) -> list[Tensor]:
        """List what it has beside the UNet: weights of its own, or the LoRA's factors."""
        return [own for _, own in self._own] or list(self.buffers())

    @contextmanager
    def on(self) -> Iterator[None]:
        """Draw with the LoRA for the length of the block."""
        if self.is_fused:
            self.switch_off()  # had a signal come while the pointers were put back
            try:
                self._displaced = [(parameter, parameter.data) for parameter, _ in self._own]
                for parameter, own in self._own:
                    parameter.data = own
                yield
            finally:
                self.switch_off()
            return
        hooks = [
            module.register_forward_hook(partial(self._add, name)) for name, module in self._targets
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def switch_off(self) -> None:
        """Have the UNet's parameters point to the base's weights again, wherever they point now."""
        for parameter, base in self._displaced:
            parameter.data = base
        self._displaced.clear()

    def give_up_weights(self) -> None:
        """Go on without weights of its own; the factors are then needed where the UNet is."""
        self.switch_off()
        self._own.clear()

    def _add(self, name: str, module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        down, up = getattr(self, f"{name}_down"), getattr(self, f"{name}_up")
        if down.dim() == 2:
            return output + functional.linear(functional.linear(inputs[0], down), up)
        inner = functional.conv2d(
            inputs[0], down, None, module.stride, module.padding, module.dilation
        )
        return output + functional.conv2d(inner, up)
