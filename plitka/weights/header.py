"""The head of a safetensors file: shapes and notes, read without torch."""

import json
import math
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from plitka.errors import WeightsError

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


def count_parameters(shapes: Mapping[str, Shape]) -> int:
    """How many numbers these tensors hold."""
    return sum(math.prod(shape) for shape in shapes.values())


# Words


def list_names(names: Iterable[str], most: int = 3) -> str:
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "nothing") + more


def format_shape(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "none"
