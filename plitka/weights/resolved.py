"""Fetches the weights that are not here, and resolves LoRAs against the base model that came."""

from dataclasses import dataclass

from plitka.errors import NoModelError, WeightsError
from plitka.weights import models
from plitka.weights.adapter_files import fetch_adapter
from plitka.weights.embeddings import Embeddings, check_embeddings
from plitka.weights.finite import refuse_nonfinite
from plitka.weights.hub import Remote, fetch_remote
from plitka.weights.lora import Lora
from plitka.weights.lora_file import resolve_lora, resolve_turbo
from plitka.weights.lora_scale import LoraScale, choose_lora_scale
from plitka.weights.lora_targets import list_modules
from plitka.weights.models import Base, Model, RemoteBase
from plitka.weights.preflight import (
    Preflight,
    find_two_embeddings,
    uses_own_vae,
)
from plitka.weights.sdxl_architecture import Architecture
from plitka.weights.settings import EMBEDDINGS, LORA, TURBO_LORA, WeightsSettings
from plitka.weights.snapshot import Snapshot
from plitka.weights.turbo_kind import TurboKind, choose_turbo_kind


@dataclass(frozen=True)
class Resolved:
    """All parts of a model, on this machine.

    settings: with what a snapshot decides on in place of the environment.
    snapshot: the base, where it is one. vae: None where it is the base's own. lora: to be fused.
    turbo: to be switched on. trigger: the prompt's word, None for the default.
    """

    settings: WeightsSettings
    snapshot: Snapshot | None
    base: Base
    vae: Model | None
    lora: Lora | None
    embeddings: Embeddings | None
    turbo: Lora | None
    trigger: str | None

    @property
    def lora_scale(self) -> LoraScale | None:
        """At which scale the LoRA is fused, None where there is none. Raises WeightsError."""
        if self.snapshot is not None:
            return self.snapshot.scale
        return choose_lora_scale(self.settings.lora_scale, self.lora.header) if self.lora else None

    @property
    def turbo_kind(self) -> TurboKind | None:
        """What turbo's LoRA was trained for, None without one. Raises WeightsError."""
        if self.turbo is None:
            return None
        return choose_turbo_kind(self.turbo.header, self.settings.turbo_guidance)

    @property
    def vectors(self) -> int:
        """How many of the tokens <s0>, <s1> and so on the model will know."""
        if self.snapshot is not None:
            return self.snapshot.vectors
        return 0 if self.embeddings is None else self.embeddings.vectors


def fetch_weights(preflight: Preflight, architecture: Architecture) -> Resolved:
    """Fetch what is not here yet, and check it. Raises WeightsError for a fault of what came.

    preflight: without faults. Its LoRAs are resolved against the base's own shapes; only where they
    are fetched, or the hub announced others than it then gave, are they resolved anew, against what
    came.
    """
    announced, lora, turbo = preflight.base, preflight.lora, preflight.turbo
    embeddings, found = preflight.embeddings, preflight.adapters
    assert announced is not None
    own_vae = uses_own_vae(preflight.settings)
    if isinstance(announced, RemoteBase):
        base = _fetch_base(announced.remote, architecture, own_vae)
    elif preflight.configs is not None:
        configs = fetch_remote(preflight.configs, "PLITKA_BASE")
        base = models.check_base(announced.path, architecture, own_vae, configs)
    else:
        base = announced
    if twice := find_two_embeddings(base, embeddings):
        raise WeightsError(twice.verdict)
    modules = list_modules(base.shapes)
    changed = modules != list_modules(announced.shapes)
    if found.lora is not None and (changed or found.lora.remote):
        files = fetch_adapter(found.lora, LORA)
        lora = resolve_lora(files.headers[0], files.config, modules, LORA)
        refuse_nonfinite(lora.header, lora.list_unused())
    if found.turbo is not None and (changed or found.turbo.remote):
        files = fetch_adapter(found.turbo, TURBO_LORA)
        turbo = resolve_turbo(files.headers[0], files.config, modules)
        refuse_nonfinite(turbo.header)
    if found.embeddings is not None and found.embeddings.remote:
        files = fetch_adapter(found.embeddings, EMBEDDINGS)
        for header in files.headers:
            refuse_nonfinite(header)
        embeddings = check_embeddings(files.headers, preflight.settings.trigger, files.bundled)
    vae = preflight.vae
    if isinstance(vae, Remote):
        vae = models.check_vae(fetch_remote(vae, "PLITKA_VAE"), architecture, base)
    return Resolved(
        settings=preflight.settings,
        snapshot=preflight.snapshot,
        base=base,
        vae=vae,
        lora=lora,
        embeddings=embeddings,
        turbo=turbo,
        trigger=preflight.trigger,
    )


def _fetch_base(remote: Remote, architecture: Architecture, own_vae: bool) -> Base:
    folder = fetch_remote(remote, "PLITKA_BASE")
    try:
        return models.check_base(folder, architecture, own_vae)
    except WeightsError as fault:
        raise NoModelError(str(fault)) from None
