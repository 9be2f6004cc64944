"""A baked snapshot: one folder with all that the sdxl engine loads, and its manifest.

`python -m plitka bake` writes one. It is a model in the form that diffusers saves, with the LoRA
fused and the embeddings' tokens in tokenizers and encoders, so that other programs read it too. Its
manifest, plitka.json, says what was fused and holds the size and SHA-256 of each file.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from plitka.errors import WeightsError
from plitka.weights.embeddings import MOST_VECTORS
from plitka.weights.home import expand_home
from plitka.weights.json_text import parse_json
from plitka.weights.lora_scale import SET, LoraScale
from plitka.weights.settings import (
    CONTROLNET_SETTINGS,
    EMBEDDINGS,
    LORA,
    LORA_SCALE,
    TURBO_LORA,
    VAE,
    WeightsSettings,
    is_trigger,
)

MANIFEST = "plitka.json"
MARK = "_plitka_snapshot"
"""A name in model_index.json; diffusers ignores names with a leading underscore."""

_SMALL = 2**22  # bytes; files up to this size are hashed when a snapshot is loaded
TURBO = "turbo_lora"  # the folder of the distilled LoRA
PALETTE = "palette.csv"  # the colours of the training, where the package had some
_FORM = 1  # version of the manifest's layout; a higher one was written by a later Plitka
_REMEDY = "copy the whole snapshot again, or bake it anew with python -m plitka bake"


@dataclass(frozen=True)
class Snapshot:
    """What went into a snapshot.

    lora: the file that is fused, by name, or None. lora_scale_reason: why at this scale, "" where
    an older Plitka baked it. embeddings: the file's name, or None. trigger: the prompt's word, None
    for the default. vectors: how many tokens the embeddings have. controlnets: kinds. files: path
    in the folder, with / -> (bytes, SHA-256 in hex).
    """

    folder: Path
    lora: str | None
    lora_scale: float
    lora_scale_reason: str
    embeddings: str | None
    trigger: str | None
    vectors: int
    controlnets: tuple[str, ...]
    turbo: bool
    files: Mapping[str, tuple[int, str]]

    @property
    def scale(self) -> LoraScale | None:
        """At which scale the LoRA is fused, None where there is none."""
        if self.lora is None:
            return None
        reason = self.lora_scale_reason
        if reason == SET:  # that it is set now would be a fault
            reason = "as it was set when the snapshot was baked"
        return LoraScale(self.lora_scale, reason or "fused into the snapshot")


def name_controlnet_folder(kind: str) -> str:
    """The name of a ControlNet's folder in a snapshot."""
    return f"controlnet_{kind}"


