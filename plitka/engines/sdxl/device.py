"""What the machine gives: device, dtype, memory, and how a model is fitted into that memory."""

import ctypes
import math
import os
import resource
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import psutil

from plitka.engines.registry import EngineError

MemoryPlan: TypeAlias = Literal["resident", "encoders_on_cpu", "tiled_vae", "offload"]

PLANS: dict[MemoryPlan, str] = {
    "resident": "everything stays on the device",
    "encoders_on_cpu": "text encoders go to the CPU after encoding",
    "tiled_vae": "text encoders to the CPU, and the VAE works in tiles",
    "offload": "each model is on the device only while it works",
}
"""From the fastest to the smallest; each also does what those before it do."""

_CGROUP = Path("/sys/fs/cgroup")
_WITHOUT_GPU: tuple[MemoryPlan, ...] = ("resident", "tiled_vae")  # memory is one there

FRACTION = "PLITKA_GPU_MEMORY_FRACTION"

# What one picture of 1024x1024 needs besides the weights, in GiB of half precision: estimated
# from the largest activations of the published SDXL configuration, not measured on a GPU.
_DENOISE = 1.5  # two samples for guidance, with a ControlNet
_DECODE = 3.5  # the VAE's 256 channels at full size, several times
_DECODE_TILED = 1.0


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


@dataclass(frozen=True)
class Needs:
    """Bytes of the weights and of the work on them, on one device in one dtype."""

    unet: int
    text_encoders: int
    vae: int
    controlnet: int
    denoise: int
    decode: int
    decode_tiled: int

    def of(self, plan: MemoryPlan) -> int:
        """Bytes that must be free for a plan.

        With one ControlNet, except under the last plan: a card too small for one with it still
        draws what needs none.
        """
        core = self.unet + self.vae + self.controlnet
        if plan == "resident":
            return core + self.text_encoders + max(self.denoise, self.decode)
        if plan == "encoders_on_cpu":
            return core + max(self.text_encoders, self.denoise, self.decode)
        if plan == "tiled_vae":
            return core + max(self.text_encoders, self.denoise, self.decode_tiled)
        return max(
            self.text_encoders,
            self.unet + self.denoise,
            self.vae + self.decode_tiled,
        )


def compute_needs(
    parameters: Mapping[str, int], dtype: str, unet_width: int = 320, vae_width: int = 128
) -> Needs:
    """What a model needs. parameters: their number by component; the widths are SDXL's own."""
    size = {"float16": 2, "bfloat16": 2, "float32": 4}[dtype]
    gib = 2**30 * size / 2
    return Needs(
        unet=parameters["unet"] * size,
        text_encoders=(parameters["text_encoder"] + parameters["text_encoder_2"]) * size,
        vae=parameters["vae"] * size,
        controlnet=parameters["controlnet"] * size,
        denoise=int(_DENOISE * gib * unet_width / 320),
        decode=int(_DECODE * gib * vae_width / 128),
        decode_tiled=int(_DECODE_TILED * gib * vae_width / 128),
    )


def choose_plan(device: Device, free: int, needed: Needs) -> MemoryPlan:
    """The fastest plan that `free` bytes suffice for. Raises EngineError where none does."""
    plans = tuple(PLANS) if device.kind == "cuda" else _WITHOUT_GPU
    for plan in plans:
        if needed.of(plan) <= free:
            return plan
    least = format_gib(needed.of(plans[-1]))
    raise EngineError(
        f"{device.title}: {format_gib(free)} of memory is free and SDXL needs {least} at the least; end"
        f" what else uses it, raise {FRACTION} where it is set, take a larger device, or set"
        " PLITKA_ENGINE=render to draw without a diffusion model"
    )


def describe_plan(plan: MemoryPlan, needed: Needs) -> str:
    """The plan in words."""
    return f"memory plan {plan}: {PLANS[plan]} (needs about {format_gib(needed.of(plan))})"


def describe(device: Device) -> str:
    """The device in words, with what is free on it."""
    free, total = format_gib(free_memory(device)), format_gib(device.total)
    return f"{device.title} ({device.name}, {device.dtype}), {free} of {total} free"


def step_down(plan: MemoryPlan) -> MemoryPlan:
    """The next smaller plan; the smallest one stays."""
    plans = tuple(PLANS)
    return plans[min(plans.index(plan) + 1, len(plans) - 1)]


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


def free_main_memory(cgroup: Path = _CGROUP) -> int:
    """Bytes of main memory that can still be had, within the container's limit where it has one."""
    free = psutil.virtual_memory().available
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        used = int((cgroup / "memory.current").read_text())
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return free  # no second version of control groups here
    if limit == "max":
        return free
    cached = int(stat.get("inactive_file", 0))  # given back under pressure
    return min(free, max(int(limit) - used + cached, 0))


def trim_heap() -> None:
    """Give freed memory that the C library holds back to the system, where it can.

    It keeps what it calculates to be wanted again: up to 250 MiB after a tile, more or less with
    each, so that nobody can tell from outside whether a process grows.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if malloc_trim is not None:
        malloc_trim(0)


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
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EngineError(f"{device.title}: does not answer ({first}); restart") from None
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


def peak_memory_mb() -> float:
    """The most memory that this process has held so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return to_mib(peak * unit)


def format_gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"


def to_mib(size: float) -> float:
    return round(size / 2**20, 1)
