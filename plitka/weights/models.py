"""Where each file of the sdxl engine is, and whether it is what it claims to be.

All of it is read from the heads of the files, so a wrong one is told before anything large is
loaded, and without torch. Every fault is one sentence with the path and the remedy.
"""

import json
import math
import os
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from plitka.engines.registry import EngineError

ROOT = Path(__file__).resolve().parents[2]
MODEL_FILES = ROOT / "model_files"

SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
TOKENS = ("<s0>", "<s1>")
WIDTHS = {"clip_l": 768, "clip_g": 1280}  # of SDXL's two text encoders
CROSS_ATTENTION = 2048  # the two together; 768 in SD 1.5, 1024 in SD 2
CONTROLNET_SETTINGS = {
    "canny": "PLITKA_CONTROLNET_CANNY",
    "softedge": "PLITKA_CONTROLNET_SOFTEDGE",
}
TURBO_LORA = "PLITKA_TURBO_LORA"

Shape: TypeAlias = tuple[int, ...]
Json: TypeAlias = dict[str, Any]

_HEADER_LIMIT = 100_000_000  # bytes, as safetensors itself allows
_DTYPE_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64,
}  # fmt: skip
PICKLE_SUFFIXES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
SD15_SCALING = 0.18215  # of a VAE's latents; SDXL's is 0.13025
OTHER_FAMILIES = {768: "SD 1.5", 1024: "SD 2"}  # by the width of what cross-attention reads


class WeightsError(EngineError):
    """A file that is missing or is not what it should be; the message says what to do."""


# Settings


@dataclass(frozen=True)
class WeightsSettings:
    """What the environment says of weights. None for the LoRA or the embeddings: run without."""

    base: str
    vae: str  # "base" for the base model's own
    lora: Path | None
    lora_scale: float
    embeddings: Path | None
    controlnets: Mapping[str, str]
    turbo_lora: Path | None  # a distilled one, for the quality `turbo`
    named: frozenset[str] = frozenset()  # the settings that the environment holds


def read_settings(env: Mapping[str, str] = os.environ) -> WeightsSettings:
    """Read the settings. An empty one is as one that is not there."""

    def file(name: str, default: str) -> Path | None:
        value = env.get(name) or default
        return None if value.lower() == "none" else Path(value).expanduser()

    scale = env.get("PLITKA_LORA_SCALE") or "0.75"
    return WeightsSettings(
        base=env.get("PLITKA_BASE") or SDXL,
        vae=env.get("PLITKA_VAE") or "madebyollin/sdxl-vae-fp16-fix",
        lora=file("PLITKA_LORA", str(MODEL_FILES / "rubber-tile-lora-v4_sdxl_lora.safetensors")),
        lora_scale=_scale(scale),
        embeddings=file(
            "PLITKA_EMBEDDINGS",
            str(MODEL_FILES / "rubber-tile-lora-v4_sdxl_embeddings.safetensors"),
        ),
        controlnets={
            "canny": env.get(CONTROLNET_SETTINGS["canny"]) or "diffusers/controlnet-canny-sdxl-1.0",
            "softedge": env.get(CONTROLNET_SETTINGS["softedge"])
            or "SargeZT/controlnet-sd-xl-1.0-softedge-dexined",
        },
        turbo_lora=file(TURBO_LORA, "none"),
        named=frozenset(
            name for name, value in env.items() if name.startswith("PLITKA_") and value
        ),
    )


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = math.nan
    if not -10 <= scale <= 10:
        raise WeightsError(f"PLITKA_LORA_SCALE: got {text!r}; allowed: a number, such as 0.75")
    return scale


# One safetensors file


@dataclass(frozen=True)
class Header:
    """The head of a safetensors file: the shape of each tensor, and what was noted beside them."""

    path: Path
    shapes: Mapping[str, Shape]
    notes: Mapping[str, str] = field(default_factory=dict)


def read_header(path: Path, remedy: str) -> Header:
    """Read the head of one file. Raises WeightsError unless it is a whole safetensors file.

    `remedy` ends the sentence about a file that is not there.
    """
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise WeightsError(
            f"{path}: a {path.suffix} file can hold a pickle, which may run anything when it is"
            " loaded; only .safetensors is read, so convert it or get it in that form"
        )
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(512)
            _refuse_what_else_it_is(path, start)
            length = struct.unpack("<Q", start[:8])[0] if size >= 8 else 0
            if not 2 <= length <= _HEADER_LIMIT or start[8:9] != b"{":
                raise _not_safetensors_error(path)
            file.seek(8)
            text = file.read(length)
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file; {remedy}") from None
    except IsADirectoryError:
        raise WeightsError(f"{path}: a folder, not a file; {remedy}") from None
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    if len(text) < length:
        raise _truncated_error(path, size, 8 + length)
    return _parse_header(path, text, size)


