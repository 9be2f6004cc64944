"""SDXL with random weights, in three sizes and the files' real form: for benchmarks and tests.

Classes, names, file formats, the tokenizers' scheme, and the widths by which files are recognized
(768, 1280, 2048) are SDXL's own in every size. What such a model draws is noise; it takes the time
of a trained one.
"""

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKL, ControlNetModel, EulerDiscreteScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from plitka.engines.sdxl import architecture as sdxl
from plitka.request.prompt import DEFAULT_TRIGGER
from plitka.weights import models, settings
from plitka.weights.lora_targets import Modules, list_modules
from plitka.weights.sdxl_architecture import CROSS_ATTENTION, WIDTHS

END_MARK = "<|endoftext|>"
_START = "<|startoftext|>"
_WORDS = ("rubber", "tile", "red", "blue", "white", "black")  # one token each
_LORA_RANK = 32
_ON_LORA = ("to_q", "to_k", "to_v", "to_out_0", "conv2")  # as the LoRA that Plitka was made for
_INDEX = {
    "_class_name": "StableDiffusionXLPipeline",
    "force_zeros_for_empty_prompt": True,
    "scheduler": ("diffusers", "EulerDiscreteScheduler"),
    "text_encoder": ("transformers", "CLIPTextModel"),
    "text_encoder_2": ("transformers", "CLIPTextModelWithProjection"),
    "tokenizer": ("transformers", "CLIPTokenizer"),
    "tokenizer_2": ("transformers", "CLIPTokenizer"),
    "unet": ("diffusers", "UNet2DConditionModel"),
    "vae": ("diffusers", "AutoencoderKL"),
}


@dataclass(frozen=True)
class Architecture:
    """Sizes of the networks.

    unet, vae, controlnet: arguments of their classes. text_layers: of the two text encoders.
    """

    unet: Mapping[str, Any]
    vae: Mapping[str, Any]
    text_layers: tuple[int, int]
    text_intermediate: int | None  # None for four times the width, as SDXL has it
    vocabulary: int | None  # None for just the tokens that the tokenizers here know
    controlnet: Mapping[str, Any] = field(default_factory=dict)


def _make_unet_config(
    channels: tuple[int, ...], layers: tuple[int, ...], heads: tuple[int, ...], **more: Any
) -> dict[str, Any]:
    return {
        "block_out_channels": channels,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": layers,
        "attention_head_dim": heads,  # the number of heads, in spite of its name
        "cross_attention_dim": CROSS_ATTENTION,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 1280 + 6 * 256,
        "sample_size": 128,
        **more,
    }


def _make_vae_config(channels: tuple[int, ...], **more: Any) -> dict[str, Any]:
    return {
        "block_out_channels": channels,
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 2,
        "latent_channels": 4,
        "sample_size": 1024,
        "scaling_factor": 0.13025,
        "force_upcast": False,
        **more,
    }


ARCHITECTURES: Mapping[str, Architecture] = {
    # Draws 1024 pixels in a second or two on a CPU: for tests.
    "small": Architecture(
        unet=_make_unet_config(
            (16, 32, 32),
            (1, 1, 2),
            (1, 1, 1),
            norm_num_groups=8,
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=1280 + 6 * 8,
            sample_size=16,
        ),
        vae=_make_vae_config((8, 8, 8, 8), layers_per_block=1, norm_num_groups=4),
        text_layers=(1, 1),
        text_intermediate=64,
        vocabulary=None,
        controlnet={"conditioning_embedding_out_channels": (4, 4, 8, 8)},
    ),
    # SDXL's UNet at a fifth of its width, with all its layers but fewer in the widest block, and a
    # VAE that costs as much beside it as the real one does: for measuring on a CPU.
    "middle": Architecture(
        unet=_make_unet_config((64, 128, 256), (1, 2, 5), (1, 2, 4)),
        vae=_make_vae_config((24, 48, 96, 96), norm_num_groups=8),
        text_layers=(2, 2),
        text_intermediate=None,
        vocabulary=None,
        controlnet={"conditioning_embedding_out_channels": (8, 16, 24, 64)},
    ),
    # The published configuration of stabilityai/stable-diffusion-xl-base-1.0.
    "full": Architecture(
        unet=_make_unet_config((320, 640, 1280), (1, 2, 10), (5, 10, 20)),
        vae=_make_vae_config((128, 256, 512, 512)),
        text_layers=(12, 32),
        text_intermediate=None,
        vocabulary=49408,
    ),
}


