"""Paired runs of the old procedure and of Plitka's, and what they cost."""

import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from torch.nn import Module

from plitka import __version__, images, pipeline
from plitka.bench import baseline, flops, step_timing
from plitka.bench.baseline import Baseline
from plitka.engines.base import Drawn, DrawRequest, Guides
from plitka.engines.sdxl import device
from plitka.engines.sdxl.controlnets import ControlNets
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.engine import SdxlEngine, load_sdxl
from plitka.engines.sdxl.options import PLAIN, Options, SdxlSettings
from plitka.request.plan import DRAWN_SIZES, Plan, make_plan
from plitka.request.recipe import Recipe
from plitka.runtime.memory import peak_memory_mb
from plitka.runtime.timing import log
from plitka.tile.layout import Layout, lay

Json = dict[str, Any]

OWN = "own"  # the weights that the settings name

# What needs no result of the network at work, and so runs beside it.
_OVERLAPPING = (
    "guides_final",
    "colormap",
    "match_preview",
    "save_preview",
)


@dataclass(frozen=True)
class Run:
    """One prediction, from the request to its files. stages: part -> wall-clock seconds."""

    seconds: float
    processor_seconds: float
    peak_mb: float
    stages: Mapping[str, float]


def compare(
    model: str, settings: SdxlSettings, asked: Recipe, runs: int, fused: bool = False
) -> Json:
    """Measure `runs` pairs, old and new in turn, and count the work of both.

    model: by whose size work is counted; that of OWN weights as SDXL's own. settings: what both
    sides are loaded by. fused: whether the old procedure's LoRA is in its weights, and not beside
    them.
    """
    settled = make_plan(asked)
    given = replace(settled.recipe, quality="standard") if asked.quality == "turbo" else asked
    old_plan = make_plan(given)  # the old system had no turbo
    counted = "full" if model == OWN else model
    with tempfile.TemporaryDirectory() as out:
        old, new = _load_both(settings, fused)
        place = Path(out)
        _warm_up(old, new, settled, old_plan, place)
        held = {"old": _held_mb(old.pipe), "new": _held_mb(new.pipe, new.controlnets, new.turbo)}
        pairs: list[tuple[Run, Run]] = []
        for number in range(runs):
            log.info("pair %d of %d", number + 1, runs)
            sides: list[Callable[[], Run]] = [
                lambda: _measured(new.device, lambda: old.make(old_plan, place), held["new"]),
                lambda: _measured(
                    new.device, lambda: _make(asked, new, place, new.options.overlap), held["old"]
                ),
            ]
            turn = 1 if number % 2 == 0 else -1  # each side goes first in half of the pairs
            first, second = (side() for side in sides[::turn])
            pairs.append((first, second) if turn == 1 else (second, first))
        drawn, speed = _drawn(counted, settled, new)
        around = _around_the_networks(
            asked, _Replayed(drawn, new, knows_tokens=new.knows_tokens), place
        )
        used = new.options
        told = device.describe(new.device)
    return {
        "model": model,
        "device": told,
        "versions": _versions(),
        "quality": asked.quality,
        "angle": asked.angle,
        "compiled": used.compile,
        "old_lora_fused": fused,
        "work": _work(counted, settled, old_plan, used),
        "work_of_sdxl": _work("full", settled, old_plan, used),
        "runs": [{"old": _json(old), "new": _json(new)} for old, new in pairs],
        "seconds": {
            "old": statistics.median(old.seconds for old, _ in pairs),
            "new": statistics.median(new.seconds for _, new in pairs),
            "ratio": statistics.median(new.seconds / old.seconds for old, new in pairs),
        },
        "peak_mb": {
            "old": max(old.peak_mb for old, _ in pairs),
            "new": max(new.peak_mb for _, new in pairs),
        },
        "weights_mb": held,
        "speed": speed,
        "around_the_networks": around,
    }


def count_work(asked: Recipe, used: Options) -> Json:
    """The exact work alone, on the published configuration; nothing is drawn."""
    settled = make_plan(asked)
    given = replace(asked, quality="standard") if asked.quality == "turbo" else asked
    return {
        "quality": asked.quality,
        "angle": asked.angle,
        "work_of_sdxl": _work("full", settled, make_plan(given), used),
    }


def _work(size: str, settled: Plan, old_plan: Plan, used: Options) -> Json:
    """TFLOP of both, of Plitka's without its savings in steps, and their ratios."""
    old = flops.count_old_prediction(size, old_plan)
    new = flops.count_prediction(size, settled, used)
    plain = flops.count_prediction(size, settled, PLAIN)
    return {
        "old": {"unet": old.unet, "controlnet": old.controlnet, "vae": old.vae},
        "new": {"unet": new.unet, "controlnet": new.controlnet, "vae": new.vae},
        "denoising_ratio": new.denoising / old.denoising,
        "denoising_ratio_all_guided": plain.denoising / old.denoising,
        "whole_ratio": (new.denoising + new.vae) / (old.denoising + old.vae),
    }


# Loading


def _load_both(settings: SdxlSettings, fused: bool) -> tuple[Baseline, SdxlEngine]:
    """Load both sides, each with weights of its own."""
    plain = replace(
        settings,
        weights=replace(
            settings.weights,
            vae="base",
            turbo_lora=None,
            lora=settings.weights.lora if fused else None,
        ),
        options=replace(settings.options, channels_last=False),
    )
    beside = None if fused else settings.weights.lora
    return baseline.load_baseline(plain, beside), load_sdxl(settings)


