"""Paired runs of the old procedure and of Plitka's: seconds, memory and work."""

import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, TypeAlias

from torch.nn import Module

from plitka import __version__, pipeline
from plitka.bench import baseline, flops, step_timing
from plitka.bench.baseline import Baseline
from plitka.engines.base import Drawn, DrawRequest, Guides
from plitka.engines.sdxl import device
from plitka.engines.sdxl.controlnets import ControlNets
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.engine import SdxlEngine, load_sdxl
from plitka.engines.sdxl.options import EVERYWHERE, Options, SdxlSettings
from plitka.engines.sdxl.turbo import TurboLora
from plitka.images import png
from plitka.request.plan import DRAWN_SIZES, Plan, make_plan
from plitka.request.presets import PRESETS, Preset
from plitka.request.prompt import DEFAULT_SUBJECT, Subject
from plitka.request.recipe import Quality, Recipe
from plitka.runtime.memory import measure_peak_memory_mb
from plitka.runtime.timing import log
from plitka.tile.layout import Layout, lay
from plitka.weights import archive, snapshot
from plitka.weights.adapter_files import (
    AdapterFiles,
    fetch_adapter,
    find_embeddings,
    find_lora,
)
from plitka.weights.settings import EMBEDDINGS, LORA, TURBO_LORA, VAE

Json: TypeAlias = dict[str, Any]

OWN = "own"  # the weights that the settings name

# Stages that need no result of the running network, and so overlap with it.
_OVERLAPPING = ("guides_final", "colormap", "match_preview", "save_preview")


@dataclass(frozen=True)
class Run:
    """One prediction, from the request to its files.

    seconds: of the clock. processor_seconds: of all threads. peak_mb: memory in MiB, see
    `_measure_peak_mb`. stages: name -> seconds of the clock.
    """

    seconds: float
    processor_seconds: float
    peak_mb: float
    stages: Mapping[str, float]


def compare(
    model: str,
    settings: SdxlSettings,
    recipe: Recipe,
    runs: int,
    fused: bool = False,
    source: Path | str | None = None,
    tell: Callable[[str], None] = log.info,
) -> Json:
    """Measure `runs` pairs, old procedure and Plitka's in turn, and count the work of both.

    model: by whose size work is counted; that of OWN weights as SDXL's own. settings: what both
    sides are loaded by. fused: the old procedure's LoRA is fused into its weights, not beside them.
    source: as setup() is given weights. tell: is told what begins, for it takes minutes.
    """
    size = "full" if model == OWN else model
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tell("loading both procedures")
        old, new = _load_both(settings, fused, source)
        plan, old_plan = _make_plans(recipe, new.subject, new.presets)
        tell("warming up")
        _warm_up(old, new, plan, old_plan, folder)
        weights_mb = {
            "old": _measure_weights_mb(old.pipe),
            "new": _measure_weights_mb(new.pipe, new.controlnets, new.turbo),
        }

        def run_old() -> Run:
            tell("the old procedure draws")
            return _measure(new.device, lambda: old.make(old_plan, folder), weights_mb["new"])

        def run_new() -> Run:
            tell("Plitka draws")
            make = partial(_make, recipe, new, folder, new.options.overlap)
            return _measure(new.device, make, weights_mb["old"])

        pairs: list[tuple[Run, Run]] = []
        for number in range(runs):
            tell(f"pair {number + 1} of {runs}")
            pairs.append(_run_pair(run_old, run_new, old_first=number % 2 == 0))
        tell("timing steps, and the work around the networks")
        drawn, speed = _time_steps(size, plan, new)
        replay = _Replay(drawn, new, new.subject, new.presets)
        around = _measure_around_networks(recipe, replay, folder)
    return {
        "model": model,
        "device": device.describe(new.device),
        "versions": _list_versions(),
        "quality": recipe.quality,
        "angle": recipe.angle,
        "compiled": new.options.compile,
        "graph_replays": {str(size): one.metrics["graph_replays"] for size, one in drawn.items()},
        "old_lora_fused": fused,
        "work": _compare_work(size, plan, old_plan, new.options),
        "work_of_sdxl": _compare_work("full", plan, old_plan, new.options),
        **_summarize_pairs(pairs),
        "weights_mb": weights_mb,
        "speed": speed,
        "around_the_networks": around,
    }


def count_work(
    recipe: Recipe, options: Options, presets: Mapping[Quality, Preset] = PRESETS
) -> Json:
    """Count the work of both procedures alone, on the published configuration; draw nothing.

    presets: what each quality sets for Plitka.
    """
    plan, old_plan = _make_plans(recipe, DEFAULT_SUBJECT, presets)
    return {
        "quality": recipe.quality,
        "angle": recipe.angle,
        "work_of_sdxl": _compare_work("full", plan, old_plan, options),
    }


