"""Finds all that the sdxl engine needs and checks what of it is here, before anything is fetched.

`setup()` refuses to start with a fault in it, and `python -m plitka check` prints it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from plitka.errors import NoModelError, WeightsError
from plitka.runtime.memory import format_gib
from plitka.weights import models, snapshot
from plitka.weights.adapter_files import (
    AdapterFiles,
    Package,
    find_adapter,
    find_embeddings,
    find_lora,
)
from plitka.weights.embeddings import Embeddings, check_embeddings
from plitka.weights.finite import refuse_nonfinite
from plitka.weights.header import list_names
from plitka.weights.hub import BASE, BASE_CONFIGS, BASE_WITHOUT_VAE, MODEL, Remote, find_source
from plitka.weights.lora import Lora
from plitka.weights.lora_file import resolve_lora, resolve_turbo
from plitka.weights.lora_scale import choose_lora_scale
from plitka.weights.lora_targets import Modules, list_modules
from plitka.weights.models import Base, Model, RemoteBase
from plitka.weights.prompt_parts import find_adapters_trigger
from plitka.weights.sdxl_architecture import Architecture
from plitka.weights.settings import (
    CONTROLNET_SETTINGS,
    DEFAULT_LORA,
    EMBEDDINGS,
    LORA,
    SDXL,
    TRIGGER,
    TURBO_LORA,
    WeightsSettings,
)
from plitka.weights.snapshot import Snapshot
from plitka.weights.trigger import hint_at_trigger
from plitka.weights.turbo_kind import choose_turbo_kind

T = TypeVar("T")


@dataclass(frozen=True)
class Finding:
    """One line of `check`: a part, and what was found of it or is wrong with it.

    fault: no picture can be drawn. warning: pictures are drawn, and may not be what is wanted.
    """

    part: str
    verdict: str
    fault: bool = False
    warning: bool = False


@dataclass(frozen=True)
class Preflight:
    """The parts of a model, as they were found. A part is None where it is faulty or not wanted.

    A RemoteBase or a Remote is still to be fetched; everything else is here and checked.
    settings: with what a snapshot decides on in place of the environment.
    snapshot: the base, where it is one. configs: of a base that is a single checkpoint, where they
    are still to be fetched. vae: None as well where it is the base's own. lora, turbo: resolved
    against the base; adapters: their files and the embeddings', which may be still to be fetched.
    trigger: the prompt's word, None where nothing says one.
    """

    findings: tuple[Finding, ...]
    settings: WeightsSettings
    snapshot: Snapshot | None
    base: Base | RemoteBase | None
    configs: Remote | None
    vae: Model | Remote | None
    lora: Lora | None
    embeddings: Embeddings | None
    turbo: Lora | None
    adapters: "Adapters"
    trigger: str | None


@dataclass(frozen=True)
class Adapters:
    """The files of what is added to a base model; None for what is faulty or not wanted."""

    lora: AdapterFiles | None = None
    embeddings: AdapterFiles | None = None
    turbo: AdapterFiles | None = None


_Inspected: TypeAlias = tuple[T | None, Finding | None]
"""A part and what there is to say of it."""


def inspect(
    settings: WeightsSettings,
    package: Package,
    architecture: Architecture,
    default_trigger: str,
    controlnets: bool = False,
) -> Preflight:
    """Find and check every part.

    default_trigger: the prompt's word where nothing says one. controlnets: these too, which setup()
    leaves for later.
    """
    baked, settings, conflicts = _inspect_snapshot(settings, package)
    base, base_finding = _inspect_base(settings, architecture)
    base, configs, configs_finding = _inspect_configs(settings, architecture, base)
    vae, vae_finding = _inspect_vae(settings, architecture, base)
    modules = None if base is None else list_modules(base.shapes)
    lora_files, lora, lora_finding = _inspect_lora(settings, package, baked, modules)
    embeddings_files, embeddings, embeddings_finding = _inspect_embeddings(
        settings, package, baked, lora_files
    )
    turbo_files, turbo, turbo_finding = _inspect_turbo(settings, modules)
    adapters = Adapters(lora_files, embeddings_files, turbo_files)
    trigger, trigger_finding = _inspect_trigger(settings, package, baked, adapters, default_trigger)
    kinds = CONTROLNET_SETTINGS if controlnets else ()
    findings = (
        *conflicts,
        base_finding,
        configs_finding,
        vae_finding,
        lora_finding,
        embeddings_finding,
        _warn_of_other_training(settings, package, lora_files, embeddings_files),
        trigger_finding,
        find_two_embeddings(base, embeddings),
        turbo_finding,
        *(_inspect_controlnet(settings, kind, architecture, base) for kind in kinds),
    )
    return Preflight(
        findings=tuple(finding for finding in findings if finding is not None),
        settings=settings,
        snapshot=baked,
        base=base,
        configs=configs,
        vae=vae,
        lora=lora,
        embeddings=embeddings,
        turbo=turbo,
        adapters=adapters,
        trigger=trigger,
    )


def refuse_faults(preflight: Preflight) -> None:
    """Raise all faults in one error, a line for each."""
    faults = [finding.verdict for finding in preflight.findings if finding.fault]
    if faults:
        raise (NoModelError if preflight.base is None else WeightsError)("\n".join(faults))


def uses_own_vae(settings: WeightsSettings) -> bool:
    """Whether the VAE is the base model's own."""
    return settings.vae == "base"


