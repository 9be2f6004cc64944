"""Resolves a LoRA's file against a base model: which module each of its tensors changes.

Every tensor must have a place. diffusers only warns of those that find no module.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from plitka.errors import WeightsError
from plitka.weights.embeddings import is_embedding_tensor, is_embeddings
from plitka.weights.header import (
    Header,
    Shape,
    count_parameters,
    format_shape,
    list_names,
)
from plitka.weights.lora_keys import Key, Part, list_candidates, parse_key
from plitka.weights.lora_targets import Modules
from plitka.weights.sdxl_architecture import CROSS_ATTENTION, OTHER_FAMILIES

_REMEDY = "put the LoRA there, name it with PLITKA_LORA, or set PLITKA_LORA=none to run without one"
_NOT_FOR_THIS = "use a LoRA that was trained for SDXL, or set PLITKA_LORA=none"


@dataclass(frozen=True)
class Change:
    """The update of one module: W + scale * factor * up @ down.

    down, up: names of tensors in the file, (rank, in, ...) and (out, rank, ...).
    alpha: the number itself, the name of the tensor that holds it, or None for the rank.
    by_root: whether alpha is divided by the root of the rank (rank-stabilised LoRA).
    """

    component: str
    module: str
    down: str
    up: str
    rank: int
    alpha: float | str | None
    by_root: bool = False

    def compute_factor(self, alpha: float | None) -> float:
        """The factor of the product besides the scale. alpha: the number, None for the rank."""
        alpha = self.rank if alpha is None else alpha
        return alpha / (math.sqrt(self.rank) if self.by_root else self.rank)


@dataclass(frozen=True)
class Lora:
    """A LoRA resolved against a base model.

    title: what sentences call it. parameters: how many numbers its file holds.
    """

    path: Path
    title: str
    changes: tuple[Change, ...]
    parameters: int


def is_lora(header: Header) -> bool:
    """Whether any tensor has a name as LoRAs use them."""
    return any("lora" in n.lower() for n in header.shapes if not is_embedding_tensor(n))


def resolve_lora(
    header: Header,
    config: Mapping[str, Any] | None,
    modules: Modules | None,
    setting: str = "PLITKA_LORA",
) -> Lora:
    """Find the module that each tensor of a LoRA changes.

    config: PEFT's adapter_config.json beside it. modules: the base model's; None where they are not
    known, and then only the file itself is checked. setting: the variable that names it. Raises
    WeightsError for what is no LoRA for SDXL, and for tensors without a module.
    """
    try:
        return _resolve(header, config, modules)
    except WeightsError as fault:
        raise WeightsError(str(fault).replace("PLITKA_LORA", setting)) from None


def _resolve(header: Header, config: Mapping[str, Any] | None, modules: Modules | None) -> Lora:
    if not is_lora(header):
        kind = "embeddings" if is_embeddings(header) else "whatever else it may be"
        raise WeightsError(
            f"{header.title}: not a LoRA but {kind}, none of its tensors is one; {_REMEDY}"
        )
    _refuse_other_families(header)
    updates, strays = _group_tensors(header, modules)
    if strays:
        raise WeightsError(
            f"{header.title}: {len(strays)} of its {len(header.shapes)} tensors find no module in"
            f" the base model: {list_names(strays)}; {_NOT_FOR_THIS}"
        )
    adapter = _AdapterConfig(header, config)
    changes = []
    for (component, module), names in updates.items():
        weight = None if modules is None else modules[component][module]
        changes.append(_make_change(header, component, module, names, weight, adapter))
    return Lora(header.path, header.title, tuple(changes), count_parameters(header.shapes))


_Updates: TypeAlias = dict[tuple[str, str], dict[Part, str]]


def _group_tensors(header: Header, modules: Modules | None) -> tuple[_Updates, list[str]]:
    """(component, module) -> part -> tensor, and the tensors that belong nowhere."""
    updates: _Updates = {}
    strays: list[str] = []
    for name in header.shapes:
        if is_embedding_tensor(name):
            continue
        key = parse_key(name)
        module = None if key is None else _find_module(key, modules)
        if key is None or module is None:
            strays.append(name)
            continue
        names = updates.setdefault((key.component, module), {})
        if key.part in names:
            raise WeightsError(
                f"{header.title}: {names[key.part]} and {name} are for the same module;"
                f" {_NOT_FOR_THIS}"
            )
        names[key.part] = name
    return updates, strays


def _find_module(key: Key, modules: Modules | None) -> str | None:
    if modules is None:
        return key.module
    known = modules.get(key.component, {})
    return next((module for module in list_candidates(key) if module in known), None)


def _make_change(
    header: Header,
    component: str,
    module: str,
    names: Mapping[Part, str],
    weight: Shape | None,
    config: "_AdapterConfig",
) -> Change:
    """weight: the shape of the module's weight, None where it is not known."""
    for part in ("down", "up"):
        if part not in names:
            other = next(iter(names.values()))
            raise WeightsError(
                f"{header.title}: {other} lacks its {part} half, so the file is incomplete;"
                " download it again"
            )
    down, up = header.shapes[names["down"]], header.shapes[names["up"]]
    rank = down[0] if down else 0
    if weight is not None and not _fits(weight, down, up):
        raise WeightsError(
            f"{header.title}: {names['down']} ({format_shape(down)}) and its other half"
            f" ({format_shape(up)}) do not fit {component} {module} ({format_shape(weight)});"
            f" {_NOT_FOR_THIS}"
        )
    alpha: float | str | None = names.get("alpha")
    if isinstance(alpha, str):
        if math.prod(header.shapes[alpha]) != 1:
            raise WeightsError(f"{header.title}: {alpha} is not one number; {_NOT_FOR_THIS}")
        return Change(component, module, names["down"], names["up"], rank, alpha)
    alpha, by_root = config.find_alpha(component, names["down"])
    return Change(component, module, names["down"], names["up"], rank, alpha, by_root)


