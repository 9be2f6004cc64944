"""Checks of SDXL models: a base model, a VAE, a ControlNet.

A base model is a folder as diffusers saves one, a single checkpoint, or a repository of the hub; a
VAE or a ControlNet a folder, a single file in diffusers' or the original form, or a repository.
Only configurations and the headers of the weights are read. Each tensor must have its place in the
network that the configuration describes, and each of the network's tensors must be there. Each
fault is a WeightsError of one sentence with the path and the remedy.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plitka.errors import WeightsError, extract_first_line
from plitka.weights.header import PICKLE_SUFFIXES, Header, Shapes, list_names, read_header
from plitka.weights.hub import BASE, MODEL, Remote, read_remote_header, read_remote_text
from plitka.weights.identification import explain_wrong_file, identify
from plitka.weights.json_text import parse_json
from plitka.weights.model_config import complete_config
from plitka.weights.model_tensors import Source, find_tensors, strip_prefix
from plitka.weights.noise import Noise, read_marks, read_scheduler
from plitka.weights.sdxl_architecture import (
    CROSS_ATTENTION,
    OTHER_FAMILIES,
    PUBLISHED,
    WIDTHS,
    Architecture,
    Config,
    Part,
)
from plitka.weights.settings import SDXL, SDXL_VAE


@dataclass(frozen=True)
class Model:
    """One network: by what it is built, and where its weights are.

    place: its folder or file. config: complete. tensors: by the names that the network gives them.
    shapes: of these.
    """

    part: Part
    place: Path
    config: Config
    tensors: Mapping[str, Source]
    shapes: Shapes


@dataclass(frozen=True)
class Base:
    """An SDXL base model: `path` is its folder or checkpoint.

    models: its networks; without a VAE where another one takes its place. tokenizers: the folder
    that holds theirs; None where they are still to be fetched. knows_tokens: whether these know
    <s0>, so that it has embeddings of its own. noise: how it was trained to see it.
    """

    path: Path
    models: Mapping[Part, Model]
    tokenizers: Path | None
    knows_tokens: bool = False
    noise: Noise = field(default_factory=Noise)

    @property
    def shapes(self) -> Mapping[str, Shapes]:
        """Network -> tensor -> shape."""
        return {part: model.shapes for part, model in self.models.items()}


@dataclass(frozen=True)
class RemoteBase:
    """An SDXL base model that is still to be fetched from the hub. shapes: as in Base."""

    remote: Remote
    shapes: Mapping[str, Shapes]


_IN_CHECKPOINT: Mapping[Part, str] = {
    "unet": "model.diffusion_model.",
    "vae": "first_stage_model.",
    "text_encoder": "conditioner.embedders.0.transformer.",
    "text_encoder_2": "conditioner.embedders.1.model.",
}
_LEFTOVERS = re.compile(
    r"model_ema\..+|conditioner\.embedders\.\d\.logit_scale|denoiser\.sigmas|global_step"
    r"|(sqrt_|log_)?(one_minus_)?alphas_cumprod(_prev)?|betas"
    r"|sqrt_(recip|recipm1)_alphas_cumprod|posterior_\w+|logvar|lvlb_weights"
)
"""Tensors of checkpoints that no picture is computed from: averages of training, and tables that
follow from the noise schedule.
"""
_PARTS: tuple[Part, ...] = ("unet", "vae", "text_encoder", "text_encoder_2")
_ENCODER_WIDTHS = {"text_encoder": WIDTHS["clip_l"], "text_encoder_2": WIDTHS["clip_g"]}
_BASE_REMEDY = f"set PLITKA_BASE to an SDXL folder, a .safetensors checkpoint or {SDXL}"
_BASE_SETTING = "PLITKA_BASE"
_VAE_REMEDY = (
    "set PLITKA_VAE to an SDXL VAE (a folder, a file or a repository of the hub) or to base"
)
_ANOTHER_VAE = f"set PLITKA_VAE to one, such as {SDXL_VAE}"
_CONTROLNET_REMEDY = (
    "set {setting} to a ControlNet for SDXL: a folder, a file or a repository of the hub"
)
_MOST_JSON = 2**20  # bytes of a configuration on the hub
_AGAIN = f"copy or download it again, or {_BASE_REMEDY}"


def check_base(
    path: Path, architecture: Architecture, own_vae: bool = True, configs: Path | None = None
) -> Base:
    """Check an SDXL base model, with its VAE unless another one takes its place.

    configs: for a checkpoint, the folder that holds configurations and tokenizers; None for the
    published ones.
    """
    if path.is_dir():
        return _check_base_folder(path, architecture, own_vae)
    header = read_header(path, _BASE_REMEDY)
    parts = {part: strip_prefix(header, prefix) for part, prefix in _IN_CHECKPOINT.items()}
    missing = sorted(part for part, held in parts.items() if not held.shapes)
    identity = identify(header)
    if identity is not None and identity.setting != "PLITKA_BASE":
        raise explain_wrong_file(header, "a whole SDXL checkpoint", "PLITKA_BASE")
    if set(missing) - {"vae"}:
        raise WeightsError(
            f"{path}: not an SDXL checkpoint, it lacks {', '.join(missing)}; {_BASE_REMEDY}"
        )
    if missing and own_vae:
        raise WeightsError(f"{path}: an SDXL checkpoint without a VAE; {_ANOTHER_VAE}")
    noise = read_marks(header, _read_noise(configs), _BASE_REMEDY)
    strays = [
        name
        for name in header.shapes
        if not name.startswith(tuple(_IN_CHECKPOINT.values()))
        and name not in noise.marks
        and not _LEFTOVERS.fullmatch(name)
    ]
    if strays:
        raise WeightsError(
            f"{path}: {len(strays)} of its tensors belong to no part of an SDXL checkpoint:"
            f" {list_names(strays)}; {_AGAIN}"
        )
    models = {
        part: _check_tensors(part, path, [parts[part]], _read_config(part, configs), architecture)
        for part in _list_parts(own_vae)
    }
    knows_tokens = configs is not None and _check_tokenizers(configs, models, architecture)
    return Base(path, models, configs, knows_tokens, noise)


def _read_config(part: Part, configs: Path | None) -> Config:
    """A complete configuration: of the folder beside a checkpoint, or the published one."""
    if configs is None:
        return PUBLISHED[part].config
    folder = configs / part
    config = _read_json(folder / "config.json", _AGAIN)
    return complete_config(part, config, str(folder), _AGAIN)


def _read_noise(configs: Path | None) -> Noise:
    if configs is None:
        return Noise()
    file = configs / "scheduler" / "scheduler_config.json"
    return read_scheduler(_read_json(file, _AGAIN), str(file), _BASE_REMEDY)


def _list_tensors(
    part: Part, place: str, config: Config, architecture: Architecture, remedy: str
) -> Shapes:
    """The shapes of a network's tensors. config: complete. place: for the sentence."""
    try:
        return architecture.list_tensors(part, config)
    except ValueError as error:
        raise WeightsError(
            f"{place}: no network can be built by its configuration"
            f" ({extract_first_line(error)}); {remedy}"
        ) from None