def _warm_up(old: Baseline, new: SdxlEngine, settled: Plan, old_plan: Plan, place: Path) -> None:
    """Everything once, in few steps: files are mapped, kernels chosen, ControlNets loaded."""
    log.info("warming up")
    old.make(replace(old_plan, steps_preview=1, steps_final=1), place)
    overrides = replace(
        settled.recipe.overrides,
        num_inference_steps_preview=min(settled.steps_preview, 4),
        num_inference_steps_final=min(settled.steps_final, 4),
    )
    _make(replace(settled.recipe, overrides=overrides), new, place, new.options.overlap)


# Measuring


def _measured(
    chosen: Device, make: Callable[[], Mapping[str, float]], beside_mb: float = 0.0
) -> Run:
    """beside_mb: what weights that this run has no use for take of the device's memory."""
    _reset_peak(chosen)
    device.synchronize(chosen)
    start, processor = time.perf_counter(), time.process_time()
    stages = make()
    device.synchronize(chosen)
    return Run(
        seconds=time.perf_counter() - start,
        processor_seconds=time.process_time() - processor,
        peak_mb=_peak_mb(chosen) - (beside_mb if chosen.kind == "cuda" else 0.0),
        stages=stages,
    )


_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def _reset_peak(chosen: Device) -> None:
    if chosen.kind == "cuda":
        device.reset_peak(chosen)
    elif _CLEAR.exists():
        _CLEAR.write_text("5")  # Linux: forget the most memory that this process has held


def _peak_mb(chosen: Device) -> float:
    """The card's memory on CUDA; elsewhere this process's, which holds both sides' weights."""
    if chosen.kind == "cuda":
        return device.measure_memory(chosen)["gpu_peak_mb"]
    if _STATUS.exists():
        lines = _STATUS.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    return peak_memory_mb()


def _held_mb(pipe: Any, controlnets: ControlNets | None = None, *more: Any) -> float:
    """MiB of all the weights of one side."""
    beside = () if controlnets is None else controlnets.loaded.values()
    networks = [n for n in (*pipe.components.values(), *beside, *more) if isinstance(n, Module)]
    tensors = [t for n in networks for t in (*n.parameters(), *n.buffers())]
    return sum({t.data_ptr(): t.nbytes for t in tensors}.values()) / 2**20


def _versions() -> dict[str, str]:
    return {
        "plitka": __version__,
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in ("torch", "diffusers", "transformers")},
    }


def _make(asked: Recipe, engine: Any, place: Path, overlap: bool) -> Mapping[str, float]:
    """A prediction of Plitka's with its files; gives the seconds of its stages."""
    saved: dict[str, float] = {}
    metrics: Json = {}
    for picture in pipeline.make(asked, engine, overlap):
        start = time.perf_counter()
        images.save(picture.image, place / f"{picture.kind}.png", picture.record)
        saved[f"save_{picture.kind}"] = time.perf_counter() - start
        metrics = picture.metrics
    parts: dict[str, float] = {**metrics["seconds"], **saved}
    for kind, told in metrics.get("drawing", {}).items():
        parts |= {f"{kind}_{part}": seconds for part, seconds in told["seconds"].items()}
    return parts


@dataclass(frozen=True)
class _Replayed:
    """An engine that gives pictures drawn before, so that only the rest is measured."""

    drawn: Mapping[int, Drawn]
    engine: SdxlEngine
    name: str = "sdxl"
    uses_controlnet: bool = True
    knows_tokens: bool = True
    needs_matching: bool = True

    def check(self, recipe: Recipe) -> None:
        self.engine.check(recipe)

    def make_guides(self, plan: Plan, layout: Layout, size: int) -> Guides:
        return self.engine.make_guides(plan, layout, size)

    def draw(self, request: DrawRequest, at_step: Callable[[], None] = lambda: None) -> Drawn:
        return self.drawn[request.size]


def _drawn(size: str, settled: Plan, engine: SdxlEngine) -> tuple[Mapping[int, Drawn], Json]:
    """Both pictures by themselves, and how fast their steps went.

    size: of the model, by which work is counted.
    """
    layout = lay(settled.recipe)
    ceiling = step_timing.measure_ceiling(engine.device)
    drawn: dict[int, Drawn] = {}
    rows: list[Json] = []
    lengths = (settled.steps_preview, settled.steps_final)
    for pixels, length in zip(DRAWN_SIZES, lengths, strict=True):
        marks = step_timing.StepMarks(engine.device)
        guides = engine.make_guides(settled, layout, pixels)
        drawn[pixels] = engine.draw(
            DrawRequest(settled, layout, pixels, length, guides), at_step=marks.set
        )
        run = flops.plan_picture_steps(settled, length, engine.options)
        rows += step_timing.summarize_steps(size, pixels, run, marks, ceiling)
    return drawn, {"ceiling_tflop_per_second": ceiling, "steps": rows}


def _around_the_networks(asked: Recipe, replayed: _Replayed, place: Path) -> Json:
    """Processor time of all that no network does, on this model's own pictures; the median of 5."""
    chosen = replayed.engine.device
    runs = [
        _measured(chosen, lambda: _make(asked, replayed, place, overlap=False)) for _ in range(5)
    ]
    middle = sorted(runs, key=lambda run: run.processor_seconds)[2]
    parts = {
        name: seconds
        for name, seconds in middle.stages.items()
        if not name.startswith(("preview_", "final_"))
    }
    beside = sum(parts.get(name, 0.0) for name in _OVERLAPPING)
    return {
        "processor_seconds": middle.processor_seconds,
        "seconds": {name: round(value, 3) for name, value in parts.items()},
        "overlapping_share": beside / sum(parts.values()),
    }


def _json(run: Run) -> Json:
    return {
        "seconds": round(run.seconds, 3),
        "processor_seconds": round(run.processor_seconds, 3),
        "peak_mb": run.peak_mb,
        "stages": {name: round(seconds, 3) for name, seconds in run.stages.items()},
    }
