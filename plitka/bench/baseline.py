"""The procedure of the system that Plitka replaces, as its description gives it.

Text to image twice: the preview at 512 pixels and the final picture at 1024, every step guided, the
published VAE in float32, and no ControlNet, which the old system ran on top of it at any angle but
0. The LoRA is beside the weights as diffusers loads it, or fused into them where that is asked for:
the old system's description has the call for it.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from plitka.engines.sdxl import loading
from plitka.engines.sdxl.options import SdxlSettings
from plitka.images import png
from plitka.request.plan import DRAWN_SIZES, Plan
from plitka.weights.header import read_header
from plitka.weights.lora_scale import choose_lora_scale

_NAMES = ("preview", "final")


@dataclass(frozen=True)
class Baseline:
    """The old procedure, loaded.

    attention: cross_attention_kwargs of the pipeline, the scale of a LoRA beside the weights.
    """

    pipe: Any
    attention: dict[str, float] | None

    def make(self, plan: Plan, folder: Path) -> dict[str, float]:
        """Draw both pictures and save them in `folder`; returns the seconds of each."""
        seconds = {}
        lengths = (plan.steps_preview, plan.steps_final)
        for name, size, steps in zip(_NAMES, DRAWN_SIZES, lengths, strict=True):
            start = time.perf_counter()
            image = self.pipe(
                prompt=plan.prompt,
                negative_prompt=plan.negative_prompt,
                height=size,
                width=size,
                num_inference_steps=steps,
                guidance_scale=plan.guidance_scale,
                generator=torch.Generator("cpu").manual_seed(plan.recipe.seed),
                cross_attention_kwargs=self.attention,
            ).images[0]
            png.save(np.asarray(image), folder / f"{name}.png", {})
            seconds[name] = time.perf_counter() - start
        return seconds


def load_baseline(settings: SdxlSettings, lora: Path | None) -> Baseline:
    """Load the old procedure by the settings, which fuses a LoRA that they name.

    lora: file of one to load beside the weights.
    """
    pipe = loading.load(settings, None).pipe
    pipe.vae.register_to_config(force_upcast=True)  # as the published one says of itself
    pipe.set_progress_bar_config(disable=True)
    if lora is None:
        return Baseline(pipe, None)
    pipe.load_lora_weights(lora.parent, weight_name=lora.name)
    header = read_header(lora, "name a LoRA that is there")
    scale = choose_lora_scale(settings.weights.lora_scale, header)
    return Baseline(pipe, {"scale": scale.value})
