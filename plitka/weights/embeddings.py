"""Textual-inversion files: whether one is SDXL's, and which tensor is which half."""

from collections.abc import Mapping
from pathlib import Path

from plitka.errors import WeightsError
from plitka.weights.header import Header, Shape, format_shape, list_names, read_header
from plitka.weights.sdxl_architecture import OTHER_FAMILIES, WIDTHS
from plitka.weights.settings import TOKENS

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