def _refuse_what_else_it_is(path: Path, start: bytes) -> None:
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        raise WeightsError(
            f"{path}: a Git LFS pointer and not the file itself; fetch it with `git lfs pull`, or"
            " download the file that it stands for"
        )
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise WeightsError(
            f"{path}: a web page saved under this name, not weights; download it again from its"
            " direct link, logged in where the site asks for that"
        )
    if start.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        raise WeightsError(
            f"{path}: a pickle or zip archive under this name, which is never loaded; convert it"
            " to safetensors"
        )
    if not start:
        raise WeightsError(f"{path}: an empty file; copy or download it again")


def _parse_header(path: Path, text: bytes, size: int) -> Header:
    try:
        entries = json.loads(text)
        notes = entries.pop("__metadata__", {})
        spans = [_read_span(entry) for entry in entries.values()]
        shapes = {name: tuple(entry["shape"]) for name, entry in entries.items()}
        notes = {str(key): str(value) for key, value in notes.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _not_safetensors_error(path) from None
    end = 0
    for first, last in sorted(spans):
        if first != end:
            raise _not_safetensors_error(path)
        end = last
    whole = 8 + len(text) + end
    if size < whole:
        raise _truncated_error(path, size, whole)
    if size > whole:
        raise WeightsError(
            f"{path}: damaged, {size - whole:,} bytes follow its last tensor; download it again"
        )
    return Header(path, shapes, notes)


def _read_span(entry: Json) -> tuple[int, int]:
    first, last = entry["data_offsets"]
    shape: list[int] = entry["shape"]
    if any(type(number) is not int or number < 0 for number in (first, last, *shape)):
        raise ValueError
    if (last - first) * 8 != math.prod(shape) * _DTYPE_BITS[entry["dtype"]]:
        raise ValueError
    return first, last


def _truncated_error(path: Path, size: int, whole: int) -> WeightsError:
    return WeightsError(
        f"{path}: truncated, it has {size:,} of {whole:,} bytes; copy or download it again"
    )


def _not_safetensors_error(path: Path) -> WeightsError:
    return WeightsError(
        f"{path}: not a safetensors file, or a damaged one; download it again in that form"
    )


# Textual inversion

_HALVES = {"clip_l": "text_encoders_0", "clip_g": "text_encoders_1"}  # new name: old name


def is_embeddings(header: Header) -> bool:
    names = {*_HALVES, *_HALVES.values()}
    return bool(names & set(header.shapes))


def check_embeddings(path: Path) -> Mapping[str, str]:
    """The name in the file of each half: `{"clip_l": "text_encoders_0", …}`."""
    header = read_header(
        path,
        "put the embeddings there, name them with PLITKA_EMBEDDINGS, or set PLITKA_EMBEDDINGS=none"
        " to run without them",
    )
    shapes = header.shapes
    if not is_embeddings(header):
        raise _no_embeddings(header)
    found: dict[str, str] = {}
    for half, old in _HALVES.items():
        names = [name for name in (half, old) if name in shapes]
        if len(names) != 1:
            state = "both under its old and its new name" if names else "not there"
            raise WeightsError(
                f"{path}: {half} ({old} in older files) is {state}; SDXL embeddings hold one half"
                " for each of the two text encoders, so take the whole file that was trained"
            )
        found[half] = names[0]
    stray = sorted(set(shapes) - set(found.values()))
    if stray:
        raise WeightsError(
            f"{path}: {list_names(stray)} belongs to no text encoder; SDXL embeddings hold clip_l and"
            " clip_g and nothing else, so take the file that was trained"
        )
    for half, name in found.items():
        _check_half(path, name, shapes[name], WIDTHS[half])
    return found


def _no_embeddings(header: Header) -> WeightsError:
    widths = {shape[-1] for shape in header.shapes.values() if shape}
    if len(header.shapes) == 1 and len(widths) == 1:
        width = widths.pop()
        family = OTHER_FAMILIES.get(width, "another model")
        return WeightsError(
            f"{header.path}: an embedding of one text encoder, {width} wide: it was made for"
            f" {family}, and SDXL needs clip_l and clip_g; take the SDXL file"
        )
    return WeightsError(
        f"{header.path}: not SDXL embeddings, it holds {list_names(header.shapes)} in place of clip_l"
        " and clip_g; name the embeddings file with PLITKA_EMBEDDINGS"
    )


def _check_half(path: Path, name: str, shape: Shape, width: int) -> None:
    if len(shape) != 2 or shape[1] != width:
        raise WeightsError(
            f"{path}: {name} has shape {format_shape(shape)}, and its text encoder is {width} wide; take"
            f" embeddings that were trained for SDXL ({len(TOKENS)}x{width})"
        )
    if shape[0] != len(TOKENS):
        raise WeightsError(
            f"{path}: {name} has {shape[0]} vectors for a token, and the prompt has"
            f" {len(TOKENS)} ({''.join(TOKENS)}); take embeddings trained with {len(TOKENS)}"
        )


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


def count_parameters(shapes: Mapping[str, Shape]) -> int:
    """How many numbers these tensors hold."""
    return sum(math.prod(shape) for shape in shapes.values())


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


# The hub


@dataclass(frozen=True)
class Remote:
    """What of a repository is wanted, and what of that still has to be fetched."""

    repository: str
    files: tuple[str, ...]
    missing: tuple[str, ...]
    missing_bytes: int


def is_repository(text: str) -> bool:
    """Whether a setting names a repository of the hub and not a path on this machine."""
    return (
        not Path(text).expanduser().exists()
        and bool(_REPOSITORY.fullmatch(text))
        and not (text.endswith((".safetensors", *PICKLE_SUFFIXES)))
    )


def find_source(text: str, setting: str, wanted: Mapping[str, str]) -> Path | Remote:
    """Where a setting points: a path here, or a repository, cached whole or to be fetched.

    wanted: folder in the repository ("" for its root) -> stem of the weights in it; "base"
    stands for a whole base model.
    """
    if not is_repository(text):
        path = Path(text).expanduser()
        if not path.exists():
            raise WeightsError(
                f"{path}: no such file or folder, nor the name of a repository; set {setting} to"
                " what is there, or to owner/name on the hub"
            )
        return path
    listed = _list_files(text)
    if listed is None:
        cached = _find_cached(text, "model_index.json" if "unet" in wanted else "config.json")
        if cached is None:
            raise WeightsError(
                f"{text}: no folder here, not in the cache, and the hub cannot be reached or has"
                f" no such repository; check the connection and the name, or set {setting} to a"
                " folder"
            )
        return cached
    chosen = choose_files(list(listed), wanted)
    missing = tuple(name for name in chosen if not listed[name][1])
    if not chosen:
        raise WeightsError(f"{text}: the repository holds no such model; set {setting} to another")
    remote = Remote(text, tuple(chosen), missing, sum(listed[name][0] for name in missing))
    return (
        remote if missing else fetch_remote(remote, setting)
    )  # which then only looks up the folder


def fetch_remote(remote: Remote, setting: str) -> Path:
    """Fetch what is missing, with progress bars, and return the folder that holds all of it."""
    import httpx2  # what huggingface_hub speaks through, and some of its errors are
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(remote.repository, allow_patterns=list(remote.files)))
    except (OSError, httpx2.HTTPError) as error:
        raise WeightsError(
            f"{remote.repository}: could not be fetched ({error}); try again, or set {setting} to"
            " a folder"
        ) from error