@dataclass(frozen=True)
class Files:
    """Paths of one model's files and folders."""

    base: Path
    canny: Path
    softedge: Path
    lora: Path
    embeddings: Path

    def environment(self) -> dict[str, str]:
        """Return the environment variables that make the sdxl engine load it."""
        return {
            settings.BASE: str(self.base),
            settings.VAE: "base",
            settings.LORA: str(self.lora),
            settings.EMBEDDINGS: str(self.embeddings),
            settings.CONTROLNET_SETTINGS["canny"]: str(self.canny),
            settings.CONTROLNET_SETTINGS["softedge"]: str(self.softedge),
        }


def write_model(folder: Path, size: str) -> Files:
    """Write a model in half precision, unless the folder holds it already.

    size: a key of ARCHITECTURES. One network is in memory at a time.
    """
    control = folder / "controlnet"
    files = Files(
        base=folder / "base",
        canny=control,
        softedge=control,
        lora=folder / "lora.safetensors",
        embeddings=folder / "embeddings.safetensors",
    )
    whole = folder / f"{size}.whole"
    if whole.exists():
        return files
    architecture = ARCHITECTURES[size]
    torch.manual_seed(0)
    write_network(lambda: make_unet(architecture), files.base / "unet", "fp16")
    write_network(lambda: make_vae(architecture), files.base / "vae", "fp16")
    write_network(lambda: make_controlnet(architecture), control, "fp16")
    for name, make in list_text_encoders(architecture).items():
        write_network(make, files.base / name, "fp16")
    for name, pad in (("tokenizer", END_MARK), ("tokenizer_2", "!")):
        write_tokenizer(files.base / name, pad)
    make_scheduler().save_pretrained(files.base / "scheduler")
    (files.base / "model_index.json").write_text(json.dumps(_INDEX), encoding="utf-8")
    halves = {half: 0.02 * torch.randn(2, width) for half, width in WIDTHS.items()}
    save_file(halves, files.embeddings)
    write_lora(files.lora, list_modules(models.check_base(files.base, sdxl).shapes))
    whole.touch()
    return files


def make_unet(architecture: Architecture) -> Any:
    return UNet2DConditionModel(**architecture.unet)


def make_vae(architecture: Architecture) -> Any:
    return AutoencoderKL(**architecture.vae)


def make_controlnet(architecture: Architecture) -> Any:
    unet = dict(architecture.unet)
    del unet["up_block_types"], unet["sample_size"]
    return ControlNetModel(**unet, **architecture.controlnet)


def list_text_encoders(architecture: Architecture) -> Mapping[str, Callable[[], Any]]:
    """List the two text encoders: name of the component -> what makes it."""
    kinds = (
        ("text_encoder", CLIPTextModel, 768),
        ("text_encoder_2", CLIPTextModelWithProjection, 1280),
    )
    return {
        name: functools.partial(
            kind,
            make_text_config(
                width, layers, architecture.text_intermediate, architecture.vocabulary
            ),
        )
        for (name, kind, width), layers in zip(kinds, architecture.text_layers, strict=True)
    }


def make_scheduler() -> Any:
    """Make the scheduler of the published SDXL repository."""
    return EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        timestep_spacing="leading",
    )


