"""A small SDXL for the tests, in all the forms that files come in: plitka.bench's small model."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from plitka.bench import random_models
from plitka.bench.random_models import END_MARK, write_tokenizer
from plitka.engines.sdxl import architecture
from plitka.weights import models
from plitka.weights.lora_targets import Modules, list_modules

SMALL = random_models.ARCHITECTURES["small"]


@dataclass(frozen=True)
class SmallSdxl:
    """Where the files are."""

    base: Path
    vae: Path
    canny: Path
    softedge: Path
    embeddings: Path

    def settings(self, **changed: str | Path) -> dict[str, str]:
        """The environment to load it by, without a LoRA; `changed` without PLITKA_ in front."""
        settings: dict[str, str | Path] = {
            "BASE": self.base,
            "VAE": self.vae,
            "LORA": "none",
            "EMBEDDINGS": self.embeddings,
            "CONTROLNET_CANNY": self.canny,
            "CONTROLNET_SOFTEDGE": self.softedge,
            **changed,
        }
        return {f"PLITKA_{name}": str(value) for name, value in settings.items()}


def save(folder: Path) -> SmallSdxl:
    files = SmallSdxl(
        base=save_base(folder / "base"),
        vae=save_vae(folder / "vae"),
        canny=save_controlnet(folder / "canny", seed=3),
        softedge=save_controlnet(folder / "softedge", seed=4),
        embeddings=folder / "embeddings.safetensors",
    )
    save_embeddings(files.embeddings)
    return files


def load_base(files: SmallSdxl) -> Any:
    """The base by diffusers' own loader, in single precision, with nothing of Plitka's."""
    return StableDiffusionXLPipeline.from_pretrained(
        files.base, variant="fp16", dtype=torch.float32
    )


def read_modules(base: Path, configs: Path | None = None) -> Modules:
    """What adapters may change of a base. configs: the folder of a checkpoint's configurations."""
    return list_modules(models.check_base(base, architecture, True, configs).shapes)


def save_base(folder: Path, variant: str | None = "fp16") -> Path:
    """Save a pipeline in the form of the hub's repository, in half precision if `variant`."""
    torch.manual_seed(1)
    pipe = StableDiffusionXLPipeline(
        vae=random_models.make_vae(SMALL),
        text_encoder=CLIPTextModel(_text_config(768)),
        text_encoder_2=CLIPTextModelWithProjection(_text_config(1280)),
        tokenizer=_tokenizer(folder / "words", pad=END_MARK),
        tokenizer_2=_tokenizer(folder / "words", pad="!"),
        unet=random_models.make_unet(SMALL),
        scheduler=random_models.make_scheduler(),
        add_watermarker=False,
    )
    if variant:
        for part in (pipe.unet, pipe.vae, pipe.text_encoder, pipe.text_encoder_2):
            part.half()
    pipe.save_pretrained(folder, variant=variant)
    shutil.rmtree(folder / "words")
    for name, pad in (("tokenizer", END_MARK), ("tokenizer_2", "!")):
        shutil.rmtree(folder / name)
        write_tokenizer(folder / name, pad)
    # The hub's file is older than the names that transformers 5 gives to these tensors.
    weights = (
        folder
        / "text_encoder"
        / (f"model.{variant}.safetensors" if variant else "model.safetensors")
    )
    tensors = {f"text_model.{name}": tensor for name, tensor in load_file(weights).items()}
    save_file(tensors, weights, {"format": "pt"})
    return folder


