"""What the environment says of weights."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from plitka.errors import WeightsError

ROOT = Path(__file__).resolve().parents[2]
MODEL_FILES = ROOT / "model_files"

SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
TOKENS = ("<s0>", "<s1>")
CONTROLNET_SETTINGS = {
    "canny": "PLITKA_CONTROLNET_CANNY",
    "softedge": "PLITKA_CONTROLNET_SOFTEDGE",
}
TURBO_LORA = "PLITKA_TURBO_LORA"


# Settings


@dataclass(frozen=True)
class WeightsSettings:
    """What the environment says of weights. None for the LoRA or the embeddings: run without."""

    base: str
    vae: str  # "base" for the base model's own
    lora: Path | None
    lora_scale: float
    embeddings: Path | None
    controlnets: Mapping[str, str]
    turbo_lora: Path | None  # a distilled one, for the quality `turbo`
    named: frozenset[str] = frozenset()  # the settings that the environment holds


def read_settings(env: Mapping[str, str] = os.environ) -> WeightsSettings:
    """Read the settings. An empty one is as one that is not there."""

    def file(name: str, default: str) -> Path | None:
        value = env.get(name) or default
        return None if value.lower() == "none" else Path(value).expanduser()

    scale = env.get("PLITKA_LORA_SCALE") or "0.75"
    return WeightsSettings(
        base=env.get("PLITKA_BASE") or SDXL,
        vae=env.get("PLITKA_VAE") or "madebyollin/sdxl-vae-fp16-fix",
        lora=file("PLITKA_LORA", str(MODEL_FILES / "rubber-tile-lora-v4_sdxl_lora.safetensors")),
        lora_scale=_scale(scale),
        embeddings=file(
            "PLITKA_EMBEDDINGS",
            str(MODEL_FILES / "rubber-tile-lora-v4_sdxl_embeddings.safetensors"),
        ),
        controlnets={
            "canny": env.get(CONTROLNET_SETTINGS["canny"]) or "diffusers/controlnet-canny-sdxl-1.0",
            "softedge": env.get(CONTROLNET_SETTINGS["softedge"])
            or "SargeZT/controlnet-sd-xl-1.0-softedge-dexined",
        },
        turbo_lora=file(TURBO_LORA, "none"),
        named=frozenset(
            name for name, value in env.items() if name.startswith("PLITKA_") and value
        ),
    )


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = math.nan
    if not -10 <= scale <= 10:
        raise WeightsError(f"PLITKA_LORA_SCALE: got {text!r}; allowed: a number, such as 0.75")
    return scale
