"""Tells whether files hold the same numbers, whatever their tensors are called."""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence

from plitka.weights.header import Header, find_bytes


def are_copies(headers: Sequence[Header]) -> bool:
    """Whether these files have the same arrays, byte by byte, under any names and in any shapes.

    Single numbers are left out: an alpha stands in one form, and in another is the rank. Reads the
    files, where their sizes do not tell already.
    """
    if len({_count_numbers(header) for header in headers}) > 1:
        return False
    return all(_hash_arrays(header) == _hash_arrays(headers[0]) for header in headers[1:])


def _list_arrays(header: Header) -> list[str]:
    return [name for name, shape in header.shapes.items() if math.prod(shape) != 1]


def _count_numbers(header: Header) -> int:
    return sum(math.prod(header.shapes[name]) for name in _list_arrays(header))


def _hash_arrays(header: Header) -> Counter[bytes]:
    places = find_bytes(header)
    hashes: Counter[bytes] = Counter()
    with header.path.open("rb") as file:
        for name in _list_arrays(header):
            start, end = places[name]
            file.seek(start)
            hashes[hashlib.sha256(file.read(end - start)).digest()] += 1
    return hashes
