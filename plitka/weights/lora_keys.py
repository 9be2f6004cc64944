"""LoRA files -> which of the model's modules each of their tensors changes. No torch here.

Three ways to name tensors are in use, and all are read:

- kohya's: `lora_unet_down_blocks_1_…_to_q.lora_down.weight` and `.alpha`, also with the block names
  of the original SDXL code (`lora_unet_input_blocks_4_1_…`);
- diffusers': `unet.….to_q.lora.down.weight`, or `unet.….processor.to_q_lora.down.weight`;
- PEFT's: `unet.….to_q.lora_A.weight`, alpha noted beside the tensors or in adapter_config.json.

Modules go by their names with `_` for `.`, which is what kohya keeps of them.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from plitka.errors import WeightsError
from plitka.weights.embeddings import is_embeddings
from plitka.weights.header import Header, Shape, read_header
from plitka.weights.lora_targets import translate_original
from plitka.weights.sdxl_architecture import CROSS_ATTENTION, Modules

Component: TypeAlias = Literal["unet", "text_encoder", "text_encoder_2"]
Part: TypeAlias = Literal["down", "up", "alpha"]

REMEDY = "put the LoRA there, name it with PLITKA_LORA, or set PLITKA_LORA=none to run without one"
_NOT_FOR_THIS = "use a LoRA that was trained for SDXL, or set PLITKA_LORA=none"


@dataclass(frozen=True)
class Change:
    """W + scale * factor * up @ down for one module.

    down, up: names of tensors in the file, (rank, in, ...) and (out, rank, ...).
    alpha: the number itself, the name of the tensor that holds it, or None for the rank.
    """

    component: str
    module: str
    down: str
    up: str
    rank: int
    alpha: float | str | None
    by_root: bool = False  # rank-stabilised: divided by the root of the rank

    def factor(self, alpha: float | None) -> float:
        """What the product is multiplied by besides the scale; alpha: as the file says."""
        alpha = self.rank if alpha is None else alpha
        return alpha / (math.sqrt(self.rank) if self.by_root else self.rank)


@dataclass(frozen=True)
class Lora:
    path: Path
    changes: tuple[Change, ...]


def find_lora_file(path: Path) -> Path:
    """The LoRA's file: the path itself, or the one inside a folder that diffusers or PEFT saved."""
    if not path.is_dir():
        return path
    names = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")
    files = [path / name for name in names if (path / name).exists()]
    files = files or sorted(path.glob("*.safetensors"))
    if len(files) != 1:
        state = "more than one .safetensors file" if files else "no .safetensors file"
        raise WeightsError(f"{path}: the folder holds {state}; name the LoRA's with PLITKA_LORA")
    return files[0]


def is_lora(header: Header) -> bool:
    return any("lora" in name.lower() for name in header.shapes)


def resolve_lora(path: Path, modules: Modules) -> Lora:
    """Find a place for every tensor of the file. Raises WeightsError where there is one without."""
    header = read_header(path, REMEDY)
    if not is_lora(header):
        what = "embeddings" if is_embeddings(header) else "whatever else it may be"
        raise WeightsError(f"{path}: not a LoRA but {what}, none of its tensors is one; {REMEDY}")
    _refuse_other_families(header)
    parts, stray = _group_tensors(header, modules)
    if stray:
        raise WeightsError(
            f"{path}: {len(stray)} of its {len(header.shapes)} tensors find no module in the base"
            f" model: {_list_some(stray)}; {_NOT_FOR_THIS}"
        )
    noted = _Noted(header)
    changes = [
        _make_change(header, component, module, names, modules[component][module], noted)
        for (component, module), names in parts.items()
    ]
    return Lora(path, tuple(changes))


_Parts: TypeAlias = dict[tuple[str, str], dict[Part, str]]


def _group_tensors(header: Header, modules: Modules) -> tuple[_Parts, list[str]]:
    """(component, module) -> part -> tensor, and the tensors that belong nowhere."""
    parts: _Parts = {}
    stray: list[str] = []
    for name in header.shapes:
        place = _place(name, modules)
        if place is None:
            stray.append(name)
            continue
        component, module, part = place
        held = parts.setdefault((component, module), {})
        if part in held:
            raise WeightsError(
                f"{header.path}: {held[part]} and {name} are for the same module; {_NOT_FOR_THIS}"
            )
        held[part] = name
    return parts, stray


_KOHYA = re.compile(
    r"(lora_unet|lora_te1|lora_te2)_(\w+)\.(lora_down\.weight|lora_up\.weight|alpha)"
)
_KOHYA_COMPONENTS = {
    "lora_unet": "unet",
    "lora_te1": "text_encoder",
    "lora_te2": "text_encoder_2",
}
_DOTTED = re.compile(
    r"(?:base_model\.model\.)?"
    r"(?:(unet|text_encoder_2|text_encoder)\.)?(.+?)"
    r"(?:"
    r"\.(lora_[AB])(?:\.\w+)?\.weight|"  # PEFT, with or without the adapter's name
    r"(?:\.lora|_lora|\.lora_linear_layer)\.(down|up)\.weight|"
    r"\.lora_(down|up)\.weight|"
    r"(?:\.lora|_lora|\.lora_linear_layer)?\.(alpha)"
    r")"
)

_PARTS: dict[str, Part] = {
    "lora_down.weight": "down",
    "lora_up.weight": "up",
    "lora_A": "down",
    "lora_B": "up",
    "down": "down",
    "up": "up",
    "alpha": "alpha",
}


