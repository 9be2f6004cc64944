"""Says what a file of weights is, by its tensors' names and shapes, and which setting takes it.

Used where a file is not what its setting asks for, so that the sentence names what it is. What is
or may be for SDXL is never called another family's, however damaged it is: the check of its own
setting then finds the true fault.

Families differ in the width that cross-attention reads: SDXL 2048, its refiner 1280, SD 2 1024,
SD 1.5 768. Where no tensor shows it, the names of blocks and of text encoders decide, then the
notes that trainers write, and what stays open counts as SDXL's.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from plitka.errors import WeightsError
from plitka.weights.header import Header, Shape, Shapes, list_names
from plitka.weights.sdxl_architecture import CROSS_ATTENTION, OTHER_FAMILIES
from plitka.weights.settings import BASE, CONTROLNET_SETTINGS, EMBEDDINGS, LORA, VAE

CONTROLNET = " or ".join(CONTROLNET_SETTINGS.values())
_WITHOUT = {LORA: "none", EMBEDDINGS: "none", VAE: "base"}  # the value that needs no file


@dataclass(frozen=True)
class Identity:
    """What a file is.

    title: with its article, "a whole SDXL checkpoint". setting: the variable that takes such a
    file, None where Plitka has no use for it.
    """

    title: str
    setting: str | None


def identify(header: Header) -> Identity | None:
    """Say what a file is; None for a file of no known kind."""
    file = _File(header)
    for recognize in _RECOGNIZERS:
        identity = recognize(file)
        if identity is not None:
            return _mark_quantized(file, identity)
    return None


def explain_wrong_file(header: Header, wanted: str, setting: str) -> WeightsError:
    """Make the error for a file that is something else than its setting asks for.

    wanted: with its article, "a LoRA for SDXL". setting: the variable that named the file.
    """
    identity = identify(header)
    remedy = f"set {setting} to {wanted}"
    if setting in _WITHOUT:
        remedy += f", or to {_WITHOUT[setting]}"
    if identity is None:
        verdict = f"not {wanted}, it holds {list_names(header.shapes)}"
    elif identity.title == wanted or setting in (identity.setting or "").split(" or "):
        verdict = (
            f"{identity.title}, but not in a form that is read, it holds"
            f" {list_names(header.shapes)}"
        )
    elif identity.setting is None:
        verdict = f"{identity.title}, not {wanted}, and Plitka has no use for it"
    else:
        verdict = f"{identity.title}, not {wanted}"
        remedy = f"name it with {identity.setting}, and {remedy}"
    return WeightsError(f"{header.title}: {verdict}; {remedy}")


class _File:
    """A header as the recognisers look at it."""

    def __init__(self, header: Header) -> None:
        self.shapes: Shapes = header.shapes
        self.metadata = header.metadata
        self._text = "\n".join(header.shapes)

    def has(self, pattern: str) -> bool:
        """Whether any tensor's name fits; `^` and `$` stand for the ends of a name."""
        return re.search(pattern, self._text, re.MULTILINE) is not None

    def shape(self, pattern: str) -> Shape:
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


