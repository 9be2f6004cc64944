"""What the machine gives: device, dtype, memory, and how a model is fitted into that memory."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from plitka.errors import EngineError, first_line
from plitka.runtime.memory import format_gib, free_main_memory, to_mib

FRACTION = "PLITKA_GPU_MEMORY_FRACTION"


@dataclass(frozen=True)
class Device:
    """name: as torch has it, "cuda:1". dtype: of weights and activations, "float16"."""

    name: str
    title: str  # for people
    dtype: str
    total: int  # bytes

    @property
    def kind(self) -> str:
        return self.name.split(":")[0]


def describe(device: Device) -> str:
    """The device in words, with what is free on it."""
    free, total = format_gib(free_memory(device)), format_gib(device.total)
    return f"{device.title} ({device.name}, {device.dtype}), {free} of {total} free"


def choose_device() -> Device:
    """The CUDA card with the most free memory, else MPS, else the CPU."""
    import torch

    if torch.cuda.is_available():
        cards = range(torch.cuda.device_count())
        card = max(cards, key=lambda index: torch.cuda.mem_get_info(index)[0])
        total = torch.cuda.mem_get_info(card)[1]
        return Device(f"cuda:{card}", torch.cuda.get_device_name(card), "float16", total)
    total = psutil.virtual_memory().total
    if torch.backends.mps.is_available():
        return Device("mps", "Apple GPU", "float16", total)
    return Device("cpu", "CPU", "float32", total)


def limit_memory(device: Device, tf32: bool = True) -> None:
    """Keep this process below PLITKA_GPU_MEMORY_FRACTION of the card, and make it the current.

    tf32: whether what is calculated in single precision there may be rounded to 10 bits.
    """
    share = read_memory_fraction()
    if device.kind == "cuda":
        import torch

        torch.cuda.set_device(device.name)
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.allow_tf32 = tf32
        torch.cuda.set_per_process_memory_fraction(share, device.name)


def read_memory_fraction(env: Mapping[str, str] = os.environ) -> float:
    """The share of a card's memory that may be used: above 0, at most 1, which is the default."""
    text = env.get(FRACTION) or "1"
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise EngineError(f"{FRACTION}: got {text!r}; allowed: a number above 0, at most 1")
    return share


def free_memory(device: Device) -> int:
    """Bytes that this process can still take on the device, cached ones of its own included."""
    if device.kind != "cuda":
        return free_main_memory()
    import torch

    free = torch.cuda.mem_get_info(device.name)[0]
    reserved = torch.cuda.memory_reserved(device.name)
    allocated = torch.cuda.memory_allocated(device.name)
    mine = int(read_memory_fraction() * device.total) - allocated
    return max(min(free + reserved - allocated, mine), 0)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a GPU's memory ran out: cuBLAS and MPS have their own words for it."""
    import torch

    marks = ("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "MPS backend out of memory")
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(mark in str(error) for mark in marks)


def release_memory(device: Device) -> None:
    """Give back what nobody refers to any more."""
    import gc

    import torch

    gc.collect()
    if device.kind == "cuda":
        torch.cuda.empty_cache()
    elif device.kind == "mps":
        torch.mps.empty_cache()


def synchronize(device: Device) -> None:
    """Wait until the device has done what is in its queue."""
    import torch

    if device.kind == "cuda":
        torch.cuda.synchronize(device.name)
    elif device.kind == "mps":
        torch.mps.synchronize()


def check_device(device: Device) -> None:
    """Raise EngineError unless the device can still calculate, beside what is in its queue."""
    import torch

    try:
        if device.kind == "cuda":
            cuda: Any = torch.cuda  # partly typed
            with cuda.stream(cuda.Stream(device.name)):
                right = torch.ones(4, device=device.name).sum().item() == 4
        else:
            right = torch.ones(4, device=device.name).sum().item() == 4
    except RuntimeError as error:
        reason = first_line(error)
        raise EngineError(f"{device.title}: does not answer ({reason}); restart") from None
    if not right:
        raise EngineError(f"{device.title}: gives wrong results; restart, or take it out of use")


def reset_peak(device: Device) -> None:
    """Begin to watch for a new peak of the card's memory."""
    if device.kind == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats(device.name)


def measure_memory(device: Device) -> dict[str, float]:
    """MiB: this process, what is free for all, and on CUDA torch's own figures of the card."""
    use = {
        "process_mb": to_mib(psutil.Process().memory_info().rss),
        "available_mb": to_mib(psutil.virtual_memory().available),
    }
    if device.kind == "cuda":
        import torch

        use["gpu_allocated_mb"] = to_mib(torch.cuda.memory_allocated(device.name))
        use["gpu_peak_mb"] = to_mib(torch.cuda.max_memory_allocated(device.name))
        use["gpu_reserved_peak_mb"] = to_mib(torch.cuda.max_memory_reserved(device.name))
        use["gpu_free_mb"] = to_mib(torch.cuda.mem_get_info(device.name)[0])
    return use


def describe_memory(device: Device) -> str:
    """Memory in use now, for a line of the log."""
    use = measure_memory(device)
    card = f", GPU {use['gpu_allocated_mb']:,.0f} MiB" if "gpu_allocated_mb" in use else ""
    return f"process {use['process_mb']:,.0f} MiB{card}"
