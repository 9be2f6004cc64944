"""Textual-inversion files: whether one was trained for SDXL, and what its tensors are called."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from plitka.errors import WeightsError
from plitka.weights.header import Header, Shape, format_shape, list_names, read_header
from plitka.weights.sdxl_architecture import OTHER_FAMILIES, WIDTHS
from plitka.weights.settings import TOKENS

_HALVES = {"clip_l": "text_encoders_0", "clip_g": "text_encoders_1"}  # new name: old name


@dataclass(frozen=True)
class Embeddings:
    """A file of embeddings for the tokens <s0> and <s1>.

    tensors: text encoder ("clip_l", "clip_g") -> name of its tensor, (tokens, width).
    """

    path: Path
    tensors: Mapping[str, str]


def is_embedding_tensor(name: str) -> bool:
    """Whether a tensor is an embedding: such tensors lie in files of LoRAs too, as bundles."""
    return name in {*_HALVES, *_HALVES.values()} or name.startswith("bundle_emb.")


def is_embeddings(header: Header) -> bool:
    """Whether any tensor has the name of an embedding of SDXL's text encoders."""
    names = {*_HALVES, *_HALVES.values()}
    return bool(names & set(header.shapes))


def check_embeddings(path: Path) -> Embeddings:
    """Check a file of embeddings: one tensor for each text encoder, of its width."""
    header = read_header(
        path,
        "put the embeddings there, name them with PLITKA_EMBEDDINGS, or set PLITKA_EMBEDDINGS=none"
        " to run without them",
    )
    shapes = header.shapes
    if not is_embeddings(header):
        raise _explain_not_embeddings(header)
    tensors: dict[str, str] = {}
    for half, old in _HALVES.items():
        names = [name for name in (half, old) if name in shapes]
        if len(names) != 1:
            state = "both under its old and its new name" if names else "not there"
            raise WeightsError(
                f"{path}: {half} ({old} in older files) is {state}; SDXL embeddings hold one half"
                " for each of the two text encoders, so take the whole file that was trained"
            )
        tensors[half] = names[0]
    stray = sorted(set(shapes) - set(tensors.values()))
    if stray:
        raise WeightsError(
            f"{path}: {list_names(stray)} belongs to no text encoder; SDXL embeddings hold clip_l"
            " and clip_g and nothing else, so take the file that was trained"
        )
    for half, name in tensors.items():
        _check_shape(path, name, shapes[name], WIDTHS[half])
    return Embeddings(path, tensors)


def _explain_not_embeddings(header: Header) -> WeightsError:
    widths = {shape[-1] for shape in header.shapes.values() if shape}
    if len(header.shapes) == 1 and len(widths) == 1:
        width = widths.pop()
        family = OTHER_FAMILIES.get(width, "another model")
        return WeightsError(
            f"{header.path}: an embedding of one text encoder, {width} wide: it was made for"
            f" {family}, and SDXL needs clip_l and clip_g; take the SDXL file"
        )
    return WeightsError(
        f"{header.path}: not SDXL embeddings, it holds {list_names(header.shapes)} in place of"
        " clip_l and clip_g; name the embeddings file with PLITKA_EMBEDDINGS"
    )


def _check_shape(path: Path, name: str, shape: Shape, width: int) -> None:
    if len(shape) != 2 or shape[1] != width:
        raise WeightsError(
            f"{path}: {name} has shape {format_shape(shape)}, and its text encoder is {width} wide;"
            f" take embeddings that were trained for SDXL ({len(TOKENS)}x{width})"
        )
    if shape[0] != len(TOKENS):
        raise WeightsError(
            f"{path}: {name} has {shape[0]} vectors for a token, and the prompt has"
            f" {len(TOKENS)} ({''.join(TOKENS)}); take embeddings trained with {len(TOKENS)}"
        )
