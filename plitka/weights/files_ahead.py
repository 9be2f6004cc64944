"""Which files the sdxl engine is going to load by its settings, told in milliseconds.

For who reads them ahead: nothing is checked, and what is not found is left out.
"""

from collections.abc import Iterator
from pathlib import Path

from plitka.errors import WeightsError
from plitka.weights import snapshot
from plitka.weights.hub import BASE, BASE_WITHOUT_VAE, MODEL, Wanted, find_here, list_weights
from plitka.weights.preflight import uses_own_vae
from plitka.weights.settings import WeightsSettings


def list_files(settings: WeightsSettings, package: Path | str | None) -> list[Path]:
    """List the files of weights on this machine that settings name, in the order of their loading.

    package: what setup() was given as weights.
    """
    try:
        baked = snapshot.find_snapshot(settings)
        if baked is not None:
            settings = snapshot.apply_snapshot(settings, baked)
        files = list(_list_files(settings, package))
    except (OSError, ValueError, WeightsError):  # setup() will say what is wrong
        return []
    return list(dict.fromkeys(files))


def _list_files(settings: WeightsSettings, package: Path | str | None) -> Iterator[Path]:
    own_vae = uses_own_vae(settings)
    yield from _list_model(settings.base, BASE if own_vae else BASE_WITHOUT_VAE)
    if not own_vae:
        yield from _list_model(settings.vae, MODEL)
    for file in (package, settings.lora, settings.turbo_lora):
        if file is not None and Path(file).is_file():
            yield Path(file)
    for source in settings.controlnets.values():
        yield from _list_model(source, MODEL)


def _list_model(source: str, wanted: Wanted) -> Iterator[Path]:
    """List the weights of a model that is a file, a folder, or a repository in the hub's cache."""
    place = find_here(source, wanted)
    if place is not None and place.is_dir():
        yield from list_weights(place, wanted)
    elif place is not None:
        yield place