def save_checkpoint(file: Path, base: Path) -> Path:
    """The base in one file, under the names of the original code, in single precision."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in _weights(base / "unet").items():
        tensors[f"model.diffusion_model.{original_unet_name(name)}"] = tensor
    for name, tensor in _weights(base / "vae").items():
        flat = "mid_block.attentions" in name and name.endswith("weight") and tensor.dim() == 2
        tensors[f"first_stage_model.{original_vae_name(name)}"] = (
            tensor[:, :, None, None] if flat else tensor
        )
    for name, tensor in _weights(base / "text_encoder").items():
        tensors[f"conditioner.embedders.0.transformer.{name}"] = tensor
    for name, tensor in name_open_clip(_weights(base / "text_encoder_2")).items():
        tensors[f"conditioner.embedders.1.model.{name}"] = tensor
    save_file({name: tensor.float().contiguous() for name, tensor in tensors.items()}, file)
    return file


def save_embeddings(file: Path, old_names: bool = False) -> dict[str, Tensor]:
    """An embeddings file of the real form; gives its two halves, clip_l and clip_g."""
    generator = torch.Generator().manual_seed(5)
    halves = {
        half: (0.02 * torch.randn(2, width, generator=generator)).bfloat16()
        for half, width in (("clip_l", 768), ("clip_g", 1280))
    }
    names = ("text_encoders_0", "text_encoders_1") if old_names else tuple(halves)
    save_file(dict(zip(names, halves.values(), strict=True)), file)
    return halves


def _weights(folder: Path) -> dict[str, Tensor]:
    (file,) = folder.glob("*.safetensors")
    tensors: dict[str, Tensor] = load_file(file)
    return tensors


def save_vae(folder: Path) -> Path:
    torch.manual_seed(2)
    random_models.make_vae(SMALL).save_pretrained(folder)
    return folder


def save_controlnet(folder: Path, seed: int, variant: str | None = None, unet: Any = None) -> Path:
    """A ControlNet for the base, with outputs that are not zero as those of a fresh one are."""
    torch.manual_seed(seed)
    network = ControlNetModel.from_unet(unet or random_models.make_unet(SMALL), **SMALL.controlnet)
    for name, parameter in network.named_parameters():
        if name.startswith(("controlnet_", "controlnet_cond_embedding.conv_out")):
            torch.nn.init.normal_(parameter, std=0.2)
    network.save_pretrained(folder, variant=variant)
    return folder


def _text_config(width: int) -> CLIPTextConfig:
    return random_models.make_text_config(
        width, SMALL.text_layers[0], SMALL.text_intermediate, None
    )


def _tokenizer(folder: Path, pad: str) -> CLIPTokenizer:
    tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(write_tokenizer(folder, pad))
    return tokenizer


# Names of the original SDXL code, for what is made from diffusers' ones

_UNET_ENDS = {
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
_IN_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}


def original_unet_name(name: str) -> str:
    """`down_blocks.1.attentions.0.proj_in.weight` -> `input_blocks.4.1.proj_in.weight`."""
    for ours, theirs in _UNET_ENDS.items():
        if name.startswith(f"{ours}."):
            return theirs + name.removeprefix(ours)
    for ours, theirs in _IN_RESNET.items():
        name = re.sub(rf"(resnets\.\d+)\.{ours}\b", rf"\1.{theirs}", name)
    place = re.match(r"(down|mid|up)_blocks?\.(?:(\d+)\.)?(\w+)\.(\d+)\.(?:conv\.)?", name)
    assert place is not None, name
    side, block, kind, layer = place[1], int(place[2] or 0), place[3], int(place[4])
    rest = name[place.end() :]
    if side == "mid":
        return f"middle_block.{1 if kind == 'attentions' else 2 * layer}.{rest}"
    if kind == "downsamplers":
        return f"input_blocks.{3 * block + 3}.0.op.{rest}"
    if kind == "upsamplers":
        return f"output_blocks.{3 * block + 2}.2.conv.{rest}"
    column = 1 if kind == "attentions" else 0
    if side == "down":
        return f"input_blocks.{3 * block + layer + 1}.{column}.{rest}"
    return f"output_blocks.{3 * block + layer}.{column}.{rest}"


def original_vae_name(name: str) -> str:
    name = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    last = 3  # the original counts the decoder's blocks from the other end
    for block in range(last + 1):
        name = name.replace(f"up_blocks.{block}.resnets", f"up.{last - block}.block")
        name = name.replace(f"up_blocks.{block}.upsamplers.0", f"up.{last - block}.upsample")
    for ours, theirs in (
        ("mid_block.resnets.0", "mid.block_1"),
        ("mid_block.resnets.1", "mid.block_2"),
        ("mid_block.attentions.0", "mid.attn_1"),
        ("group_norm", "norm"),
        ("to_out.0", "proj_out"),
        ("to_q", "q"),
        ("to_k", "k"),
        ("to_v", "v"),
        ("conv_norm_out", "norm_out"),
        ("conv_shortcut", "nin_shortcut"),
    ):
        name = name.replace(ours, theirs)
    return name


def name_open_clip(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The second encoder under the names of OpenCLIP, which joins query, key and value."""
    renamed: dict[str, Tensor] = {}
    joined: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        name = name.removeprefix("text_model.")
        if name == "text_projection.weight":
            renamed["text_projection"] = tensor.T
            continue
        if part := re.fullmatch(r"(.+)self_attn\.([qkv])_proj\.(weight|bias)", name):
            joined.setdefault(f"{part[1]}attn.in_proj_{part[3]}", {})[part[2]] = tensor
            continue
        renamed[name] = tensor
    for name, parts in joined.items():
        renamed[name] = torch.cat([parts[letter] for letter in "qkv"])
    for ours, theirs in (
        ("embeddings.position_embedding.weight", "positional_embedding"),
        ("embeddings.token_embedding", "token_embedding"),
        ("encoder.layers", "transformer.resblocks"),
        ("layer_norm1", "ln_1"),
        ("layer_norm2", "ln_2"),
        ("mlp.fc1", "mlp.c_fc"),
        ("mlp.fc2", "mlp.c_proj"),
        ("self_attn.out_proj", "attn.out_proj"),
        ("final_layer_norm", "ln_final"),
    ):
        renamed = {name.replace(ours, theirs): tensor for name, tensor in renamed.items()}
    return renamed