def _place(name: str, modules: Modules) -> tuple[str, str, Part] | None:
    if match := _KOHYA.fullmatch(name):
        component = _KOHYA_COMPONENTS[match[1]]
        said, flat = match[3], match[2]
    elif match := _DOTTED.fullmatch(name):
        component = match[1] or "unet"
        said = match[3] or match[4] or match[5] or match[6]
        flat = match[2].replace(".processor.", ".").replace(".", "_")
    else:
        return None
    part = _PARTS[said]
    known = modules.get(component, {})
    for module in _read_as(component, flat):
        if module in known:
            return component, module, part
    return None


def _read_as(component: str, flat: str) -> Iterator[str]:
    """The module that a flat name may mean: as it is, by older names, by the original code's."""
    yield flat
    if component == "unet":
        yield flat + "_0"  # to_out_lora of older diffusers is to_out.0
        yield translate_original(flat)
    else:
        flat = flat.removeprefix("text_model_")
        yield flat
        yield re.sub(r"_to_(q|k|v)$", r"_\1_proj", flat)
        yield re.sub(r"_to_out$", "_out_proj", flat)


def _make_change(
    header: Header,
    component: str,
    module: str,
    names: Mapping[Part, str],
    weight: Shape,
    noted: "_Noted",
) -> Change:
    for part in ("down", "up"):
        if part not in names:
            held = next(iter(names.values()))
            raise WeightsError(
                f"{header.path}: {held} lacks its {part} half, so the file is incomplete; download"
                " it again"
            )
    down, up = header.shapes[names["down"]], header.shapes[names["up"]]
    rank = down[0] if down else 0
    fits = rank > 0 and (
        math.prod(up) == weight[0] * rank
        and up[:2] == (weight[0], rank)
        and math.prod(down[1:]) == math.prod(weight[1:])
        and down[1:2] == weight[1:2]
    )
    if not fits:
        raise WeightsError(
            f"{header.path}: {names['down']} ({_format_shape(down)}) and its other half ({_format_shape(up)}) do not"
            f" fit {component} {module} ({_format_shape(weight)}); {_NOT_FOR_THIS}"
        )
    alpha: float | str | None = names.get("alpha")
    if isinstance(alpha, str):
        if math.prod(header.shapes[alpha]) != 1:
            raise WeightsError(f"{header.path}: {alpha} is not one number; {_NOT_FOR_THIS}")
        return Change(component, module, names["down"], names["up"], rank, alpha)
    alpha, by_root = noted.alpha(component, names["down"])
    return Change(component, module, names["down"], names["up"], rank, alpha, by_root)


class _Noted:
    """What diffusers notes in the file's head, or PEFT in adapter_config.json beside it."""

    def __init__(self, header: Header) -> None:
        self._path = header.path
        beside = header.path.with_name("adapter_config.json")
        text = header.notes.get("lora_adapter_metadata")
        self._by_component = text is not None
        try:
            if text is None and beside.is_file():
                text = beside.read_text(encoding="utf-8")
            notes = json.loads(text) if text else {}
        except (OSError, ValueError):
            raise WeightsError(f"{beside}: cannot be read as JSON; copy it again") from None
        self._notes: dict[str, Any] = notes if isinstance(notes, dict) else {}
        if any(key.split(".")[-1] == "use_dora" and on for key, on in self._notes.items()):
            raise WeightsError(f"{self._path}: a DoRA, which is not read; {_NOT_FOR_THIS}")

    def alpha(self, component: str, tensor: str) -> tuple[float | None, bool]:
        """Alpha of the module that the tensor belongs to, and whether the root divides it."""
        prefix = f"{component}." if self._by_component else ""
        alpha = self._notes.get(f"{prefix}lora_alpha")
        module = re.sub(r"\.lora_A(\.\w+)?\.weight$", "", tensor)
        for pattern, value in (self._notes.get(f"{prefix}alpha_pattern") or {}).items():
            if re.fullmatch(rf"(.*\.)?({pattern})", module):
                alpha = value
                break  # the first that fits, as in PEFT
        if alpha is not None and not isinstance(alpha, int | float):
            raise WeightsError(f"{self._path}: notes an alpha of {alpha!r}, not a number")
        return alpha, bool(self._notes.get(f"{prefix}use_rslora"))


# Other families of models


def _refuse_other_families(header: Header) -> None:
    names = header.shapes
    reads = {
        shape[1]
        for name, shape in names.items()
        if re.search(r"attn2.*to_[kv].*(down|lora_A)", name) and len(shape) > 1
    }
    if reads and CROSS_ATTENTION not in reads:
        family = {768: "SD 1.5", 1024: "SD 2"}.get(min(reads), "another model")
        raise WeightsError(f"{header.path}: a LoRA for {family}, not for SDXL; {_NOT_FOR_THIS}")
    if not reads and any(
        name.startswith(("lora_te_", "lora_unet_down_blocks_0_attentions")) for name in names
    ):
        raise WeightsError(f"{header.path}: a LoRA for SD 1.5, not for SDXL; {_NOT_FOR_THIS}")
    others = r"double_blocks|single_blocks|transformer\.|joint_blocks|single_transformer"
    if any(re.match(rf"(lora_unet_|lora_|diffusion_model\.)?({others})", name) for name in names):
        raise WeightsError(
            f"{header.path}: a LoRA for a diffusion transformer such as Flux or SD 3, not for SDXL;"
            f" {_NOT_FOR_THIS}"
        )
    kinds = {
        "dora_scale": "a DoRA", "lora_magnitude_vector": "a DoRA", "hada_w1": "a LoHa",
        "lokr_w": "a LoKr", "lora_mid": "a LoCon with a middle factor",
    }  # fmt: skip
    for mark, kind in kinds.items():
        if any(mark in name for name in names):
            raise WeightsError(f"{header.path}: {kind}, which is not read; {_NOT_FOR_THIS}")


def _list_some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _format_shape(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "one number"