def _check_tensors(
    part: Part,
    place: Path,
    headers: list[Header],
    config: Config,
    architecture: Architecture,
    remedy: str = _AGAIN,
) -> Model:
    """Find every tensor of a network in its files. config: complete."""
    shapes = _list_tensors(part, str(place), config, architecture, remedy)
    tensors = find_tensors(part, headers, shapes, str(place), remedy)
    return Model(part, place, config, tensors, shapes)


def check_remote_base(remote: Remote, architecture: Architecture, own_vae: bool) -> RemoteBase:
    """Check a base model on the hub before it is fetched, but for its tokenizers."""
    _check_pipeline(
        _read_remote_json(remote, "model_index.json", _BASE_SETTING, _BASE_REMEDY),
        remote.repository,
    )
    file = "scheduler/scheduler_config.json"
    scheduler = _read_remote_json(remote, file, _BASE_SETTING, _BASE_REMEDY)
    read_scheduler(scheduler, f"{remote.repository}/{file}", _BASE_REMEDY)
    shapes: dict[str, Shapes] = {
        part: _check_remote_part(part, remote, part, architecture, _BASE_SETTING, _BASE_REMEDY)[1]
        for part in _list_parts(own_vae)
    }
    return RemoteBase(remote, shapes)


def check_remote_vae(remote: Remote, architecture: Architecture) -> None:
    """Check a VAE on the hub before it is fetched."""
    _check_remote_part("vae", remote, "", architecture, "PLITKA_VAE", _VAE_REMEDY)


