"""The checks of `python -m plitka check`: versions, device, memory, and every file."""

import platform
from collections.abc import Generator, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from plitka import __version__
from plitka.bank import files
from plitka.color import palette
from plitka.color.palette import PaletteError
from plitka.engines import registry
from plitka.engines.sdxl import architecture, device
from plitka.engines.sdxl.device_choice import choose_device
from plitka.engines.sdxl.memory_plan import choose_plan, compute_model_needs, describe_plan
from plitka.errors import EngineError
from plitka.request.prompt import DEFAULT_TRIGGER
from plitka.runtime.memory import format_gib
from plitka.settings import Settings
from plitka.weights import archive, preflight, snapshot
from plitka.weights.preflight import Finding, Preflight
from plitka.weights.settings import WeightsSettings
from plitka.weights.snapshot import Snapshot

_PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "huggingface_hub")


def inspect_installation(
    engine: str, settings: Settings, package: Path | str | None
) -> Iterator[Finding]:
    """Inspect what an engine needs, and give each finding as soon as it is made.

    Loads no weights, and fetches none but a package at an address. package: as `load_engine` takes
    it.
    """
    yield Finding("Plitka", f"{__version__}, Python {platform.python_version()}")
    if engine in registry.WITHOUT_WEIGHTS:
        yield Finding("engine", f"{engine}; it needs no weights and no GPU")
        if engine == "photo":
            yield from _inspect_bank(settings)
        yield from _inspect_palette(settings, None, engine)
        yield from _find_setting_faults(settings)
        return
    yield Finding("engine", f"sdxl; it needs weights. {registry.WITHOUT_MODEL}")
    yield from _inspect_init(settings)
    yield from map(_find_package, _PACKAGES)
    weights = None
    try:
        weights = yield from _inspect_weights(settings.weights, package)
    except EngineError as fault:
        yield Finding("settings", str(fault), fault=True)
        engine = "render"  # which leaves the package alone, of which this is told already
    yield from _inspect_palette(settings, package, engine)
    yield from _find_setting_faults(settings)
    try:
        memory_fraction, wanted = settings.memory_fraction, settings.device
    except EngineError as fault:
        yield Finding("settings", str(fault), fault=True)
        return
    if weights is not None:
        yield from _inspect_device(weights, memory_fraction, wanted)


def _inspect_palette(
    settings: Settings, package: Path | str | None, engine: str
) -> Iterator[Finding]:
    """Inspect the palettes of the weights and the maker's own; nothing is told of no such file."""
    try:
        packed = settings.read_packed_palette(package, engine)
        sources = [one for one in (packed, settings.palette_file) if one is not None]
        palette.load(settings.palette_file, packed)
        for source in sources:
            title = source if isinstance(source, Path) else source[0]
            count = palette.count_colors(source)
            yield Finding("palette", f"{title}: {count} colour{'' if count == 1 else 's'}")
    except (PaletteError, EngineError, OSError) as fault:
        yield Finding("palette", str(fault), fault=True)


def _inspect_init(settings: Settings) -> Iterator[Finding]:
    """Inspect what sdxl starts from; nothing is told of the default."""
    try:
        init = registry.check_init(settings.init)
    except EngineError as fault:
        yield Finding("settings", str(fault), fault=True)
        return
    if init == "photo":
        yield from _inspect_bank(settings)


def _inspect_bank(settings: Settings) -> Iterator[Finding]:
    """Inspect the photo bank and all its files."""
    try:
        folder = registry.check_bank(settings.bank_folder)
        count = files.count_colors(folder)
        yield Finding("bank", f"{folder}: {count} colour{'' if count == 1 else 's'}")
    except EngineError as fault:
        yield Finding("bank", str(fault), fault=True)


def _find_setting_faults(settings: Settings) -> Iterator[Finding]:
    """Parse the settings that setup() reads whatever the engine is; gives a finding for a fault."""
    try:
        _ = settings.options
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


def _inspect_weights(
    settings: WeightsSettings, package: Path | str | None
) -> Generator[Finding, None, Preflight]:
    """Inspect all files. Returns what was found of them."""
    with archive.open_package(package, settings.cache) as unpacked:
        weights = preflight.inspect(
            settings, unpacked, architecture, DEFAULT_TRIGGER, controlnets=True
        )
        yield from weights.findings
    if weights.snapshot is not None:
        yield _verify_snapshot(weights.snapshot)
    return weights


def _inspect_device(
    weights: Preflight, memory_fraction: float, wanted: str | None
) -> Iterator[Finding]:
    """Inspect the device, and whether the weights fit into its memory."""
    try:
        chosen = choose_device(memory_fraction, wanted)
    except EngineError as fault:
        yield Finding("device", str(fault), fault=True)
        return
    yield Finding("device", device.describe(chosen))
    if weights.base is None:
        yield Finding("memory", "not judged before the base model is whole")
        return
    needed = compute_model_needs(weights.base, weights.vae, weights.turbo, chosen.dtype)
    try:
        free = device.measure_free_memory(chosen)
        plan = choose_plan(chosen, free, needed)
    except EngineError as fault:
        yield Finding("memory", str(fault), fault=True)
        return
    yield Finding("memory", describe_plan(plan, needed, free))