def _fits(weight: Shape, down: Shape, up: Shape) -> bool:
    """Whether up @ down has the shape of the weight."""
    rank = down[0] if down else 0
    return rank > 0 and (
        math.prod(up) == weight[0] * rank
        and up[:2] == (weight[0], rank)
        and math.prod(down[1:]) == math.prod(weight[1:])
        and down[1:2] == weight[1:2]
    )


class _AdapterConfig:
    """PEFT's configuration: in the file's metadata, or in adapter_config.json beside the file."""

    def __init__(self, header: Header, config: Mapping[str, Any] | None) -> None:
        self._path = header.title
        text = header.metadata.get("lora_adapter_metadata")
        self._by_component = text is not None
        try:
            values = json.loads(text) if text else config
        except ValueError:
            raise WeightsError(f"{self._path}: its notes are not JSON; download it again") from None
        self._values: Mapping[str, Any] = values if isinstance(values, Mapping) else {}
        if any(key.split(".")[-1] == "use_dora" and on for key, on in self._values.items()):
            raise WeightsError(f"{self._path}: a DoRA, which is not read; {_NOT_FOR_THIS}")

    def find_alpha(self, component: str, tensor: str) -> tuple[float | None, bool]:
        """Alpha of the module that the tensor belongs to, and whether the rank's root divides it.

        Alpha is None where the configuration has none.
        """
        prefix = f"{component}." if self._by_component else ""
        alpha = self._values.get(f"{prefix}lora_alpha")
        module = re.sub(r"\.lora_A(\.\w+)?\.weight$", "", tensor)
        for pattern, value in (self._values.get(f"{prefix}alpha_pattern") or {}).items():
            if re.fullmatch(rf"(.*\.)?({pattern})", module):
                alpha = value
                break  # the first that fits, as in PEFT
        if alpha is not None and not isinstance(alpha, int | float):
            raise WeightsError(f"{self._path}: notes an alpha of {alpha!r}, not a number")
        return alpha, bool(self._values.get(f"{prefix}use_rslora"))


_TRANSFORMER = re.compile(
    r"(lora_unet_|lora_|diffusion_model\.)?"
    r"(double_blocks|single_blocks|transformer\.|joint_blocks|single_transformer)"
)
_OTHER_ADAPTERS = {
    "dora_scale": "a DoRA",
    "lora_magnitude_vector": "a DoRA",
    "hada_w1": "a LoHa",
    "lokr_w": "a LoKr",
    "lora_mid": "a LoCon with a middle factor",
}


def _refuse_other_families(header: Header) -> None:
    """Raise WeightsError for a LoRA of another family of models, and for other adapters."""
    names = header.shapes
    widths = {
        shape[1]
        for name, shape in names.items()
        if re.search(r"attn2.*to_[kv].*(down|lora_A)", name) and len(shape) > 1
    }
    if widths and CROSS_ATTENTION not in widths:
        family = OTHER_FAMILIES.get(min(widths), "another model")
        raise WeightsError(f"{header.title}: a LoRA for {family}, not for SDXL; {_NOT_FOR_THIS}")
    if not widths and any(
        name.startswith(("lora_te_", "lora_unet_down_blocks_0_attentions")) for name in names
    ):
        raise WeightsError(f"{header.title}: a LoRA for SD 1.5, not for SDXL; {_NOT_FOR_THIS}")
    if any(_TRANSFORMER.match(name) for name in names):
        raise WeightsError(
            f"{header.title}: a LoRA for a diffusion transformer such as Flux or SD 3, not for"
            f" SDXL; {_NOT_FOR_THIS}"
        )
    for mark, kind in _OTHER_ADAPTERS.items():
        if any(mark in name for name in names):
            raise WeightsError(f"{header.title}: {kind}, which is not read; {_NOT_FOR_THIS}")