def check_remote_controlnet(
    remote: Remote, setting: str, architecture: Architecture, unet: Config | None
) -> None:
    """Check a ControlNet on the hub before it is fetched."""
    remedy = _CONTROLNET_REMEDY.format(setting=setting)
    config, _ = _check_remote_part("controlnet", remote, "", architecture, setting, remedy)
    _compare_with_unet(config, unet, remote.repository, remedy)


def _check_remote_part(
    part: Part, remote: Remote, folder: str, architecture: Architecture, setting: str, remedy: str
) -> tuple[Config, Shapes]:
    """Check a network in a folder of a repository, "" for its top, by configuration and headers.

    Returns its complete configuration, and the shapes of its tensors.
    """
    place = f"{remote.repository}/{folder}".rstrip("/")
    path = f"{folder}/" if folder else ""
    config = _read_remote_json(remote, f"{path}config.json", setting, remedy)
    headers = [
        read_remote_header(remote.repository, file, setting)
        for file in remote.files
        if re.fullmatch(rf"{path}[^/]+\.safetensors", file)
    ]
    if not headers:
        raise WeightsError(f"{place}: holds no .safetensors of {part}; {remedy}")
    _check_width(place, part, {n: s for held in headers for n, s in held.shapes.items()})
    complete = complete_config(part, config, place, remedy)
    shapes = _list_tensors(part, place, complete, architecture, remedy)
    find_tensors(part, headers, shapes, place, remedy)
    return complete, shapes


def _read_remote_json(remote: Remote, file: str, setting: str, remedy: str) -> dict[str, Any]:
    title = f"{remote.repository}/{file}"
    if file not in remote.files:
        raise WeightsError(f"{title}: no such file; {remedy}")
    text = read_remote_text(remote.repository, file, setting, _MOST_JSON)
    return _parse_json(text, title, remedy)


def _check_base_folder(folder: Path, architecture: Architecture, own_vae: bool) -> Base:
    _check_pipeline(_read_json(folder / "model_index.json", _BASE_REMEDY), str(folder))
    remedy = f"copy or download the whole folder again, or {_BASE_REMEDY}"
    noise = _read_noise(folder)
    models: dict[Part, Model] = {}
    for part in _list_parts(own_vae):
        place = folder / part
        if part == "vae" and not place.exists():
            raise WeightsError(f"{folder}: an SDXL model without a VAE; {_ANOTHER_VAE}")
        headers = _read_headers(place, BASE[part], remedy)
        _check_width(str(place), part, {n: s for held in headers for n, s in held.shapes.items()})
        config = _read_json(place / "config.json", remedy)
        complete = complete_config(part, config, str(place), remedy)
        models[part] = _check_tensors(part, place, headers, complete, architecture, remedy)
    knows_tokens = _check_tokenizers(folder, models, architecture)
    return Base(folder, models, folder, knows_tokens, noise)


def _check_pipeline(index: Mapping[str, Any], place: str) -> None:
    """Check by a model_index.json that a model is SDXL's. place: for the sentence."""
    kind = str(index.get("_class_name"))
    if not kind.startswith("StableDiffusionXL"):
        family = "SD 1.5 or SD 2" if kind.startswith("StableDiffusionPipeline") else "another model"
        raise WeightsError(f"{place}: a {kind}, made for {family}, not SDXL; {_BASE_REMEDY}")


def _list_parts(own_vae: bool) -> tuple[Part, ...]:
    return tuple(part for part in _PARTS if own_vae or part != "vae")


def _check_tokenizers(
    folder: Path, models: Mapping[Part, Model], architecture: Architecture
) -> bool:
    """Check both tokenizers. Returns whether one of them knows <s0>."""
    knows_tokens = False
    remedy = f"copy or download the whole folder again, or {_BASE_REMEDY}"
    tokenizers: Mapping[Part, str] = {"text_encoder": "tokenizer", "text_encoder_2": "tokenizer_2"}
    for part, name in tokenizers.items():
        place = folder / name
        _check_tokenizer_files(place, remedy)
        try:
            tokenizer = architecture.load_tokenizer(part, place)
        except ValueError as error:
            raise WeightsError(
                f"{place}: cannot be loaded ({extract_first_line(error)}); {remedy}"
            ) from None
        count = models[part].config["vocab_size"]
        if len(tokenizer) > count:
            raise WeightsError(
                f"{place}: knows {len(tokenizer):,} tokens, and {part} only {count:,}; {remedy}"
            )
        numbers = sorted(tokenizer.get_vocab().values())
        if numbers != list(range(len(numbers))):  # a token that is added would get one beyond all
            raise WeightsError(
                f"{place}: its tokens are not numbered from 0 on, each with a number of its own;"
                f" {remedy}"
            )
        knows_tokens |= "<s0>" in tokenizer.get_vocab()
    return knows_tokens