def read_snapshot(folder: Path) -> Snapshot | None:
    """Read the snapshot in a folder, None where it is none. Raises WeightsError for a damaged one.

    Compares the sizes of all files and the hashes of the small ones (configurations, tokenizers),
    which takes milliseconds; `list_damaged` reads every byte.
    """
    path = folder / MANIFEST
    if not path.is_file():
        _refuse_marked(folder)
        return None
    try:
        manifest = parse_json(path.read_text(encoding="utf-8"))
        if int(manifest["form"]) > _FORM:
            raise WeightsError(f"{path}: written by a later version of Plitka; bake it anew")
        baked = _parse_manifest(folder, manifest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise WeightsError(f"{path}: cannot be read as a manifest; {_REMEDY}") from None
    for name, (size, expected) in baked.files.items():
        file = folder / name
        if not file.is_file():
            raise WeightsError(f"{file}: no such file, and the manifest names it; {_REMEDY}")
        if file.stat().st_size != size:
            raise WeightsError(
                f"{file}: damaged, it has {file.stat().st_size:,} of {size:,} bytes; {_REMEDY}"
            )
        if size <= _SMALL and _hash_file(file) != expected:
            raise WeightsError(f"{file}: damaged, not what was baked; {_REMEDY}")
    return baked


def _refuse_marked(folder: Path) -> None:
    """Raise WeightsError for a snapshot without its manifest, which looks like an unbaked model."""
    index = folder / "model_index.json"
    try:
        marked = bool(parse_json(index.read_text(encoding="utf-8")).get(MARK))
    except (OSError, ValueError, AttributeError):
        return  # no model at all, for which check_base has a sentence
    if marked:
        raise WeightsError(
            f"{folder / MANIFEST}: no such file, and {index.name} beside it says that this is a"
            f" baked snapshot; {_REMEDY}"
        )


def _parse_manifest(folder: Path, manifest: Mapping[str, Any]) -> Snapshot:
    files = {str(n): (int(f["bytes"]), str(f["sha256"])) for n, f in manifest["files"].items()}
    for name in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError
    embeddings = manifest["embeddings"]
    # Snapshots of before the manifest told these had two vectors, and the default trigger.
    trigger, vectors = manifest.get("trigger"), manifest.get("vectors", 2 if embeddings else 0)
    if (trigger is not None and not is_trigger(trigger)) or not 0 <= int(vectors) <= MOST_VECTORS:
        raise ValueError
    return Snapshot(
        folder=folder,
        lora=manifest["lora"],
        lora_scale=float(manifest["lora_scale"]),
        lora_scale_reason=str(manifest.get("lora_scale_reason") or ""),
        embeddings=embeddings,
        trigger=trigger,
        vectors=int(vectors),
        controlnets=tuple(kind for kind in CONTROLNET_SETTINGS if kind in manifest["controlnets"]),
        turbo=bool(manifest["turbo"]),
        files=files,
    )


def write_manifest(folder: Path, values: Mapping[str, Any]) -> None:
    """Write the manifest of a folder that is complete otherwise. Hashes every file in it."""
    files = {
        file.relative_to(folder).as_posix(): {
            "bytes": file.stat().st_size,
            "sha256": _hash_file(file),
        }
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    content = json.dumps({"form": _FORM, **values, "files": files}, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(content + "\n", encoding="utf-8")


def list_damaged(baked: Snapshot) -> Iterator[Path]:
    """List the files whose content is not what was baked. Reads every byte: some seconds."""
    for name, (_, expected) in baked.files.items():
        if _hash_file(baked.folder / name) != expected:
            yield baked.folder / name


def _hash_file(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


# What the settings say beside a snapshot


def find_snapshot(settings: WeightsSettings) -> Snapshot | None:
    """Read the snapshot that PLITKA_BASE names, if it is one."""
    folder = expand_home(settings.base)
    return read_snapshot(folder) if folder.is_dir() else None


def list_conflicts(settings: WeightsSettings, baked: Snapshot, is_packed: bool) -> list[str]:
    """List the settings that contradict a snapshot, a sentence for each.

    is_packed: whether setup() was given a LoRA or embeddings.
    """
    faults = []
    remedy = f"unset {' '.join(_list_named(settings))}, or bake another snapshot"
    for name, value, file, verb in (
        (LORA, settings.lora, baked.lora, "is fused into"),
        (EMBEDDINGS, settings.embeddings, baked.embeddings, "are in"),
    ):
        if name not in settings.named or (value is None and file is None):
            continue
        state = f"{file} {verb} it" if file else "it was baked without"
        faults.append(
            f"{name}: is set, but {baked.folder} is a baked snapshot, and {state}; {remedy}"
        )
    scale = settings.lora_scale
    if LORA_SCALE in settings.named and baked.lora and scale != baked.lora_scale:
        faults.append(
            f"{LORA_SCALE}: got {scale:g}, but the LoRA is fused into {baked.folder} at"
            f" {baked.lora_scale:g}; {remedy}"
        )
    if is_packed:
        faults.append(
            f"weights: given, but {baked.folder} is a baked snapshot, with a LoRA of its own or"
            " meant to have none; name the model that it was baked of with PLITKA_BASE"
        )
    return faults


def _list_named(settings: WeightsSettings) -> list[str]:
    """List the variables that are set and that a snapshot needs none of."""
    return [name for name in (LORA, LORA_SCALE, EMBEDDINGS, VAE) if name in settings.named]


def warn_of_vae(settings: WeightsSettings, baked: Snapshot) -> str | None:
    """The sentence for a VAE that is used in place of the snapshot's."""
    if VAE not in settings.named or settings.vae == "base":
        return None
    return (
        f"{VAE}: is set to {settings.vae}, which is used in place of the VAE in {baked.folder};"
        f" unset {VAE} to use that"
    )


def apply_snapshot(settings: WeightsSettings, baked: Snapshot) -> WeightsSettings:
    """Settings with what the snapshot decides on; what the environment names stays."""
    controlnets = {
        kind: text
        if kind not in baked.controlnets or CONTROLNET_SETTINGS[kind] in settings.named
        else str(baked.folder / name_controlnet_folder(kind))
        for kind, text in settings.controlnets.items()
    }
    turbo = settings.turbo_lora
    if baked.turbo and TURBO_LORA not in settings.named:
        turbo = baked.folder / TURBO
    return replace(
        settings,
        vae=settings.vae if VAE in settings.named else "base",
        lora=None,
        embeddings=None,
        controlnets=controlnets,
        turbo_lora=turbo,
    )
