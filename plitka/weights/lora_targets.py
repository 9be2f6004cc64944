"""Lists the modules of a base model that an adapter may change, by the tensors in its files.

Modules go by the names that diffusers gives them, with `_` for `.`, which is what kohya's names
keep of them: `down_blocks_1_attentions_0_proj_in`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from plitka.weights.header import Shape, Shapes


class Target(NamedTuple):
    """One module: a Linear or a convolution, weight (out, in, …), or a norm, weight (channels).

    bias: whether it has one, (out).
    """

    weight: Shape
    bias: bool


Modules: TypeAlias = Mapping[str, Mapping[str, Target]]
"""Component (unet, text_encoder, text_encoder_2) -> module -> what it is."""

_COMPONENTS = ("unet", "text_encoder", "text_encoder_2")
_JOINED = re.compile(r"transformer\.resblocks\.(\d+)\.attn\.in_proj_(weight|bias)")


def list_modules(shapes: Mapping[str, Shapes]) -> Modules:
    """List the modules of a base model. shapes: of its tensors, by component.

    The tensors may have diffusers' names, or those of the original code that checkpoints keep.
    """
    return {component: _list_component(shapes[component]) for component in _COMPONENTS}


def _list_component(shapes: Shapes) -> Mapping[str, Target]:
    weights: dict[str, Shape] = {}
    biases: set[str] = set()
    for name, shape in shapes.items():
        for module, kind, own in _list_parameters(name, shape):
            if kind == "bias":
                biases.add(module)
            else:
                weights[module] = own
    return {name: Target(shape, name in biases) for name, shape in weights.items()}


def _list_parameters(name: str, shape: Shape) -> Iterator[tuple[str, str, Shape]]:
    """The module, the kind (weight or bias) and the shape of what one tensor of a file holds."""
    if match := _JOINED.fullmatch(name):  # the second text encoder's query, key and value
        for letter in "qkv":
            module = f"encoder_layers_{match[1]}_self_attn_{letter}_proj"
            yield module, match[2], (shape[0] // 3, *shape[1:])
        return
    if name == "text_projection":  # of OpenCLIP: square, so that its transposed shape is the same
        name = "text_projection.weight"
    module, _, kind = name.rpartition(".")
    if kind in ("weight", "bias") and not module.endswith("_embedding") and 1 <= len(shape) != 3:
        yield translate_original(module.removeprefix("text_model.").replace(".", "_")), kind, shape


_ENDS = {
    "input_blocks_0_0": "conv_in",
    "out_0": "conv_norm_out",
    "out_2": "conv_out",
    "time_embed_0": "time_embedding_linear_1",
    "time_embed_2": "time_embedding_linear_2",
    "label_emb_0_0": "add_embedding_linear_1",
    "label_emb_0_2": "add_embedding_linear_2",
    "ln_final": "final_layer_norm",
}
_IN_RESNET = {
    "in_layers_0": "norm1",
    "in_layers_2": "conv1",
    "out_layers_0": "norm2",
    "out_layers_3": "conv2",
    "emb_layers_1": "time_emb_proj",
    "skip_connection": "conv_shortcut",
}
_IN_OPEN_CLIP = {
    "attn_out_proj": "self_attn_out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp_c_fc": "mlp_fc1",
    "mlp_c_proj": "mlp_fc2",
}
_BLOCK = re.compile(r"(input_blocks|output_blocks|middle_block)_(\d+)_(.+)")
_LAYER = re.compile(r"transformer_resblocks_(\d+)_(.+)")


def translate_original(module: str) -> str:
    """Translate a module's name in the original SDXL code or OpenCLIP to diffusers' name for it.

    `output_blocks_3_1_transformer_blocks_0_attn1_to_q` is layer 0 of up_blocks_1's attentions.
    Any other name is returned as it is.
    """
    if module in _ENDS:
        return _ENDS[module]
    if match := _LAYER.fullmatch(module):
        return f"encoder_layers_{match[1]}_{_IN_OPEN_CLIP.get(match[2], match[2])}"
    match = _BLOCK.fullmatch(module)
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
