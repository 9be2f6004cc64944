"""Checks of SDXL models: a base model, a VAE, a ControlNet.

A base model is a folder as diffusers saves one, a single checkpoint, or a repository of the hub.
Only configurations and the headers of the weights are read. Each fault is a WeightsError of one
sentence with the path and the remedy.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plitka.errors import WeightsError
from plitka.weights.header import PICKLE_SUFFIXES, Header, Shape, Shapes, list_names, read_header
from plitka.weights.hub import BASE, BASE_WITHOUT_VAE, MODEL, Remote, read_remote_shapes
from plitka.weights.sdxl_architecture import CROSS_ATTENTION, OTHER_FAMILIES, SD15_SCALING, WIDTHS
from plitka.weights.settings import SDXL


@dataclass(frozen=True)
class Model:
    """One network in a folder. variant: "fp16" or None. shapes: of the tensors in its files."""

    folder: Path
    variant: str | None
    shapes: Shapes


@dataclass(frozen=True)
class Base:
    """An SDXL base model: `path` is its folder or checkpoint.

    shapes: component (unet, vae, text_encoder, text_encoder_2) -> tensor -> shape, under the
    names that the files use. models: the components of a folder; a checkpoint has none.
    """

    path: Path
    shapes: Mapping[str, Shapes]
    models: Mapping[str, Model] = field(default_factory=dict)


@dataclass(frozen=True)
class RemoteBase:
    """An SDXL base model that is still to be fetched from the hub. shapes: as in Base."""

    remote: Remote
    shapes: Mapping[str, Shapes]


_CHECKPOINT = {
    "unet": "model.diffusion_model.",
    "vae": "first_stage_model.",
    "text_encoder": "conditioner.embedders.0.transformer.",
    "text_encoder_2": "conditioner.embedders.1.model.",
}
_ENCODER_WIDTHS = {"text_encoder": WIDTHS["clip_l"], "text_encoder_2": WIDTHS["clip_g"]}
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
    missing = sorted(component for component, tensors in shapes.items() if not tensors)
    if missing:
        raise _explain_wrong_checkpoint(header, missing)
    _check_unet_width(str(path), shapes["unet"], "input_blocks.0.0.weight")
    return Base(path, shapes)


def check_remote_base(remote: Remote, own_vae: bool) -> RemoteBase:
    """Check the weights of a base model on the hub, before they are fetched."""
    shapes: dict[str, Shapes] = {}
    for component, stem in (BASE if own_vae else BASE_WITHOUT_VAE).items():
        place = f"{remote.repository}/{component}"
        shapes[component] = read_remote_shapes(remote, component, "PLITKA_BASE")
        if not shapes[component]:
            raise WeightsError(f"{place}: holds no {stem}.safetensors; {_BASE_REMEDY}")
        _check_width(place, component, shapes[component])
    return RemoteBase(remote, shapes)


def _strip_prefix(shapes: Shapes, prefix: str) -> Shapes:
    return {name[len(prefix) :]: s for name, s in shapes.items() if name.startswith(prefix)}


def _explain_wrong_checkpoint(header: Header, missing: Sequence[str]) -> WeightsError:
    names = header.shapes
    if any(
        name.startswith(("cond_stage_model.transformer.", "cond_stage_model.m")) for name in names
    ):
        verdict = "a checkpoint of SD 1.5 or SD 2"
    elif any(name.startswith("conditioner.embedders.0.model.") for name in names):
        verdict = "the SDXL refiner, not the base model"
    else:
        verdict = f"not an SDXL checkpoint, it lacks {', '.join(missing)}"
    return WeightsError(f"{header.path}: {verdict}; {_BASE_REMEDY}")


def _check_base_folder(folder: Path, own_vae: bool) -> Base:
    index = _read_json(folder / "model_index.json", _BASE_REMEDY)
    kind = str(index.get("_class_name"))
    if not kind.startswith("StableDiffusionXL"):
        family = "SD 1.5 or SD 2" if kind.startswith("StableDiffusionPipeline") else "another model"
        raise WeightsError(f"{folder}: a {kind}, made for {family}, not SDXL; {_BASE_REMEDY}")
    remedy = f"copy or download the whole folder again, or {_BASE_REMEDY}"
    models = {
        component: _check_model(folder / component, stem, remedy)
        for component, stem in (BASE if own_vae else BASE_WITHOUT_VAE).items()
    }
    for component, model in models.items():
        _check_width(str(model.folder), component, model.shapes)
    _read_json(folder / "scheduler" / "scheduler_config.json", remedy)
    for name in ("tokenizer", "tokenizer_2"):
        _check_tokenizer(folder / name, remedy)
    return Base(folder, {name: model.shapes for name, model in models.items()}, models)


def _check_tokenizer(folder: Path, remedy: str) -> None:
    whole = [("tokenizer.json",), ("vocab.json", "merges.txt")]
    if not any(all((folder / name).is_file() for name in names) for names in whole):
        raise WeightsError(
            f"{folder}: holds neither tokenizer.json nor vocab.json and merges.txt; {remedy}"
        )
    for name in {name for names in whole for name in names if name.endswith(".json")}:
        if (folder / name).is_file():
            _read_json(folder / name, remedy)


def _check_width(path: str, component: str, shapes: Shapes) -> None:
    """Check that a component is SDXL's by its widths. path: for the sentence."""
    if component == "unet":
        _check_unet_width(path, shapes, "conv_in.weight")
    elif component in _ENCODER_WIDTHS:
        _check_encoder_width(path, shapes, _ENCODER_WIDTHS[component])


