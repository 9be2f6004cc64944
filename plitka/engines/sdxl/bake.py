"""`python -m plitka bake`: all that setup() loads, put together once and written as one folder."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import diffusers

from plitka import __version__
from plitka.engines.sdxl import device, loading
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.memory_plan import compute_model_needs
from plitka.errors import WeightsError
from plitka.request.controlnet import ControlNetKind
from plitka.runtime.memory import format_gib
from plitka.runtime.timing import Stages
from plitka.weights import archive, preflight, snapshot
from plitka.weights.preflight import Inventory
from plitka.weights.settings import WeightsSettings
from plitka.weights.snapshot import Snapshot

_SHARD = "20GB"  # one file for each network: a reader maps it whole
_SPARE = 2**28  # bytes of disk to leave free


def bake(
    folder: Path,
    settings: WeightsSettings,
    packed: Path | str | None,
    controlnets: tuple[ControlNetKind, ...],
) -> Snapshot:
    """Write a snapshot by the settings. `folder` must not be there yet, or be empty.

    Raises WeightsError for what is wrong with the weights or the folder. What was begun is removed
    where it fails.
    """
    refuse_folder(folder)
    loading.quiet_libraries()
    if snapshot.find_snapshot(settings) is not None:
        raise WeightsError(
            f"{settings.base}: is a baked snapshot already; set PLITKA_BASE to the model it was"
            " baked of"
        )
    stages = Stages(lambda: device.describe_memory(_CPU))
    with archive.open_package(packed) as given:
        with stages("check weights"):
            held = preflight.inspect(settings, given)
            loading.refuse_faults(held)
        with stages("fetch weights"):
            vae = loading.fetch_weights(held)
        _refuse_full_disk(folder, held, len(controlnets))
        pipe = loading.assemble(held, vae, _CPU, "cpu", stages)
        return _written(folder, held, pipe, controlnets, stages)


_CPU = Device("cpu", "CPU", "float16", 0)


def refuse_folder(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        raise WeightsError(f"{folder}: is not empty; name a new folder, or empty this one")
    if folder.exists() and not folder.is_dir():
        raise WeightsError(f"{folder}: is a file; name a new folder")


def _refuse_full_disk(folder: Path, held: Inventory, controlnets: int) -> None:
    needed = compute_model_needs(held, _CPU)
    size = needed.unet + needed.text_encoders + needed.vae + controlnets * needed.controlnet
    place = next(parent for parent in folder.absolute().parents if parent.exists())
    free = shutil.disk_usage(place).free
    if free < size + _SPARE:
        raise WeightsError(
            f"{folder}: the snapshot takes {format_gib(size)}, and {format_gib(free)} of its disk is free; make"
            " room, or name a folder on another disk"
        )


def _written(
    folder: Path,
    held: Inventory,
    pipe: Any,
    controlnets: tuple[ControlNetKind, ...],
    stages: Stages,
) -> Snapshot:
    """Beside its place first, so that a half-written snapshot never has its name."""
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        with stages("write models"):
            _write_models(part, pipe)
        for kind in controlnets:
            network = loading.load_controlnet(kind, held.settings.controlnets[kind], _CPU, "cpu")
            with stages(f"write ControlNet {kind}"):
                network.save_pretrained(
                    part / snapshot.controlnet_folder(kind), max_shard_size=_SHARD
                )
            del network
        if held.turbo is not None:
            _copy_turbo(held.turbo.path, part / snapshot.TURBO)
        with stages("hash"):
            snapshot.write_manifest(part, _told(held, controlnets))
        part.chmod(0o755)
        part.replace(folder)  # an empty folder may be there, and is replaced
    except OSError as error:
        raise WeightsError(f"{folder}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    baked = snapshot.read_snapshot(folder)
    assert baked is not None
    return baked


def _write_models(folder: Path, pipe: Any) -> None:
    scheduler = diffusers.EulerDiscreteScheduler.from_config(
        pipe.scheduler.config, use_karras_sigmas=False
    )  # what the base had; the engine makes its own of it
    for name in ("unet", "vae", "text_encoder", "text_encoder_2"):
        getattr(pipe, name).save_pretrained(folder / name, max_shard_size=_SHARD)
    for name in ("tokenizer", "tokenizer_2"):
        getattr(pipe, name).save_pretrained(folder / name)
    scheduler.save_pretrained(folder / "scheduler")
    parts = {**pipe.components, "scheduler": scheduler}
    whole = diffusers.StableDiffusionXLPipeline(**parts, add_watermarker=False)
    whole.register_to_config(**{snapshot.MARK: True})
    whole.save_config(folder)


def _copy_turbo(file: Path, folder: Path) -> None:
    folder.mkdir()
    shutil.copyfile(file, folder / "pytorch_lora_weights.safetensors")
    notes = file.with_name("adapter_config.json")  # alphas of PEFT's
    if notes.is_file():
        shutil.copyfile(notes, folder / notes.name)


def _told(held: Inventory, controlnets: tuple[ControlNetKind, ...]) -> dict[str, Any]:
    lora, embeddings = held.lora, held.embeddings_path
    return {
        "plitka": __version__,
        "base": held.settings.base,
        "vae": held.settings.vae,
        "lora": None if lora is None else lora.path.name,
        "lora_scale": held.settings.lora_scale,
        "embeddings": None if embeddings is None else embeddings.name,
        "controlnets": list(controlnets),
        "turbo": held.turbo is not None,
        "dtype": _CPU.dtype,
    }
