"""The checks of `python -m plitka check`: versions, device, memory, and every file."""

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from plitka import __version__
from plitka.engines.sdxl import device
from plitka.engines.sdxl.memory_plan import choose_plan, compute_model_needs, describe_plan
from plitka.errors import EngineError
from plitka.runtime.memory import format_gib
from plitka.weights import archive, preflight, snapshot
from plitka.weights.preflight import Finding
from plitka.weights.settings import read_settings
from plitka.weights.snapshot import Snapshot

_PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "huggingface_hub")


def find_faults(engine: str, packed: Path | str | None) -> Iterator[Finding]:
    """Check all that a prediction needs, a finding at a time. Loads no weights, fetches nothing."""
    yield Finding("Plitka", f"{__version__}, Python {platform.python_version()}")
    if engine == "render":
        yield Finding("engine", "render; it needs no weights and no GPU")
        return
    yield Finding("engine", "sdxl")
    yield from map(_find_package, _PACKAGES)
    try:
        yield from _inspect_weights(packed)
    except EngineError as fault:
        yield Finding("settings", str(fault), fault=True)


def _verify_snapshot(baked: Snapshot) -> Finding:
    damaged = [str(file) for file in snapshot.list_damaged(baked)]
    if damaged:
        verdict = f"{', '.join(damaged)}: damaged, not what was baked; copy the snapshot again"
        return Finding("snapshot", verdict, fault=True)
    size = sum(size for size, _ in baked.files.values())
    return Finding(
        "snapshot", f"{baked.folder}: {len(baked.files)} files, {format_gib(size)}, all whole"
    )


def _find_package(name: str) -> Finding:
    try:
        return Finding(name, version(name))
    except PackageNotFoundError:
        return Finding(name, "not installed; run pip install -r requirements.txt", fault=True)


def _inspect_weights(packed: Path | str | None) -> Iterator[Finding]:
    with archive.open_package(packed) as package:
        weights = preflight.inspect(read_settings(), package, controlnets=True)
        yield from weights.findings
    if weights.snapshot is not None:
        yield _verify_snapshot(weights.snapshot)
    device.read_memory_fraction()
    chosen = device.choose_device()
    yield Finding("device", device.describe(chosen))
    if weights.base is None:
        yield Finding("memory", "not judged before the base model is whole")
        return
    needed = compute_model_needs(weights.base, weights.vae, weights.turbo, chosen.dtype)
    try:
        plan = choose_plan(chosen, device.free_memory(chosen), needed)
    except EngineError as fault:
        yield Finding("memory", str(fault), fault=True)
        return
    yield Finding("memory", describe_plan(plan, needed))
