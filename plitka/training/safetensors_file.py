"""Writes safetensors: the same bytes for the same tensors and notes.

The library's own writer puts the notes into another order each time, and a package that is written
anew after a training went on would differ from one of a training that was never interrupted. The
form: eight bytes with the length of the header, the header as JSON padded with spaces, the tensors.
"""

import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

_TYPES = {np.dtype(np.float16): "F16", np.dtype(np.float32): "F32"}
_ALIGNED = 8  # bytes


def encode_safetensors(
    tensors: Mapping[str, NDArray[np.floating]], notes: Mapping[str, str]
) -> bytes:
    """Encode tensors of half or single precision, and the notes of the file's metadata."""
    header: dict[str, object] = {"__metadata__": dict(sorted(notes.items()))}
    parts: list[bytes] = []
    end = 0
    # By size of their numbers, as the library does, so that each lies aligned.
    for name in sorted(tensors, key=lambda name: (-tensors[name].itemsize, name)):
        tensor = tensors[name]
        start, end = end, end + tensor.nbytes
        header[name] = {
            "dtype": _TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
        parts.append(tensor.astype(tensor.dtype.newbyteorder("<"), "C", copy=False).tobytes())
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNED)
    return b"".join((len(text).to_bytes(8, "little"), text, *parts))
