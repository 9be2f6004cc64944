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

import torch

from plitka.engines.sdxl import loading
from plitka.engines.sdxl.options import SdxlSettings
from plitka.request.plan import DRAWN_SIZES, Plan

_NAMES = ("preview", "final")


@dataclass(frozen=True)
class Baseline:
    pipe: Any
    device: str
    attention: dict[str, float] | None  # the scale of a LoRA beside the weights

    def make(self, settled: Plan, folder: Path) -> dict[str, float]:
        """Draw and save both pictures; gives the seconds of each."""
        seconds = {}
        lengths = (settled.steps_preview, settled.steps_final)
        for name, size, steps in zip(_NAMES, DRAWN_SIZES, lengths, strict=True):
            start = time.perf_counter()
            image = self.pipe(
                prompt=settled.prompt,
                negative_prompt=settled.negative_prompt,
                height=size,
                width=size,
                num_inference_steps=steps,
                guidance_scale=settled.guidance_scale,
                generator=torch.Generator("cpu").manual_seed(settled.recipe.seed),
                cross_attention_kwargs=self.attention,
            ).images[0]
            image.save(folder / f"{name}.png")
            seconds[name] = time.perf_counter() - start
        return seconds


def load_baseline(settings: SdxlSettings, lora: Path | None) -> Baseline:
    """Load by the settings; a LoRA that they name is fused.

    lora: one to load beside the weights.
    """
    loaded = loading.load(settings, None)
    pipe = loaded.pipe
    pipe.vae.register_to_config(force_upcast=True)  # as the published one says of itself
    pipe.set_progress_bar_config(disable=True)
    if lora is None:
        return Baseline(pipe, loaded.device.name, None)
    pipe.load_lora_weights(lora.parent, weight_name=lora.name)
    return Baseline(pipe, loaded.device.name, {"scale": settings.weights.lora_scale})
