"""How fast single steps go on this device, and how fast it could go at all."""

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

_SIDES = {"cuda": 8192, "cpu": 2048}  # of the matrices by which a device is measured
_PRODUCTS = 10
_cuda: Any = torch.cuda  # partly typed


class StepMarks:
    """Points in the device's own time, set without waiting for it."""

    def __init__(self, chosen: Device) -> None:
        self._device = chosen
        self._marks: list[Any] = []

    def set(self) -> None:
        if self._device.kind == "cuda":
            event = _cuda.Event(enable_timing=True)
            event.record()
            self._marks.append(event)
        else:
            device.synchronize(self._device)
            self._marks.append(time.perf_counter())

    def seconds(self) -> list[float]:
        """Between each mark and the next."""
        device.synchronize(self._device)
        if self._device.kind == "cuda":
            return [a.elapsed_time(b) / 1000 for a, b in pairwise(self._marks)]
        return [b - a for a, b in pairwise(self._marks)]


def summarize_steps(
    size: str, pixels: int, steps: Sequence[Step], marks: StepMarks, ceiling: float
) -> list[dict[str, Any]]:
    """One row for each kind of step, medians. The first step has no mark before it.

    size: of the model. marks: one after each step. ceiling: TFLOP a second.
    """
    seconds = marks.seconds()
    found = []
    for kind in sorted(set(steps[1:]), key=lambda step: (-step.samples, step.controlled)):
        own = [s for step, s in zip(steps[1:], seconds, strict=True) if step == kind]
        middle = statistics.median(own)
        tflop = count_step(size, pixels, kind)
        found.append(
            {
                "pixels": pixels,
                "samples": kind.samples,
                "controlnet": kind.controlled,
                "steps": len(own),
                "milliseconds": 1000 * middle,
                "tflop": tflop,
                "tflop_per_second": tflop / middle,
                "share_of_ceiling": tflop / middle / ceiling,
            }
        )
    return found


def count_step(size: str, pixels: int, step: Step) -> float:
    """TFLOP of one step, its ControlNet included."""
    unet = flops.count_unet(size, pixels, step.samples)
    return unet + (flops.count_controlnet(size, pixels, step.samples) if step.controlled else 0.0)


def measure_ceiling(chosen: Device) -> float:
    """TFLOP a second of one large product of random matrices, in the type that is drawn with."""
    side = _SIDES.get(chosen.kind, 4096)
    dtype = getattr(torch, chosen.dtype)
    left, right = (torch.randn(side, side).to(chosen.name, dtype) for _ in range(2))
    return 2 * side**3 / 1e12 / _middle(lambda: left @ right, chosen)


def _middle(call: Callable[[], object], chosen: Device) -> float:
    for _ in range(3):
        call()
    marks = StepMarks(chosen)
    marks.set()
    for _ in range(_PRODUCTS):
        call()
        marks.set()
    return statistics.median(marks.seconds())