def _check_tokenizer_files(folder: Path, remedy: str) -> None:
    whole = [("tokenizer.json",), ("vocab.json", "merges.txt")]
    if not any(all((folder / name).is_file() for name in names) for names in whole):
        raise WeightsError(
            f"{folder}: holds neither tokenizer.json nor vocab.json and merges.txt; {remedy}"
        )
    for name in ("tokenizer.json", "vocab.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            _read_json(folder / name, remedy)
    if not (folder / "tokenizer.json").is_file():
        _check_merges(folder, remedy)


def _check_merges(folder: Path, remedy: str) -> None:
    """Check that a vocabulary has CLIP's scheme: bytes, bytes that end a word, merges, two marks.

    With merges cut off, words would be read as others.
    """
    lines = (folder / "merges.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    merges = sum(bool(line.strip()) and not line.startswith("#version") for line in lines)
    tokens = len(_read_json(folder / "vocab.json", remedy))
    if tokens != 2 * 256 + merges + 2:
        raise WeightsError(
            f"{folder}: {merges:,} merges in merges.txt and {tokens:,} tokens in vocab.json do not"
            f" belong together; {remedy}"
        )


def _check_width(path: str, component: str, shapes: Shapes) -> None:
    """Check that a component is SDXL's by its widths. path: for the sentence."""
    if component == "unet":
        _check_unet_width(path, shapes)
    elif component in _ENCODER_WIDTHS:
        _check_encoder_width(path, shapes, _ENCODER_WIDTHS[component])


def _check_unet_width(path: str, shapes: Shapes) -> None:
    widths = {shape[1] for name, shape in shapes.items() if name.endswith("attn2.to_k.weight")}
    if widths and widths != {CROSS_ATTENTION}:
        family = OTHER_FAMILIES.get(min(widths), "another model")
        raise WeightsError(f"{path}: a UNet of {family}, not of SDXL; {_BASE_REMEDY}")
    channels = shapes.get("conv_in.weight", (0, 4))[1]
    if channels != 4:
        raise WeightsError(
            f"{path}: a UNet with {channels} input channels (4 in the base model), as inpainting"
            f" ones have; {_BASE_REMEDY}"
        )


def _check_encoder_width(path: str, shapes: Shapes, width: int) -> None:
    widths = {s[-1] for name, s in shapes.items() if name.endswith("token_embedding.weight")}
    if widths and widths != {width}:
        wide = ", ".join(map(str, sorted(widths)))
        raise WeightsError(
            f"{path}: a text encoder {wide} wide, and SDXL's is {width}; {_BASE_REMEDY}"
        )


# Files


def _read_headers(folder: Path, stem: str, remedy: str) -> list[Header]:
    """Read the headers of one network in a folder: of its file, or of all of its shards."""
    _read_json(folder / "config.json", remedy)
    for variant in ("fp16", None):
        files = _list_weight_files(folder, stem, variant)
        if files:
            return [read_header(file, remedy) for file in files]
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
    shards = _read_json(index, "download it again").get("weight_map")
    names = set(shards.values()) if isinstance(shards, dict) else set()
    if not names or not all(isinstance(n, str) and Path(n).name == n for n in names):
        raise WeightsError(f"{index}: names no files of weights beside it; download it again")
    return [folder / name for name in sorted(names)]


def check_controlnet(
    source: Path, setting: str, architecture: Architecture, unet: Config | None
) -> Model:
    """Check a ControlNet: it must be one for SDXL, and for this UNet.

    source: a folder or a file. unet: the base model's configuration, None where it is not here.
    """
    remedy = _CONTROLNET_REMEDY.format(setting=setting)
    place, headers, config = _read_part("controlnet", source, remedy)
    if config is None:
        remedy = f"put its config.json beside it where it is a smaller one, or {remedy}"
        config = {**_derive_controlnet(unet or {}), **_read_hint_channels(headers[0].shapes)}
        _refuse_other_file(headers[0], "a ControlNet for SDXL", setting)
    else:
        config = complete_config("controlnet", config, str(place), remedy)
    _compare_with_unet(config, unet, str(place), remedy)
    return _check_tensors("controlnet", place, headers, config, architecture, remedy)


_SHARED = (
    "block_out_channels",
    "layers_per_block",
    "addition_time_embed_dim",
    "projection_class_embeddings_input_dim",
)
"""Fields in which a ControlNet must be as the UNet that it controls."""


def _compare_with_unet(config: Config, unet: Config | None, place: str, remedy: str) -> None:
    """Raise WeightsError for a ControlNet of another form than the UNet, None where not known."""
    for name in _SHARED if unet is not None else ():
        own = (unet or {}).get(name)
        if config[name] != own:
            raise WeightsError(
                f"{place}: {name} is {config[name]}, and the base model's is {own}, so it does not"
                f" fit; {remedy}"
            )


def _derive_controlnet(unet: Config) -> dict[str, Any]:
    """The configuration of a ControlNet for a UNet; what that does not say is as published."""
    return {name: unet.get(name, usual) for name, usual in PUBLISHED["controlnet"].config.items()}


def _read_hint_channels(shapes: Shapes) -> dict[str, Any]:
    """The widths of a ControlNet's first layers, by the tensors of its file."""
    names = {
        "controlnet_cond_embedding.conv_in.weight": 0,
        "controlnet_cond_embedding.blocks.1.weight": 1,
        "controlnet_cond_embedding.blocks.3.weight": 2,
        "controlnet_cond_embedding.blocks.5.weight": 3,
        "input_hint_block.0.weight": 0,
        "input_hint_block.4.weight": 1,
        "input_hint_block.8.weight": 2,
        "input_hint_block.12.weight": 3,
    }
    widths: dict[int, int] = {}
    for name, shape in shapes.items():
        index = names.get(name.removeprefix("control_model."))
        if index is not None and shape:
            widths[index] = shape[0]
    if len(widths) < 4:
        return {}
    return {"conditioning_embedding_out_channels": [widths[index] for index in range(4)]}


def check_vae(source: Path, architecture: Architecture, base: Base | None = None) -> Model:
    """Check a VAE: it must be one for SDXL.

    source: a folder or a file. base: the base model, whose own VAE has the same form.
    """
    remedy = _VAE_REMEDY
    place, headers, config = _read_part("vae", source, remedy)
    if config is None:
        _refuse_other_file(headers[0], "a VAE for SDXL", "PLITKA_VAE")
        folder = None if base is None or base.tokenizers is None else base.tokenizers
        beside = folder is not None and (folder / "vae" / "config.json").is_file()
        complete = _read_config("vae", folder if beside else None)
    else:
        complete = complete_config("vae", config, str(place), remedy)
    return _check_tensors("vae", place, headers, complete, architecture, remedy)


def _read_part(part: Part, source: Path, remedy: str) -> tuple[Path, list[Header], Config | None]:
    """Read a VAE or a ControlNet: its place, its headers, and its config.json where it has one."""
    if source.is_dir():
        config = _read_json(source / "config.json", remedy)
        complete_config(part, config, str(source), remedy)
        return source, _read_headers(source, MODEL[""], remedy), config
    header = read_header(source, remedy)
    beside = source.with_name("config.json")
    config = _read_json(beside, remedy) if beside.is_file() else {}
    if config.get("_class_name") == PUBLISHED[part].class_name:
        return source, [header], config
    return source, [header], None


def _refuse_other_file(header: Header, wanted: str, setting: str) -> None:
    """Raise WeightsError for a single file that is known to be something else."""
    identity = identify(header)
    if identity is not None and (identity.setting is None or setting not in identity.setting):
        raise explain_wrong_file(header, wanted, setting)


def _read_json(path: Path, remedy: str) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise WeightsError(f"{path}: no such file; {remedy}") from None
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    except UnicodeDecodeError:
        raise WeightsError(f"{path}: not JSON; {remedy}") from None
    return _parse_json(text, str(path), remedy)


def _parse_json(text: str, title: str, remedy: str) -> dict[str, Any]:
    try:
        value = parse_json(text)
    except ValueError:
        raise WeightsError(f"{title}: not JSON; {remedy}") from None
    if not isinstance(value, dict):
        raise WeightsError(f"{title}: not a JSON object; {remedy}")
    return value
