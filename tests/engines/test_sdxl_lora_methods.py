"""Every method by which an adapter changes a weight, fused into a small SDXL.

A file holds many cases, each on a module of its own. The expected weight is the method's own
definition, as tests/support/adapter_cases.py writes it out; files that LyCORIS itself saves are
held against what it trains on.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from lycoris.modules.boft import ButterflyOFTModule
from lycoris.modules.diag_oft import DiagOFTModule
from lycoris.modules.full import FullModule
from lycoris.modules.glora import GLoRAModule
from lycoris.modules.ia3 import IA3Module
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from lycoris.modules.norms import NormModule
from safetensors.torch import save_file

from tests.support.adapter_cases import CASES, Case, Parts, find, make_parts, split, write_name
from tests.support.settings import load_engine
from tests.support.small_sdxl import SmallSdxl, load_base

SCALE = 0.6


@dataclass(frozen=True)
class Fused:
    engine: Any
    base: Any
    parts: Mapping[str, Parts]


@pytest.fixture(scope="module")
def base(small_sdxl: SmallSdxl) -> Any:
    return load_base(small_sdxl)


OPTIONAL = ("alpha", "dora_scale", "lora_magnitude", "rescale", "lora_up.bias", "oft_R.scaled")


def list_optional(case: Case) -> tuple[str, ...]:
    """Which of the parts a case has that a file has for all of its modules or for none."""
    return tuple(
        start for start in OPTIONAL if any(part.startswith(start) for part in make_names(case))
    )


def make_names(case: Case) -> tuple[str, ...]:
    return (*case.shapes, *case.numbers)


FILES = sorted({list_optional(case) for case in CASES})


@pytest.fixture(scope="module")
def fused(
    base: Any, small_sdxl: SmallSdxl, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[tuple[str, ...], Fused]:
    """A file for each set of optional parts, with all cases of that set."""
    return {
        optional: _fuse(
            [case for case in CASES if list_optional(case) == optional],
            base,
            small_sdxl,
            tmp_path_factory.mktemp("methods") / "lora.safetensors",
        )
        for optional in FILES
    }


def _fuse(cases: list[Case], base: Any, small_sdxl: SmallSdxl, file: Path) -> Fused:
    generator = torch.Generator().manual_seed(7)
    parts = {case.name: make_parts(case, generator) for case in cases}
    tensors = {
        f"{write_name(case.module)}.{part}": tensor
        for case in cases
        for part, tensor in parts[case.name].items()
    }
    save_file(tensors, file)
    return Fused(_load(small_sdxl, file), base, parts)


def _load(small_sdxl: SmallSdxl, file: Path, scale: float = SCALE) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in small_sdxl.settings(LORA=file, LORA_SCALE=str(scale)).items():
            patch.setenv(name, value)
        return load_engine("sdxl")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_weight_moves_to_the_methods_own_by_the_scale(
    case: Case, fused: Mapping[tuple[str, ...], Fused]
) -> None:
    """W + scale * (method(W) - W), and the bias likewise; 1e-4 of what changes."""
    file = fused[list_optional(case)]
    before, after = find(file.base, case.module), find(file.engine.pipe, case.module)
    parts = {name: part.double() for name, part in file.parts[case.name].items()}
    for kind, expected in (("weight", case.weight), ("bias", case.bias)):
        old, new = getattr(before, kind), getattr(after, kind)
        if expected is None:
            assert old is None or torch.equal(new, old), kind
            continue
        bias = old.double() if kind == "bias" else None
        change = SCALE * (expected(parts, before.weight.double(), bias) - old.double())
        assert change.norm() > 1e-3 * old.double().norm()
        assert (new.double() - old - change).norm() <= 1e-4 * change.norm()


@pytest.mark.parametrize("optional", FILES, ids=" ".join)
def test_modules_beside_them_are_as_they_were(
    optional: tuple[str, ...], fused: Mapping[tuple[str, ...], Fused]
) -> None:
    names = [split(case.module) for case in CASES if list_optional(case) == optional]
    file = fused[optional]
    for component in ("unet", "text_encoder", "text_encoder_2"):
        changed = tuple(f"{name}." for part, name in names if part == component)
        before = getattr(file.base, component).state_dict()
        after = getattr(file.engine.pipe, component).state_dict()
        assert set(before) == set(after)
        for name, old in before.items():
            own = name.removeprefix("text_model.")
            if not own.startswith(changed) and "token_embedding" not in name:
                assert torch.equal(after[name], old), name


# What LyCORIS itself trains and saves


def _train(kind: Any, **settings: Any) -> Callable[[Any], Any]:
    return lambda module: kind("trained", module, lora_dim=4, alpha=3, **settings)


_DORA = {"weight_decompose": True}
LINEAR = {
    "locon": _train(LoConModule),
    "dora": _train(LoConModule, **_DORA),
    "dora on inputs": _train(LoConModule, **_DORA, wd_on_out=False),
    "rank-stabilised": _train(LoConModule, rs_lora=True),
    "loha": _train(LohaModule),
    "loha as a dora": _train(LohaModule, **_DORA),
    "lokr": _train(LokrModule, factor=4),
    "lokr whole": _train(LokrModule, full_matrix=True),
    "lokr factored": _train(LokrModule, factor=16, decompose_both=True),
    "lokr as a dora": _train(LokrModule, factor=4, **_DORA),
    "oft": _train(DiagOFTModule, constraint=1e-3, rescaled=True),
    "boft": _train(ButterflyOFTModule, rescaled=True),
    "glora": _train(GLoRAModule),
    "ia3": _train(IA3Module),
    "ia3 on inputs": _train(IA3Module, train_on_input=True),
}
CONVOLUTION = {
    "locon": _train(LoConModule),
    "locon tucker": _train(LoConModule, use_tucker=True),
    "dora": _train(LoConModule, use_tucker=True, **_DORA),
    "dora on inputs": _train(LoConModule, **_DORA, wd_on_out=False),
    "loha": _train(LohaModule),
    "loha tucker": _train(LohaModule, use_tucker=True),
    "lokr": _train(LokrModule, factor=4),
    "lokr tucker": _train(LokrModule, factor=4, use_tucker=True),
    "lokr whole": _train(LokrModule, full_matrix=True),
    "oft": _train(DiagOFTModule, rescaled=True),
    "boft": _train(ButterflyOFTModule),
    "glora": _train(GLoRAModule),
    "ia3": _train(IA3Module),
    "ia3 on inputs": _train(IA3Module, train_on_input=True),
}
NORM = {"norm": lambda module: NormModule("trained", module)}


def _list_trained(pipe: Any) -> Iterator[tuple[str, str, Any]]:
    """A way to train, and the name and the module of the UNet that it is for."""
    named = dict(pipe.unet.named_modules())
    linear = (name for name in named if name.endswith((".to_k", ".time_emb_proj", "net.0.proj")))
    kinds = (
        (LINEAR, linear),
        (CONVOLUTION, (name for name in named if name.endswith((".conv1", ".conv2")))),
        (NORM, (name for name in named if name.endswith(".norm3"))),
    )
    for ways, names in kinds:
        for (label, make), name in zip(ways.items(), names, strict=False):
            yield f"{label}: {name}", name, make(named[name])


@pytest.mark.parametrize("optional", ["", "dora_scale", "rescale"])
def test_what_lycoris_trains_and_saves_draws_as_it_trained(
    optional: str, small_sdxl: SmallSdxl, tmp_path: Path
) -> None:
    """Each layer's outputs, with LyCORIS' layer around the base's and by the fused module.

    optional: what a file has for all of its modules or for none.
    """
    pipe = load_base(small_sdxl)
    generator = torch.Generator().manual_seed(3)
    trained, tensors = [], {}
    for label, name, layer in _list_trained(pipe):
        parts = layer.state_dict()
        if [part for part in ("dora_scale", "rescale") if part in parts] != optional.split():
            continue
        with torch.no_grad():
            for part in layer.parameters():
                part.add_(0.1 * torch.randn(part.shape, generator=generator))
        for part, value in layer.state_dict().items():
            tensors[f"lora_unet_{name.replace('.', '_')}.{part}"] = value.detach().contiguous()
        trained.append((label, name, layer))
    assert len(trained) > 2
    save_file(tensors, tmp_path / "lycoris.safetensors")
    fused = dict(_load(small_sdxl, tmp_path / "lycoris.safetensors", 1).pipe.unet.named_modules())
    plain = dict(load_base(small_sdxl).unet.named_modules())
    for label, name, layer in trained:
        weight = fused[name].weight
        shape = (2, 5, weight.shape[-1]) if weight.dim() < 3 else (2, weight.shape[1], 6, 6)
        inputs = torch.randn(shape, generator=generator)
        with torch.no_grad():
            expected, found, old = layer(inputs), fused[name](inputs), plain[name](inputs)
        change = (expected - old).norm()
        assert change > 1e-3 * old.norm(), label
        assert (found - expected).norm() <= 1e-4 * change, label


def test_a_full_difference_of_lycoris_is_fused_with_its_bias(
    small_sdxl: SmallSdxl, tmp_path: Path
) -> None:
    pipe = load_base(small_sdxl)
    module = pipe.unet.mid_block.attentions[0].proj_in
    expected = module.weight + 0.1, module.bias - 0.2
    layer = FullModule("trained", module)
    layer.apply_to()
    with torch.no_grad():
        layer.weight.add_(0.1)
        layer.bias.sub_(0.2)
    name = "lora_unet_mid_block_attentions_0_proj_in"
    file = tmp_path / "full.safetensors"
    save_file({f"{name}.{part}": value for part, value in layer.state_dict().items()}, file)
    fused = _load(small_sdxl, file, 1).pipe.unet.mid_block.attentions[0].proj_in
    for found, wanted in zip((fused.weight, fused.bias), expected, strict=True):
        assert torch.allclose(found, wanted, atol=1e-5)