def _check(part: str, check: Callable[[], T], describe: Callable[[T], str]) -> _Inspected[T]:
    """Run one check; its error becomes a finding."""
    try:
        value = check()
    except WeightsError as fault:
        return None, Finding(part, str(fault), fault=True)
    return value, Finding(part, describe(value))


def _inspect_snapshot(
    settings: WeightsSettings, package: Package
) -> tuple[Snapshot | None, WeightsSettings, list[Finding]]:
    """The snapshot that the base is, if it is one, and the settings with what it decides on."""
    try:
        baked = snapshot.find_snapshot(settings)
    except WeightsError as fault:
        return None, settings, [Finding("snapshot", str(fault), fault=True)]
    if baked is None:
        return None, settings, []
    is_packed = package.lora is not None or package.embeddings is not None
    faults = snapshot.list_conflicts(settings, baked, is_packed)
    conflicts = [Finding("snapshot", fault, fault=True) for fault in faults]
    if warning := snapshot.warn_of_vae(settings, baked):
        conflicts.append(Finding("snapshot", warning, warning=True))
    return baked, snapshot.apply_snapshot(settings, baked), conflicts


def _inspect_base(
    settings: WeightsSettings, architecture: Architecture
) -> _Inspected[Base | RemoteBase]:
    own_vae = uses_own_vae(settings)

    def check() -> Base | RemoteBase:
        source = find_source(settings.base, "PLITKA_BASE", BASE if own_vae else BASE_WITHOUT_VAE)
        if isinstance(source, Remote):
            return models.check_remote_base(source, architecture, own_vae)
        beside = source.parent if (source.parent / "model_index.json").is_file() else None
        return models.check_base(source, architecture, own_vae, beside)

    return _check("base", check, _describe)


def _inspect_configs(
    settings: WeightsSettings, architecture: Architecture, base: Base | RemoteBase | None
) -> tuple[Base | RemoteBase | None, Remote | None, Finding | None]:
    """Find configurations and tokenizers for a base that is a checkpoint: the hub's, if not beside.

    Returns the base with them, or else what is to be fetched.
    """
    if not isinstance(base, Base) or base.path.is_dir():
        return base, None, None
    if base.tokenizers is not None:
        return base, None, Finding("base configs", str(base.tokenizers))
    path = base.path

    def check() -> Base | Remote:
        source = find_source(SDXL, "PLITKA_BASE", BASE_CONFIGS)
        if isinstance(source, Remote):
            return source
        return models.check_base(path, architecture, uses_own_vae(settings), source)

    def describe(found: Base | Remote | None) -> str:
        return str(found.tokenizers) if isinstance(found, Base) else _describe(found or path)

    found, finding = _check("base configs", check, describe)
    if isinstance(found, Remote):
        return base, found, finding
    return found or base, None, finding


def _inspect_vae(
    settings: WeightsSettings, architecture: Architecture, base: Base | RemoteBase | None
) -> _Inspected[Model | Remote]:
    if uses_own_vae(settings):
        return None, None

    def check() -> Model | Remote:
        source = find_source(settings.vae, "PLITKA_VAE", MODEL)
        if isinstance(source, Remote):
            models.check_remote_vae(source, architecture)
            return source
        return models.check_vae(source, architecture, base if isinstance(base, Base) else None)

    return _check("vae", check, _describe)


def _inspect_controlnet(
    settings: WeightsSettings,
    kind: str,
    architecture: Architecture,
    base: Base | RemoteBase | None,
) -> Finding | None:
    setting = CONTROLNET_SETTINGS[kind]
    unet = base.models["unet"].config if isinstance(base, Base) else None

    def check() -> Model | Remote:
        source = find_source(settings.controlnets[kind], setting, MODEL)
        if isinstance(source, Remote):
            models.check_remote_controlnet(source, setting, architecture, unet)
            return source
        return models.check_controlnet(source, setting, architecture, unet)

    return _check(kind, check, _describe)[1]


