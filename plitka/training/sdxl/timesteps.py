"""The noise levels that pictures visit, computed from the presets and the schedulers."""

from dataclasses import dataclass
from typing import Any

from plitka.engines.sdxl import loading, sampling
from plitka.request.plan import count_steps
from plitka.request.presets import PRESETS
from plitka.request.recipe import DEFAULT_QUALITY, Quality
from plitka.weights.noise import Noise

TIMESTEPS = 1000
"""Of SDXL's training: 0 is the least noise."""


@dataclass(frozen=True)
class Start:
    """Where pictures begin: a timestep, 0 to 999, and its noise level (sigma)."""

    timestep: int
    sigma: float


@dataclass(frozen=True)
class Visited:
    """The starts of pictures. highest: of all qualities. usual: of the default quality."""

    highest: Start
    usual: Start

    def find_start(self, timestep: int) -> Start:
        """Find where a picture that visits this timestep began."""
        return self.usual if timestep <= self.usual.timestep else self.highest


def find_visited(noise: Noise) -> Visited:
    """Find where pictures begin by the presets, where the request sets no strength of its own.

    noise: what the base says of its noise.
    """
    scheduler = loading.make_scheduler(noise)
    turbo = loading.make_turbo_scheduler(scheduler)
    starts = {
        quality: _find_start(turbo if quality == "turbo" else scheduler, quality)
        for quality in PRESETS
    }
    return Visited(max(starts.values(), key=lambda one: one.timestep), starts[DEFAULT_QUALITY])


def _find_start(scheduler: Any, quality: Quality) -> Start:
    """Find the higher one of the two starts of a quality's preview and final picture."""
    preset = PRESETS[quality]
    starts = []
    for length in (preset.steps_preview, preset.steps_final):
        count = count_steps(length, preset.strength)
        schedule = sampling.make_schedule(scheduler, length, count, "cpu")
        starts.append(Start(int(schedule.timesteps[0].item()), schedule.sigmas[0]))
    return max(starts, key=lambda one: one.timestep)