_CROSS = re.compile(r"attn2[._](?:processor[._])?to_[kv]\b|attn2_(?:processor_)?to_[kv]_lora\b")
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
        r"|clip_(txt|img)_mapper|effnet_mapper|^lora_prior_|^prior(_unet)?[._]",
    ),
    ("HunyuanDiT", r"mlp_t5|attn[12][._]Wqkv|text_embedding_padding"),
    ("Sana", r"inverted_conv|conv_inverted|attention_y_norm"),
    ("PixArt", r"kv_linear|t_block[._]1|pos_embed\.proj[\s\S]*caption_projection"),
    ("LTX-Video", r"patchify_proj"),
    ("Mochi", r"t5_yproj|attn[._]qkv_x"),
    ("Wan", _START + r"blocks[._]\d+[._](self_attn|cross_attn)[._][qkvo]([._]|$)"),
    (
        "Lumina or Z-Image",
        _START + r"(layers|noise_refiner|context_refiner)[._]\d+[._](attention|feed_forward|adaLN)"
        r"|cap_embedder",
    ),
    ("", _START + r"(transformer_blocks|blocks|layers)[._]\d"),
    ("Flux or SD 3", r"SelfAttention|DenseReluDense"),
)
_ADDED = r"transformer_blocks[._]\d+[._]attn1?[._](add_[qkv]_proj|to_[qkv])\b.*(down|lora_A)"
_BY_WIDTH = {1536: "SD 3", 2432: "SD 3", 3072: "Flux", 1152: "PixArt", 2240: "Sana"}
_UNET = (
    r"(down|up)_blocks[._]\d+[._](attentions|resnets|downsamplers|upsamplers)|mid_block[._]"
    r"|(input|output)_blocks[._]\d|middle_block[._]\d"
)
_REFINER_WIDTH = 1280
_FAMILIES = {CROSS_ATTENTION: "SDXL", _REFINER_WIDTH: "the SDXL refiner", **OTHER_FAMILIES}
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


def _find_transformer(file: _File) -> str | None:
    """The family of a diffusion transformer, "" for one that is not known, None for others."""
    if file.has(_UNET):
        return None
    family = next((family for family, mark in _TRANSFORMERS if file.has(mark)), None)
    if family == "":
        width = (*file.shape(_ADDED), 0, 0)[1]
        return _BY_WIDTH.get(width, "")
    return family


def _find_by_cross_width(file: _File) -> str | None:
    if CROSS_ATTENTION in file.cross_widths:
        return "SDXL"
    known = [width for width, _ in file.cross_widths.most_common() if width in _FAMILIES]
    return _FAMILIES[known[0]] if known else None


def _find_unet_family(file: _File) -> str:
    """The family of a UNet or of a ControlNet for one; "" for one that is not known."""
    family = _find_by_cross_width(file)
    if family is not None and family != "SDXL":
        return family
    if file.has(r"encoder_hid_proj\.weight") and file.has(r"add_embedding"):
        return "Kolors"
    if family is not None or file.has(r"^conditioner\.embedders\.1\."):
        return "SDXL"
    pooled = (*file.shape(r"(label_emb\.0\.0|add_embedding\.linear_1)\.weight$"), 0, 0)[1]
    by_pooled = {2816: "SDXL", 2560: "the SDXL refiner", 5632: "Kolors"}
    if pooled:
        return by_pooled.get(pooled, "SDXL")
    for mark, name in (
        (r"^conditioner\.embedders\.0\.model\.", "the SDXL refiner"),
        (r"^cond_stage_model\.model\.", "SD 2"),
        (r"^cond_stage_model\.transformer\.", "SD 1.5"),
    ):
        if file.has(mark):
            return name
    return ""


def _find_lora_family(file: _File) -> str:
    """The family that a LoRA is for; "SDXL" where nothing says another."""
    transformer = _find_transformer(file)
    if transformer is not None:
        return transformer or "a diffusion transformer"
    family = _find_by_cross_width(file)
    if family == "SDXL" and "kolors" in file.notes:
        return "Kolors"
    if family == "SDXL" or file.has(r"transformer_blocks[._][4-9][._]"):
        return "SDXL"
    if file.has(r"^lora_te[12]_|^text_encoder_2\.|^clip_g\.|[._]clip_g[._]"):
        return "SDXL"
    if family is not None:
        return family
    if file.has(
        r"^lora_te_|(down_blocks[._]0|up_blocks[._]3)[._]attentions|input_blocks[._][12][._]1[._]"
        r"|output_blocks[._](9|10|11)[._]1[._]"
    ):
        width = (*file.shape(r"^lora_te_.*(self_attn|fc1).*(lora_down|hada_w1_b)"), 0, 0)[1]
        return OTHER_FAMILIES.get(width, "SD 1.5")
    noted = next((name for mark, name in _NOTED if re.search(mark, file.notes)), None)
    return noted or "SDXL"


