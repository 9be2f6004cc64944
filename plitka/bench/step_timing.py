"""Speed of single denoising steps on a device, and the device's ceiling."""

import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch

from plitka.bench import flops
from plitka.engines.sdxl import device
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.guidance import Step

_SIDES = {"cuda": 8192, "cpu": 2048}  # of the square matrices that the ceiling is measured with
_OTHER_SIDE = 4096
_PRODUCTS = 10  # timed; _WARM_UPS run before them
_WARM_UPS = 3
_cuda: Any = torch.cuda  # partly typed


class StepMarks:
    """Marks in the device's own time; on CUDA they are set without waiting for it."""

    def __init__(self, on: Device) -> None:
        self._device = on
        self._marks: list[Any] = []

    def set(self) -> None:
        """Set a mark after all work that was queued up to now."""
        if self._device.kind == "cuda":
            event = _cuda.Event(enable_timing=True)
            event.record()
            self._marks.append(event)
        else:
            device.synchronize(self._device)
            self._marks.append(time.perf_counter())

    def seconds(self) -> list[float]:
        """Return the seconds between each mark and the next."""
        device.synchronize(self._device)
        if self._device.kind == "cuda":
            return [a.elapsed_time(b) / 1000 for a, b in pairwise(self._marks)]
        return [b - a for a, b in pairwise(self._marks)]


def summarize_steps(
    size: str, pixels: int, steps: Sequence[Step], marks: StepMarks, ceiling: float
) -> list[dict[str, Any]]:
    """Summarize each kind of step in a row of medians. The first step has no mark before it.

    size: of the model. marks: one after each step. ceiling: TFLOP a second.
    """
    seconds = marks.seconds()
    rows = []
    for kind in sorted(
        set(steps[1:]), key=lambda step: (-step.samples, step.controlled, step.deep)
    ):
        own = [s for step, s in zip(steps[1:], seconds, strict=True) if step == kind]
        median = statistics.median(own)
        tflop = count_step(size, pixels, kind)
        rows.append(
            {
                "pixels": pixels,
                "samples": kind.samples,
                "controlnet": kind.controlled,
                "deep": kind.deep,
                "steps": len(own),
                "milliseconds": 1000 * median,
                "tflop": tflop,
                "tflop_per_second": tflop / median,
                "share_of_ceiling": tflop / median / ceiling,
            }
        )
    return rows


def count_step(size: str, pixels: int, step: Step) -> float:
    """Count the TFLOP of one step, its ControlNet included."""
    unet = flops.count_pass(size, "unet", pixels, step.samples, step.deep)
    if not step.controlled:
        return unet
    return unet + flops.count_pass(size, "controlnet", pixels, step.samples, step.deep)


def measure_ceiling(on: Device) -> float:
    """Measure TFLOP a second of a large product of random matrices, in the engine's dtype."""
    side = _SIDES.get(on.kind, _OTHER_SIDE)
    dtype = getattr(torch, on.dtype)
    left, right = (torch.randn(side, side).to(on.name, dtype) for _ in range(2))
    return 2 * side**3 / 1e12 / _measure_median_seconds(lambda: left @ right, on)


def _measure_median_seconds(call: Callable[[], object], on: Device) -> float:
    for _ in range(_WARM_UPS):
        call()
    marks = StepMarks(on)
    marks.set()
    for _ in range(_PRODUCTS):
        call()
        marks.set()
    return statistics.median(marks.seconds())
