"""What `python -m plitka check` looks at: versions, device, memory, every file."""

import platform
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from plitka import __version__
from plitka.engines.sdxl import device
from plitka.engines.sdxl.memory_plan import choose_plan, compute_model_needs, describe_plan
from plitka.engines.sdxl.options import SdxlSettings
from plitka.errors import EngineError
from plitka.runtime.memory import format_gib
from plitka.weights import archive, preflight, snapshot
from plitka.weights.preflight import Finding
from plitka.weights.snapshot import Snapshot

_PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "huggingface_hub")


def inspect_installation(
    engine: str, read_sdxl: Callable[[], SdxlSettings], package: Path | str | None
) -> Iterator[Finding]:
    """Inspect what an engine needs, and give each finding as soon as it is made.

    Nothing large is loaded, and nothing fetched. read_sdxl, package: as `load_engine` takes them.
    """
    yield Finding("Plitka", f"{__version__}, Python {platform.python_version()}")
    if engine == "render":
        yield Finding("engine", "render; it needs no weights and no GPU")
        return
    yield Finding("engine", "sdxl")
    yield from map(_package, _PACKAGES)
    try:
        yield from _inspect_sdxl(read_sdxl(), package)
    except EngineError as fault:
        yield Finding("settings", str(fault), fault=True)


def _whole(baked: Snapshot) -> Finding:
    bad = [str(file) for file in snapshot.list_damaged(baked)]
    if bad:
        verdict = f"{', '.join(bad)}: damaged, not what was baked; copy the snapshot again"
        return Finding("snapshot", verdict, fault=True)
    size = sum(size for size, _ in baked.files.values())
    return Finding(
        "snapshot", f"{baked.folder}: {len(baked.files)} files, {format_gib(size)}, all whole"
    )


def _package(name: str) -> Finding:
    try:
        return Finding(name, version(name))
    except PackageNotFoundError:
        return Finding(name, "not installed; run pip install -r requirements.txt", fault=True)


def _inspect_sdxl(settings: SdxlSettings, package: Path | str | None) -> Iterator[Finding]:
    with archive.open_package(package) as given:
        held = preflight.inspect(settings.weights, given, controlnets=True)
        yield from held.findings
    if held.baked is not None:
        yield _whole(held.baked)
    chosen = device.choose_device(settings.memory_fraction)
    yield Finding("device", device.describe(chosen))
    if held.base is None or (held.checked_base is None and isinstance(held.base, Path)):
        yield Finding("memory", "not judged before the base model is whole")
        return
    needed = compute_model_needs(held, chosen)
    try:
        plan = choose_plan(chosen, device.free_memory(chosen), needed)
    except EngineError as fault:
        yield Finding("memory", str(fault), fault=True)
        return
    yield Finding("memory", describe_plan(plan, needed))