# Kinds of files, the more special first

_LORA = (
    r"^(lora|lycoris|oft|boft)_(?!controlnet$)|lora|\.(hada_|lokr_|oft_|boft_|dora_scale)|\.[ab][12]\.weight$"
    r"|\.(diff|diff_b|w_norm|b_norm|set_weight|on_input)$|ia3_l"
)
_EMBEDDING = (
    r"(clip_[lg]|text_encoders_[01]|t5(xxl)?)(_out)?|emb_params|string_to_param\..+|bundle_emb\..+"
)


def _recognize_adapter(file: _File) -> Identity | None:
    """What steers a model besides LoRAs: it has tensors named like theirs or a UNet's."""
    if file.has(r"(^|\.)lllite_"):
        return Identity("a ControlNet-LLLite", None)
    if file.has(r"^lora_controlnet$") or (
        file.has(r"input_hint_block|controlnet_cond_embedding")
        and file.has(r"\.(up|down)$|lora_(up|down|[AB])")
    ):
        return Identity("a Control-LoRA", None)
    if file.has(r"^(image_proj|ip_adapter|ip_adapter_proj_model)\."):
        return Identity(_title_ip_adapter(file), None)
    if file.has(r"^id_encoder\."):
        return Identity("a PhotoMaker", None)
    if file.has(r"motion_modules?\.|temporal_(transformer|attentions)\."):
        part = "motion LoRA" if file.has(r"lora") else "motion module"
        return Identity(f"an AnimateDiff {part}", None)
    if file.has(r"^(module\.)?(adapter\.)?body\.\d+\.(in_conv|block[12]|resnets|down_opt|body)\b"):
        return Identity("a T2I-Adapter", None)
    if file.has(r"^(320|640|768|1024|1280)\.[01]\.linear\."):
        return Identity("a hypernetwork", None)
    if file.has(r"conv_first\.|\brdb\d\.|\.RDB\d\.|\.residual_group\.|^model\.1\.sub\.\d"):
        return Identity("an upscaler", None)
    return None


def _title_ip_adapter(file: _File) -> str:
    kind = "an IP-Adapter"
    if file.shape(r"^image_proj\.proj_in\.weight$")[1:] == (512,):
        kind = "an InstantID adapter"  # reads a face's 512 numbers, and not CLIP's
    elif file.has(r"to_q_lora\.down|image_proj\.perceiver_resampler"):
        kind = "an IP-Adapter FaceID with its LoRA"
    width = (*file.shape(r"to_k_ip\.weight$"), 0, 0)[1]
    family = "Flux" if file.has(r"^ip_adapter_proj_model\.") else _FAMILIES.get(width)
    return f"{kind} for {family}" if family else kind


def _recognize_controlnet(file: _File) -> Identity | None:
    if file.has(r"(^|\.)(controlnet_blocks|controlnet_x_embedder|control_all_x_embedder)\b") or (
        file.has(r"^control_layers\.\d")
    ):
        family = _find_transformer(file) or "a diffusion transformer"
        if file.has(r"^pos_embed(_input)?\.proj"):
            family = "SD 3"
        elif file.has(r"controlnet_x_embedder"):
            family = "Flux"
        return Identity(f"a ControlNet for {family}", None)
    if not file.has(
        r"^(module\.)?controlnet_(down_blocks|mid_block|cond_embedding)\."
        r"|(^|\.)(input_hint_block|zero_convs|middle_block_out)\.|^control_model\."
    ):
        return None
    if file.has(r"(^|\.)(task_embedding$|transformer_layes\.|control_add_embedding\.)"):
        return Identity("a ControlNet union, which is another network than a ControlNet", None)
    family = _find_unet_family(file)
    if family in ("SDXL", ""):
        return Identity("a ControlNet for SDXL" if family else "a ControlNet", CONTROLNET)
    return Identity(f"a ControlNet for {family}", None)


