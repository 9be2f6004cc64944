"""Says what a file of weights is, by its tensors' names and shapes, and which setting takes it.

Used where a file is not what its setting asks for, so that the sentence names what it is.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from plitka.errors import WeightsError
from plitka.weights.families import (
    FAMILIES,
    TensorNames,
    find_lora_family,
    find_transformer,
    find_unet_family,
)
from plitka.weights.header import Header, list_names
from plitka.weights.sdxl_architecture import OTHER_FAMILIES
from plitka.weights.settings import BASE, CONTROLNET_SETTINGS, EMBEDDINGS, LORA, VAE

CONTROLNET = " or ".join(CONTROLNET_SETTINGS.values())
_WITHOUT = {LORA: "none", EMBEDDINGS: "none", VAE: "base"}  # the value that needs no file


@dataclass(frozen=True)
class Identity:
    """What a file is.

    title: with its article, "a whole SDXL checkpoint". setting: the variable that takes such a
    file, None where Plitka has no use for it. plain_setting: of a file whose numbers are packed,
    the variable that takes such a file with plain ones.
    """

    title: str
    setting: str | None
    plain_setting: str | None = None


def identify(header: Header) -> Identity | None:
    """Say what a file is; None for a file of no known kind."""
    tensors = TensorNames(header)
    for recognize in _RECOGNIZERS:
        identity = recognize(tensors)
        if identity is not None:
            return _mark_quantized(tensors, identity)
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
    elif setting in (identity.plain_setting or "").split(" or "):
        verdict = f"{identity.title}, whose numbers are not read as they are"
        remedy = f"take the file in half or single precision (fp16, bf16 or fp32), or {remedy}"
    elif identity.setting is None:
        verdict = f"{identity.title}, not {wanted}, and Plitka has no use for it"
    else:
        verdict = f"{identity.title}, not {wanted}"
        remedy = f"name it with {identity.setting}, and {remedy}"
    return WeightsError(f"{header.title}: {verdict}; {remedy}")


# Kinds of files, the more special first

_LORA = (
    r"^(lycoris|b?oft)_|(^|[._])(lora\d?|vera|ia3)([._]|$)|\.[ab][12]\.weight$"
    r"|\.(hada_|lokr_|b?oft_|dora_scale)|\.(diff|diff_b|w_norm|b_norm|set_weight|on_input)$"
)
_EMBEDDING = (
    r"(clip_[lg]|text_encoders_[01]|t5(xxl)?)(_out)?|emb_params|string_to_param\..+|bundle_emb\..+"
)


_ADAPTERS: tuple[tuple[str, ...], ...] = (  # title, and patterns that each some tensor must fit
    ("a ControlNet-LLLite", r"(^|\.)lllite_"),
    ("a Control-LoRA", r"^lora_controlnet$"),
    (
        "a Control-LoRA",
        r"input_hint_block|controlnet_cond_embedding",
        r"\.(up|down)$|lora_(up|down|[AB])",
    ),
    ("a ControlNet-XS", r"\.(ctrl_to_base|base_to_ctrl)\."),
    ("a BrushNet", r"^brushnet_(down|mid|up)_block"),
    ("a PhotoMaker", r"^id_encoder\."),
    ("a PuLID adapter", r"^(pulid_\w+|id_adapter(_attn_layers)?)\."),
    ("an AnimateDiff motion LoRA", r"motion_modules\.", r"lora"),
    ("an AnimateDiff motion module", r"motion_modules?\.|temporal_(transformer|attentions)\."),
    (
        "a T2I-Adapter",
        r"^(module\.)?(adapter\.)?body\.\d+\.(in_conv|block[12]|resnets|down_opt|body)\b",
    ),
    ("a hypernetwork", r"^(320|640|768|1024|1280)\.[01]\.linear\."),
    (
        "an upscaler",
        r"conv_first\.|\brdb\d\.|\.RDB\d\.|\.residual_group\.|^model\.1\.sub\.\d"
        r"|^(params(_ema)?\.)?body\.\d+\.(weight|bias)$",
    ),
)


def _recognize_adapter(tensors: TensorNames) -> Identity | None:
    """What steers a model besides LoRAs: it has tensors named like theirs or a UNet's."""
    if tensors.has(r"^(image_proj|ip_adapter|ip_adapter_proj_model)\."):
        return Identity(_title_ip_adapter(tensors), None)
    for title, *marks in _ADAPTERS:
        if all(tensors.has(mark) for mark in marks):
            return Identity(title, None)
    return None


