"""Textual-inversion files: whether one was trained for SDXL, and what its tensors are called.

The forms that trainers write, all of them of one to eight vectors for each text encoder:

- `clip_l` and `clip_g` (kohya, OneTrainer, diffusers' advanced scripts), or by their older names
  `text_encoders_0` and `text_encoders_1` (Replicate's trainer, Eden);
- the same as `bundle_emb.NAME.clip_l` in a LoRA's file (OneTrainer), or bare beside its tensors;
- a pair of files with one tensor each, named after its placeholder (diffusers' textual inversion:
  `learned_embeds.safetensors`, `learned_embeds_2.safetensors`), told apart by their widths.

OneTrainer may train a vector for the *output* of a text encoder in place of its input, `clip_l_out`
and `clip_g_out`. Where it lies beside the input's, the input's is taken, as ComfyUI and A1111 do;
alone it is refused, for nothing but OneTrainer can draw with it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plitka.errors import WeightsError
from plitka.weights.header import FLOATS, Header, format_shape, list_names
from plitka.weights.identification import explain_wrong_file
from plitka.weights.sdxl_architecture import OTHER_FAMILIES, WIDTHS
from plitka.weights.settings import EMBEDDINGS, TRIGGER

MOST_VECTORS = 8

_HALVES = {"clip_l": "text_encoders_0", "clip_g": "text_encoders_1"}  # new name: old name
_OUTPUTS = {"clip_l_out", "clip_g_out"}
_PLAIN = {*_HALVES, *_HALVES.values(), *_OUTPUTS}
_BUNDLE = "bundle_emb."
_OF_MODULES = (".weight", ".bias", ".alpha")  # ends of names that no embedding has


@dataclass(frozen=True)
class Half:
    """The vectors of one text encoder. tensor: its name in the file."""

    path: Path
    title: str
    tensor: str


@dataclass(frozen=True)
class Embeddings:
    """Embeddings for the tokens <s0>, <s1> and so on.

    title: what sentences call them. halves: text encoder ("clip_l", "clip_g") -> its vectors.
    vectors: how many each half has. unread: tensors beside them that are passed over.
    """

    title: str
    halves: Mapping[str, Half]
    vectors: int
    unread: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The file; the first of a pair."""
        return self.halves["clip_l"].path


def is_embedding_tensor(name: str) -> bool:
    """Whether a tensor is an embedding: such tensors lie in files of LoRAs too, as bundles."""
    return name in _PLAIN or name.startswith(_BUNDLE)


def is_embeddings(header: Header) -> bool:
    """Whether any tensor has the name of an embedding of SDXL's text encoders."""
    return any(is_embedding_tensor(name) for name in header.shapes)


def find_half(header: Header) -> str | None:
    """The text encoder of a file that holds the embeddings of one alone, under any name."""
    if len(header.shapes) != 1:
        return None
    ((name, shape),) = header.shapes.items()
    if is_embedding_tensor(name) or name.endswith(_OF_MODULES) or not shape:
        return None
    return next((half for half, width in WIDTHS.items() if shape[-1] == width), None)


def check_embeddings(
    headers: Sequence[Header], trigger: str | None = None, bundled: bool = False
) -> Embeddings:
    """Check embeddings: vectors for each text encoder, of its width and as many for both.

    headers: of their file, or of both files of a pair. trigger: PLITKA_TRIGGER, which chooses
    among several bundles. bundled: whether the file is a LoRA's as well, which has more tensors.
    """
    title = " and ".join(header.title for header in headers)
    names = _find_pair(headers) if len(headers) == 2 else _find_names(headers[0], trigger, bundled)
    counts = {half: _check_tensor(header, name, half) for half, (header, name) in names.items()}
    if len(set(counts.values())) > 1:
        told = " and ".join(f"{half} has {count}" for half, count in counts.items())
        raise WeightsError(
            f"{title}: {told} vectors for the same tokens, so its halves are of two trainings; take"
            " the whole file that was trained"
        )
    return Embeddings(
        title=title,
        halves={half: Half(h.path, h.title, name) for half, (h, name) in names.items()},
        vectors=counts["clip_l"],
        unread=tuple(name for name in headers[0].shapes if name.endswith(tuple(_OUTPUTS))),
    )


def _find_pair(headers: Sequence[Header]) -> dict[str, tuple[Header, str]]:
    found = {find_half(header): (header, next(iter(header.shapes))) for header in headers}
    return {half: found[half] for half in WIDTHS}


