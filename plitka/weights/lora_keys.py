"""Reads the names of tensors in adapters' files: which module each belongs to, and as which part.

A name is a prefix for the component, a module, and the part, each in one of several ways:

- the component: kohya's `lora_unet_`, `lora_te1_`, `lora_te2_` (`oft_…` and `lycoris_…` likewise),
  diffusers' `unet.`, `text_encoder.`, `text_encoder_2.`, ComfyUI's `diffusion_model.` and
  `text_encoders.clip_l.transformer.`, OMI's `unet.`, `clip_l.`, `clip_g.`; PEFT's
  `base_model.model.` may stand before or after it;
- the module: by diffusers' or by the original code's name, with `.` or with `_`;
- the part: kohya's and LyCORIS' `.lora_down.weight`, diffusers' `.lora.down.weight` or
  `.processor.to_q_lora.down.weight`, PEFT's `.lora_A.weight`, with or without an adapter's name.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from plitka.weights.original_names import translate_open_clip, translate_original


class Key(NamedTuple):
    """The name of a tensor, taken apart.

    module: with `_` for `.`, as the file names it. part: by adapter_methods' names. adapter: the
    name of PEFT's adapter, "" where there is none. layer: the module as PEFT knew it, for its
    patterns; None where the file's name has `_` in place of the dots.
    """

    component: str
    module: str
    part: str
    adapter: str
    layer: str | None


_WRAPPER = r"(?:base_model\.model\.|base_model_model_)"
_COMPONENTS = (
    (r"(?:lora|oft|lycoris)_unet_", "unet"),
    (r"(?:model\.)?diffusion_model\.|unet\.", "unet"),
    (r"(?:lora|oft|lycoris)_(?:te2|text_encoder_2)_", "text_encoder_2"),
    (r"text_encoder_2\.|(?:text_encoders\.)?clip_g\.(?:transformer\.)?", "text_encoder_2"),
    (r"(?:lora|oft|lycoris)_(?:te1|text_encoder)_", "text_encoder"),
    (r"text_encoder\.|(?:text_encoders\.)?clip_l\.(?:transformer\.)?", "text_encoder"),
    (r"lycoris_", "unet"),
    (r"", "unet"),  # attention processors of older diffusers, PEFT's own files of one network
)
_PREFIXES = tuple(
    (re.compile(rf"(?P<before>{_WRAPPER})?(?:{pattern})(?P<after>{_WRAPPER})?"), component)
    for pattern, component in _COMPONENTS
)

_DIFFUSERS = r"(?:\.lora|_lora|\.lora_linear_layer)"
_ADAPTER = r"(?:\.(?P<adapter>.+))?"
_PARTS = tuple(
    (mark, re.compile(rf"(?P<module>.+?){pattern}"), part)
    for mark, pattern, part in (
        (".lora_A", rf"\.lora_A{_ADAPTER}\.weight", "down"),
        (".lora_B", rf"\.lora_B{_ADAPTER}\.weight", "up"),
        (".lora_B", rf"\.lora_B{_ADAPTER}\.bias", "up_bias"),
        (".weight", rf"(?:{_DIFFUSERS}\.|\.lora_)(?P<part>down|up)\.weight", ""),
        (".alpha", rf"{_DIFFUSERS}?\.(?P<part>alpha)", ""),
        (".dora_scale", rf"{_DIFFUSERS}?\.(?P<part>dora_scale)", ""),
        (".bias", rf"(?:{_DIFFUSERS}\.|\.lora_)up\.bias", "up_bias"),
        (".lora_mid", r"\.lora_mid\.weight", "mid"),
        (
            ".lora_magnitude_vector",
            r"\.lora_magnitude_vector(?:\.(?P<adapter>.+?))??(?:\.weight)?",
            "magnitude",
        ),
        (".oft_R", rf"\.oft_R{_ADAPTER}\.weight", "oft_R"),
        (".oft_R", r"\.oft_R\.scaled_oft", "scaled_oft"),
        (".hada_", rf"\.(?P<part>hada_(?:w[12]_[ab]|t[12])){_ADAPTER}", ""),
        (".lokr_", rf"\.(?P<part>lokr_(?:w[12](?:_[ab])?|t2)){_ADAPTER}", ""),
        (".boft_", rf"\.(?P<part>boft_[Rs]){_ADAPTER}", ""),
        (".ia3_l", rf"\.(?P<part>ia3_l){_ADAPTER}", ""),
        (".weight", r"\.(?P<part>[ab][12]|bm)\.weight", ""),
        (".", r"\.(?P<part>oft_blocks|rescale|diff|diff_b|w_norm|b_norm|on_input|weight)", ""),
    )
)
"""What is in every name of the kind, the name, and the part; "" where the name says it."""


def parse_key(name: str) -> Key | None:
    """Take a tensor's name apart; None for a name of no known form."""
    for mark, pattern, part in _PARTS:
        if mark in name and (match := pattern.fullmatch(name)):
            groups = match.groupdict()
            return _parse_module(
                match["module"], part or match["part"], groups.get("adapter") or ""
            )
    return None


def _parse_module(name: str, part: str, adapter: str) -> Key:
    match, component = next(
        (match, component)
        for pattern, component in _PREFIXES
        if (match := pattern.match(name)) is not None
    )
    own = name[match.end() :].replace(".processor.", ".")
    layer = name[match.end("before") :] if match["before"] else own
    is_dotted = not name.startswith(("lora_", "oft_", "lycoris_"))
    return Key(component, own.replace(".", "_"), part, adapter, layer if is_dotted else None)


def list_candidates(key: Key) -> Iterator[str]:
    """The modules that a key may mean: as written, by older names, by the original code's."""
    module = key.module
    yield module
    if key.component == "unet":
        yield re.sub(r"_to_out$", "_to_out_0", module)  # to_out_lora of older diffusers
        yield translate_original(module)
    else:
        module = module.removeprefix("text_model_")
        yield module
        yield re.sub(r"_to_(q|k|v)$", r"_\1_proj", module)
        yield re.sub(r"_to_out$", "_out_proj", module)
        yield translate_open_clip(module)