def _title_ip_adapter(tensors: TensorNames) -> str:
    kind = "an IP-Adapter"
    if tensors.find_shape(r"^image_proj\.proj_in\.weight$")[1:] == (512,):
        kind = "an InstantID adapter"  # reads a face's 512 numbers, and not CLIP's
    elif tensors.has(r"to_q_lora\.down|image_proj\.perceiver_resampler"):
        kind = "an IP-Adapter FaceID with its LoRA"
    width = (*tensors.find_shape(r"to_k_ip\.weight$"), 0, 0)[1]
    family = "Flux" if tensors.has(r"^ip_adapter_proj_model\.") else FAMILIES.get(width)
    return f"{kind} for {family}" if family else kind


def _recognize_controlnet(tensors: TensorNames) -> Identity | None:
    if tensors.has(r"(^|\.)(controlnet_blocks|controlnet_x_embedder|control_all_x_embedder)\b") or (
        tensors.has(r"^control_layers\.\d")
    ):
        family = find_transformer(tensors) or "a diffusion transformer"
        return Identity(f"a ControlNet for {family}", None)
    if not tensors.has(
        r"^(module\.)?controlnet_(down_blocks|mid_block|cond_embedding)\."
        r"|(^|\.)(input_hint_block|zero_convs|middle_block_out)\.|^control_model\."
    ):
        return None
    if tensors.has(r"(^|\.)(task_embedding$|transformer_layes\.|control_add_embedding\.)"):
        return Identity("a ControlNet union, which is another network than a ControlNet", None)
    family = find_unet_family(tensors)
    if family in ("SDXL", ""):
        return Identity("a ControlNet for SDXL" if family else "a ControlNet", CONTROLNET)
    return Identity(f"a ControlNet for {family}", None)


def _recognize_lora(tensors: TensorNames) -> Identity | None:
    others = [name for name in tensors.shapes if not re.fullmatch(_EMBEDDING, name)]
    marked = sum(re.search(_LORA, name, re.IGNORECASE) is not None for name in others)
    if marked == 0 or 2 * marked < len(others):
        return None
    family = find_lora_family(tensors)
    return Identity(f"a LoRA for {family}", LORA if family == "SDXL" else None)


def _recognize_embeddings(tensors: TensorNames) -> Identity | None:
    named = [name for name in tensors.shapes if re.fullmatch(_EMBEDDING, name)]
    if 2 * len(named) < len(tensors.shapes) or not named:
        return _recognize_unnamed_embedding(tensors)
    if all(re.match(r"emb_params|string_to_param", name) for name in named):
        return _recognize_unnamed_embedding(tensors)
    if tensors.has(r"(^|\.)t5(xxl)?(_out)?$"):
        family = "SD 3" if tensors.has(r"(^|\.)clip_g") else "Flux"
        return Identity(f"embeddings for {family}", None)
    return Identity("embeddings for SDXL", EMBEDDINGS)


def _recognize_unnamed_embedding(tensors: TensorNames) -> Identity | None:
    """Embeddings whose tensors are named by tokens, as diffusers does, or not at all."""
    rows = [(name, shape) for name, shape in tensors.shapes.items() if shape]
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


def _recognize_unet(tensors: TensorNames) -> Identity | None:
    """Checkpoints of UNets, and UNets alone."""
    prefix = r"^(model\.diffusion_model\.|diffusion_model\.|model\.|unet\.|module\.)?"
    if not tensors.has(
        prefix + r"((input|output)_blocks\.\d+\.\d|middle_block\.\d"
        r"|(down|up)_blocks\.\d+\.(attentions|resnets)|mid_block\.(attentions|resnets))"
    ) and not (
        tensors.has(r"^model\.diffusion_model\.")
        and tensors.has(r"^(conditioner|cond_stage_model)\.")
    ):
        return None
    if tensors.has(r"\.time_(stack|mixer)\.|temporal_transformer_blocks\.|\.temp_convs\."):
        return Identity("a video model", None)
    encoders, vae = tensors.has(_ENCODERS), tensors.has(_VAES)
    if tensors.has(r"^edm_vpred\."):
        return Identity("a CosXL checkpoint", None)
    if tensors.has(r"^edm_(mean|std)$"):
        return Identity("a checkpoint of Playground 2.5", None)
    family = find_unet_family(tensors)
    first = tensors.find_shape(prefix + r"(input_blocks\.0\.0|conv_in)\.weight$")
    channels = first[1] if len(first) == 4 else 4
    inpainting = {
        9: "for inpainting (9 input channels) ",
        8: "for editing (8 input channels) ",
    }.get(channels, "")
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


