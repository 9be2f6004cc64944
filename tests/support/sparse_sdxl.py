"""SDXL's files at full size, of a megabyte: heads of safetensors, and holes in place of weights."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from plitka.bench import random_models
from plitka.bench.random_models import END_MARK
from plitka.engines.sdxl import architecture
from plitka.weights import models, settings
from plitka.weights.lora_targets import list_modules
from plitka.weights.sdxl_architecture import WIDTHS
from tests.support.sparse_weights import write_sparse_file

_FULL = random_models.ARCHITECTURES["full"]
_RANK = 32


@dataclass(frozen=True)
class SparseSdxl:
    """A model's files, and a distilled LoRA for the quality `turbo`, which preserves guidance."""

    files: random_models.Files
    turbo: Path

    def environment(self, **changed: str) -> dict[str, str]:
        return {**self.files.environment(), settings.TURBO_LORA: str(self.turbo), **changed}


def write_sparse_sdxl(folder: Path, upcasts: bool = False) -> SparseSdxl:
    """Write the published configuration. upcasts: whether the VAE asks to work in float32."""
    base, control = folder / "base", folder / "controlnet"
    files = random_models.Files(
        base, control, control, folder / "lora.safetensors", folder / "embeddings.safetensors"
    )
    with torch.device("meta"):
        unet, vae = random_models.make_unet(_FULL), random_models.make_vae(_FULL)
        controlnet = random_models.make_controlnet(_FULL)
        encoders = {name: make() for name, make in random_models.list_text_encoders(_FULL).items()}
    vae.register_to_config(force_upcast=upcasts)
    _write_network(unet, base / "unet", "diffusion_pytorch_model.fp16")
    _write_network(vae, base / "vae", "diffusion_pytorch_model.fp16")
    # ControlNets are published in single precision.
    _write_network(controlnet, control, "diffusion_pytorch_model", "F32")
    for name, encoder in encoders.items():
        encoder.config.architectures = [type(encoder).__name__]
        _write_network(encoder, base / name, "model.fp16")
    for name, pad in (("tokenizer", END_MARK), ("tokenizer_2", "!")):
        random_models.write_tokenizer(base / name, pad)
    random_models.make_scheduler().save_pretrained(base / "scheduler")
    index = json.dumps(random_models._INDEX)
    (base / "model_index.json").write_text(index, encoding="utf-8")
    halves = {half: 0.02 * torch.randn(2, width) for half, width in WIDTHS.items()}
    save_file(halves, files.embeddings)
    modules = list_modules(models.check_base(base, architecture).shapes)["unet"]
    shapes = {name: shape for name, (shape, _) in modules.items()}
    on = random_models._ON_LORA
    write_sparse_lora(files.lora, {name: shapes[name] for name in shapes if name.endswith(on)})
    turbo = folder / "Hyper-SDXL-8steps-CFG-lora.safetensors"  # known by its name
    write_sparse_lora(turbo, {name: shapes[name] for name in shapes if "attn" in name})
    return SparseSdxl(files, turbo)


def _write_network(network: Any, folder: Path, name: str, dtype: str = "F16") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if hasattr(network, "save_config"):
        network.save_config(folder)
    else:
        network.config.save_pretrained(folder)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    write_sparse_file(folder / f"{name}.safetensors", shapes, dtype, format="pt")


def write_sparse_lora(path: Path, modules: Mapping[str, tuple[int, ...]]) -> Path:
    """Write a LoRA of rank 32 on modules of the UNet: name -> shape of the weight."""
    shapes: dict[str, tuple[int, ...]] = {}
    for module, shape in modules.items():
        ones = [1] * (len(shape) - 2)
        shapes[f"lora_unet_{module}.lora_down.weight"] = (_RANK, *shape[1:])
        shapes[f"lora_unet_{module}.lora_up.weight"] = (shape[0], _RANK, *ones)
    return write_sparse_file(path, shapes)