def _recognize_lora(file: _File) -> Identity | None:
    others = [name for name in file.shapes if not re.fullmatch(_EMBEDDING, name)]
    marked = sum(re.search(_LORA, name, re.IGNORECASE) is not None for name in others)
    if marked == 0 or 2 * marked < len(others):
        return None
    family = _find_lora_family(file)
    return Identity(f"a LoRA for {family}", LORA if family == "SDXL" else None)


def _recognize_embeddings(file: _File) -> Identity | None:
    named = [name for name in file.shapes if re.fullmatch(_EMBEDDING, name)]
    if 2 * len(named) < len(file.shapes) or not named:
        return _recognize_unnamed_embedding(file)
    if file.has(r"^emb_params$|^string_to_param\."):
        return _recognize_unnamed_embedding(file)
    if file.has(r"(^|\.)t5(xxl)?(_out)?$"):
        family = "SD 3" if file.has(r"(^|\.)clip_g") else "Flux"
        return Identity(f"embeddings for {family}", None)
    return Identity("embeddings for SDXL", EMBEDDINGS)


def _recognize_unnamed_embedding(file: _File) -> Identity | None:
    """Embeddings whose tensors are named by tokens, as diffusers does, or not at all."""
    rows = [(name, shape) for name, shape in file.shapes.items() if shape]
    if not rows or len(rows) > 8:
        return None
    for name, shape in rows:
        count = shape[-2] if len(shape) > 1 else 1
        if name.endswith((".weight", ".bias", ".alpha")) or len(shape) > 3 or count > 128:
            return None
    widths = {shape[-1] for _, shape in rows}
    if 1280 in widths and widths <= {768, 1280}:
        return Identity("embeddings for SDXL", EMBEDDINGS)
    families = {**OTHER_FAMILIES, 4096: "Flux or SD 3"}
    if len(widths) == 1 and (family := families.get(widths.pop())):
        return Identity(f"an embedding for {family}", None)
    return None


_ENCODERS = r"^(conditioner|cond_stage_model|text_encoders?|text_encoder_2|te\d?)\."
_VAES = r"^(first_stage_model|vae)\."


def _recognize_unet(file: _File) -> Identity | None:
    """Checkpoints of UNets, and UNets alone."""
    prefix = r"^(model\.diffusion_model\.|diffusion_model\.|model\.|unet\.|module\.)?"
    if not file.has(
        prefix + r"((input|output)_blocks\.\d+\.\d|middle_block\.\d|time_embed\.\d"
        r"|(down|up)_blocks\.\d+\.(attentions|resnets)|mid_block\.(attentions|resnets)"
        r"|time_embedding\.linear)"
    ):
        return None
    if file.has(r"\.time_stack\.|\.time_mixer\.|temporal_transformer_blocks\."):
        return Identity("a model of Stable Video Diffusion", None)
    encoders, vae = file.has(_ENCODERS), file.has(_VAES)
    if file.has(r"^edm_vpred\."):
        return Identity("a CosXL checkpoint", None)
    if file.has(r"^edm_(mean|std)$"):
        return Identity("a checkpoint of Playground 2.5", None)
    family = _find_unet_family(file)
    first = file.shape(prefix + r"(input_blocks\.0\.0|conv_in)\.weight$")
    channels = first[1] if len(first) == 4 else 4
    inpainting = {9: "for inpainting ", 8: "for editing "}.get(channels, "")
    if not encoders and not vae:
        of = f"of {family} " if family else ""
        return Identity(f"a UNet {of}{inpainting}alone, without text encoders and VAE", None)
    if family == "SDXL" and not inpainting:
        if encoders and vae:
            return Identity("a whole SDXL checkpoint", BASE)
        missing = "a VAE" if encoders else "text encoders"
        return Identity(f"an SDXL checkpoint without {missing}", BASE)
    if family == "the SDXL refiner":
        return Identity("a checkpoint of the SDXL refiner", None)
    of = f" of {family}" if family else ""
    return Identity(
        f"a whole checkpoint{of}{' ' + inpainting if inpainting else ''}".rstrip(), None
    )


