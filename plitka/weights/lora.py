"""A LoRA, or one of its kin, resolved against a base model: what each of its tensors changes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plitka.weights.adapter_methods import METHODS
from plitka.weights.header import Header


@dataclass(frozen=True)
class Change:
    """What is done to one module.

    method: how its weight changes, a key of METHODS; None where only its bias does. parts: part ->
    name of its tensor. rank: by which alpha is divided; None where the method has none. alpha: the
    number where the file has no tensor for it; None for the rank. by_root: whether the root of the
    rank divides alpha (rank-stabilised LoRA). options: what PEFT's configuration says besides.
    """

    component: str
    module: str
    method: str | None
    parts: Mapping[str, str]
    rank: int | None
    alpha: float | None
    by_root: bool
    options: Mapping[str, Any]

    def name_method(self) -> str:
        """What the method is called: "LoRA", "LoHa as a DoRA"."""
        name = "bias" if self.method is None else METHODS[self.method].name
        return f"{name} as a DoRA" if {"dora_scale", "magnitude"} & self.parts.keys() else name

    def compute_factor(self, alpha: float | None) -> float:
        """The factor of the method's product. alpha: of the file; None where it has none."""
        alpha = self.alpha if alpha is None else alpha
        if alpha is None or self.rank is None:
            return 1.0
        return alpha / (math.sqrt(self.rank) if self.by_root else self.rank)


@dataclass(frozen=True)
class Lora:
    """An adapter resolved against a base model.

    config: PEFT's configuration that lay beside the file. parameters: how many numbers are its own.
    """

    header: Header
    config: Mapping[str, Any] | None
    changes: tuple[Change, ...]
    parameters: int

    @property
    def path(self) -> Path:
        """The file."""
        return self.header.path

    @property
    def title(self) -> str:
        """What sentences call the file."""
        return self.header.title

    def list_unused(self) -> frozenset[str]:
        """Alphas that nothing divides: of whole LoKrs, which LyCORIS lets grow to infinity."""
        return frozenset(
            change.parts["alpha"]
            for change in self.changes
            if change.method == "lokr" and change.rank is None and "alpha" in change.parts
        )

    def describe(self) -> str:
        """Modules, ranks and methods: "96 modules, rank 32", "96 modules, LoKr and norm"."""
        methods = sorted({change.name_method() for change in self.changes})
        ranks = sorted({change.rank for change in self.changes if change.rank is not None})
        shown = f", rank {', '.join(map(str, ranks))}" if ranks else ""
        kinds = "" if methods == ["LoRA"] else f", {' and '.join(methods)}"
        return f"{len(self.changes)} modules{shown}{kinds}"
