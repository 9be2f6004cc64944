"""Where each file of the sdxl engine is, and whether it is what it claims to be.

All of it is read from the heads of the files, so a wrong one is told before anything large is
loaded, and without torch. Every fault is one sentence with the path and the remedy.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from plitka.errors import WeightsError
from plitka.weights.header import PICKLE_SUFFIXES, Header, Json, Shape, list_names, read_header
from plitka.weights.sdxl_architecture import CROSS_ATTENTION, OTHER_FAMILIES, SD15_SCALING, WIDTHS
from plitka.weights.settings import SDXL

# Models: a folder as diffusers saves one, or a single checkpoint


@dataclass(frozen=True)
class Model:
    """One network in a folder: what its files hold. variant: "fp16" or None."""

    folder: Path
    variant: str | None
    shapes: Mapping[str, Shape]


@dataclass(frozen=True)
class Base:
    """An SDXL base model: `path` is its folder or checkpoint.

    shapes: component (unet, vae, text_encoder, text_encoder_2) -> tensor -> shape, under the
    names that the files use. models: the components of a folder; a checkpoint has none.
    """

    path: Path
    shapes: Mapping[str, Mapping[str, Shape]]
    models: Mapping[str, Model] = field(default_factory=dict)


COMPONENTS = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
    "text_encoder_2": "model",
}
_CHECKPOINT = {
    "unet": "model.diffusion_model.",
    "vae": "first_stage_model.",
    "text_encoder": "conditioner.embedders.0.transformer.",
    "text_encoder_2": "conditioner.embedders.1.model.",
}
_BASE_REMEDY = f"set PLITKA_BASE to an SDXL folder, a .safetensors checkpoint or {SDXL}"


def check_base(path: Path, own_vae: bool = True) -> Base:
    """Check an SDXL base model, with its VAE unless another one takes its place."""
    if path.is_dir():
        return _check_base_folder(path, own_vae)
    header = read_header(path, _BASE_REMEDY)
    shapes = {
        component: _strip_prefix(header.shapes, prefix) for component, prefix in _CHECKPOINT.items()
    }
    if not own_vae:
        del shapes["vae"]
    missing = sorted(component for component, held in shapes.items() if not held)
    if missing:
        raise _wrong_checkpoint(header, missing)
    _check_unet_width(path, shapes["unet"], "input_blocks.0.0.weight")
    return Base(path, shapes)


def _strip_prefix(shapes: Mapping[str, Shape], prefix: str) -> dict[str, Shape]:
    return {name[len(prefix) :]: s for name, s in shapes.items() if name.startswith(prefix)}


def _wrong_checkpoint(header: Header, missing: Sequence[str]) -> WeightsError:
    names = header.shapes
    if any(
        name.startswith(("cond_stage_model.transformer.", "cond_stage_model.m")) for name in names
    ):
        what = "a checkpoint of SD 1.5 or SD 2"
    elif any(name.startswith("conditioner.embedders.0.model.") for name in names):
        what = "the SDXL refiner, not the base model"
    else:
        what = f"not an SDXL checkpoint, it lacks {', '.join(missing)}"
    return WeightsError(f"{header.path}: {what}; {_BASE_REMEDY}")


def _check_base_folder(folder: Path, own_vae: bool) -> Base:
    index = _read_json(folder / "model_index.json", f"{_BASE_REMEDY}")
    kind = str(index.get("_class_name"))
    if not kind.startswith("StableDiffusionXL"):
        family = "SD 1.5 or SD 2" if kind.startswith("StableDiffusionPipeline") else "another model"
        raise WeightsError(f"{folder}: a {kind}, made for {family}, not SDXL; {_BASE_REMEDY}")
    remedy = f"copy or download the whole folder again, or {_BASE_REMEDY}"
    models = {
        component: check_model(folder / component, stem, remedy)
        for component, stem in COMPONENTS.items()
        if component != "vae" or own_vae
    }
    _check_unet_width(folder / "unet", models["unet"].shapes, "conv_in.weight")
    for part, width in (("text_encoder", WIDTHS["clip_l"]), ("text_encoder_2", WIDTHS["clip_g"])):
        _check_encoder_width(folder / part, models[part].shapes, width)
    _read_json(folder / "scheduler" / "scheduler_config.json", remedy)
    for name in ("tokenizer", "tokenizer_2"):
        check_tokenizer(folder / name, remedy)
    return Base(folder, {name: model.shapes for name, model in models.items()}, models)


def check_tokenizer(folder: Path, remedy: str) -> None:
    whole = [("tokenizer.json",), ("vocab.json", "merges.txt")]
    if not any(all((folder / name).is_file() for name in names) for names in whole):
        raise WeightsError(
            f"{folder}: holds neither tokenizer.json nor vocab.json and merges.txt; {remedy}"
        )
    for name in {name for names in whole for name in names if name.endswith(".json")}:
        if (folder / name).is_file():
            _read_json(folder / name, remedy)


def _check_unet_width(path: Path, shapes: Mapping[str, Shape], first: str) -> None:
    widths = {shape[1] for name, shape in shapes.items() if name.endswith("attn2.to_k.weight")}
    if widths != {CROSS_ATTENTION}:
        family = OTHER_FAMILIES.get(min(widths, default=0), "another model")
        raise WeightsError(f"{path}: a UNet of {family}, not of SDXL; {_BASE_REMEDY}")
    channels = shapes.get(first, (0, 0))[1]
    if channels != 4:
        raise WeightsError(
            f"{path}: a UNet with {channels} input channels (4 in the base model), as inpainting"
            f" ones have; {_BASE_REMEDY}"
        )


def _check_encoder_width(path: Path, shapes: Mapping[str, Shape], width: int) -> None:
    found = {s[-1] for name, s in shapes.items() if name.endswith("token_embedding.weight")}
    if found != {width}:
        wide = ", ".join(map(str, sorted(found))) or "of no known width"
        raise WeightsError(
            f"{path}: a text encoder {wide} wide, and SDXL's is {width}; {_BASE_REMEDY}"
        )


def check_model(folder: Path, stem: str, remedy: str) -> Model:
    """Check one network in a folder: its config and every file of its weights."""
    _read_json(folder / "config.json", remedy)
    for variant in ("fp16", None):
        files = _weight_files(folder, stem, variant)
        if files:
            shapes: dict[str, Shape] = {}
            for file in files:
                shapes.update(read_header(file, remedy).shapes)
            return Model(folder, variant, shapes)
    pickles = sorted(file.name for file in folder.iterdir() if file.suffix in PICKLE_SUFFIXES)
    held = f" (only {list_names(pickles)}, which is never loaded)" if pickles else ""
    raise WeightsError(f"{folder}: holds no {stem}.safetensors{held}; {remedy}")


def _weight_files(folder: Path, stem: str, variant: str | None) -> list[Path]:
    """The file of these weights, or all parts of it; none where there is neither."""
    dotted = f".{variant}" if variant else ""
    whole = folder / f"{stem}{dotted}.safetensors"
    if os.path.lexists(whole):
        return [whole]
    index = folder / f"{stem}.safetensors.index{dotted}.json"
    if not index.is_file():
        return []
    parts = _read_json(index, "download it again").get("weight_map", {})
    return [folder / name for name in sorted(set(map(str, parts.values())))]


def check_controlnet(folder: Path, setting: str) -> Model:
    """Check a ControlNet's folder: it must be one for SDXL."""
    remedy = f"set {setting} to a ControlNet for SDXL, a folder or a repository of the hub"
    if not folder.is_dir():
        raise WeightsError(f"{folder}: no such folder; {remedy}")
    config = _read_json(folder / "config.json", remedy)
    kind = config.get("_class_name")
    if kind != "ControlNetModel":
        raise WeightsError(f"{folder}: a {kind}, not a ControlNetModel; {remedy}")
    width = config.get("cross_attention_dim")
    if width != CROSS_ATTENTION:
        family = OTHER_FAMILIES.get(width, "another model") if isinstance(width, int) else "?"
        raise WeightsError(f"{folder}: a ControlNet for {family}, not for SDXL; {remedy}")
    return check_model(folder, COMPONENTS["unet"], remedy)


