"""Finds each tensor of a network in its files, whatever names these use; none may be left over.

diffusers fills what it does not find with random numbers or with zeros, and drops what it does not
know: an fp8 file's scales, a union ControlNet's transformer. Here both are errors.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plitka.errors import WeightsError
from plitka.weights.header import (
    FLOATS,
    Header,
    Shape,
    Shapes,
    format_shape,
    list_names,
    strip_ones,
)
from plitka.weights.identification import identify
from plitka.weights.original_names import translate_open_clip, translate_original, translate_vae
from plitka.weights.sdxl_architecture import Part


@dataclass(frozen=True)
class Source:
    """Where a tensor of a network is.

    file, name: of the tensor that holds it. shape, dtype: of what is taken of that. rows: which of
    its rows are taken, None for all. is_transposed: whether it lies there the other way.
    """

    file: Path
    name: str
    shape: Shape
    dtype: str
    rows: tuple[int, int] | None = None
    is_transposed: bool = False


def find_tensors(
    part: Part, headers: Sequence[Header], expected: Shapes, title: str, remedy: str
) -> dict[str, Source]:
    """Find each of a network's tensors. Returns name in the network -> where it is.

    headers: of all of its files, with no tensors of other networks. expected: name -> shape. title:
    what sentences call the files; remedy ends them. Raises WeightsError for tensors that are
    missing, that have no place, or that have another shape or type.
    """
    keys = {_make_key(part, name): name for name in expected}
    held: dict[str, Source] = {}
    strays: list[str] = []
    for header in headers:
        for key, source in _list_sources(part, header):
            if key in held:
                raise WeightsError(
                    f"{title}: {held[key].name} and {source.name} are the same tensor of the model;"
                    f" {remedy}"
                )
            if key in keys:
                held[key] = source
            else:
                strays.append(source.name)
    if strays:
        raise _explain_strays(part, headers, strays, title, remedy)
    lacking = [name for key, name in keys.items() if key not in held]
    if lacking:
        raise WeightsError(
            f"{title}: its weights lack {len(lacking)} tensors of the model, {lacking[0]} among"
            f" them; {remedy}"
        )
    for key, source in held.items():
        _check_tensor(source, expected[keys[key]], title, remedy)
    return {keys[key]: source for key, source in held.items()}


def strip_prefix(header: Header, prefix: str) -> Header:
    """The part of a checkpoint whose names start with a prefix, by their names in the file."""
    names = [name for name in header.shapes if name.startswith(prefix)]
    return Header(
        header.path,
        header.title,
        {name: header.shapes[name] for name in names},
        {name: header.dtypes[name] for name in names},
        {},
    )


_TITLES: Mapping[Part, tuple[str, ...]] = {
    "unet": (
        "a UNet of SDXL alone, without text encoders and VAE",
        "a UNet alone, without text encoders and VAE",
    ),
    "vae": ("a VAE",),
    "text_encoder": ("a text encoder alone, CLIP-L", "a text encoder alone, CLIP"),
    "text_encoder_2": ("a text encoder alone, CLIP-G", "a text encoder alone, CLIP"),
    "controlnet": ("a ControlNet for SDXL", "a ControlNet"),
}
"""What `identify` calls the file of one network."""


def _explain_strays(
    part: Part, headers: Sequence[Header], strays: list[str], title: str, remedy: str
) -> WeightsError:
    for header in headers:
        identity = identify(header)
        if identity is not None and identity.title not in _TITLES[part]:
            return WeightsError(f"{title}: {identity.title}, which is not loaded; {remedy}")
    return WeightsError(
        f"{title}: {len(strays)} of its tensors have no place in the model: {list_names(strays)};"
        f" {remedy}"
    )


def _check_tensor(source: Source, expected: Shape, title: str, remedy: str) -> None:
    shape = source.shape[::-1] if source.is_transposed else source.shape
    if strip_ones(shape) != strip_ones(expected):
        raise WeightsError(
            f"{title}: {source.name} has shape {format_shape(shape)}, and the model's tensor"
            f" {format_shape(expected)}; {remedy}"
        )
    if source.dtype not in FLOATS:
        raise WeightsError(
            f"{title}: {source.name} has numbers of type {source.dtype}, as in a quantised"
            f" file; take the file in half or single precision"
        )


# Names

_PREFIXES: Mapping[Part, str] = {
    "unet": r"(?:model\.)?diffusion_model\.",
    "vae": r"first_stage_model\.|vae\.",
    "text_encoder": r"conditioner\.embedders\.0\.transformer\.",
    "text_encoder_2": r"conditioner\.embedders\.1\.model\.",
    "controlnet": r"control_model\.",
}
_WITHOUT_WEIGHTS: Mapping[Part, str] = {
    "vae": r"loss\..+",
    "text_encoder": r"(text_model\.)?embeddings\.position_ids|logit_scale|text_projection\.weight",
    "text_encoder_2": r"(text_model\.)?embeddings\.position_ids|logit_scale|attn_mask",
}
"""Tensors that no picture is computed from: buffers, and what was only trained with."""


def _make_key(part: Part, name: str) -> str:
    """The name of a network's tensor as names of all forms are compared."""
    if part.startswith("text_encoder"):
        name = name.removeprefix("text_model.")
    return name.replace(".", "_")


def _list_sources(part: Part, header: Header) -> Iterator[tuple[str, Source]]:
    """List the tensors of a file: key, as `_make_key` writes it, and where it is."""
    for name, shape in header.shapes.items():
        bare = re.sub(rf"^(?:{_PREFIXES[part]})", "", name)
        if part in _WITHOUT_WEIGHTS and re.fullmatch(_WITHOUT_WEIGHTS[part], bare):
            continue
        source = Source(header.path, name, shape, header.dtypes[name])
        if part == "text_encoder_2" and _is_open_clip(bare):
            yield from _list_open_clip(bare, source)
        else:
            yield _translate(part, bare), source


def _translate(part: Part, name: str) -> str:
    if part.startswith("text_encoder"):
        return _make_key(part, name)
    module, _, kind = name.replace(".", "_").rpartition("_")
    translate = translate_vae if part == "vae" else translate_original
    return f"{translate(module)}_{kind}"


def _is_open_clip(name: str) -> bool:
    return name.startswith(("transformer.resblocks.", "token_embedding.", "ln_final.")) or name in (
        "positional_embedding",
        "text_projection",
    )


def _list_open_clip(name: str, source: Source) -> Iterator[tuple[str, Source]]:
    """One tensor of OpenCLIP's text encoder, which joins query, key and value in one."""
    if name == "positional_embedding":
        yield "embeddings_position_embedding_weight", source
    elif name == "text_projection":
        yield (
            "text_projection_weight",
            Source(source.file, source.name, source.shape, source.dtype, is_transposed=True),
        )
    elif match := re.fullmatch(r"transformer\.resblocks\.(\d+)\.attn\.in_proj_(weight|bias)", name):
        count = source.shape[0] // 3 if source.shape else 0
        for index, letter in enumerate("qkv"):
            rows = (index * count, (index + 1) * count)
            shape = (count, *source.shape[1:])
            if index == 2:  # a remainder makes the last one too long, which is an error then
                rows, shape = (rows[0], source.shape[0]), (source.shape[0] - rows[0], *shape[1:])
            yield (
                f"encoder_layers_{match[1]}_self_attn_{letter}_proj_{match[2]}",
                Source(source.file, source.name, shape, source.dtype, rows),
            )
    else:
        module, _, kind = name.replace(".", "_").rpartition("_")
        yield f"{translate_open_clip(module)}_{kind}", source
