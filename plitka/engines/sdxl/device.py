"""The device that draws: its name and dtype, its memory, and whether it still works."""

from __future__ import annotations  # torch is heavy to import, and only named here

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from plitka.errors import EngineError, extract_first_line
from plitka.runtime.memory import format_gib, measure_free_main_memory, to_mib

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Device:
    """A device and how it is used.

    name: as torch has it, "cuda:1". title: for people. dtype: of weights and activations,
    "float16". total: bytes of its memory. memory_fraction: of which this process may use so much.
    """

    name: str
    title: str
    dtype: str
    total: int
    memory_fraction: float = 1.0

    @property
    def kind(self) -> str:
        return self.name.split(":")[0]


def describe(device: Device) -> str:
    """Describe the device in words, with the memory that is free on it."""
    free, total = format_gib(measure_free_memory(device)), format_gib(device.total)
    return f"{device.title} ({device.name}, {device.dtype}), {free} of {total} free"


def limit_memory(device: Device) -> None:
    """Keep this process below its fraction of the card's memory, and make it the current card."""
    if device.kind == "cuda":
        import torch

        torch.cuda.set_device(device.name)
        torch.cuda.set_per_process_memory_fraction(device.memory_fraction, device.name)


def set_tf32(device: Device, allowed: bool) -> None:
    """Say whether a card may round what it multiplies in single precision to TF32's 10 bits."""
    if device.kind == "cuda":
        import torch

        torch.backends.cuda.matmul.allow_tf32 = allowed
        torch.backends.cudnn.allow_tf32 = allowed


def measure_free_memory(device: Device) -> int:
    """Measure the bytes that this process can still take on the device.

    Bytes that torch has cached for it count as free.
    """
    if device.kind != "cuda":
        return measure_free_main_memory()
    import torch

    free = torch.cuda.mem_get_info(device.name)[0]
    reserved = torch.cuda.memory_reserved(device.name)
    allocated = torch.cuda.memory_allocated(device.name)
    allowed = int(device.memory_fraction * device.total) - allocated
    return max(min(free + reserved - allocated, allowed), 0)


def measure_room(device: Device) -> int:
    """Measure the bytes that this process could take if it held nothing on the device."""
    free = measure_free_memory(device)
    if device.kind != "cuda":
        return free + psutil.Process().memory_info().rss
    import torch

    return free + torch.cuda.memory_allocated(device.name)


_OUT_OF_MEMORY = (
    "out of memory",  # torch, its AcceleratorError, Triton and MPS, each with words around it
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",  # no room for its first workspace
    "CUDNN_STATUS_ALLOC_FAILED",
    "DEVICE_ALLOCATION_FAILED",  # cuDNN 9's
    "unable to find an engine to execute this computation",  # cuDNN: none whose workspace fits
    "Unable to find a valid cuDNN algorithm",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a GPU's memory ran out, in the words of those who allocate.

    Some of these words can mean something else as well. Then the attempts with less memory fail,
    too, and the error that ends them repeats the words of the first.
    """
    return isinstance(error, RuntimeError) and any(mark in str(error) for mark in _OUT_OF_MEMORY)


def allocate_main_memory(size: int, pinned: bool) -> Tensor:
    """Allocate bytes of main memory. pinned: so that a card reads them by itself."""
    import torch

    return torch.empty(size, dtype=torch.uint8, pin_memory=pinned)


def release_memory(device: Device) -> None:
    """Give back the memory of tensors that nothing refers to any more, or only cycles do.

    It takes tenths of a second, since Python looks at every object for cycles.
    """
    import gc

    gc.collect()
    release_cached_memory(device)


def release_cached_memory(device: Device) -> None:
    """Give back the memory that torch has cached on the device."""
    import torch

    if device.kind == "cuda":
        torch.cuda.empty_cache()
    elif device.kind == "mps":
        torch.mps.empty_cache()


def synchronize(device: Device) -> None:
    """Wait until the device has finished the work in its queue."""
    import torch

    if device.kind == "cuda":
        torch.cuda.synchronize(device.name)
    elif device.kind == "mps":
        torch.mps.synchronize()


def check_device(device: Device) -> None:
    """Raise EngineError unless the device can still calculate, beside the work in its queue."""
    import torch

    try:
        if device.kind == "cuda":
            cuda: Any = torch.cuda  # partly typed
            with cuda.stream(cuda.Stream(device.name)):
                correct = torch.ones(4, device=device.name).sum().item() == 4
        else:
            correct = torch.ones(4, device=device.name).sum().item() == 4
    except RuntimeError as error:
        reason = extract_first_line(error)
        raise EngineError(f"{device.title}: does not answer ({reason}); restart") from None
    if not correct:
        raise EngineError(f"{device.title}: gives wrong results; restart, or take it out of use")


def reset_peak(device: Device) -> None:
    """Forget the peak of the card's memory; `measure_memory` tells the one since."""
    if device.kind == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats(device.name)


def measure_memory(device: Device) -> dict[str, float]:
    """Measure memory in MiB: this process, what is available, and on CUDA torch's own figures."""
    figures = {
        "process_mb": to_mib(psutil.Process().memory_info().rss),
        "available_mb": to_mib(psutil.virtual_memory().available),
    }
    if device.kind == "cuda":
        import torch

        figures["gpu_allocated_mb"] = to_mib(torch.cuda.memory_allocated(device.name))
        figures["gpu_peak_mb"] = to_mib(torch.cuda.max_memory_allocated(device.name))
        figures["gpu_reserved_peak_mb"] = to_mib(torch.cuda.max_memory_reserved(device.name))
        figures["gpu_free_mb"] = to_mib(torch.cuda.mem_get_info(device.name)[0])
    return figures


def describe_memory(device: Device) -> str:
    """Describe the memory in use now, for a line of the log."""
    figures = measure_memory(device)
    card = f", GPU {figures['gpu_allocated_mb']:,.0f} MiB" if "gpu_allocated_mb" in figures else ""
    return f"process {figures['process_mb']:,.0f} MiB{card}"
