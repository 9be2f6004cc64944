"""Reads the names of tensors in LoRA files: which module each belongs to, and as which part.

Three ways to name tensors are in use, and all are read:

- kohya's: `lora_unet_down_blocks_1_…_to_q.lora_down.weight` and `.alpha`, also with the block names
  of the original SDXL code (`lora_unet_input_blocks_4_1_…`);
- diffusers': `unet.….to_q.lora.down.weight`, or `unet.….processor.to_q_lora.down.weight`;
- PEFT's: `unet.….to_q.lora_A.weight`, with alpha in the file's metadata or in adapter_config.json.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

from plitka.weights.lora_targets import translate_original

Part: TypeAlias = Literal["down", "up", "alpha"]


class Key(NamedTuple):
    """The name of a tensor, taken apart. module: as the file writes it, with `_` for `.`."""

    component: str
    module: str
    part: Part


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


def parse_key(name: str) -> Key | None:
    """Take a tensor's name apart; None for a name of no known form."""
    if match := _KOHYA.fullmatch(name):
        return Key(_KOHYA_COMPONENTS[match[1]], match[2], _PARTS[match[3]])
    if match := _DOTTED.fullmatch(name):
        part = match[3] or match[4] or match[5] or match[6]
        module = match[2].replace(".processor.", ".").replace(".", "_")
        return Key(match[1] or "unet", module, _PARTS[part])
    return None


def list_candidates(key: Key) -> Iterator[str]:
    """The modules that a key may mean: as written, by older names, by the original code's."""
    component, module, _ = key
    yield module
    if component == "unet":
        yield module + "_0"  # to_out_lora of older diffusers is to_out.0
        yield translate_original(module)
    else:
        module = module.removeprefix("text_model_")
        yield module
        yield re.sub(r"_to_(q|k|v)$", r"_\1_proj", module)
        yield re.sub(r"_to_out$", "_out_proj", module)