def _find_names(
    header: Header, trigger: str | None, bundled: bool
) -> dict[str, tuple[Header, str]]:
    """Text encoder -> the tensor of its vectors, of the one set of embeddings in a file."""
    if not is_embeddings(header):
        raise _explain_not_embeddings(header)
    sets: dict[str, list[str]] = {}
    for name in header.shapes:
        if is_embedding_tensor(name):
            placeholder = name.removeprefix(_BUNDLE).rpartition(".")[0] if "." in name else ""
            sets.setdefault(placeholder, []).append(name)
    chosen = next(iter(sets)) if len(sets) == 1 else trigger
    if chosen not in sets:
        nameless = ", or save the one without a name in a file of its own" if "" in sets else ""
        raise WeightsError(
            f"{header.title}: holds {len(sets)} embeddings,"
            f" {list_names(name or 'one without a name' for name in sets)}; set {TRIGGER} to the"
            f" name of the one that is meant{nameless}"
        )
    prefix = f"{_BUNDLE}{chosen}." if chosen else ""
    names = {half: _find_name(header, prefix, half) for half in _HALVES}
    stray = sorted(set(sets[chosen]) - {*names.values(), *(prefix + out for out in _OUTPUTS)})
    if not bundled:
        stray += sorted(name for name in header.shapes if not is_embedding_tensor(name))
    if stray:
        raise WeightsError(
            f"{header.title}: {list_names(stray)} belongs to no text encoder; SDXL embeddings hold"
            " clip_l and clip_g and nothing else, so take the file that was trained"
        )
    return {half: (header, name) for half, name in names.items()}


def _find_name(header: Header, prefix: str, half: str) -> str:
    old = _HALVES[half]
    names = [prefix + name for name in (half, old) if prefix + name in header.shapes]
    if len(names) == 1:
        return names[0]
    if not names and f"{prefix}{half}_out" in header.shapes:
        raise WeightsError(
            f"{header.title}: {prefix}{half}_out is trained for the output of a text encoder; only"
            " OneTrainer can draw with that, so train it with its output embedding off"
        )
    state = "both under its old and its new name" if names else "not there"
    raise WeightsError(
        f"{header.title}: {prefix}{half} ({old} in older files) is {state}; SDXL embeddings hold"
        " one half for each of the two text encoders, so take the whole file that was trained"
    )


def _explain_not_embeddings(header: Header) -> WeightsError:
    ((name, shape), *others) = header.shapes.items() if header.shapes else [("", ())]
    width = shape[-1] if shape else 0
    known = {*OTHER_FAMILIES, *WIDTHS.values()}
    if others or width not in known or name.endswith(_OF_MODULES):
        return explain_wrong_file(header, "SDXL embeddings", EMBEDDINGS)
    pair = ", or is one of a pair whose other file is not beside it"
    return WeightsError(
        f"{header.title}: an embedding of one text encoder, {width} wide: it was made for"
        f" {OTHER_FAMILIES.get(width, 'another model')}{pair if width in WIDTHS.values() else ''},"
        " and SDXL needs clip_l and clip_g; take the SDXL file, or both"
    )


def _check_tensor(header: Header, name: str, half: str) -> int:
    """Check the vectors of one text encoder. Returns how many there are.

    Leading dimensions of 1 are left out, and one vector may be without any.
    """
    shape, width = header.shapes[name], WIDTHS[half]
    rows = (1, *shape)[:-1] if shape else ()
    count = math.prod(rows)
    if not shape or shape[-1] != width or any(size != 1 for size in rows[:-1]):
        raise WeightsError(
            f"{header.title}: {name} has shape {format_shape(shape)}, and its text encoder is"
            f" {width} wide; take embeddings that were trained for SDXL, such as 2x{width}"
        )
    if not 1 <= count <= MOST_VECTORS:
        raise WeightsError(
            f"{header.title}: {name} has {count} vectors, and the prompt has tokens for 1 to"
            f" {MOST_VECTORS}; take embeddings trained with so many"
        )
    if header.dtypes[name] not in FLOATS:
        raise WeightsError(
            f"{header.title}: {name} holds numbers of type {header.dtypes[name]}, and embeddings"
            f" are {', '.join(FLOATS[:-1])} or {FLOATS[-1]}; save it again as one of these"
        )
    return count
