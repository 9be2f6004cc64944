"""Files of every method, damaged at random: what is accepted can be fused, the rest is refused."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from plitka.engines.sdxl.lora import fuse_lora
from plitka.engines.sdxl.turbo import TurboLora
from plitka.errors import WeightsError
from plitka.weights.header import read_header
from plitka.weights.lora_file import resolve_lora, resolve_turbo
from tests.support.adapter_cases import CASES, Case, make_parts, write_name
from tests.support.small_sdxl import SmallSdxl, load_base, read_modules

Tensors = dict[str, Tensor]
ADDED = (
    "alpha",
    "dora_scale",
    "diff",
    "diff_b",
    "lora_mid.weight",
    "hada_t1",
    "lokr_w1",
    "bm.weight",
)
SHAPES = ((), (1,), (32,), (32, 1), (4, 4), (4, 4, 3, 3))


def _rename(file: Tensors, name: str, _: int) -> None:
    file[name.replace(".", "x.", 1)] = file.pop(name)


def _transpose(file: Tensors, name: str, _: int) -> None:
    if file[name].dim() > 1:
        file[name] = file[name].transpose(0, 1).contiguous()


def _cut(file: Tensors, name: str, number: int) -> None:
    if file[name].dim() > 0:
        axis = number % file[name].dim()
        file[name] = file[name].narrow(axis, 0, file[name].shape[axis] // 2).contiguous()


def _retype(file: Tensors, name: str, number: int) -> None:
    types = (torch.int32, torch.uint8, torch.bool, torch.float16, torch.float64)
    file[name] = file[name].to(types[number % len(types)])


def _swap(file: Tensors, name: str, number: int) -> None:
    other = list(file)[number % len(file)]
    file[name], file[other] = file[other], file[name]


def _add(file: Tensors, name: str, number: int) -> None:
    added = f"{name.partition('.')[0]}.{ADDED[number % len(ADDED)]}"
    file[added] = torch.ones(SHAPES[number // len(ADDED) % len(SHAPES)])


def _misplace(file: Tensors, _: str, number: int) -> None:
    """All tensors to another module."""
    module = write_name(CASES[number % len(CASES)].module)
    moved = {f"{module}.{name.partition('.')[2]}": tensor for name, tensor in file.items()}
    file.clear()
    file.update(moved)


DAMAGES: Mapping[str, Callable[[Tensors, str, int], Any]] = {
    "remove": lambda file, name, _: file.pop(name),
    "rename": _rename,
    "transpose": _transpose,
    "cut": _cut,
    "flatten": lambda file, name, _: file.update({name: file[name].flatten()}),
    "wrap": lambda file, name, _: file.update({name: file[name][None]}),
    "retype": _retype,
    "swap": _swap,
    "misplace": _misplace,
    "add": _add,
}


class Bench:
    """The base in memory, brought back to what it was before each file."""

    def __init__(self, files: SmallSdxl, folder: Path) -> None:
        self.pipe = load_base(files)
        self.modules = read_modules(files.base)
        self.path = folder / "lora.safetensors"
        parts = (self.pipe.unet, self.pipe.text_encoder, self.pipe.text_encoder_2)
        self._before = [
            (part, {n: v.clone() for n, v in part.state_dict().items()}) for part in parts
        ]

    def restore(self) -> None:
        for part, state in self._before:
            part.load_state_dict(state)


@pytest.fixture(scope="module")
def bench(small_sdxl: SmallSdxl, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(small_sdxl, tmp_path_factory.mktemp("damage"))


@pytest.mark.long
@settings(max_examples=300, deadline=None)
@given(
    case=st.sampled_from(CASES),
    damages=st.lists(
        st.tuples(st.sampled_from(sorted(DAMAGES)), st.integers(0, 99)), min_size=1, max_size=2
    ),
)
def test_what_is_accepted_is_fused_or_switched_on(
    case: Case, damages: list[tuple[str, int]], bench: Bench
) -> None:
    made = make_parts(case, torch.Generator().manual_seed(1))
    file = {f"{write_name(case.module)}.{part}": tensor for part, tensor in made.items()}
    for damage, number in damages:
        if file:
            DAMAGES[damage](file, sorted(file)[number % len(file)], number)
    save_file(file, bench.path)
    header = read_header(bench.path, "")
    with suppress(WeightsError):
        resolve_lora(header, None, None)  # beside a base with a fault of its own
    try:
        lora = resolve_lora(header, None, bench.modules)
    except WeightsError:
        return
    bench.restore()
    fuse_lora(bench.pipe, lora, 0.5)
    try:
        turbo = resolve_turbo(header, None, bench.modules)
    except WeightsError:
        return
    with torch.no_grad():
        TurboLora(bench.pipe.unet, turbo, fused=True)