def _recognize_transformer(tensors: TensorNames) -> Identity | None:
    if tensors.has(r"^model\.layers\.\d+\.self_attn\.q_proj|^(language_model|thinker)\.model\."):
        return Identity("a language model, as newer models use for their text", None)
    family = find_transformer(tensors)
    if family is None or family == "Flux or SD 3":
        return None
    family = family or "a diffusion transformer"
    if tensors.has(_ENCODERS) or tensors.has(_VAES):
        return Identity(f"a whole checkpoint of {family}", None)
    if family == "a diffusion transformer":
        return Identity(family, None)
    return Identity(f"a diffusion model of {family} alone", None)


_OTHER_VAES = (
    (
        "a TAESD, which only previews what a VAE decodes",
        r"^(taesd_)?(encoder|decoder)\.(layers\.)?\d+\.(conv\.\d|weight|bias)"
        r"|^\d+\.conv\.\d+\.weight$",
    ),
    (
        "a VAE of a video model",
        r"(encoder\.downsamples|decoder\.(middle|upsamples|conv_in\.conv|time_conv_out))\."
        r"|\.temporal_res_block\.",
    ),
    ("a VAE of Sana", r"decoder\.(stages|up_blocks\.\d+)\.\d"),
    ("an asymmetric VAE, made for inpainting", r"decoder\.condition_encoder\."),
    ("a consistency decoder", r"^decoder_unet\."),
    ("a VQ autoencoder", r"^(first_stage_model\.)?quantize\.embedding"),
)


def _recognize_vae(tensors: TensorNames) -> Identity | None:
    for title, mark in _OTHER_VAES:
        if tensors.has(mark):
            return Identity(title, None)
    if not tensors.has(
        r"^(first_stage_model\.|vae\.|model\.)?((encoder|decoder)\.(conv_in|conv_out|norm_out"
        r"|conv_norm_out|mid|down|up|mid_block|down_blocks|up_blocks)\.|(post_)?quant_conv\.)"
    ):
        return None
    first = tensors.find_shape(r"(^|\.)decoder\.conv_in\.weight$")
    if len(first) == 5:
        return Identity("a VAE of a video model", None)
    latents = first[1] if len(first) == 4 else 4
    family = {16: "Flux or SD 3", 32: "Flux 2"}.get(latents)
    return Identity(f"a VAE of {family}", None) if family else Identity("a VAE", VAE)


def _recognize_encoder(tensors: TensorNames) -> Identity | None:
    """Text encoders and vision encoders alone."""
    if tensors.has(r"SelfAttention|DenseReluDense"):
        return Identity("a T5 text encoder", None)
    if tensors.has(r"^special_care_embeds"):
        return Identity("a safety checker", None)
    sees = tensors.has(r"(^|\.)(vision_model|visual)\.|(^|\.)patch_embedding\.weight$")
    reads = tensors.has(r"token_embedding\.weight$|(^|\.)text_model\.")
    if sees:
        return Identity("a whole CLIP model" if reads else "a CLIP vision encoder", None)
    if not reads and not tensors.has(r"^transformer\.resblocks\.|^encoder\.layers\.\d+\.self_attn"):
        return None
    width = (
        0,
        *tensors.find_shape(r"token_embedding\.weight$|final_layer_norm\.weight$|ln_final\.w"),
    )
    name = {768: "CLIP-L", 1280: "CLIP-G", 1024: "CLIP-H"}.get(width[-1], "CLIP")
    return Identity(f"a text encoder alone, {name}", None)


_RECOGNIZERS: tuple[Callable[[TensorNames], Identity | None], ...] = (
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
    ("scaled fp8", r"\.scale_weight$|(^|\.)scaled_fp8$"),
    ("fp8 or smaller, with scales beside", r"\.comfy_quant$|\.weight_scale(_2)?$"),
    ("bitsandbytes", r"\.absmax$|\.quant_map$|\.quant_state\.|\.SCB$"),
    ("GPTQ or AWQ", r"\.qweight$|\.qzeros$"),
    ("optimum-quanto", r"\._data$"),
)


def _mark_quantized(tensors: TensorNames, identity: Identity) -> Identity:
    """Say of a model that its numbers are packed, in a form that Plitka does not read."""
    how = next((how for how, mark in _QUANTIZED if tensors.has(mark)), None)
    return (
        Identity(f"{identity.title}, quantised ({how})", None, plain_setting=identity.setting)
        if how
        else identity
    )
