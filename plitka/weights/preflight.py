"""All that the sdxl engine needs, found and checked, before anything large is loaded.

`setup()` refuses to start with a fault in it, and `python -m plitka check` prints it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from plitka.errors import WeightsError
from plitka.runtime.memory import format_gib
from plitka.weights import lora_keys, models, snapshot
from plitka.weights.archive import Package
from plitka.weights.embeddings import check_embeddings
from plitka.weights.hub import BASE, BASE_CONFIGS, BASE_WITHOUT_VAE, MODEL, Remote, find_source
from plitka.weights.lora_keys import Lora
from plitka.weights.lora_targets import list_modules
from plitka.weights.models import Base
from plitka.weights.sdxl_architecture import Modules, list_sdxl_modules
from plitka.weights.settings import (
    CONTROLNET_SETTINGS,
    DEFAULT_EMBEDDINGS,
    DEFAULT_LORA,
    SDXL,
    TURBO_LORA,
    WeightsSettings,
)
from plitka.weights.snapshot import Snapshot

T = TypeVar("T")


@dataclass(frozen=True)
class Finding:
    """One thing that is needed: what it is, and what was found or is wrong."""

    part: str
    verdict: str
    fault: bool = False


@dataclass
class Inventory:
    """What was found. A part is None where it has a fault or is not wanted."""

    settings: WeightsSettings
    findings: list[Finding] = field(default_factory=list)
    base: Path | Remote | None = None
    configs: Path | Remote | None = None  # of a single checkpoint
    checked_base: Base | None = None
    vae: Path | Remote | None = None  # None as well where it is the base's own
    lora: Lora | None = None
    turbo: Lora | None = None
    embeddings: Mapping[str, str] = field(default_factory=dict)  # half -> its tensor's name
    embeddings_path: Path | None = None
    baked: Snapshot | None = None  # the base, where it is a snapshot

    @property
    def faults(self) -> list[str]:
        return [finding.verdict for finding in self.findings if finding.fault]

    @property
    def tokens(self) -> bool:
        """Whether the model will know <s0> and <s1>."""
        baked = self.baked is not None and self.baked.embeddings is not None
        return baked or self.embeddings_path is not None

    @property
    def own_vae(self) -> bool:
        """Whether the VAE is the base model's own."""
        return self.settings.vae == "base"

    def note(self, part: str, look: Callable[[], T], words: Callable[[T], str]) -> T | None:
        """Look for a part, and note what came of it."""
        try:
            found = look()
        except WeightsError as fault:
            self.findings.append(Finding(part, str(fault), fault=True))
            return None
        self.findings.append(Finding(part, words(found)))
        return found


def inspect(settings: WeightsSettings, packed: Package, controlnets: bool = False) -> Inventory:
    """Look at everything. `controlnets`: at these as well, which setup() leaves for later."""
    held = Inventory(settings)
    _take_snapshot(held, packed)
    settings = held.settings
    wanted = BASE if held.own_vae else BASE_WITHOUT_VAE
    held.base = held.note("base", lambda: find_source(settings.base, "PLITKA_BASE", wanted), _place)
    if isinstance(held.base, Path):
        check_base(held, held.base)
    if not held.own_vae:
        held.vae = held.note("vae", lambda: _vae(settings.vae), _place)
    _take_lora(held, packed)
    _take_embeddings(held, packed)
    _take_turbo(held)
    if controlnets:
        for kind, setting in CONTROLNET_SETTINGS.items():
            text = settings.controlnets[kind]
            held.note(kind, partial(_controlnet, text, setting), _place)
    return held


def _take_snapshot(held: Inventory, packed: Package) -> None:
    """Where the base is a snapshot, it decides on what it holds."""
    settings = held.settings
    try:
        held.baked = snapshot.find_snapshot(settings)
    except WeightsError as fault:
        held.findings.append(Finding("snapshot", str(fault), fault=True))
        return
    if held.baked is None:
        return
    given = packed.lora is not None or packed.embeddings is not None
    faults = snapshot.list_conflicts(settings, held.baked, given)
    held.findings += [Finding("snapshot", fault, fault=True) for fault in faults]
    held.settings = replace(settings, **snapshot.snapshot_settings(settings, held.baked))


def check_base(held: Inventory, path: Path) -> None:
    """Check a base model that is here; what it holds decides on the LoRA."""
    held.findings = [finding for finding in held.findings if finding.part != "base"]
    held.checked_base = held.note(
        "base", lambda: models.check_base(path, held.own_vae), lambda base: str(base.path)
    )
    if path.is_file() and held.checked_base is not None:
        held.configs = held.note("base configs", lambda: _configs(path), _place)


