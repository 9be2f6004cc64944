"""Lists the modules of a base model that a LoRA may change, by the tensors in its files.

Modules go by the names that diffusers gives them, with `_` for `.`, which is what kohya's names
keep of them: `down_blocks_1_attentions_0_proj_in`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from plitka.weights.header import Shape, Shapes

Modules: TypeAlias = Mapping[str, Shapes]
"""Component (unet, text_encoder, text_encoder_2) -> module -> shape of its weight, (out, in, …)."""

_COMPONENTS = ("unet", "text_encoder", "text_encoder_2")
_OPEN_CLIP = re.compile(r"transformer\.resblocks\.(\d+)\.(.+?)[._](?:in_proj_)?weight")
_IN_OPEN_CLIP = {
    "attn.out_proj": "self_attn_out_proj",
    "mlp.c_fc": "mlp_fc1",
    "mlp.c_proj": "mlp_fc2",
}


def list_modules(shapes: Mapping[str, Shapes]) -> Modules:
    """List the modules of a base model. shapes: of its tensors, by component.

    The tensors may have diffusers' names, or those of the original code that checkpoints keep.
    """
    return {component: dict(_list_component(shapes[component])) for component in _COMPONENTS}


def _list_component(shapes: Shapes) -> Iterator[tuple[str, Shape]]:
    for name, shape in shapes.items():
        if match := _OPEN_CLIP.fullmatch(name):
            yield from _list_open_clip(match[1], match[2], shape)
        elif name.endswith(".weight") and len(shape) > 1 and "_embedding.weight" not in name:
            module = name.removesuffix(".weight").removeprefix("text_model.")
            yield translate_original(module.replace(".", "_")), shape


def _list_open_clip(layer: str, module: str, shape: Shape) -> Iterator[tuple[str, Shape]]:
    """One module of the second text encoder in a checkpoint, where q, k and v are joined."""
    if module == "attn":
        for letter in "qkv":
            yield f"encoder_layers_{layer}_self_attn_{letter}_proj", (shape[0] // 3, shape[1])
    elif module in _IN_OPEN_CLIP:
        yield f"encoder_layers_{layer}_{_IN_OPEN_CLIP[module]}", shape


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


def translate_original(module: str) -> str:
    """Translate a module's name in the original SDXL code to diffusers' name for it.

    `output_blocks_3_1_transformer_blocks_0_attn1_to_q` is layer 0 of up_blocks_1's attentions.
    Any other name is returned as it is.
    """
    if module in _FIRST_LAYERS:
        return _FIRST_LAYERS[module]
    match = re.fullmatch(r"(input_blocks|output_blocks|middle_block)_(\d+)_(.+)", module)
    if match is None:
        return module
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
