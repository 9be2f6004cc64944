"""Says which family of models a file is of, or for: SDXL, SD 1.5, Flux and so on.

Families of UNets differ in the width that cross-attention reads: SDXL 2048, its refiner 1280, SD 2
1024, SD 1.5 768. Where no tensor shows it, the names of blocks and of text encoders decide, then
the notes that trainers write, and what stays open counts as SDXL's: a file that is for SDXL is
never called another family's, however damaged it is. Diffusion transformers are told by their
blocks.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property

from plitka.weights.header import Header, Shape, Shapes
from plitka.weights.sdxl_architecture import CROSS_ATTENTION, OTHER_FAMILIES


class TensorNames:
    """A header's tensors as they are looked through."""

    def __init__(self, header: Header) -> None:
        self.shapes: Shapes = header.shapes
        self.metadata = header.metadata
        self._text = "\n".join(header.shapes)

    def has(self, pattern: str) -> bool:
        """Whether any tensor's name fits; `^` and `$` stand for the ends of a name."""
        return re.search(pattern, self._text, re.MULTILINE) is not None

    def find_shape(self, pattern: str) -> Shape:
        """The shape of the first tensor whose name fits, () where there is none."""
        return next((s for name, s in self.shapes.items() if re.search(pattern, name)), ())

    @cached_property
    def cross_widths(self) -> Counter[int]:
        """Width that cross-attention reads -> how many tensors say so."""
        return Counter(width for width in _list_cross_widths(self.shapes) if width > 1)

    @cached_property
    def notes(self) -> str:
        """What trainers note of the base model, in small letters."""
        names = ("ss_base_model_version", "modelspec.architecture")
        return " ".join(self.metadata.get(name, "") for name in names).lower()


_CROSS = re.compile(r"attn2[._](?:processor[._])?to_[kv](?:_lora)?\b")
_READS = re.compile(  # tensors (rank, in), and whole weights or their differences, (out, in)
    r"to_[kv](?:[._]lora)?(?:_lora)?[._]"
    r"(?:lora_down|down|lora_A(?:\..+)?|hada_w[12]_b|b2|diff|weight|lora_linear_layer\.down)"
    r"(?:\.weight|\.diff)?"
)


def _list_cross_widths(shapes: Shapes) -> Iterator[int]:
    kronecker: dict[str, dict[str, int]] = {}
    for name, shape in shapes.items():
        match = _CROSS.search(name)
        if match is None or len(shape) < 2:
            continue
        if factor := re.search(r"\.lokr_w([12])(_b)?$", name):
            kronecker.setdefault(name[: factor.start()], {})[factor[1]] = shape[1]
        elif name.endswith("dora_scale"):
            yield shape[1]  # (1, in), or (out, 1)
        elif _READS.fullmatch(name, name.index("to_", match.start())):
            yield shape[1]
    for factors in kronecker.values():
        if len(factors) == 2:
            yield factors["1"] * factors["2"]


# Families of models

_START = (
    r"^(?:(?:base_model\.model|model\.diffusion_model|diffusion_model|transformer|lora_transformer"
    r"|lora_unet|lycoris|unet|net|model)[._])*"
)
_TRANSFORMERS = (
    ("Flux 2", r"single_stream_modulation|to_qkv_mlp_proj"),
    ("Chroma", r"distilled_guidance_layer"),
    ("HunyuanVideo", r"token_refiner|blocks[._]\d+[._](img|txt)_(mlp[._]fc\d|mod[._]linear)"),
    ("AuraFlow", _START + r"(joint_transformer_blocks|double_layers|single_layers)[._]\d"),
    ("Qwen-Image", r"transformer_blocks[._]\d+[._](img|txt)_(mlp|mod)"),
    ("Flux", _START + r"(double_blocks|single_blocks|single_transformer_blocks)[._]\d"),
    ("HiDream", r"(double|single)_stream_blocks"),
    ("SD 3", _START + r"joint_blocks[._]\d|^lora_te3_|^text_encoder_3\."),
    (
        "Stable Cascade",
        r"(down|up)_blocks[._]\d+[._]\d+[._](channelwise|depthwise|attention|kv_mapper|mapper)"
        r"|clip_(txt|img)_mapper|effnet_mapper|^lora_(prior|decoder)_|^prior(_unet)?[._]",
    ),
    ("HunyuanDiT", r"mlp_t5|attn[12][._]Wqkv|text_embedding_padding"),
    ("Sana", r"inverted_conv|conv_inverted|attention_y_norm"),
    ("PixArt", r"kv_linear|t_block[._]1|pos_embed\.proj[\s\S]*caption_projection"),
    ("LTX-Video", r"patchify_proj"),
    ("Mochi", r"t5_yproj|attn[._]qkv_x"),
    ("Cosmos or Anima", _START + r"blocks[._]\d+[._](self|cross)_attn[._][qkv]_proj"),
    ("Wan", _START + r"blocks[._]\d+[._](self|cross)_attn[._][qkvo](\.|$)"),
    (
        "Lumina or Z-Image",
        _START + r"(layers|noise_refiner|context_refiner)[._]\d+[._](attention|feed_forward|adaLN)"
        r"|cap_embedder",
    ),
    ("a language model", r"(^|\.)model\.layers\.\d+\.(self_attn|mlp)\."),
    ("", _START + r"(transformer_blocks|blocks|layers)[._]\d"),
    ("Flux or SD 3", r"SelfAttention|DenseReluDense"),
)
_ATTENTION = (  # of blocks that many families share, which differ in their width
    r"transformer_blocks[._]\d+[._]attn1?[._](add_[qkv]_proj|to_[qkv])\b.*(weight|down|lora_A)"
)
_BY_WIDTH = {1536: "SD 3", 2432: "SD 3", 3072: "Flux or Qwen-Image", 1152: "PixArt"}
_UNET = (
    r"(down|up)_blocks[._]\d+[._](attentions|resnets|downsamplers|upsamplers)|mid_block[._]"
    r"|(input|output)_blocks[._]\d|middle_block[._]\d"
)
FAMILIES = {CROSS_ATTENTION: "SDXL", 1280: "the SDXL refiner", **OTHER_FAMILIES}
"""Width that cross-attention reads -> family of models with a UNet."""

