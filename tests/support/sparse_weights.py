"""Files of weights of full size that take no room: their tensors are holes, which read as zeros."""

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path

_BYTES = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "I64": 8}


def write_sparse_file(
    path: Path, shapes: Mapping[str, tuple[int, ...]], dtype: str = "F16", **notes: str
) -> Path:
    """Write a safetensors file of tensors of these shapes, in milliseconds whatever the size."""
    header: dict[str, object] = {"__metadata__": notes} if notes else {}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + _BYTES[dtype] * math.prod(shape)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return path
