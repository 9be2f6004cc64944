"""Names of the original code, which checkpoints keep, and diffusers' names for the same tensors.

diffusers' names are written with `_` for `.` here, which is what kohya's names keep of them:
`down_blocks_1_attentions_0_proj_in_weight`.
"""

import re

_FIRST_LAYERS = {
    "input_blocks_0_0": "conv_in",
    "out_0": "conv_norm_out",
    "out_2": "conv_out",
    "time_embed_0": "time_embedding_linear_1",
    "time_embed_2": "time_embedding_linear_2",
    "label_emb_0_0": "add_embedding_linear_1",
    "label_emb_0_2": "add_embedding_linear_2",
    "middle_block_out_0": "controlnet_mid_block",
    "input_hint_block_0": "controlnet_cond_embedding_conv_in",
    "input_hint_block_14": "controlnet_cond_embedding_conv_out",
}
_IN_RESNET = {
    "in_layers_0": "norm1",
    "in_layers_2": "conv1",
    "emb_layers_1": "time_emb_proj",
    "out_layers_0": "norm2",
    "out_layers_3": "conv2",
    "skip_connection": "conv_shortcut",
}


def translate_original(module: str) -> str:
    """Translate a module of the original UNet or ControlNet to diffusers' name for it.

    `output_blocks_3_1_transformer_blocks_0_attn1_to_q` is layer 0 of up_blocks_1's attentions.
    Any other name is returned as it is.
    """
    if module in _FIRST_LAYERS:
        return _FIRST_LAYERS[module]
    if match := re.fullmatch(r"zero_convs_(\d+)_0", module):
        return f"controlnet_down_blocks_{match[1]}"
    if match := re.fullmatch(r"input_hint_block_(\d+)", module):
        return f"controlnet_cond_embedding_blocks_{int(match[1]) // 2 - 1}"
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


_LAST_LEVEL = 3  # of the VAE; the original counts its decoder's levels from the other end
_IN_VAE = (
    (r"\bdown_(\d)_block_", r"down_blocks_\1_resnets_"),
    (r"\bdown_(\d)_downsample_", r"down_blocks_\1_downsamplers_0_"),
    (r"\bup_(\d)_block_", r"up_blocks_\1_resnets_"),
    (r"\bup_(\d)_upsample_", r"up_blocks_\1_upsamplers_0_"),
    (r"\bmid_block_([12])_", lambda match: f"mid_block_resnets_{int(match[1]) - 1}_"),
    (r"\bmid_attn_1_", "mid_block_attentions_0_"),
)
_IN_VAE_ATTENTION = {
    "norm": "group_norm",
    "q": "to_q",
    "k": "to_k",
    "v": "to_v",
    "proj_out": "to_out_0",
    "query": "to_q",  # these four: of diffusers before version 0.13
    "key": "to_k",
    "value": "to_v",
    "proj_attn": "to_out_0",
}
_LAST_IN_VAE = {"norm_out": "conv_norm_out", "nin_shortcut": "conv_shortcut"}


def translate_vae(module: str) -> str:
    """Translate a module of the original VAE, or of an older diffusers', to diffusers' name."""
    coder, _, rest = module.partition("_")
    if coder not in ("encoder", "decoder"):
        return module
    for pattern, name in _IN_VAE:
        rest = re.sub(pattern, name, rest)
    if rest != module.partition("_")[2]:
        rest = re.sub(
            r"^up_blocks_(\d)", lambda match: f"up_blocks_{_LAST_LEVEL - int(match[1])}", rest
        )
    if match := re.fullmatch(r"(mid_block_attentions_0_)(\w+)", rest):
        return f"{coder}_{match[1]}{_IN_VAE_ATTENTION.get(match[2], match[2])}"
    for theirs, ours in _LAST_IN_VAE.items():
        if re.search(rf"(^|_){theirs}$", rest) and not rest.startswith("conv_norm"):
            rest = rest.removesuffix(theirs) + ours
    return f"{coder}_{rest}"


_IN_OPEN_CLIP = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn_out_proj": "self_attn_out_proj",
    "mlp_c_fc": "mlp_fc1",
    "mlp_c_proj": "mlp_fc2",
}
_AROUND_OPEN_CLIP = {
    "token_embedding": "embeddings_token_embedding",
    "ln_final": "final_layer_norm",
}


def translate_open_clip(module: str) -> str:
    """Translate a module of OpenCLIP's text encoder to the name that transformers gives it."""
    if match := re.fullmatch(r"transformer_resblocks_(\d+)_(\w+)", module):
        return f"encoder_layers_{match[1]}_{_IN_OPEN_CLIP.get(match[2], match[2])}"
    return _AROUND_OPEN_CLIP.get(module, module)
