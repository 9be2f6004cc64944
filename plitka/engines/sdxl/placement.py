"""Puts networks where the memory plan wants them: on the device, or there for a visit alone.

The weights of a network that only visits stay in main memory. A visit is copied from there, and
dropped when it ends: nothing is copied back.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from plitka.engines.sdxl import device
from plitka.engines.sdxl.device import Device
from plitka.runtime.memory import format_gib, measure_free_main_memory
from plitka.runtime.timing import log

_BLOCK = 2**28  # bytes that are pinned at once; torch rounds each up to a power of two
_ALIGNMENT = 256  # bytes between which tensors begin in a block


class Placement:
    """Knows which networks stay on the device, and which visit it."""

    def __init__(self, on: Device) -> None:
        self._device = on
        self._at_home: WeakKeyDictionary[Module, Mapping[str, Tensor]] = WeakKeyDictionary()

    def keep(self, network: Module) -> None:
        """Let a network stay on the device."""
        network.to(self._device.name)
        self._at_home.pop(network, None)

    def send_away(self, network: Module) -> None:
        """Let a network stay in main memory from now on, and visit the device."""
        if network not in self._at_home:
            self._at_home[network] = _copy_to_main_memory(network, self._device)
        self._end_visit(network)

    @contextmanager
    def visit(self, *networks: Module) -> Iterator[None]:
        """Have networks that were sent away on the device for the block, however it ends."""
        try:
            for network in networks:
                self._begin_visit(network)
            yield
        finally:
            for network in networks:
                self._end_visit(network)
            device.release_cached_memory(self._device)

    @torch.inference_mode(False)  # weights made in it could not be changed outside of it
    def _begin_visit(self, network: Module) -> None:
        for name, tensor in self._at_home[network].items():
            _replace(network, name, tensor.to(self._device.name, non_blocking=True))

    @torch.inference_mode(False)
    def _end_visit(self, network: Module) -> None:
        for name, tensor in self._at_home[network].items():
            _replace(network, name, tensor)


@torch.inference_mode(False)
def _copy_to_main_memory(network: Module, on: Device) -> Mapping[str, Tensor]:
    """Copy weights to memory that a card reads by itself: name -> tensor, and leave them there.

    Where there is no card, main memory is the device's, and they are as they are.
    """
    tensors = {
        name: tensor.detach()
        for named in (network.named_parameters(), network.named_buffers())
        for name, tensor in named
    }
    if on.kind != "cuda":
        return tensors
    left = sum(_align(tensor.nbytes) for tensor in tensors.values())
    pinned = 2 * left < measure_free_main_memory()  # pinned pages are lost to all others
    if not pinned:
        log.info("main memory is short: %s of weights are not pinned in it", format_gib(left))
    block, start = torch.empty(0, dtype=torch.uint8), 0
    for name, tensor in tensors.items():
        size = _align(tensor.nbytes)
        if start + size > block.nbytes:
            block, start = device.allocate_main_memory(max(size, min(left, _BLOCK)), pinned), 0
        part = block[start : start + tensor.nbytes].view(tensor.dtype)
        strides = torch.empty_like(tensor, device="meta").stride()  # in its memory format
        tensors[name] = part.as_strided(tensor.shape, strides).copy_(tensor)
        _replace(network, name, tensors[name])  # so that the one before is freed at once
        start, left = start + size, left - size
    return tensors


def _align(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _replace(network: Module, name: str, tensor: Tensor) -> None:
    """Replace a parameter or buffer by its qualified name."""
    path, _, leaf = name.rpartition(".")
    module = network.get_submodule(path)
    is_parameter = isinstance(getattr(module, leaf), Parameter)
    setattr(module, leaf, Parameter(tensor, requires_grad=False) if is_parameter else tensor)