def _make_plans(
    recipe: Recipe, subject: Subject, presets: Mapping[Quality, Preset]
) -> tuple[Plan, Plan]:
    """Make Plitka's plan and the old procedure's, which runs what it did not have as standard."""
    old = replace(recipe, quality="standard") if recipe.quality in ("fast", "turbo") else recipe
    return make_plan(recipe, subject, presets), make_plan(old, subject)


def _run_pair(
    run_old: Callable[[], Run], run_new: Callable[[], Run], old_first: bool
) -> tuple[Run, Run]:
    """Run both sides; returns (old, new). Each goes first in half of the pairs."""
    if old_first:
        old = run_old()
        return old, run_new()
    new = run_new()
    return run_old(), new


def _summarize_pairs(pairs: Sequence[tuple[Run, Run]]) -> Json:
    """Summarize (old, new) pairs: each run, medians of seconds, peaks of memory."""
    return {
        "runs": [{"old": _run_as_json(old), "new": _run_as_json(new)} for old, new in pairs],
        "seconds": {
            "old": statistics.median(old.seconds for old, _ in pairs),
            "new": statistics.median(new.seconds for _, new in pairs),
            "ratio": statistics.median(new.seconds / old.seconds for old, new in pairs),
        },
        "peak_mb": {
            "old": max(old.peak_mb for old, _ in pairs),
            "new": max(new.peak_mb for _, new in pairs),
        },
    }


def _compare_work(size: str, plan: Plan, old_plan: Plan, options: Options) -> Json:
    """Count the TFLOP of both procedures, and their ratios, also with every step guided."""
    old = flops.count_old_prediction(size, old_plan)
    new = flops.count_prediction(size, plan, options)
    guided = flops.count_prediction(size, plan, replace(options, guidance=EVERYWHERE))
    return {
        "old": {"unet": old.unet, "controlnet": old.controlnet, "vae": old.vae},
        "new": {"unet": new.unet, "controlnet": new.controlnet, "vae": new.vae},
        "denoising_ratio": new.denoising / old.denoising,
        "denoising_ratio_all_guided": guided.denoising / old.denoising,
        "whole_ratio": (new.denoising + new.vae) / (old.denoising + old.vae),
    }


# Loading


def _load_both(
    settings: SdxlSettings, fused: bool, source: Path | str | None
) -> tuple[Baseline, SdxlEngine]:
    """Load both sides, each with weights of its own."""
    new = load_sdxl(settings, source)
    weights = settings.weights
    changed = {VAE, TURBO_LORA} if fused else {VAE, TURBO_LORA, LORA}
    with archive.open_package(source, weights.cache) as package:
        baked = snapshot.find_snapshot(weights) is not None  # and then has them in it
        lora = None if baked else find_lora(weights, package)
        embeddings = None if baked else find_embeddings(weights, package, lora)
        file, vectors = _locate(lora, LORA), _locate(embeddings, EMBEDDINGS)
        plain = replace(
            settings,
            weights=replace(
                weights,
                vae="base",
                turbo_lora=None,
                lora=file if fused else None,
                embeddings=vectors,
                named=weights.named | changed,  # so that a snapshot decides on none of them
            ),
            options=replace(settings.options, channels_last=False),
        )
        return baseline.load_baseline(plain, None if fused else file), new


def _locate(files: AdapterFiles | None, setting: str) -> Path | None:
    """The file of a LoRA or of embeddings on this machine; the first of a pair."""
    return None if files is None else fetch_adapter(files, setting).headers[0].path


def _warm_up(old: Baseline, new: SdxlEngine, plan: Plan, old_plan: Plan, folder: Path) -> None:
    """Run both once in few steps: files are mapped, kernels chosen, ControlNets loaded."""
    log.info("warming up")
    old.make(replace(old_plan, steps_preview=1, steps_final=1), folder)
    overrides = replace(
        plan.recipe.overrides,
        num_inference_steps_preview=min(plan.steps_preview, 4),
        num_inference_steps_final=min(plan.steps_final, 4),
    )
    _make(replace(plan.recipe, overrides=overrides), new, folder, new.options.overlap)


# Measuring


def _measure(
    on: Device, make: Callable[[], Mapping[str, float]], other_weights_mb: float = 0.0
) -> Run:
    """Measure one prediction. make: makes it, and returns the seconds of its stages.

    other_weights_mb: MiB of weights in the device's memory that this run does not use.
    """
    _reset_peak(on)
    device.synchronize(on)
    start, processor = time.perf_counter(), time.process_time()
    stages = make()
    device.synchronize(on)
    return Run(
        seconds=time.perf_counter() - start,
        processor_seconds=time.process_time() - processor,
        peak_mb=_measure_peak_mb(on) - (other_weights_mb if on.kind == "cuda" else 0.0),
        stages=stages,
    )


_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def _reset_peak(on: Device) -> None:
    if on.kind == "cuda":
        device.reset_peak(on)
    elif _CLEAR.exists():
        _CLEAR.write_text("5")  # Linux: forget the most memory that this process has held