_InspectedAdapter: TypeAlias = tuple[AdapterFiles | None, T | None, Finding]
"""The files of a part, the part, and what there is to say of it."""


def _inspect_lora(
    settings: WeightsSettings, package: Package, baked: Snapshot | None, modules: Modules | None
) -> _InspectedAdapter[Lora]:
    if baked is not None:
        scale = baked.scale
        if scale is None:
            return None, None, Finding("LoRA", "none, the snapshot was baked without")
        why = f", {scale.reason}" if baked.lora_scale_reason else ""
        fused = f"{baked.lora}, fused into the snapshot at scale {scale.value:g}{why}"
        return None, None, Finding("LoRA", fused)
    if package.embeddings and not package.lora and LORA not in settings.named:
        pickles = f" but {list_names(package.pickles)}, never loaded" if package.pickles else ""
        verdict = (
            f"{package.title}: holds embeddings and no LoRA{pickles}, which were trained together;"
            f" pack both, or name the LoRA with {LORA} (none runs without one)"
        )
        return None, None, Finding("LoRA", verdict, fault=True)
    if package.lora is None and settings.lora is None:
        return None, None, Finding("LoRA", "none, as PLITKA_LORA says")

    def check(files: AdapterFiles) -> Lora:
        choose_lora_scale(settings.lora_scale, files.headers[0])
        return resolve_lora(files.headers[0], files.config, modules, LORA)

    def describe(files: AdapterFiles, lora: Lora) -> str:
        scale = choose_lora_scale(settings.lora_scale, lora.header)
        return f"{_describe_lora(files, lora, modules is not None)}; {scale.describe()}"

    return _check_adapter("LoRA", lambda: find_lora(settings, package), check, describe)


def _inspect_embeddings(
    settings: WeightsSettings,
    package: Package,
    baked: Snapshot | None,
    lora: AdapterFiles | None,
) -> _InspectedAdapter[Embeddings]:
    if baked is not None:
        known = f"{baked.embeddings}, in the snapshot"
        verdict = known if baked.embeddings else "none, the snapshot was baked without"
        return None, None, Finding("embeddings", verdict)
    if package.embeddings is None and settings.embeddings is None:
        return None, None, Finding("embeddings", "none, as PLITKA_EMBEDDINGS says")
    if package.lora and not package.embeddings and EMBEDDINGS not in settings.named:
        return None, None, Finding("embeddings", _explain_lora_alone(package))
    return _check_adapter(
        "embeddings",
        lambda: find_embeddings(settings, package, lora),
        lambda files: check_embeddings(files.headers, settings.trigger, files.bundled),
        lambda _, embeddings: _describe_embeddings(embeddings),
    )


def find_two_embeddings(
    base: Base | RemoteBase | None, embeddings: Embeddings | None
) -> Finding | None:
    """A fault where the base model has embeddings for <s0> of its own."""
    if embeddings is None or not isinstance(base, Base) or not base.knows_tokens:
        return None
    verdict = (
        f"{base.path}: has embeddings of its own for <s0>; set {EMBEDDINGS} to none, or"
        " PLITKA_BASE to a base model without them"
    )
    return Finding("embeddings", verdict, fault=True)


def _explain_lora_alone(package: Package) -> str:
    pickles = f", but {list_names(package.pickles)}, never loaded" if package.pickles else ""
    return (
        f"none, {package.title} holds a LoRA and no embeddings{pickles}; {EMBEDDINGS} can name some"
    )


def _check_adapter(
    part: str,
    find: Callable[[], AdapterFiles | None],
    check: Callable[[AdapterFiles], T],
    describe: Callable[[AdapterFiles, T], str],
) -> _InspectedAdapter[T]:
    """Find the files of a part and check them; an error becomes a finding."""
    files = None
    try:
        files = find()
        assert files is not None  # what may be left out has been answered before
        value = check(files)
        if files.remote is None:
            unused = value.list_unused() if isinstance(value, Lora) else ()
            for header in files.headers:
                refuse_nonfinite(header, unused)
    except WeightsError as fault:
        return files, None, Finding(part, str(fault), fault=True)
    verdict = describe(files, value)
    if files.remote is not None:
        verdict = f"{_describe(files.remote)}; {verdict}"
    return files, value, Finding(part, verdict)


