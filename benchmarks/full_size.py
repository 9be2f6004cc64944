"""SDXL of full size with random weights, on the CPU in bfloat16: seconds and memory of each stage.

    python -m benchmarks.full_size [--steps 2] [--size 512] [--folder DIR]

Writes 7 GB of weights in the files' real form to a temporary folder (or into DIR, where they stay
for the next time), loads them as setup() does, and draws one picture at 0 and one at 45 degrees.
The real weights, trained, take as long; what the pictures show is noise.
"""

import argparse
import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKL, ControlNetModel, EulerDiscreteScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from plitka import device, recipe
from plitka.engines import sdxl
from plitka.layout import lay
from plitka.plan import plan
from plitka.stages import Stages, log
from tests.small_sdxl import END_MARK, write_tokenizer

_UNET: dict[str, Any] = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
_UP = ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D")
_VAE: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 1024,
    "scaling_factor": 0.13025,
    "force_upcast": False,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--folder", type=Path, help="where to keep the weights")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    if options.folder is not None:
        _run(options.folder, options.size, options.steps)
        return
    with tempfile.TemporaryDirectory(prefix="plitka-full-size-") as folder:
        _run(Path(folder), options.size, options.steps)


def _run(folder: Path, size: int, steps: int) -> None:
    whole = folder / "whole"
    stages = Stages(lambda: f"peak so far {device.peak_memory_mb():,.0f} MiB")
    if not whole.exists():
        with stages("write random weights"):
            _write(folder)
        whole.touch()
    os.environ.update(
        PLITKA_BASE=str(folder / "base"),
        PLITKA_VAE="base",
        PLITKA_LORA=str(folder / "lora.safetensors"),
        PLITKA_EMBEDDINGS=str(folder / "embeddings.safetensors"),
        PLITKA_CONTROLNET_SOFTEDGE=str(folder / "softedge"),
    )
    with stages("setup"):
        engine = sdxl.load(dtype="bfloat16")
    for angle in (0, 45):
        request = {
            "colors": [{"name": "red", "proportion": 100}],
            "angle": angle,
            "seed": 7,
            "overrides": {"strength": 1},
        }
        settled = plan(recipe.parse(json.dumps(request)))
        with stages(f"picture of {size} at {angle} degrees, {steps} steps"):
            engine.draw(settled, lay(settled.recipe), size, steps)
    log.info("peak of the process: %.1f GiB", device.peak_memory_mb() / 1024)


def _write(folder: Path) -> None:
    """Each network by itself, so that no more than one is in memory."""
    base = folder / "base"
    _save(lambda: UNet2DConditionModel(up_block_types=_UP, **_UNET), base / "unet", "fp16")
    _save(lambda: AutoencoderKL(**_VAE), base / "vae", "fp16")
    _save(lambda: ControlNetModel(**_UNET), folder / "softedge", None)
    for name, kind, width, layers in (
        ("text_encoder", CLIPTextModel, 768, 12),
        ("text_encoder_2", CLIPTextModelWithProjection, 1280, 32),
    ):
        _save(lambda k=kind, w=width, n=layers: k(_text_config(w, n)), base / name, "fp16")
    for name, pad in (("tokenizer", END_MARK), ("tokenizer_2", "!")):
        write_tokenizer(base / name, pad)
    EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        timestep_spacing="leading",
    ).save_pretrained(base / "scheduler")
    index = {"_class_name": "StableDiffusionXLPipeline"}
    (base / "model_index.json").write_text(json.dumps(index))
    halves = {"clip_l": torch.zeros(2, 768), "clip_g": torch.zeros(2, 1280)}
    save_file(halves, folder / "embeddings.safetensors")
    _save_lora(folder / "lora.safetensors")


def _text_config(width: int, layers: int) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=49408,
        hidden_size=width,
        intermediate_size=4 * width,
        projection_dim=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        hidden_act="quick_gelu" if width == 768 else "gelu",
        eos_token_id=2,
    )


def _save(make: Any, folder: Path, variant: str | None) -> None:
    """Weights of the usual size, as noise: what becomes of it stays finite."""
    with init_empty_weights():
        model = make()
    model = model.to(torch.bfloat16).to_empty(device="cpu")
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.02)
        else:
            torch.nn.init.constant_(parameter, float("norm" in name and name.endswith("weight")))
    for name, buffer in model.named_buffers():
        if name.endswith("position_ids"):
            buffer.copy_(torch.arange(buffer.shape[-1]))
    model.save_pretrained(folder, variant=variant, max_shard_size="20GB")


def _save_lora(path: Path) -> None:
    """Rank 32 on what the real one changes: to_q, to_k, to_v, to_out and conv2."""
    from plitka import lora

    tensors: dict[str, torch.Tensor] = {}
    for module, shape in lora.sdxl_modules()["unet"].items():
        if module.endswith(("to_q", "to_k", "to_v", "to_out_0", "conv2")):
            ones = [1] * (len(shape) - 2)
            down = torch.randn(32, *shape[1:], dtype=torch.bfloat16) * 0.01
            up = torch.randn(shape[0], 32, *ones, dtype=torch.bfloat16) * 0.01
            tensors[f"lora_unet_{module}.lora_down.weight"] = down
            tensors[f"lora_unet_{module}.lora_up.weight"] = up
            tensors[f"lora_unet_{module}.alpha"] = torch.tensor(16.0)
    save_file(tensors, path)


if __name__ == "__main__":
    main()
