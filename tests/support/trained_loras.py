"""LoRAs as if trained on a small SDXL, in the forms that files of them come in."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from tests.support.small_sdxl import original_unet_name

ON_UNET = r"to_q|to_k|to_v|to_out\.0|conv2|time_emb_proj"
ON_ENCODERS = r"(q|k|v|out)_proj|fc1"
COMPONENTS = ("unet", "text_encoder", "text_encoder_2")


class Trained:
    """A LoRA for modules of the base: each with its own rank and alpha.

    pairs: (component, module) -> down, up, alpha.
    """

    def __init__(self, pipe: Any, on_encoders: bool = False) -> None:
        generator = torch.Generator().manual_seed(11)
        self.pairs: dict[tuple[str, str], tuple[Tensor, Tensor, float]] = {}
        for number, (key, weight) in enumerate(targets(pipe, on_encoders)):
            rank = (2, 4, 8)[number % 3]
            alpha = (1.0, 4.0, 6.5)[number // 3 % 3]
            kernel = weight.shape[2:]
            down = 0.1 * torch.randn(rank, *weight.shape[1:], generator=generator)
            up = 0.1 * torch.randn(weight.shape[0], rank, *[1] * len(kernel), generator=generator)
            self.pairs[key] = (down, up, alpha)

    def change(self, key: tuple[str, str]) -> Tensor:
        """alpha / r * B @ A, by a convolution's own arithmetic where it is one."""
        down, up, alpha = self.pairs[key]
        product = torch.einsum("orxy,rikl->oikl", up, down) if down.dim() == 4 else up @ down
        return product * (alpha / down.shape[0])

    def without_alphas(self) -> "Trained":
        """The same for a form that keeps no alphas: each is its rank."""
        for key, (down, up, _) in self.pairs.items():
            self.pairs[key] = (down, up, down.shape[0])
        return self


def targets(pipe: Any, on_encoders: bool) -> Iterator[tuple[tuple[str, str], Tensor]]:
    wanted = {"unet": ON_UNET}
    if on_encoders:
        wanted |= {"text_encoder": ON_ENCODERS, "text_encoder_2": ON_ENCODERS}
    for component, pattern in wanted.items():
        for name, module in getattr(pipe, component).named_modules():
            if re.search(rf"\.({pattern})$", name):
                yield (component, name), module.weight


Naming = Callable[[str, str], str]
"""A module of a component -> what its tensors' names begin with."""


def original(module: str) -> str:
    return original_unet_name(f"{module}.weight").removesuffix(".weight")


def full(module: str) -> str:
    """The name of a text encoder's module as transformers had it when these files were written."""
    return f"text_model.{module.removeprefix('text_model.')}"


def name_kohya(component: str, module: str, prefixes: Mapping[str, str] | None = None) -> str:
    known = {"unet": "lora_unet", "text_encoder": "lora_te1", "text_encoder_2": "lora_te2"}
    module = module if component == "unet" else full(module)
    return f"{(prefixes or known)[component]}_{module.replace('.', '_')}"


def kohya(trained: Trained, naming: Naming = name_kohya) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for (component, module), (down, up, alpha) in trained.pairs.items():
        name = naming(component, module)
        tensors[f"{name}.lora_down.weight"] = down
        tensors[f"{name}.lora_up.weight"] = up
        tensors[f"{name}.alpha"] = torch.tensor(alpha)
    return tensors


def peft_form(
    trained: Trained, start: str = "{component}.", adapter: str = ""
) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for (component, module), (down, up, _) in trained.pairs.items():
        name = start.format(component=component) + module
        tensors[f"{name}.lora_A{adapter}.weight"] = down
        tensors[f"{name}.lora_B{adapter}.weight"] = up
    return tensors


def peft_notes(trained: Trained, component: str, prefix: str = "") -> dict[str, Any]:
    """Ranks and alphas as PEFT's config holds them: one for all, and what differs from it."""
    pairs = {module: pair for (part, module), pair in trained.pairs.items() if part == component}
    ranks = {module: down.shape[0] for module, (down, _, _) in pairs.items()}
    alphas = {module: alpha for module, (_, _, alpha) in pairs.items()}
    return {
        f"{prefix}r": 4,
        f"{prefix}lora_alpha": 4.0,
        f"{prefix}rank_pattern": {name: rank for name, rank in ranks.items() if rank != 4},
        f"{prefix}alpha_pattern": {name: alpha for name, alpha in alphas.items() if alpha != 4.0},
        f"{prefix}use_rslora": False,
    }


def assert_fused(engine: Any, base: Any, trained: Trained, scale: float) -> None:
    """Every weight is what arithmetic says, 1e-4 relative, and no other one has changed."""
    for component in COMPONENTS:
        before = getattr(base, component).state_dict()
        after = getattr(engine.pipe, component).state_dict()
        for name in before:
            expected = before[name]
            key = (component, name.removesuffix(".weight"))
            if name.endswith(".weight") and key in trained.pairs:
                expected = expected + scale * trained.change(key)
                assert not torch.equal(after[name], before[name]), name
            elif "token_embedding" in name:
                continue
            error = (after[name] - expected).norm() / expected.norm().clamp_min(1e-12)
            assert error < 1e-4, name
        assert set(after) == set(before)