def _measure_peak_mb(on: Device) -> float:
    """Read the peak in MiB: the GPU's on CUDA, else this process's with both sides' weights."""
    if on.kind == "cuda":
        return device.measure_memory(on)["gpu_peak_mb"]
    if _STATUS.exists():
        lines = _STATUS.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    return measure_peak_memory_mb()


def _measure_weights_mb(
    pipe: Any, controlnets: ControlNets | None = None, turbo: TurboLora | None = None
) -> float:
    """Add up the MiB of all weights of one side."""
    loaded = () if controlnets is None else controlnets.loaded.values()
    networks = [n for n in (*pipe.components.values(), *loaded) if isinstance(n, Module)]
    tensors = [t for n in networks for t in (*n.parameters(), *n.buffers())]
    tensors += [] if turbo is None else turbo.list_weights()
    return sum({t.data_ptr(): t.nbytes for t in tensors}.values()) / 2**20


def _list_versions() -> dict[str, str]:
    return {
        "plitka": __version__,
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in ("torch", "diffusers", "transformers")},
    }


def _make(recipe: Recipe, engine: Any, folder: Path, overlap: bool) -> Mapping[str, float]:
    """Make a prediction of Plitka's with its files; returns the seconds of its stages."""
    saved: dict[str, float] = {}
    metrics: Json = {}
    for picture in pipeline.make(recipe, engine, overlap):
        start = time.perf_counter()
        png.save(picture.image, folder / f"{picture.kind}.png", picture.record)
        saved[f"save_{picture.kind}"] = time.perf_counter() - start
        metrics = picture.metrics
    stages: dict[str, float] = {**metrics["seconds"], **saved}
    for kind, drawing in metrics.get("drawing", {}).items():
        stages |= {f"{kind}_{name}": seconds for name, seconds in drawing["seconds"].items()}
    return stages


@dataclass(frozen=True)
class _Replay:
    """An engine that returns pictures drawn before, so that only the rest is measured.

    drawn: by their size in pixels a side.
    """

    drawn: Mapping[int, Drawn]
    engine: SdxlEngine
    subject: Subject
    presets: Mapping[Quality, Preset]
    name: str = "sdxl"
    uses_controlnet: bool = True
    draws_exactly: bool = False

    def check(self, recipe: Recipe) -> None:
        self.engine.check(recipe)

    def lay(self, recipe: Recipe) -> Layout:
        return self.engine.lay(recipe)

    def make_guides(self, plan: Plan, layout: Layout, size: int) -> Guides:
        return self.engine.make_guides(plan, layout, size)

    def draw(self, request: DrawRequest, at_step: Callable[[], None] = lambda: None) -> Drawn:
        return self.drawn[request.size]


def _time_steps(size: str, plan: Plan, engine: SdxlEngine) -> tuple[Mapping[int, Drawn], Json]:
    """Draw both pictures by themselves, and time their steps.

    size: of the model, by which work is counted. Returns the pictures by pixels a side, and the
    speed of each kind of step.
    """
    layout = lay(plan.recipe)
    ceiling = step_timing.measure_ceiling(engine.device)
    drawn: dict[int, Drawn] = {}
    rows: list[Json] = []
    lengths = (plan.steps_preview, plan.steps_final)
    for pixels, length in zip(DRAWN_SIZES, lengths, strict=True):
        marks = step_timing.StepMarks(engine.device)
        guides = engine.make_guides(plan, layout, pixels)
        request = DrawRequest(plan, layout, pixels, length, guides)
        drawn[pixels] = engine.draw(request, at_step=marks.set)
        steps = flops.plan_picture_steps(plan, length, engine.options)
        rows += step_timing.summarize_steps(size, pixels, steps, marks, ceiling)
    return drawn, {"ceiling_tflop_per_second": ceiling, "steps": rows}


def _measure_around_networks(recipe: Recipe, replay: _Replay, folder: Path) -> Json:
    """Measure all that no network does, on this model's own pictures; the median of 5 runs."""
    make = partial(_make, recipe, replay, folder, overlap=False)
    runs = [_measure(replay.engine.device, make) for _ in range(5)]
    median = sorted(runs, key=lambda run: run.processor_seconds)[2]
    stages = {
        name: seconds
        for name, seconds in median.stages.items()
        if not name.startswith(("preview_", "final_"))
    }
    overlapping = sum(stages.get(name, 0.0) for name in _OVERLAPPING)
    return {
        "processor_seconds": median.processor_seconds,
        "seconds": {name: round(value, 3) for name, value in stages.items()},
        "overlapping_share": overlapping / sum(stages.values()),
    }


def _run_as_json(run: Run) -> Json:
    return {
        "seconds": round(run.seconds, 3),
        "processor_seconds": round(run.processor_seconds, 3),
        "peak_mb": run.peak_mb,
        "stages": {name: round(seconds, 3) for name, seconds in run.stages.items()},
    }
