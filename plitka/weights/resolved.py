"""Fetches the weights that are not here, and resolves LoRAs against the base model that came."""

from dataclasses import dataclass

from plitka.errors import WeightsError
from plitka.weights import models
from plitka.weights.embeddings import Embeddings
from plitka.weights.hub import Remote, fetch_remote
from plitka.weights.lora_file import Lora, resolve_lora, resolve_turbo
from plitka.weights.lora_targets import list_modules
from plitka.weights.models import Base, Model, RemoteBase
from plitka.weights.preflight import (
    ANOTHER_ENGINE,
    Preflight,
    uses_own_vae,
)
from plitka.weights.sdxl_architecture import Architecture
from plitka.weights.settings import WeightsSettings
from plitka.weights.snapshot import Snapshot


@dataclass(frozen=True)
class Resolved:
    """All parts of a model, on this machine.

    settings: with what a snapshot decides on in place of the environment.
    snapshot: the base, where it is one. vae: None where it is the base's own. lora: to be fused.
    turbo: to be switched on.
    """

    settings: WeightsSettings
    snapshot: Snapshot | None
    base: Base
    vae: Model | None
    lora: Lora | None
    embeddings: Embeddings | None
    turbo: Lora | None

    @property
    def knows_tokens(self) -> bool:
        """Whether the model will know <s0> and <s1>."""
        is_baked = self.snapshot is not None and self.snapshot.embeddings is not None
        return is_baked or self.embeddings is not None


def fetch_weights(preflight: Preflight, architecture: Architecture) -> Resolved:
    """Fetch what is not here yet, and check it. Raises WeightsError for a fault of what came.

    preflight: without faults. Its LoRAs are resolved against the base's own shapes; only where the
    hub announced others than it then gave are they resolved anew, against what came.
    """
    announced, lora, turbo = preflight.base, preflight.lora, preflight.turbo
    assert announced is not None
    own_vae = uses_own_vae(preflight.settings)
    if isinstance(announced, RemoteBase):
        base = _fetch_base(announced.remote, architecture, own_vae)
    elif preflight.configs is not None:
        configs = fetch_remote(preflight.configs, "PLITKA_BASE")
        base = models.check_base(announced.path, architecture, own_vae, configs)
    else:
        base = announced
    modules = list_modules(base.shapes)
    if modules != list_modules(announced.shapes):
        lora = None if lora is None else resolve_lora(lora.header, lora.config, modules)
        turbo = None if turbo is None else resolve_turbo(turbo.header, turbo.config, modules)
    vae = preflight.vae
    if isinstance(vae, Remote):
        vae = models.check_vae(fetch_remote(vae, "PLITKA_VAE"), architecture, base)
    return Resolved(
        settings=preflight.settings,
        snapshot=preflight.snapshot,
        base=base,
        vae=vae,
        lora=lora,
        embeddings=preflight.embeddings,
        turbo=turbo,
    )


def _fetch_base(remote: Remote, architecture: Architecture, own_vae: bool) -> Base:
    folder = fetch_remote(remote, "PLITKA_BASE")
    try:
        return models.check_base(folder, architecture, own_vae)
    except WeightsError as fault:
        raise WeightsError(f"{fault}\n{ANOTHER_ENGINE}") from None