def _list_files(repository: str) -> dict[str, tuple[int, bool]] | None:
    """File -> (bytes, whether it is cached); None where the hub does not answer."""
    import httpx2
    from huggingface_hub import snapshot_download

    try:
        files = snapshot_download(repository, dry_run=True)
    except (OSError, httpx2.HTTPError):
        return None
    return {file.filename: (file.file_size or 0, file.is_cached) for file in files}


def _find_cached(repository: str, mark: str) -> Path | None:
    """The folder of a repository that was fetched before, told by one file in it."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, mark)
    return Path(found).parent if isinstance(found, str) else None


def choose_files(names: Sequence[str], wanted: Mapping[str, str]) -> list[str]:
    """Of a repository's files, those that are loaded: no pickle, half precision where it is."""
    chosen: list[str] = []
    for folder, stem in wanted.items():
        inside = {name for name in names if str(Path(name).parent) == (folder or ".")}
        chosen += sorted(name for name in inside if Path(name).name == "config.json")
        part = rf"{re.escape(stem)}(-\d+-of-\d+)?"
        for pattern in (
            rf"{part}\.fp16(-\d+-of-\d+)?\.safetensors|{re.escape(stem)}\.safetensors\.index\.fp16\.json",
            rf"{part}\.safetensors|{re.escape(stem)}\.safetensors\.index\.json",
        ):
            weights = sorted(n for n in inside if re.fullmatch(pattern, Path(n).name))
            if weights:
                chosen += weights
                break
    if "unet" in wanted:
        texts = ("tokenizer", "tokenizer_2", "scheduler")
        chosen += sorted(
            name
            for name in names
            if name == "model_index.json"
            or (str(Path(name).parent) in texts and name.endswith((".json", ".txt")))
        )
    return chosen


# Words


def list_names(names: Iterable[str], most: int = 3) -> str:
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "nothing") + more


def format_shape(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "none"
