"""The device that draws: which one, its dtype, its memory, and whether it still works."""

from dataclasses import dataclass
from typing import Any

import psutil

from plitka.errors import EngineError, extract_first_line
from plitka.runtime.memory import format_gib, measure_free_main_memory, to_mib


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


def choose_device(memory_fraction: float = 1.0) -> Device:
    """Choose the CUDA card with the most free memory, else MPS, else the CPU."""
    import torch

    if torch.cuda.is_available():
        cards = range(torch.cuda.device_count())
        card = max(cards, key=lambda index: torch.cuda.mem_get_info(index)[0])
        total = torch.cuda.mem_get_info(card)[1]
        return Device(
            f"cuda:{card}", torch.cuda.get_device_name(card), "float16", total, memory_fraction
        )
    total = psutil.virtual_memory().total
    if torch.backends.mps.is_available():
        return Device("mps", "Apple GPU", "float16", total)
    return Device("cpu", "CPU", "float32", total)


def limit_memory(device: Device, tf32: bool = True) -> None:
    """Keep this process below its fraction of the card's memory, and make it the current card.

    tf32: whether what is calculated in single precision there may be rounded to 10 bits.
    """
    if device.kind == "cuda":
        import torch

        torch.cuda.set_device(device.name)
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.allow_tf32 = tf32
        torch.cuda.set_per_process_memory_fraction(device.memory_fraction, device.name)


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


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a GPU's memory ran out: cuBLAS and MPS have their own words."""
    import torch

    marks = ("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "MPS backend out of memory")
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(mark in str(error) for mark in marks)


def release_memory(device: Device) -> None:
    """Give back the memory of tensors that nothing refers to any more."""
    import gc

    import torch

    gc.collect()
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
