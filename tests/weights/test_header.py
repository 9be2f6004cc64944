"""The header of a safetensors file is read, whatever its first bytes resemble."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from plitka.errors import WeightsError
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


def test_a_header_of_more_tensors_than_any_model_has_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.safetensors"
    empty = {"dtype": "F16", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({f"t{number}": empty for number in range(100_001)}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(WeightsError, match="names 100,001 tensors, and no model has more"):
        read_header(path, "copy it")
