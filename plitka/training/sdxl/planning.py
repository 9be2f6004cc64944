"""Plans a training before any network is loaded: which base, which samples, and is there room.

All that is wrong is listed at once.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from plitka.engines.sdxl import architecture
from plitka.engines.sdxl.device import measure_free_memory
from plitka.engines.sdxl.options import SdxlSettings
from plitka.errors import TrainingError
from plitka.request.prompt import DEFAULT_TRIGGER
from plitka.runtime.memory import format_gib
from plitka.training.draws import Draws, Kind, draw_all
from plitka.training.inspection import Inspection
from plitka.training.options import TrainingOptions, count_training_steps
from plitka.training.resolution import bears_half_size, choose_resolution
from plitka.training.sdxl.memory import (
    choose_training_plan,
    compute_model_needs,
    count_trainable,
)
from plitka.training.sdxl.processes import Processes
from plitka.training.sdxl.timesteps import TIMESTEPS, Visited, find_visited
from plitka.weights import preflight
from plitka.weights.adapter_files import Package
from plitka.weights.models import Base, RemoteBase
from plitka.weights.noise import Noise
from plitka.weights.settings import WeightsSettings
from plitka.weights.snapshot import Snapshot

# Bytes on the disk for each number that is trained: itself, its average and two moments.
_STATE = 4 * 4
_STATES = 3  # two that are kept, and one that is being written
_LATENT = 2 * 4 * 4 / 64  # bytes for each pixel: mean and deviation of four channels, float32


@dataclass(frozen=True, eq=False)
class SamplePlan:
    """What is trained on. visited: the noise that pictures visit. counts: samples of each kind."""

    resolution: int
    steps: int
    visited: Visited
    draws: Draws

    @property
    def counts(self) -> Mapping[Kind, int]:
        return self.draws.count_samples()


def plan_samples(inspection: Inspection, options: TrainingOptions, noise: Noise) -> SamplePlan:
    """Plan what each step is trained on. noise: what the base says of its noise."""
    resolution = choose_resolution(options.resolution, inspection)
    steps = count_training_steps(options, len(inspection.photographs))
    visited = find_visited(noise)
    draws = draw_all(
        options.seed,
        steps,
        options.batch,
        resolution,
        len(inspection.photographs) - len(inspection.held_out),
        options.augment,
        visited.highest.timestep,
        TIMESTEPS,
        bears_half_size(inspection),
    )
    return SamplePlan(resolution, steps, visited, draws)


def strip_adapters(settings: WeightsSettings) -> WeightsSettings:
    """Leave of the settings the base and the VAE, which are all that is trained on."""
    return replace(
        settings, lora=None, embeddings=None, turbo_lora=None, trigger=None, controlnets={}
    )


def list_faults(
    inspection: Inspection, options: TrainingOptions, out: Path, settings: SdxlSettings
) -> list[str]:
    """List what of this machine stands in the way, a sentence for each: base, memory, disk."""
    found = preflight.inspect(
        strip_adapters(settings.weights), Package("", None, None), architecture, DEFAULT_TRIGGER
    )
    faults = [finding.verdict for finding in found.findings if finding.fault]
    faults += list_trained(found.snapshot, found.base, found.settings)
    if found.base is None or len(inspection.photographs) <= len(inspection.held_out):
        return faults
    planned = plan_samples(
        inspection, options, found.base.noise if isinstance(found.base, Base) else Noise()
    )
    processes = Processes(settings.memory_fraction, settings.device)
    device = processes.device
    needs = compute_model_needs(found.base, options.rank, device.dtype, planned.resolution)
    own = -(-options.batch // processes.count)
    try:
        choose_training_plan(device, measure_free_memory(device), needs, own)
    except TrainingError as fault:
        faults.append(str(fault))
    trainable = count_trainable(found.base.shapes["unet"], options.rank)
    return faults + _list_disk_faults(out, planned, trainable, options)


def list_trained(
    baked: Snapshot | None, base: Base | RemoteBase | None, settings: WeightsSettings
) -> list[str]:
    """List why a base is none to train on: it has a LoRA or embeddings in it already."""
    has_adapters = baked is not None and (baked.lora or baked.vectors)
    if not has_adapters and not (isinstance(base, Base) and base.knows_tokens):
        return []
    return [
        f"PLITKA_BASE: {settings.base} has a LoRA or embeddings in it already; name the"
        " model that it was made of"
    ]


def _list_disk_faults(
    out: Path, planned: SamplePlan, trainable: int, options: TrainingOptions
) -> list[str]:
    latents = sum(count * size**2 * _LATENT for (size, _), count in planned.counts.items())
    evaluations = planned.steps // options.evaluate_every + 1
    needed = int(latents + trainable * (_STATE * _STATES + 4 * evaluations))
    place = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if needed <= free:
        return []
    return [
        f"{out}: {format_gib(free)} of the disk is free, and this training needs"
        f" {format_gib(needed)}; make room, or name a folder on another disk"
    ]
