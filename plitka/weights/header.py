"""The header of a safetensors file: the shape of each tensor, and the file's metadata.

No weights are read. A file that is something else, such as a pickle or a web page, is refused.
"""

import json
import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from safetensors import SafetensorError, safe_open

from plitka.errors import WeightsError, extract_first_line
from plitka.weights.content import refuse_special

Shape: TypeAlias = tuple[int, ...]
Shapes: TypeAlias = Mapping[str, Shape]
"""Name of a tensor -> its shape."""

FLOATS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")
"""Types of tensors that hold weights as they are."""

WEIGHTS_SUFFIXES = (".safetensors", ".pti")
"""Of what can be loaded. .pti: what SDXL's trainer on Replicate names embeddings."""

PICKLE_SUFFIXES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")

_LONGEST_NAME = 1000  # characters of a tensor's name; trainers' longest have about 150
_MOST_TENSORS = 100_000  # in one file; SDXL has 2,500, an adapter of all its layers 7,000


@dataclass(frozen=True)
class Header:
    """What the header of one file says.

    title: what sentences call the file: its path, or for a member of a package the package's path
    and the member's, `trained.tar: lora.safetensors`. dtypes: name of a tensor -> its type as
    safetensors writes it, such as F16. metadata: the file's own notes, as text.
    """

    path: Path
    title: str
    shapes: Shapes
    dtypes: Mapping[str, str]
    metadata: Mapping[str, str]


def read_header(path: Path, remedy: str, title: str | None = None) -> Header:
    """Read the header of one file. Raises WeightsError unless it is a whole safetensors file.

    remedy: what to do where there is no file that can be read; it ends that sentence. title: what
    sentences call the file, None for its path.
    """
    title = title or str(path)
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise WeightsError(
            f"{title}: a {path.suffix} file can hold a pickle, which may run anything when it is"
            " loaded; only .safetensors is read, so convert it or get it in that form"
        )
    refuse_special(path, title)
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except FileNotFoundError:
        raise WeightsError(f"{title}: no such file; {remedy}") from None
    except IsADirectoryError:
        raise WeightsError(f"{title}: a folder, not a file; {remedy}") from None
    except OSError as error:
        raise WeightsError(f"{title}: cannot be read ({error.strerror}); {remedy}") from None
    _refuse_what_else_it_is(title, start)
    try:
        with safe_open(path, framework="np") as tensors:
            names = tensors.offset_keys()
            if len(names) > _MOST_TENSORS:
                raise WeightsError(
                    f"{title}: names {len(names):,} tensors, and no model has more than"
                    f" {_MOST_TENSORS:,}; {remedy}"
                )
            slices = {name: tensors.get_slice(name) for name in names}
            shapes = {name: tuple(part.get_shape()) for name, part in slices.items()}
            dtypes = {name: part.get_dtype() for name, part in slices.items()}
            metadata = tensors.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{title}: not a safetensors file, or a truncated or damaged one"
            f" ({extract_first_line(error)}); copy or download it again in that form"
        ) from None
    refuse_odd_names(title, shapes)
    return Header(path, title, shapes, dtypes, metadata)


def refuse_odd_names(title: str, names: Iterable[str]) -> None:
    """Raise WeightsError for names of tensors that cannot stand in a sentence; no trainer's are so.

    title: what the sentence calls the file.
    """
    for name in names:
        if not name.isprintable() or len(name) > _LONGEST_NAME:
            raise WeightsError(
                f"{title}: a tensor in it is named {name[:60]!r}, which is unprintable or longer"
                f" than {_LONGEST_NAME} characters; download it again, or take another file"
            )


def _refuse_what_else_it_is(title: str, start: bytes) -> None:
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        raise WeightsError(
            f"{title}: a Git LFS pointer and not the file itself; fetch it with `git lfs pull`, or"
            " download the file that it stands for"
        )
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise WeightsError(
            f"{title}: a web page saved under this name, not weights; download it again from its"
            " direct link, logged in where the site asks for that"
        )
    marks = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
    if start.startswith(marks) and start[8:9] != b"{":  # else these are a header's length
        raise WeightsError(
            f"{title}: a pickle or zip archive under this name, which is never loaded; convert it"
            " to safetensors"
        )
    if not start:
        raise WeightsError(f"{title}: an empty file; copy or download it again")


@dataclass(frozen=True)
class Span:
    """Where a tensor's bytes begin and end in its file, and what they are."""

    begin: int
    end: int
    shape: Shape
    dtype: str


def read_spans(path: Path, remedy: str) -> Mapping[str, Span]:
    """Name of each tensor of a file on this machine -> its span.

    remedy: ends the sentence of a WeightsError, raised where the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            tensors = json.loads(file.read(length))
        tensors.pop("__metadata__", None)
        first = 8 + length
        return {
            name: Span(
                first + about["data_offsets"][0],
                first + about["data_offsets"][1],
                tuple(about["shape"]),
                about["dtype"],
            )
            for name, about in tensors.items()
        }
    except (OSError, struct.error, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = extract_first_line(error)
        raise WeightsError(f"{path}: its header cannot be read ({reason}); {remedy}") from error


def find_bytes(header: Header) -> Mapping[str, tuple[int, int]]:
    """Name of each tensor of a file on this machine -> where its bytes begin and end in it."""
    spans = read_spans(header.path, "copy or download it again")
    return {name: (spans[name].begin, spans[name].end) for name in header.shapes}


def count_parameters(shapes: Shapes) -> int:
    """How many numbers these tensors hold."""
    return sum(math.prod(shape) for shape in shapes.values())


def list_names(names: Iterable[str]) -> str:
    """The first three names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (", ".join(names[:3]) or "nothing") + more


def format_shape(shape: Shape) -> str:
    """ "320x4x3x3"; "one number" for a tensor without dimensions."""
    return "x".join(map(str, shape)) or "one number"


def strip_ones(shape: Shape) -> Shape:
    """The shape without dimensions of 1 at its end: a convolution of one pixel is a matrix."""
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    return shape
