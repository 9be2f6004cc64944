"""Reads the weights of a network from their files in few, large pieces.

SDXL has thousands of tensors. Copied to a card one by one from mapped files, each waits for a copy
of its own. Here neighbours in a file are read together, into one of two buffers in pinned memory,
which the card fetches by itself while the next piece is read into the other; on the card each
tensor is copied from there into its place, in its dtype and memory format. So it lies in memory of
its own, which is free again when it alone is replaced, and not in one block with the others.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from itertools import groupby
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from plitka.errors import WeightsError
from plitka.weights.header import Shape, Shapes, Span, read_spans
from plitka.weights.model_tensors import Source

_PIECE = 2**26  # bytes that are read at once, unless one tensor has more
_AGAIN = "it was changed while it was loaded; copy or download it again"

_DTYPES: Mapping[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}


@dataclass(frozen=True)
class _Held:
    """A tensor of a file, and what is taken of it: name in the network -> source."""

    span: Span
    taken: Mapping[str, Source]

    @property
    def is_as_it_is(self) -> bool:
        """Whether it is one tensor of the network, in the order of the file."""
        plain = all(one.rows is None and not one.is_transposed for one in self.taken.values())
        return plain and len(self.taken) == 1


@dataclass(frozen=True)
class _Piece:
    """Tensors of one dtype that follow each other in a file without a gap."""

    file: Path
    held: tuple[_Held, ...]

    @property
    def begin(self) -> int:
        return self.held[0].span.begin

    @property
    def size(self) -> int:
        return self.held[-1].span.end - self.begin

    @property
    def dtype(self) -> torch.dtype:
        return _DTYPES[self.held[0].span.dtype]


def count_bytes(tensors: Mapping[str, Source]) -> int:
    """Count the bytes that tensors take in their files."""
    return sum(prod(one.shape) * _DTYPES[one.dtype].itemsize for one in tensors.values())


def read_tensors(
    tensors: Mapping[str, Source],
    shapes: Shapes,
    place: str,
    dtype: torch.dtype,
    channels_last: bool = False,
) -> dict[str, Tensor]:
    """Read tensors onto a torch device, in a dtype and, those of images, in a memory format.

    tensors: name -> where it is; shapes: name -> shape it gets. Nothing stays mapped from the
    files. Raises WeightsError for a file that cannot be read, or is another one by now.
    """
    pieces = list(_cut(tensors))
    made = {
        name: _make_empty(shapes[name], place, dtype, channels_last)
        for piece in pieces
        for held in piece.held
        for name in held.taken
    }
    if torch.device(place).type == "cpu":
        pieces = [one for one in pieces if not _read_in_place(one, made, dtype)]
    on_card = torch.device(place).type == "cuda"
    largest = max((piece.size for piece in pieces), default=0)
    buffers = [make_buffer(largest, on_card) for _ in range(2 if on_card else 1)]
    for number, piece in enumerate(pieces):
        buffer = buffers[number % len(buffers)][: piece.size]
        read_piece(piece.file, piece.begin, buffer)
        if on_card:
            torch.cuda.synchronize(place)  # what was read before has left its buffer
        here = buffer.view(piece.dtype).to(place, non_blocking=True)
        for held in piece.held:
            start = (held.span.begin - piece.begin) // piece.dtype.itemsize
            whole = here[start : start + prod(held.span.shape)].view(held.span.shape)
            for name, source in held.taken.items():
                made[name].copy_(_take(whole, source).reshape(shapes[name]))
    return made


def _read_in_place(piece: _Piece, made: Mapping[str, Tensor], dtype: torch.dtype) -> bool:
    """Read a piece straight into main memory, where its numbers stay as they are in the file."""
    if piece.dtype != dtype or not all(held.is_as_it_is for held in piece.held):
        return False
    for held in piece.held:
        (name,) = held.taken
        read_piece(piece.file, held.span.begin, made[name].view(-1).view(torch.uint8))
    return True


def make_buffer(size: int, pinned: bool) -> Tensor:
    """Make a buffer of bytes. pinned: so that a card fetches from it by itself."""
    return torch.empty(size, dtype=torch.uint8, pin_memory=pinned)


def read_piece(path: Path, begin: int, buffer: Tensor) -> None:
    """Fill a buffer from a file. begin: the first byte that is read."""
    bytes_of: Any = buffer.numpy()  # partly typed
    rest = memoryview(bytes_of)
    try:
        with FileIO(path) as file:
            file.seek(begin)
            while rest:
                count = file.readinto(rest)
                if not count:
                    raise WeightsError(f"{path}: shorter than its header says; {_AGAIN}")
                rest = rest[count:]
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); {_AGAIN}") from error


def _make_empty(shape: Shape, place: str, dtype: torch.dtype, channels_last: bool) -> Tensor:
    order = torch.channels_last if channels_last and len(shape) == 4 else torch.contiguous_format
    return torch.empty(shape, dtype=dtype, device=place, memory_format=order)


def _take(whole: Tensor, source: Source) -> Tensor:
    part = whole if source.rows is None else whole[slice(*source.rows)]
    return part.T if source.is_transposed else part


def _cut(tensors: Mapping[str, Source]) -> Iterator[_Piece]:
    """Cut files into pieces that hold all of the tensors."""
    by_file = sorted(tensors.items(), key=lambda item: item[1].file)
    for path, found in groupby(by_file, key=lambda item: item[1].file):
        held: list[_Held] = []
        for one in _list_held(path, dict(found)):
            if held and not _continues(held, one):
                yield _Piece(path, tuple(held))
                held = []
            held.append(one)
        yield _Piece(path, tuple(held))


def _continues(held: list[_Held], one: _Held) -> bool:
    first, last = held[0].span, held[-1].span
    return (
        one.span.begin == last.end
        and one.span.dtype == last.dtype
        and one.span.end - first.begin <= _PIECE
    )


def _list_held(path: Path, tensors: Mapping[str, Source]) -> list[_Held]:
    """List the tensors of one file that are needed, in their order there."""
    spans = read_spans(path, _AGAIN)
    taken: dict[str, dict[str, Source]] = {}
    for name, source in tensors.items():
        taken.setdefault(source.name, {})[name] = source
    for name, wanted in taken.items():
        if name not in spans or not all(_fits(spans[name], one) for one in wanted.values()):
            raise WeightsError(f"{path}: {name} in it is not what it was; {_AGAIN}")
    held = [_Held(spans[name], wanted) for name, wanted in taken.items()]
    return sorted(held, key=lambda one: one.span.begin)


def _fits(span: Span, source: Source) -> bool:
    """Whether a tensor in a file is still the one that was found there."""
    size = prod(span.shape) * _DTYPES[source.dtype].itemsize
    if span.dtype != source.dtype or span.end - span.begin != size:
        return False
    if source.rows is None:
        return span.shape == source.shape
    return span.shape[1:] == source.shape[1:] and source.rows[1] <= span.shape[0]
