"""Finds tensors that hold NaN or infinity, by the bits of their numbers, without a library."""

from collections.abc import Container, Iterator

import numpy as np

from plitka.errors import WeightsError
from plitka.weights.header import Header, find_bytes

# All bits of the exponent are set in NaN and infinity; F8_E4M3 has no infinity, and one NaN.
_MARKS: dict[str, tuple[type[np.unsignedinteger], int]] = {
    "F64": (np.uint64, 0x7FF0_0000_0000_0000),
    "F32": (np.uint32, 0x7F80_0000),
    "F16": (np.uint16, 0x7C00),
    "BF16": (np.uint16, 0x7F80),
    "F8_E5M2": (np.uint8, 0x7C),
    "F8_E4M3": (np.uint8, 0x7F),
}
_CHUNK = 2**24  # numbers of one look


def refuse_nonfinite(header: Header, unused: Container[str] = ()) -> None:
    """Raise WeightsError where a tensor of a file holds NaN or infinity. Reads every byte of it.

    unused: tensors that may, for nothing is computed from them.
    """
    for name in _list_nonfinite(header):
        if name in unused:
            continue
        raise WeightsError(
            f"{header.title}: {name} holds NaN or inf, as a training that failed leaves behind;"
            " take another file, or train it again"
        )


def _list_nonfinite(header: Header) -> Iterator[str]:
    places = find_bytes(header)
    for name, dtype in header.dtypes.items():
        if dtype not in _MARKS:
            continue
        kind, mark = _MARKS[dtype]
        start, end = places[name]
        count = (end - start) // np.dtype(kind).itemsize
        if count == 0:
            continue
        numbers = np.memmap(header.path, kind, "r", start, (count,))
        for first in range(0, count, _CHUNK):
            part = numbers[first : first + _CHUNK]
            if ((part & kind(mark)) == kind(mark)).any():
                yield name
                break