def _warn_of_other_training(
    settings: WeightsSettings,
    package: Package,
    lora: AdapterFiles | None,
    embeddings: AdapterFiles | None,
) -> Finding | None:
    """A warning where the default embeddings are beside a LoRA that they were not trained with."""
    if embeddings is None or EMBEDDINGS in settings.named or embeddings.bundled:
        return None
    if package.embeddings is not None or lora is None or _is_default_lora(lora):
        return None
    verdict = (
        f"{embeddings.title} belongs to {DEFAULT_LORA.name}, and {lora.title} is used; set"
        f" {EMBEDDINGS} to the file that was trained with that, or to none"
    )
    return Finding("embeddings", verdict, warning=True)


def _is_default_lora(files: AdapterFiles) -> bool:
    return files.headers[0].path.name == DEFAULT_LORA.name


def _inspect_trigger(
    settings: WeightsSettings,
    package: Package,
    baked: Snapshot | None,
    adapters: Adapters,
    default: str,
) -> tuple[str | None, Finding]:
    """The trigger word, and who says so; a warning where a LoRA of one's own says none."""
    if baked is not None:
        return _inspect_baked_trigger(settings, baked, default)
    lora = adapters.lora
    found = find_adapters_trigger(settings, (lora, adapters.embeddings))
    if found is not None and found.word is not None:
        return found.word, Finding("trigger", found.verdict)
    if found is not None:
        return None, Finding("trigger", found.verdict, warning=True)
    if lora is None and (package.lora is not None or settings.lora is not None):
        return None, Finding("trigger", "not known before the LoRA is whole")
    used = f"{default}, the default"
    if lora is None:
        return None, Finding("trigger", used)
    if _is_default_lora(lora):
        verdict = f"{used}; nothing in or beside the LoRA names another"
        return None, Finding("trigger", verdict)
    hint = hint_at_trigger(lora.headers[0])
    verdict = (
        f"{used}, for nothing in or beside {lora.title} says with which word it was trained"
        f"{f' ({hint})' if hint else ''}; set {TRIGGER} to that word"
    )
    return None, Finding("trigger", verdict, warning=True)


def _inspect_baked_trigger(
    settings: WeightsSettings, baked: Snapshot, default: str
) -> tuple[str | None, Finding]:
    if settings.trigger is not None:
        return settings.trigger, Finding("trigger", f"{settings.trigger}, as {TRIGGER} says")
    if baked.trigger is None:
        return None, Finding("trigger", f"{default}, the default; the snapshot says none")
    return baked.trigger, Finding("trigger", f"{baked.trigger}, as the snapshot says")


def _inspect_turbo(settings: WeightsSettings, modules: Modules | None) -> _InspectedAdapter[Lora]:
    path = settings.turbo_lora
    if path is None:
        return None, None, Finding("turbo LoRA", f"none, so no turbo; {TURBO_LORA} names one")
    guidance = settings.turbo_guidance

    def resolve(files: AdapterFiles) -> Lora:
        choose_turbo_kind(files.headers[0], guidance)
        return resolve_turbo(files.headers[0], files.config, modules)

    def describe(files: AdapterFiles, lora: Lora) -> str:
        kind = choose_turbo_kind(lora.header, guidance)
        return f"{_describe_lora(files, lora, modules is not None)}; {kind.describe()}"

    return _check_adapter(
        "turbo LoRA", lambda: find_adapter(path, "LoRA", TURBO_LORA), resolve, describe
    )


def _describe_lora(files: AdapterFiles, lora: Lora, compared: bool) -> str:
    """Describe a LoRA. compared: whether there was a base model to compare its shapes with."""
    rest = "" if compared else "; not compared with the base model, which has a fault"
    return f"{files.title}: {lora.describe()}{rest}"


def _describe_embeddings(embeddings: Embeddings) -> str:
    plural = "" if embeddings.vectors == 1 else "s"
    unread = list_names(embeddings.unread)
    rest = f"; {unread}, for OneTrainer's output embeddings, not read" if embeddings.unread else ""
    return f"{embeddings.title}: {embeddings.vectors} vector{plural}{rest}"


def _describe(part: Base | RemoteBase | Model | Path | Remote) -> str:
    """Where a part is, or what of it is to be fetched."""
    if isinstance(part, RemoteBase):
        part = part.remote
    if isinstance(part, Remote):
        size = format_gib(part.missing_bytes)
        return f"{part.repository}, to be fetched from the hub: {len(part.missing)} files, {size}"
    if isinstance(part, Model):
        return str(part.place)
    return str(part.path if isinstance(part, Base) else part)
