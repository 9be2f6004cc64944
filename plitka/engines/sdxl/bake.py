"""`python -m plitka bake`: assembles what setup() loads and writes it as one folder, a snapshot."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import diffusers
from safetensors import SafetensorError

from plitka import __version__
from plitka.color import palette
from plitka.engines.sdxl import device, loading
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.memory_plan import compute_model_needs
from plitka.errors import WeightsError, extract_first_line
from plitka.request.controlnet import ControlNetKind
from plitka.runtime.memory import format_gib
from plitka.runtime.timing import Stages
from plitka.weights import archive, snapshot
from plitka.weights.adapter_config import CONFIG_FILE
from plitka.weights.lora import Lora
from plitka.weights.lora_scale import DEFAULT_SCALE
from plitka.weights.packed_palette import read_packed_palette
from plitka.weights.resolved import Resolved
from plitka.weights.settings import WeightsSettings
from plitka.weights.snapshot import Snapshot
from plitka.weights.turbo_kind import name_turbo

_SHARD = "20GB"  # one file for each network: a reader maps it whole
_SPARE = 2**28  # bytes of disk to leave free


def bake(
    folder: Path,
    settings: WeightsSettings,
    source: Path | str | None,
    controlnets: tuple[ControlNetKind, ...],
) -> Snapshot:
    """Write a snapshot by the settings. `folder` must not exist yet, or be empty.

    Raises WeightsError for faults of the weights or the folder, PaletteError for those of a palette
    in the package, and then leaves nothing behind.
    """
    refuse_folder(folder)
    loading.quiet_libraries()
    if snapshot.find_snapshot(settings) is not None:
        raise WeightsError(
            f"{settings.base}: is a baked snapshot already; set PLITKA_BASE to the model it was"
            " baked from"
        )
    stages = Stages(lambda: device.describe_memory(_CPU))
    packed = read_packed_palette(settings, source)
    palette.load(packed=packed)
    with archive.open_package(source, settings.cache) as package:
        weights = loading.resolve_weights(settings, package, stages)
        _refuse_full_disk(folder, weights, len(controlnets))
        pipe = loading.assemble(weights, _CPU, "cpu", stages)
        colors = None if packed is None else packed[1]
        return _write_snapshot(folder, weights, pipe, controlnets, colors, stages)


_CPU = Device("cpu", "CPU", "float16", 0)


def refuse_folder(folder: Path) -> None:
    """Raise WeightsError where a snapshot would overwrite something."""
    if folder.is_dir() and any(folder.iterdir()):
        raise WeightsError(f"{folder}: is not empty; name a new folder, or empty this one")
    if folder.exists() and not folder.is_dir():
        raise WeightsError(f"{folder}: is a file; name a new folder")


def _refuse_full_disk(folder: Path, weights: Resolved, controlnets: int) -> None:
    needed = compute_model_needs(weights.base, weights.vae, weights.turbo, _CPU.dtype)
    size = needed.unet + needed.text_encoders + needed.vae + controlnets * needed.controlnet
    place = next(parent for parent in folder.absolute().parents if parent.exists())
    free = shutil.disk_usage(place).free
    if free < size + _SPARE:
        raise WeightsError(
            f"{folder}: the snapshot takes {format_gib(size)}, and {format_gib(free)} of its disk"
            " is free; make room, or name a folder on another disk"
        )


def _write_snapshot(
    folder: Path,
    weights: Resolved,
    pipe: Any,
    controlnets: tuple[ControlNetKind, ...],
    colors: bytes | None,
    stages: Stages,
) -> Snapshot:
    """Write into a folder beside the snapshot's and rename it, so that it is never half-written.

    colors: the palette file of the package, None for none.
    """
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        with stages("write models"):
            _write_models(part, pipe)
        unet = weights.base.models["unet"].config
        for kind in controlnets:
            network = loading.load_controlnet(
                kind, weights.settings.controlnets[kind], unet, _CPU, "cpu"
            )
            with stages(f"write ControlNet {kind}"):
                network.save_pretrained(
                    part / snapshot.name_controlnet_folder(kind), max_shard_size=_SHARD
                )
            del network
        if weights.turbo is not None:
            _copy_turbo(weights.turbo, part / snapshot.TURBO)
        if colors is not None:
            (part / snapshot.PALETTE).write_bytes(colors)
        with stages("hash"):
            snapshot.write_manifest(part, _list_manifest_values(weights, controlnets))
        _let_all_read(part)
        part.replace(folder)  # an empty folder may be there, and is replaced
    except (OSError, SafetensorError) as error:  # the latter for want of room, too
        reason = error.strerror if isinstance(error, OSError) else None
        raise WeightsError(
            f"{folder}: cannot be written ({reason or extract_first_line(error)}); check that"
            " it is writable and that its disk has room"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    baked = snapshot.read_snapshot(folder)
    assert baked is not None
    return baked


def _let_all_read(folder: Path) -> None:
    """Let every user read a folder: the one who bakes is seldom the one who serves.

    safetensors writes files for their owner alone.
    """
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _write_models(folder: Path, pipe: Any) -> None:
    scheduler = diffusers.EulerDiscreteScheduler.from_config(
        pipe.scheduler.config, use_karras_sigmas=False
    )  # as in the published base
    for name in ("unet", "vae", "text_encoder", "text_encoder_2"):
        getattr(pipe, name).save_pretrained(folder / name, max_shard_size=_SHARD)
    for name in ("tokenizer", "tokenizer_2"):
        getattr(pipe, name).save_pretrained(folder / name)
    scheduler.save_pretrained(folder / "scheduler")
    components = {**pipe.components, "scheduler": scheduler}
    pipe = diffusers.StableDiffusionXLPipeline(**components, add_watermarker=False)
    pipe.register_to_config(**{snapshot.MARK: True})
    pipe.save_config(folder)


def _copy_turbo(turbo: Lora, folder: Path) -> None:
    """Copy the file under its name, which tells what the LoRA was trained for."""
    folder.mkdir()
    shutil.copyfile(turbo.path, folder / f"{name_turbo(turbo.path)}.safetensors")
    if turbo.config is not None:  # where PEFT keeps alphas
        text = json.dumps(turbo.config, indent=2)
        (folder / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")


def _list_manifest_values(
    weights: Resolved, controlnets: tuple[ControlNetKind, ...]
) -> dict[str, Any]:
    lora, embeddings, subject = weights.lora, weights.embeddings, loading.make_subject(weights)
    scale = weights.lora_scale
    return {
        "plitka": __version__,
        "base": weights.settings.base,
        "vae": weights.settings.vae,
        "lora": None if lora is None else lora.path.name,
        "lora_scale": DEFAULT_SCALE if scale is None else scale.value,
        "lora_scale_reason": None if scale is None else scale.reason,
        "embeddings": None if embeddings is None else embeddings.path.name,
        "trigger": subject.trigger,
        "vectors": subject.vectors,
        "controlnets": list(controlnets),
        "turbo": weights.turbo is not None,
        "dtype": _CPU.dtype,
    }
