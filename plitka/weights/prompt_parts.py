"""What the weights decide of prompt and scale, read from headers alone: `plan` loads nothing."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from plitka.weights import snapshot
from plitka.weights.adapter_files import (
    AdapterFiles,
    Package,
    UnreachableError,
    find_adapter,
    find_embeddings,
    find_lora,
)
from plitka.weights.embeddings import check_embeddings
from plitka.weights.header import Header
from plitka.weights.hub import split_address
from plitka.weights.lora_scale import LoraScale, choose_lora_scale
from plitka.weights.settings import TURBO_LORA, WeightsSettings
from plitka.weights.trigger import Trigger, find_trigger
from plitka.weights.turbo_kind import TurboKind, choose_turbo_kind

_ASSUMED_VECTORS = 2  # of embeddings that are not there yet


@dataclass(frozen=True)
class WeightsParts:
    """What the weights decide. trigger: None where nothing says one. vectors: of the tokens.

    lora_scale: None where there is no LoRA.
    """

    trigger: str | None
    vectors: int
    lora_scale: LoraScale | None


def read_weights_parts(settings: WeightsSettings, package: Package) -> WeightsParts:
    """Read the trigger word, the number of the tokens' vectors, and the scale of the LoRA.

    A LoRA that is not there says nothing, and embeddings that are not there count as two vectors,
    as do those of a repository that cannot be reached. Raises WeightsError for files that are there
    and are not what they should be.
    """
    baked = snapshot.find_snapshot(settings)
    if baked is not None:
        return WeightsParts(settings.trigger or baked.trigger, baked.vectors, baked.scale)
    lora = None
    if package.lora is not None or not _is_missing(settings.lora):
        with suppress(UnreachableError):
            lora = find_lora(settings, package)
    assumed = (
        package.embeddings is None and package.lora is None and _is_missing(settings.embeddings)
    )
    embeddings = None
    if not assumed or (lora is not None and lora.bundled):
        try:
            embeddings = find_embeddings(settings, package, lora)
        except UnreachableError:
            assumed = True
    vectors = _ASSUMED_VECTORS if assumed else 0
    if embeddings is not None:
        vectors = check_embeddings(embeddings.headers, settings.trigger, embeddings.bundled).vectors
    trigger = find_adapters_trigger(settings, (lora, embeddings))
    scale = None if lora is None else choose_lora_scale(settings.lora_scale, lora.headers[0])
    return WeightsParts(None if trigger is None else trigger.word, vectors, scale)


def read_turbo_kind(settings: WeightsSettings) -> TurboKind | None:
    """Read what the LoRA of the quality `turbo` was trained for.

    By its name, where it is not there; None where neither a LoRA nor a guidance is set. Raises
    WeightsError for a file that is there and is not what it should be.
    """
    baked = snapshot.find_snapshot(settings)
    path = (settings if baked is None else snapshot.apply_snapshot(settings, baked)).turbo_lora
    if path is None and settings.turbo_guidance is None:
        return None
    header = Header(path or Path(), str(path), {}, {}, {})
    if path is not None and not _is_missing(path):
        with suppress(UnreachableError):
            header = find_adapter(path, "LoRA", TURBO_LORA).headers[0]
    return choose_turbo_kind(header, settings.turbo_guidance)


def find_adapters_trigger(
    settings: WeightsSettings, adapters: Iterable[AdapterFiles | None]
) -> Trigger | None:
    """Find the trigger word that these files say, or the setting in their place."""
    files = [adapter for adapter in adapters if adapter is not None]
    return find_trigger(
        settings.trigger,
        (adapter.trigger for adapter in files),
        (header for adapter in files for header in adapter.headers),
    )


def _is_missing(path: Path | None) -> bool:
    """Whether a setting names a path on this machine where there is nothing."""
    return path is not None and not path.exists() and split_address(path.as_posix()) is None
