"""The header of a safetensors file is read, whatever its first bytes resemble."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from plitka.weights.header import read_header


@pytest.mark.parametrize("length", [0x280, 0x380, 0x480, 0x580])
def test_a_header_may_be_as_long_as_a_pickle_begins(length: int, tmp_path: Path) -> None:
    path = tmp_path / "file.safetensors"
    tensors = {"emb": np.zeros((2, 768), np.float32)}
    save_file(tensors, path, {"note": ""})
    short = int.from_bytes(path.read_bytes()[:8], "little")
    save_file(tensors, path, {"note": "x" * (length - short)})
    assert path.read_bytes()[:8] == length.to_bytes(8, "little")
    assert read_header(path, "copy it").shapes == {"emb": (2, 768)}
