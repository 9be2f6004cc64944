"""Captures the steps that presets have as CUDA graphs, when the engine is loaded."""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import torch

from plitka.engines.sdxl import device
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.graphs import CaptureError, CudaGraphs, Graph, NetworkGraphs
from plitka.engines.sdxl.memory_plan import MemoryPlan, Needs
from plitka.engines.sdxl.options import CUDA_GRAPHS, Options
from plitka.engines.sdxl.rehearsal import GUIDED_TURBO_KINDS, TURBO_KINDS, rehearse_steps
from plitka.engines.sdxl.sampling import Run
from plitka.engines.sdxl.turbo import TurboLora
from plitka.errors import extract_first_line
from plitka.request.plan import DRAWN_SIZES
from plitka.runtime.timing import log

PLANS: tuple[MemoryPlan, ...] = ("resident", "encoders_on_cpu")
"""The memory plans with graphs. The others move the networks, or are for small cards, which take
longer for a kernel than Python for its launch."""


def choose_graphs(
    on: Device, options: Options, plan: MemoryPlan, needed: Needs, has_controlnets: bool
) -> Callable[[], Graph] | None:
    """Choose what makes graphs, None where there shall be none or there is no room for them.

    has_controlnets: whether those that pictures need are on the device already.

    Graphs read their inputs in one memory format. Where weights are in channels last, convolutions
    bring each input into that one first, so that makes no difference; else it could, to the bit.
    """
    if on.kind != "cuda" or not (options.cuda_graphs and options.channels_last):
        return None
    if plan not in PLANS:
        return None
    room = needed.graphs + needed.of_work(plan) + (0 if has_controlnets else needed.controlnet)
    return CudaGraphs(on) if device.measure_free_memory(on) >= room else None


def capture_steps(
    make_graph: Callable[[], Graph],
    pipe: Any,
    controlnets: Iterable[Any],
    turbo: TurboLora | None,
    is_turbo_guided: bool,
    on: Device,
) -> NetworkGraphs | None:
    """Capture all steps of presets. None, and a warning, where that fails."""
    turbo_kinds = GUIDED_TURBO_KINDS if is_turbo_guided else TURBO_KINDS
    graphs = NetworkGraphs(make_graph)
    controlnets = (None, *controlnets)
    try:
        with torch.inference_mode():
            for size, controlnet in product(DRAWN_SIZES, controlnets):
                run = bind_run(graphs.run_and_capture, pipe.unet, None)
                rehearse_steps(pipe, size, controlnet, run=run)
                if turbo is not None:
                    run = bind_run(graphs.run_and_capture, pipe.unet, turbo)
                    with turbo.on():
                        rehearse_steps(pipe, size, controlnet, turbo_kinds, run)
            device.synchronize(on)
    except (CaptureError, RuntimeError) as error:
        log.warning(
            "%s: pictures are drawn without graphs, and slower for it: %s",
            CUDA_GRAPHS,
            extract_first_line(error),
        )
        return None
    finally:
        device.release_memory(on)
    log.info("%d CUDA graphs, each equal to the bit to the step that it replays", len(graphs))
    return graphs


def bind_run(run: Callable[..., Any], unet: Any, turbo: TurboLora | None) -> Run:
    """Make calls by `run`, and tell it whether the UNet has turbo's weights."""

    def run_with_weights(function: Any, network: Any, *arguments: Any) -> Any:
        changed = turbo is not None and network is unet
        return run(function, network, *arguments, weights="turbo" if changed else "")

    return run_with_weights
