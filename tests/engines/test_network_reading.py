"""Weights read in large pieces: the numbers that safetensors reads one by one."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from plitka.engines.sdxl import network_reading
from plitka.engines.sdxl.network_reading import count_bytes, read_tensors
from plitka.errors import WeightsError
from plitka.weights.header import read_header
from plitka.weights.model_tensors import Source

SHAPES = {
    "conv.weight": (8, 4, 3, 3),
    "conv.bias": (3,),  # after it, nothing is aligned to more than its own numbers
    "proj.weight": (6, 8),
    "scale": (),
    "table": (40, 10),
}


def make(dtype: torch.dtype, names: tuple[str, ...] = tuple(SHAPES)) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(SHAPES[name], generator=generator).to(dtype) for name in names}


def save(path: Path, tensors: dict[str, Tensor]) -> dict[str, Source]:
    save_file(tensors, path)
    header = read_header(path, "")
    return {name: Source(path, name, header.shapes[name], header.dtypes[name]) for name in tensors}


def read(sources: dict[str, Source], dtype: torch.dtype, **over: bool) -> dict[str, Tensor]:
    return read_tensors(sources, {n: SHAPES[n] for n in sources}, "cpu", dtype, **over)


@pytest.mark.parametrize("into", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("held", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_numbers_are_those_that_safetensors_gives(
    held: torch.dtype, into: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_reading, "_PIECE", 600)  # bytes: several pieces
    sources = save(tmp_path / "one.safetensors", make(held))
    made = read(sources, into)
    for name, tensor in load_file(tmp_path / "one.safetensors").items():
        assert torch.equal(made[name], tensor.to(into)), name
        assert made[name].dtype == into
        assert made[name].untyped_storage().nbytes() == made[name].nbytes, "memory of its own"


def test_several_files_dtypes_and_gaps_are_one_network(tmp_path: Path) -> None:
    half = make(torch.float16, ("conv.weight", "conv.bias"))
    single = make(torch.float32, ("proj.weight", "scale", "table"))
    sources = save(tmp_path / "a.safetensors", {**half, "z": torch.ones(5, dtype=torch.float16)})
    sources |= save(tmp_path / "b.safetensors", single)
    del sources["z"], sources["scale"]
    made = read(sources, torch.float16)
    assert set(made) == set(sources)
    for name, tensor in {**half, **single}.items():
        assert name == "scale" or torch.equal(made[name], tensor.half()), name
    assert count_bytes(sources) == 2 * (288 + 3) + 4 * (48 + 400)


def test_rows_and_transposed_matrices_are_taken_from_one_tensor(tmp_path: Path) -> None:
    joined = torch.arange(24 * 8, dtype=torch.float16).reshape(24, 8)
    file = tmp_path / "clip.safetensors"
    save_file({"in_proj": joined, "text": joined.clone()}, file)
    sources = {
        "q": Source(file, "in_proj", (8, 8), "F16", rows=(0, 8)),
        "v": Source(file, "in_proj", (8, 8), "F16", rows=(16, 24)),
        "text": Source(file, "text", (24, 8), "F16", is_transposed=True),
    }
    made = read_tensors(sources, {"q": (8, 8), "v": (8, 8), "text": (8, 24)}, "cpu", torch.float16)
    assert torch.equal(made["q"], joined[:8])
    assert torch.equal(made["v"], joined[16:])
    assert torch.equal(made["text"], joined.T)


def test_convolutions_lie_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    sources = save(tmp_path / "one.safetensors", make(torch.float32))
    made = read(sources, torch.float16, channels_last=True)
    plain = read(sources, torch.float16)
    assert made["conv.weight"].is_contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(made[name], plain[name]) for name in SHAPES)


def test_a_file_that_changed_since_it_was_checked_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "one.safetensors"
    sources = save(file, make(torch.float16))
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    with pytest.raises(WeightsError, match=r"one.safetensors: shorter .* copy or download"):
        read(sources, torch.float16)
    file.write_bytes(whole[:4])
    with pytest.raises(WeightsError, match=r"its header cannot be read .* copy or download"):
        read(sources, torch.float16)
    save(file, make(torch.float32))
    with pytest.raises(WeightsError, match="is not what it was"):
        read(sources, torch.float16)
    file.unlink()
    with pytest.raises(WeightsError, match=r"cannot be read .*No such file"):
        read(sources, torch.float16)