def _configs(checkpoint: Path) -> Path | Remote:
    """Configs and tokenizers for a checkpoint: beside it, else the hub's."""
    if (checkpoint.parent / "model_index.json").is_file():
        return checkpoint.parent
    return find_source(SDXL, "PLITKA_BASE", BASE_CONFIGS)


def _vae(text: str) -> Path | Remote:
    found = find_source(text, "PLITKA_VAE", MODEL)
    if isinstance(found, Path):
        models.check_vae(found)
    return found


def _controlnet(text: str, setting: str) -> Path | Remote:
    found = find_source(text, setting, MODEL)
    if isinstance(found, Path):
        models.check_controlnet(found, setting)
    return found


def _take_lora(held: Inventory, packed: Package) -> None:
    if held.baked is not None:
        done = f"{held.baked.lora}, fused into the snapshot at scale {held.baked.lora_scale:g}"
        words = done if held.baked.lora else "none, the snapshot was baked without"
        held.findings.append(Finding("LoRA", words))
        return
    path = packed.lora or held.settings.lora
    if packed.embeddings and not packed.lora and path == DEFAULT_LORA:
        held.findings.append(_half_packed("LoRA", "embeddings", "PLITKA_LORA"))
        return
    if path is None:
        held.findings.append(Finding("LoRA", "none, as PLITKA_LORA says"))
        return
    held.lora = held.note(
        "LoRA",
        lambda: lora_keys.resolve_lora(lora_keys.find_lora_file(path), _modules(held)),
        _lora_words,
    )


def _modules(held: Inventory) -> Modules:
    return list_modules(held.checked_base) if held.checked_base else list_sdxl_modules()


def _take_turbo(held: Inventory) -> None:
    path = held.settings.turbo_lora
    if path is None:
        held.findings.append(Finding("turbo LoRA", f"none, so no turbo; {TURBO_LORA} names one"))
        return
    held.turbo = held.note("turbo LoRA", lambda: check_turbo(path, _modules(held)), _lora_words)


def check_turbo(path: Path, modules: Modules) -> Lora:
    try:
        found = lora_keys.resolve_lora(lora_keys.find_lora_file(path), modules)
    except WeightsError as fault:  # whose remedy is to set the other LoRA's setting
        raise WeightsError(str(fault).replace("PLITKA_LORA", TURBO_LORA)) from None
    others = {change.component for change in found.changes} - {"unet"}
    if others:
        raise WeightsError(
            f"{path}: changes the {min(others)} too, and a distilled LoRA is switched on for the"
            f" UNet alone; set {TURBO_LORA} to one such as SDXL-Lightning's or Hyper-SD's"
        )
    return found


def _half_packed(lacks: str, holds: str, setting: str) -> Finding:
    """The default file would be of another training than the packed one."""
    verdict = (
        f"weights: hold a file of {holds} and none of {lacks}, which were trained together; pack"
        f" both, or name the other file with {setting} (none runs without it)"
    )
    return Finding(lacks, verdict, fault=True)


def _lora_words(found: Lora) -> str:
    ranks = sorted({change.rank for change in found.changes})
    return f"{found.path}: {len(found.changes)} modules, rank {', '.join(map(str, ranks))}"


def _take_embeddings(held: Inventory, packed: Package) -> None:
    if held.baked is not None:
        words = f"{held.baked.embeddings}, in the snapshot"
        lacking = "none, the snapshot was baked without"
        held.findings.append(Finding("embeddings", words if held.tokens else lacking))
        return
    path = packed.embeddings or held.settings.embeddings
    if packed.lora and not packed.embeddings and path == DEFAULT_EMBEDDINGS:
        held.findings.append(_half_packed("embeddings", "LoRA", "PLITKA_EMBEDDINGS"))
        return
    if path is None:
        held.findings.append(Finding("embeddings", "none, as PLITKA_EMBEDDINGS says"))
        return
    found = held.note("embeddings", lambda: check_embeddings(path), lambda _: str(path))
    if found is not None:
        held.embeddings, held.embeddings_path = found, path


def _place(found: Path | Remote) -> str:
    if isinstance(found, Path):
        return str(found)
    size = format_gib(found.missing_bytes)
    return f"{found.repository}, to be fetched from the hub: {len(found.missing)} files, {size}"
