"""A baked snapshot: one folder with all that the sdxl engine loads, and a manifest that says so.

Written by `python -m plitka bake`. It is a model in the form that diffusers saves, with the LoRA
fused and the embeddings' tokens in tokenizers and encoders, so any such program reads it; the
manifest, plitka.json, tells Plitka that nothing is left to do but to load.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from plitka.errors import WeightsError
from plitka.weights.settings import CONTROLNET_SETTINGS, TURBO_LORA, WeightsSettings

MANIFEST = "plitka.json"
MARK = "_plitka_snapshot"
"""In model_index.json; diffusers passes over names that begin so."""

_SMALL = 2**22  # bytes; files up to this size are read when a snapshot is loaded
TURBO = "turbo_lora"  # folder
_FORM = 1  # of the manifest; a higher one is of a later version
_REMEDY = "copy the whole snapshot again, or bake it anew with python -m plitka bake"


@dataclass(frozen=True)
class Snapshot:
    """What went into a snapshot.

    lora: the file that is fused, by name, or None. embeddings: likewise. controlnets: kinds.
    files: path in the folder, with / -> (bytes, SHA-256 in hex).
    """

    folder: Path
    lora: str | None
    lora_scale: float
    embeddings: str | None
    controlnets: tuple[str, ...]
    turbo: bool
    files: Mapping[str, tuple[int, str]]


def controlnet_folder(kind: str) -> str:
    return f"controlnet_{kind}"


def read_snapshot(folder: Path) -> Snapshot | None:
    """The snapshot in a folder, None where it is none. Raises WeightsError where it is damaged.

    Sizes are compared, and the content of what is small (configurations, tokenizers), which takes
    no time; `list_damaged` reads every byte.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        _refuse_marked(folder)
        return None
    try:
        told = json.loads(manifest.read_text(encoding="utf-8"))
        form = int(told["form"])
        if form > _FORM:
            raise WeightsError(f"{manifest}: written by a later version of Plitka; bake it anew")
        baked = _parsed(folder, told)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise WeightsError(f"{manifest}: cannot be read as a manifest; {_REMEDY}") from None
    for name, (size, expected) in baked.files.items():
        file = folder / name
        if not file.is_file():
            raise WeightsError(f"{file}: no such file, and the manifest names it; {_REMEDY}")
        if file.stat().st_size != size:
            raise WeightsError(
                f"{file}: damaged, it has {file.stat().st_size:,} of {size:,} bytes; {_REMEDY}"
            )
        if size <= _SMALL and _sha256(file) != expected:
            raise WeightsError(f"{file}: damaged, not what was baked; {_REMEDY}")
    return baked


def _refuse_marked(folder: Path) -> None:
    """A snapshot without its manifest looks like a model that has no LoRA yet."""
    index = folder / "model_index.json"
    try:
        marked = bool(json.loads(index.read_text(encoding="utf-8")).get(MARK))
    except (OSError, ValueError, AttributeError):
        return  # no model at all, which is told elsewhere
    if marked:
        raise WeightsError(
            f"{folder / MANIFEST}: no such file, and {index.name} beside it says that this is a"
            f" baked snapshot; {_REMEDY}"
        )


def _parsed(folder: Path, told: Mapping[str, Any]) -> Snapshot:
    files = {str(n): (int(f["bytes"]), str(f["sha256"])) for n, f in told["files"].items()}
    for name in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError
    return Snapshot(
        folder=folder,
        lora=told["lora"],
        lora_scale=float(told["lora_scale"]),
        embeddings=told["embeddings"],
        controlnets=tuple(kind for kind in CONTROLNET_SETTINGS if kind in told["controlnets"]),
        turbo=bool(told["turbo"]),
        files=files,
    )


def write_manifest(folder: Path, told: Mapping[str, Any]) -> None:
    """Write the manifest of a folder that is complete otherwise. Reads every byte of it."""
    files = {
        file.relative_to(folder).as_posix(): {"bytes": file.stat().st_size, "sha256": _sha256(file)}
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    content = json.dumps({"form": _FORM, **told, "files": files}, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(content + "\n", encoding="utf-8")


def list_damaged(baked: Snapshot) -> Iterator[Path]:
    """The files whose content is not what was baked. Reads every byte: some seconds."""
    for name, (_, expected) in baked.files.items():
        if _sha256(baked.folder / name) != expected:
            yield baked.folder / name


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


# Settings beside a snapshot


def find_snapshot(settings: WeightsSettings) -> Snapshot | None:
    """The snapshot that PLITKA_BASE names, if it is one."""
    folder = Path(settings.base).expanduser()
    return read_snapshot(folder) if folder.is_dir() else None


def has_tokens(settings: WeightsSettings) -> bool:
    """Whether the prompt's <s0><s1> will be known."""
    baked = find_snapshot(settings)
    return (baked.embeddings if baked else settings.embeddings) is not None


def list_conflicts(settings: WeightsSettings, baked: Snapshot, packed: bool) -> list[str]:
    """What the settings ask for beside a snapshot that can't be had; one sentence each."""
    faults = []
    for name, value, held, done in (
        ("PLITKA_LORA", settings.lora, baked.lora, "is fused into"),
        ("PLITKA_EMBEDDINGS", settings.embeddings, baked.embeddings, "are in"),
    ):
        if name not in settings.named or (value is None and held is None):
            continue
        state = f"{held} {done} it" if held else "it was baked without"
        faults.append(
            f"{name}: is set, but {baked.folder} is a baked snapshot, and {state}; leave the"
            " setting out, or bake another snapshot"
        )
    scale = settings.lora_scale
    if "PLITKA_LORA_SCALE" in settings.named and baked.lora and scale != baked.lora_scale:
        faults.append(
            f"PLITKA_LORA_SCALE: got {scale:g}, but the LoRA is fused into {baked.folder} at"
            f" {baked.lora_scale:g}; leave the setting out, or bake another snapshot"
        )
    if packed:
        faults.append(
            f"weights: given, but {baked.folder} is a baked snapshot, with a LoRA of its own or"
            " meant to have none; name the model that it was baked of with PLITKA_BASE"
        )
    return faults


def snapshot_settings(settings: WeightsSettings, baked: Snapshot) -> dict[str, Any]:
    """The fields of the settings that the snapshot decides on, where the environment does not."""
    controlnets = {
        kind: text
        if kind not in baked.controlnets or CONTROLNET_SETTINGS[kind] in settings.named
        else str(baked.folder / controlnet_folder(kind))
        for kind, text in settings.controlnets.items()
    }
    turbo = settings.turbo_lora
    if baked.turbo and TURBO_LORA not in settings.named:
        turbo = baked.folder / TURBO
    return {
        "vae": settings.vae if "PLITKA_VAE" in settings.named else "base",
        "lora": None,
        "embeddings": None,
        "controlnets": controlnets,
        "turbo_lora": turbo,
    }