def make_text_config(
    width: int, layers: int, intermediate: int | None, vocabulary_size: int | None
) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=vocabulary_size or len(make_vocabulary()),
        hidden_size=width,
        intermediate_size=intermediate or 4 * width,
        projection_dim=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        max_position_embeddings=77,
        hidden_act="quick_gelu" if width == 768 else "gelu",
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,  # as in the real files, wrong as it is
    )


def write_network(make: Callable[[], Any], folder: Path, variant: str | None) -> None:
    """Write a network with random weights, small enough that its outputs stay finite."""
    with init_empty_weights():
        model = make()
    model = model.to(torch.float16).to_empty(device=_choose_device())
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.02)
        else:
            torch.nn.init.constant_(parameter, float("norm" in name and name.endswith("weight")))
    for name, buffer in model.named_buffers():
        if name.endswith("position_ids"):
            buffer.copy_(torch.arange(buffer.shape[-1]))
    model.save_pretrained(folder, variant=variant, max_shard_size="20GB")


def _choose_device() -> str:
    """Choose where random numbers are drawn: a GPU draws those of full size in seconds."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def write_lora(path: Path, modules: Modules) -> None:
    """Write a LoRA in kohya's form, on the modules of the LoRA that Plitka was made for."""
    tensors: dict[str, torch.Tensor] = {}
    for module, (shape, _) in modules["unet"].items():
        if module.endswith(_ON_LORA):
            ones = [1] * (len(shape) - 2)
            kind: dict[str, Any] = {"dtype": torch.float16, "device": _choose_device()}
            down = torch.randn(_LORA_RANK, *shape[1:], **kind) * 0.01
            up = torch.randn(shape[0], _LORA_RANK, *ones, **kind) * 0.01
            tensors[f"lora_unet_{module}.lora_down.weight"] = down
            tensors[f"lora_unet_{module}.lora_up.weight"] = up
            tensors[f"lora_unet_{module}.alpha"] = torch.tensor(_LORA_RANK / 2)
    save_file(tensors, path, {"modelspec.trigger_phrase": DEFAULT_TRIGGER})


# Tokenizers


@functools.cache
def make_vocabulary() -> Mapping[str, int]:
    """Make a vocabulary in CLIP's scheme: bytes, bytes that end a word, merges, and two marks."""
    letters = _list_byte_letters()
    merged = [left + right for left, right in make_merges()]
    tokens = [*letters, *(letter + "</w>" for letter in letters), *merged, _START, END_MARK]
    return {token: index for index, token in enumerate(tokens)}


@functools.cache
def make_merges() -> tuple[tuple[str, str], ...]:
    """Make the merges of byte pair encoding that turn each of _WORDS into one token."""
    pairs: dict[tuple[str, str], None] = {}
    for word in _WORDS:
        parts = [*word[:-1], word[-1] + "</w>"]
        while len(parts) > 1:
            pairs[parts[0], parts[1]] = None
            parts[:2] = ["".join(parts[:2])]
    return tuple(pairs)


def _list_byte_letters() -> list[str]:
    """List the 256 printable characters that stand for bytes in GPT-2's and CLIP's scheme."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [byte for byte in range(256) if byte not in printable]
    return [*map(chr, printable), *(chr(256 + index) for index in range(len(other)))]


def write_tokenizer(folder: Path, pad: str) -> Path:
    """Write the files that SDXL's repository has, which are without tokenizer.json."""
    folder.mkdir(parents=True, exist_ok=True)
    words = json.dumps(make_vocabulary(), ensure_ascii=False)
    (folder / "vocab.json").write_text(words, encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in make_merges())]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    marks = {"bos_token": _START, "eos_token": END_MARK, "pad_token": pad, "unk_token": END_MARK}
    config = {
        **marks,
        "add_prefix_space": False,
        "do_lower_case": True,
        "errors": "replace",
        "model_max_length": 77,
        "tokenizer_class": "CLIPTokenizer",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(marks), encoding="utf-8")
    return folder