_NOTED = (
    (r"refiner", "the SDXL refiner"),
    (r"kolors", "Kolors"),
    (r"sdxl|stable-diffusion-xl", "SDXL"),
    (r"sd_?v?1|stable-diffusion-v1", "SD 1.5"),
    (r"sd_?v?2|stable-diffusion-v2", "SD 2"),
    (r"sd_?v?3|stable-diffusion-3", "SD 3"),
    (r"cascade", "Stable Cascade"),
    (r"flux", "Flux"),
)


def find_transformer(tensors: TensorNames) -> str | None:
    """The family of a diffusion transformer, "" for one that is not known, None for others."""
    if tensors.has(_UNET):
        return None
    family = next((family for family, mark in _TRANSFORMERS if tensors.has(mark)), None)
    if family == "":
        width = (*tensors.find_shape(_ATTENTION), 0, 0)[1]
        return "Flux" if width == 3072 and tensors.has("ff_context") else _BY_WIDTH.get(width, "")
    return family


def _find_by_cross_width(tensors: TensorNames) -> str | None:
    if CROSS_ATTENTION in tensors.cross_widths:
        return "SDXL"
    known = [width for width, _ in tensors.cross_widths.most_common() if width in FAMILIES]
    return FAMILIES[known[0]] if known else None


def find_unet_family(tensors: TensorNames) -> str:
    """The family of a UNet or of a ControlNet for one; "" for one that is not known."""
    if tensors.has(r"^conditioner\.embedders\.0\.model\."):
        return "the SDXL refiner"  # whose only text encoder is the base model's second one
    family = _find_by_cross_width(tensors)
    if family is not None and family != "SDXL":
        return family
    if tensors.has(r"encoder_hid_proj\.weight") and tensors.has(r"add_embedding"):
        return "Kolors"
    if family is not None or tensors.has(r"^conditioner\.embedders\.1\."):
        return "SDXL"
    pooled = (*tensors.find_shape(r"(label_emb\.0\.0|add_embedding\.linear_1)\.weight$"), 0, 0)[1]
    by_pooled = {2816: "SDXL", 2560: "the SDXL refiner", 5632: "Kolors"}
    if pooled:
        return by_pooled.get(pooled, "SDXL")
    for mark, name in (
        (r"^cond_stage_model\.model\.", "SD 2"),
        (r"^cond_stage_model\.transformer\.", "SD 1.5"),
    ):
        if tensors.has(mark):
            return name
    return ""


def find_lora_family(tensors: TensorNames) -> str:
    """The family that a LoRA is for; "SDXL" where nothing says another."""
    if tensors.has(r"(^|\.)clip_g$") and not tensors.has(r"(^|\.)t5(xxl)?$"):
        return "SDXL"  # of the embeddings that are bundled with it
    transformer = find_transformer(tensors)
    if transformer is not None:
        return transformer or "a diffusion transformer"
    family = _find_by_cross_width(tensors)
    if family == "SDXL" and "kolors" in tensors.notes:
        return "Kolors"
    if family == "SDXL" or tensors.has(r"transformer_blocks[._][4-9][._]"):
        return "SDXL"
    if tensors.has(r"^lora_te[12]_|^text_encoder_2\.|^clip_g\.|[._]clip_g[._]"):
        return "SDXL"
    if family is not None:
        return family
    if tensors.find_shape(r"attn1[._]to_[qkv].*(down|lora_A|hada_w1_b)")[1:] == (1536,):
        return "the SDXL refiner"  # no other UNet has so wide a block
    if tensors.has(
        r"^lora_te_|(down_blocks[._]0|up_blocks[._]3)[._]attentions|input_blocks[._][12][._]1[._]"
        r"|output_blocks[._](9|10|11)[._]1[._]"
    ):
        width = (*tensors.find_shape(r"^lora_te_.*(self_attn|fc1).*(lora_down|hada_w1_b)"), 0, 0)[1]
        return OTHER_FAMILIES.get(width, "SD 1.5")
    noted = next((name for mark, name in _NOTED if re.search(mark, tensors.notes)), None)
    return noted or "SDXL"
