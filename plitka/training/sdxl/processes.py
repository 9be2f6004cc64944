"""The processes of one training: one, or one for each GPU under `accelerate launch`."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import reduce
from torch import Tensor

from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.device_choice import choose_device

_PATIENCE = timedelta(hours=3)  # while the first process makes the samples or evaluates


class Processes:
    """The processes that train together, seen from one of them.

    rank: its number. count: of them. device: its own.
    """

    def __init__(self, memory_fraction: float = 1.0, wanted: str | None = None) -> None:
        """memory_fraction: of a card's memory. wanted: the device, None for the best one."""
        chosen = choose_device(memory_fraction, wanted)
        state: Any = PartialState(cpu=chosen.kind == "cpu", timeout=_PATIENCE)
        self.rank: int = state.process_index
        self.count: int = state.num_processes
        self._state = state
        self.device = _set_dtype(chosen if self.count == 1 else _own_card(state, chosen))

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes are here."""
        self._state.wait_for_everyone()

    def sum_up(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over all processes."""
        if self.count == 1:
            return tensor
        summed: Tensor = reduce(tensor, "sum")
        return summed

    def sum_up_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Sum the gradients of parameters over all processes, in place."""
        if self.count == 1:
            return
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        gradients = [
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            for parameter in trained
        ]
        joined = torch.cat([gradient.flatten() for gradient in gradients])
        lengths = [parameter.numel() for parameter in trained]
        for parameter, part in zip(trained, torch.split(self.sum_up(joined), lengths), strict=True):
            parameter.grad = part.view_as(parameter)

    def close(self) -> None:
        """End the talk with the others, so that nothing of it is left when the process ends."""
        if self.count > 1:
            self._state.destroy_process_group()


def _own_card(state: Any, chosen: Device) -> Device:
    """The card that accelerate gave to this process, described as the first one is."""
    if chosen.kind != "cuda":
        return chosen
    name = str(state.device)
    total = torch.cuda.mem_get_info(state.device)[1]
    title = torch.cuda.get_device_name(state.device)
    return Device(name, title, chosen.dtype, total, chosen.memory_fraction)


def _set_dtype(device: Device) -> Device:
    """Train in bfloat16 where the card has it, for it does not overflow; on a CPU in float32."""
    if device.kind == "cpu":
        return replace(device, dtype="float32")
    if device.kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return replace(device, dtype="bfloat16")
    return device
