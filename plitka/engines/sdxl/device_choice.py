"""Chooses the device that draws: the one that is wanted, else the freest card, MPS, or the CPU."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.options import DEVICE
from plitka.errors import EngineError, extract_first_line
from plitka.runtime.timing import log

_NEEDED_DRIVER = 580  # by CUDA 13, for which the torch that is pinned is built


def choose_device(
    memory_fraction: float = 1.0, wanted: str | None = None, root: Path = Path("/")
) -> Device:
    """Choose the device, and the dtype that is fastest on it.

    wanted: "cpu", "mps", "cuda", or "cuda:1"; None leaves it to what is there. root: of the file
    system, where the system shows its cards. Raises EngineError where what is wanted is not there,
    and for an NVIDIA card that torch cannot use, unless another device is wanted: minutes a picture
    on the CPU would else be the only sign.
    """
    import torch

    kind = None if wanted is None else wanted.split(":")[0]
    if kind in (None, "cuda"):
        if torch.cuda.is_available():
            return _describe_card(_choose_card(wanted), memory_fraction)
        if kind == "cuda" or any(root.glob("dev/nvidia[0-9]*")):
            raise _explain_missing_cuda(wanted, root)
    total = psutil.virtual_memory().total
    if kind in (None, "mps"):
        if torch.backends.mps.is_available():
            return Device("mps", "Apple GPU", "float16", total)
        if kind == "mps":
            raise EngineError(f"{DEVICE}: got {wanted!r}, but torch finds no Apple GPU here")
    return Device("cpu", "CPU", _choose_cpu_dtype(), total)


def _choose_cpu_dtype() -> str:
    """bfloat16 where the processor itself multiplies it: half the memory, and faster."""
    import torch

    able = torch.cpu.get_capabilities()
    return "bfloat16" if able.get("amx_bf16") or able.get("avx512_bf16") else "float32"


def _describe_card(index: int, memory_fraction: float) -> Device:
    import torch

    total = torch.cuda.mem_get_info(index)[1]
    title = torch.cuda.get_device_name(index)
    return Device(f"cuda:{index}", title, "float16", total, memory_fraction)


def _choose_card(wanted: str | None) -> int:
    """Choose the card that is wanted, else the one with the most free memory."""
    import torch

    count = torch.cuda.device_count()
    if wanted is not None and ":" in wanted:
        index = int(wanted.split(":")[1])
        if index >= count:
            raise EngineError(
                f"{DEVICE}: got {wanted!r}, but the last card here is cuda:{count - 1}"
            )
        return index
    if count == 1:
        return 0
    free = _measure_cards(count)
    return free.index(max(free))


def _measure_cards(count: int) -> Sequence[int]:
    """Measure the bytes that are free on each card, by the driver's library.

    To ask CUDA would take a context on each card, of some hundred MiB, for as long as the process
    lives.
    """
    import pynvml
    import torch

    try:
        return [
            torch.cuda.get_device_properties(index).total_memory
            - torch.cuda.device_memory_used(index)
            for index in range(count)
        ]
    except (pynvml.NVMLError, RuntimeError) as error:
        log.warning(
            "the driver does not say what is free on %d cards (%s), so cuda:0 is taken; set %s to"
            " another one, such as cuda:1",
            count,
            extract_first_line(error),
            DEVICE,
        )
        return [0] * count


def _explain_missing_cuda(wanted: str | None, root: Path) -> EngineError:
    """Make the error for a card that torch cannot use."""
    import torch

    try:
        cuda: Any = torch.cuda  # partly typed
        cuda.init()
        reason = "no reason given"
    except (AssertionError, RuntimeError) as error:  # the first by a torch that is built without
        reason = extract_first_line(error)
    built = torch.version.cuda
    here = "an NVIDIA card is here" if wanted is None else f"{DEVICE}: got {wanted!r}"
    return EngineError(
        f"{here}, but torch cannot use it ({reason}). The NVIDIA driver is"
        f" {_read_driver(root) or 'not loaded'}; torch {torch.__version__} is built"
        f" {f'for CUDA {built}' if built else 'without CUDA'}, and CUDA 13 needs driver"
        f" {_NEEDED_DRIVER} or newer. Update the driver, or the torch that is installed, or set"
        f" {DEVICE}=cpu to draw on the CPU, in minutes a picture"
    )


def _read_driver(root: Path) -> str | None:
    """Read the version of the driver's kernel module, None where there is none."""
    try:
        text = (root / "proc/driver/nvidia/version").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(r"\b\d{3}\.\d+(?:\.\d+)?\b", text)
    return found[0] if found else "of an unknown version"