def _recognize_transformer(file: _File) -> Identity | None:
    if file.has(r"^model\.layers\.\d+\.self_attn\.q_proj|^(language_model|thinker)\.model\."):
        return Identity("a language model, as newer models use for their text", None)
    family = _find_transformer(file)
    if family is None or family == "Flux or SD 3":
        return None
    family = family or "a diffusion transformer"
    if file.has(_ENCODERS) or file.has(_VAES):
        return Identity(f"a whole checkpoint of {family}", None)
    if family == "a diffusion transformer":
        return Identity(family, None)
    return Identity(f"a diffusion model of {family} alone", None)


def _recognize_vae(file: _File) -> Identity | None:
    prefix = r"^(first_stage_model\.|vae\.|model\.)?"
    if file.has(r"^(taesd_)?(encoder|decoder)\.(layers\.)?\d+\.(conv\.\d|weight|bias)") or file.has(
        r"^\d+\.conv\.\d+\.weight$"
    ):
        return Identity("a TAESD, which only previews what a VAE decodes", None)
    if file.has(prefix + r"(encoder\.downsamples|decoder\.(middle|upsamples))\.") or file.has(
        prefix + r"decoder\.conv_in\.conv\."
    ):
        return Identity("a VAE of a video model", None)
    if not file.has(
        prefix + r"((encoder|decoder)\.(conv_in|conv_out|norm_out|conv_norm_out|mid|down|up"
        r"|mid_block|down_blocks|up_blocks|stages|project_in)\.|(post_)?quant_conv\.)"
    ):
        return None
    latents = (*file.shape(r"(^|\.)decoder\.conv_in\.weight$"), 0, 4)[1]
    if file.has(r"decoder\.stages\."):
        return Identity("a VAE of Sana", None)
    other = {16: "Flux or SD 3", 32: "Flux 2"}.get(latents)
    return Identity(f"a VAE of {other}", None) if other else Identity("a VAE", VAE)


def _recognize_encoder(file: _File) -> Identity | None:
    """Text encoders and vision encoders alone."""
    if file.has(r"SelfAttention|DenseReluDense"):
        return Identity("a T5 text encoder", None)
    sees = file.has(r"(^|\.)(vision_model|visual)\.")
    reads = file.has(r"token_embedding\.weight$|(^|\.)text_model\.")
    if sees:
        return Identity("a whole CLIP model" if reads else "a CLIP vision encoder", None)
    if not reads and not file.has(r"^transformer\.resblocks\.|^encoder\.layers\.\d+\.self_attn"):
        return None
    width = (*file.shape(r"token_embedding\.weight$|final_layer_norm\.weight$|ln_final\.w"), 0)[-2:]
    names = {768: "CLIP-L", 1280: "CLIP-G", 1024: "CLIP-H"}
    name = next((names[number] for number in width if number in names), "CLIP")
    return Identity(f"a text encoder alone, {name}", None)


_RECOGNIZERS: tuple[Callable[[_File], Identity | None], ...] = (
    _recognize_adapter,
    _recognize_controlnet,
    _recognize_lora,
    _recognize_embeddings,
    _recognize_unet,
    _recognize_transformer,
    _recognize_vae,
    _recognize_encoder,
)

_QUANTIZED = (
    ("scaled fp8", r"\.scale_weight$|scaled_fp8$|\.weight_scale$|\.comfy_quant$"),
    ("bitsandbytes", r"\.absmax$|\.quant_map$|\.quant_state\.|\.SCB$"),
    ("GPTQ or AWQ", r"\.qweight$|\.qzeros$"),
    ("optimum-quanto", r"\._data$"),
)


def _mark_quantized(file: _File, identity: Identity) -> Identity:
    """Say of a model that its numbers are packed, in a form that Plitka does not read."""
    how = next((how for how, mark in _QUANTIZED if file.has(mark)), None)
    return Identity(f"{identity.title}, quantised ({how})", None) if how else identity