def _check_unet_width(path: str, shapes: Shapes, first: str) -> None:
    """first: the name of the weight that reads the latents."""
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


def _check_encoder_width(path: str, shapes: Shapes, width: int) -> None:
    widths = {s[-1] for name, s in shapes.items() if name.endswith("token_embedding.weight")}
    if widths != {width}:
        wide = ", ".join(map(str, sorted(widths))) or "of no known width"
        raise WeightsError(
            f"{path}: a text encoder {wide} wide, and SDXL's is {width}; {_BASE_REMEDY}"
        )


def _check_model(folder: Path, stem: str, remedy: str) -> Model:
    """Check one network in a folder: its config and every file of its weights."""
    _read_json(folder / "config.json", remedy)
    for variant in ("fp16", None):
        files = _list_weight_files(folder, stem, variant)
        if files:
            shapes: dict[str, Shape] = {}
            for file in files:
                shapes.update(read_header(file, remedy).shapes)
            return Model(folder, variant, shapes)
    pickles = sorted(file.name for file in folder.iterdir() if file.suffix in PICKLE_SUFFIXES)
    state = f" (only {list_names(pickles)}, which is never loaded)" if pickles else ""
    raise WeightsError(f"{folder}: holds no {stem}.safetensors{state}; {remedy}")


def _list_weight_files(folder: Path, stem: str, variant: str | None) -> list[Path]:
    """List the file of these weights, or all of its shards; none where there is neither."""
    dotted = f".{variant}" if variant else ""
    whole = folder / f"{stem}{dotted}.safetensors"
    if os.path.lexists(whole):
        return [whole]
    index = folder / f"{stem}.safetensors.index{dotted}.json"
    if not index.is_file():
        return []
    shards = _read_json(index, "download it again").get("weight_map", {})
    return [folder / name for name in sorted(set(map(str, shards.values())))]


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
    return _check_model(folder, MODEL[""], remedy)


def check_vae(folder: Path) -> Model:
    """Check a VAE's folder: it must be one for SDXL."""
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
    return _check_model(folder, MODEL[""], remedy)


def _is_sd15_vae(config: Mapping[str, Any]) -> bool:
    """Whether a VAE is SD 1.5's, which differs in the scale of its latents and spoils colours.

    diffusers' default scale is SD 1.5's as well, so the widths must also be the published ones.
    """
    widths = config.get("block_out_channels")
    return config.get("scaling_factor") == SD15_SCALING and widths == [128, 256, 512, 512]


def _read_json(path: Path, remedy: str) -> dict[str, Any]:
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
