"""All fuzzing targets by their names."""

from collections.abc import Mapping
from pathlib import Path

from tests.fuzz import (
    captions,
    photographs,
    png_recipe,
    request_text,
    safetensors_header,
    weights_archive,
)
from tests.fuzz.target import Target

_FOLDER = Path(__file__).parent

TARGETS: Mapping[str, Target] = {
    module.TARGET.name: module.TARGET
    for module in (
        request_text,
        png_recipe,
        safetensors_header,
        weights_archive,
        captions,
        photographs,
    )
}


def list_seeds(target: Target) -> list[Path]:
    """The files that fuzzing starts from."""
    return sorted((_FOLDER / "corpus" / target.name).iterdir())


def list_found(target: Target) -> list[Path]:
    """Content that once broke something; a file's name says what."""
    folder = _FOLDER / "found" / target.name
    return sorted(folder.iterdir()) if folder.is_dir() else []
