"""A base model's files -> the modules that a LoRA may change."""

import re
from collections.abc import Iterator, Mapping

from plitka.weights.header import Shape
from plitka.weights.models import Base
from plitka.weights.sdxl_architecture import Modules

# The modules of a base model


def list_modules(base: Base) -> Modules:
    """The modules that a LoRA may change, as the base's files have them."""
    flat: dict[str, dict[str, Shape]] = {}
    for component in ("unet", "text_encoder", "text_encoder_2"):
        shapes = base.shapes[component]
        read = _from_folder if base.models else _from_checkpoint
        flat[component] = dict(read(component, shapes))
    return flat


def _from_folder(component: str, shapes: Mapping[str, Shape]) -> Iterator[tuple[str, Shape]]:
    for name, shape in shapes.items():
        if name.endswith(".weight") and len(shape) > 1 and "_embedding.weight" not in name:
            module = name.removesuffix(".weight").removeprefix("text_model.")
            yield module.replace(".", "_"), shape


def _from_checkpoint(component: str, shapes: Mapping[str, Shape]) -> Iterator[tuple[str, Shape]]:
    if component == "unet":
        for module, shape in _from_folder(component, shapes):
            yield translate_original(module), shape
    elif component == "text_encoder":
        yield from _from_folder(component, shapes)
    else:
        yield from _from_open_clip(shapes)


def _from_open_clip(shapes: Mapping[str, Shape]) -> Iterator[tuple[str, Shape]]:
    inside = {"attn.out_proj": "self_attn_out_proj", "mlp.c_fc": "mlp_fc1", "mlp.c_proj": "mlp_fc2"}
    for name, shape in shapes.items():
        match = re.fullmatch(r"transformer\.resblocks\.(\d+)\.(.+?)[._](?:in_proj_)?weight", name)
        if match is None:
            continue
        layer = f"encoder_layers_{match[1]}_"
        if match[2] == "attn":
            for letter in "qkv":
                yield f"{layer}self_attn_{letter}_proj", (shape[0] // 3, shape[1])
        elif match[2] in inside:
            yield layer + inside[match[2]], shape


_FIRST_LAYERS = {
    "input_blocks_0_0": "conv_in",
    "out_2": "conv_out",
    "time_embed_0": "time_embedding_linear_1",
    "time_embed_2": "time_embedding_linear_2",
    "label_emb_0_0": "add_embedding_linear_1",
    "label_emb_0_2": "add_embedding_linear_2",
}
_IN_RESNET = {
    "in_layers_2": "conv1",
    "out_layers_3": "conv2",
    "emb_layers_1": "time_emb_proj",
    "skip_connection": "conv_shortcut",
}


def translate_original(flat: str) -> str:
    """A flat name of the original SDXL code -> diffusers'; any other name as it is.

    `output_blocks_3_1_transformer_blocks_0_attn1_to_q` is layer 0 of up_blocks_1's attentions.
    """
    if flat in _FIRST_LAYERS:
        return _FIRST_LAYERS[flat]
    match = re.fullmatch(r"(input_blocks|output_blocks|middle_block)_(\d+)_(.+)", flat)
    if match is None:
        return flat
    part, number, rest = match[1], int(match[2]), match[3]
    if part == "middle_block":
        place = {0: "resnets_0", 1: "attentions_0", 2: "resnets_1"}.get(number, "")
        return f"mid_block_{place}_{_IN_RESNET.get(rest, rest)}"
    column, _, rest = rest.partition("_")
    block, layer = divmod(number - (part == "input_blocks"), 3)
    side = "down_blocks" if part == "input_blocks" else "up_blocks"
    if rest in ("op", "conv"):
        return f"{side}_{block}_{'downsamplers' if rest == 'op' else 'upsamplers'}_0_conv"
    kind = "resnets" if column == "0" else "attentions"
    return f"{side}_{block}_{kind}_{layer}_{_IN_RESNET.get(rest, rest)}"