def check_vae(folder: Path) -> Model:
    remedy = "set PLITKA_VAE to an SDXL VAE, a folder or a repository of the hub, or to base"
    if not folder.is_dir():
        raise WeightsError(f"{folder}: no such folder; {remedy}")
    config = _read_json(folder / "config.json", remedy)
    kind = config.get("_class_name")
    if kind != "AutoencoderKL":
        raise WeightsError(f"{folder}: a {kind}, not an AutoencoderKL; {remedy}")
    channels = config.get("latent_channels", 4)
    if channels != 4 or _is_sd15_vae(config):
        family = "SD 1.5 or SD 2" if channels == 4 else "another model"
        raise WeightsError(f"{folder}: a VAE of {family}, not of SDXL; {remedy}")
    return check_model(folder, COMPONENTS["vae"], remedy)


def _is_sd15_vae(config: Json) -> bool:
    """The two VAEs differ in the scale of their latents alone, and the wrong one spoils colours.

    That scale is also what a config holds where nobody set it, so the size must be the real one's.
    """
    widths = config.get("block_out_channels")
    return config.get("scaling_factor") == SD15_SCALING and widths == [128, 256, 512, 512]


def _read_json(path: Path, remedy: str) -> Json:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise WeightsError(f"{path}: no such file; {remedy}") from None
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    except ValueError:
        raise WeightsError(f"{path}: not JSON; {remedy}") from None
    if not isinstance(value, dict):
        raise WeightsError(f"{path}: not a JSON object; {remedy}")
    return value
