"""What the qualities set, `turbo` by its LoRA; without torch, for who only plans."""

from collections.abc import Mapping
from dataclasses import replace

from plitka.request.presets import PRESETS, Preset
from plitka.request.recipe import Quality
from plitka.weights.turbo_kind import TurboKind


def list_presets(kind: TurboKind | None) -> Mapping[Quality, Preset]:
    """List what each quality sets. kind: of turbo's LoRA, None without one."""
    if kind is None:
        return PRESETS
    turbo = replace(
        PRESETS["turbo"],
        steps_preview=kind.steps,
        steps_final=kind.steps,
        guidance_scale=kind.guidance,
    )
    return {**PRESETS, "turbo": turbo}
