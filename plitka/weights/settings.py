"""Which weights the sdxl engine is loaded by, as the environment names them."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from plitka.errors import WeightsError
from plitka.weights.address import describe_address, is_address
from plitka.weights.download import find_cache
from plitka.weights.home import expand_home

BASE, VAE = "PLITKA_BASE", "PLITKA_VAE"
LORA, LORA_SCALE, EMBEDDINGS = "PLITKA_LORA", "PLITKA_LORA_SCALE", "PLITKA_EMBEDDINGS"
TURBO_LORA, TURBO_GUIDANCE = "PLITKA_TURBO_LORA", "PLITKA_TURBO_GUIDANCE"
TRIGGER = "PLITKA_TRIGGER"
CONTROLNET_SETTINGS = {
    "canny": "PLITKA_CONTROLNET_CANNY",
    "softedge": "PLITKA_CONTROLNET_SOFTEDGE",
}

MODEL_FILES = Path(__file__).resolve().parents[2] / "model_files"
LONGEST_TRIGGER = 100  # characters
LORA_SCALE_ALLOWED = "a number from -10 to 10, such as 0.75"
SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
SDXL_VAE = "madebyollin/sdxl-vae-fp16-fix"
DEFAULT_LORA = MODEL_FILES / "rubber-tile-lora-v4_sdxl_lora.safetensors"
DEFAULT_EMBEDDINGS = MODEL_FILES / "rubber-tile-lora-v4_sdxl_embeddings.safetensors"
CONTROLNETS = {
    "canny": "diffusers/controlnet-canny-sdxl-1.0",
    "softedge": "SargeZT/controlnet-sd-xl-1.0-softedge-dexined",
}


@dataclass(frozen=True)
class WeightsSettings:
    """What the environment says of weights.

    base: repository, folder or checkpoint. vae: likewise, or "base" for the base model's own.
    lora, embeddings: file, folder, repository or a file in one; None runs without. lora_scale: None
    for what the LoRA's file notes, or the default. controlnets: kind -> repository, folder or file.
    turbo_lora: a distilled LoRA for the quality `turbo`. turbo_guidance: 1 to 20, at which it is
    guided; None for what the file tells.
    trigger: the prompt's first word; None for what the files say. named: the variables that the
    environment holds. cache: the folder for weights that an address names.
    """

    base: str
    vae: str
    lora: Path | None
    lora_scale: float | None
    embeddings: Path | None
    controlnets: Mapping[str, str]
    turbo_lora: Path | None
    turbo_guidance: float | None = None
    trigger: str | None = None
    named: frozenset[str] = frozenset()
    cache: Path | None = None


def read_weights_settings(env: Mapping[str, str]) -> WeightsSettings:
    """Read the settings; an empty variable counts as one that is not there.

    Raises WeightsError for a scale that is no number, and a trigger that no prompt can hold.
    """
    return WeightsSettings(
        base=_read_source(env, BASE, SDXL),
        vae="base" if env.get(VAE, "").lower() == "base" else _read_source(env, VAE, SDXL_VAE),
        lora=_read_path(env, LORA, DEFAULT_LORA),
        lora_scale=_read_scale(env),
        embeddings=_read_path(env, EMBEDDINGS, DEFAULT_EMBEDDINGS),
        controlnets={
            kind: _read_source(env, name, CONTROLNETS[kind])
            for kind, name in CONTROLNET_SETTINGS.items()
        },
        turbo_lora=_read_path(env, TURBO_LORA, None),
        turbo_guidance=_read_turbo_guidance(env),
        trigger=_read_trigger(env),
        named=frozenset(
            name for name, value in env.items() if name.startswith("PLITKA_") and value
        ),
        cache=find_cache(env),
    )


def _read_source(env: Mapping[str, str], name: str, default: str) -> str:
    """Read what names files: a path or a repository. Raises WeightsError for an address."""
    value = env.get(name) or default
    if is_address(value):
        raise WeightsError(
            f"{name}: {describe_address(value)} is an address, and only a package of weights can be"
            " fetched from one; download it and give its path, or name the repository as owner/name"
        )
    return value


def _read_path(env: Mapping[str, str], name: str, default: Path | None) -> Path | None:
    if not env.get(name):
        return default
    value = _read_source(env, name, "")
    return None if value.lower() == "none" else expand_home(value)


def _read_trigger(env: Mapping[str, str]) -> str | None:
    text = (env.get(TRIGGER) or "").strip()
    if text and not is_trigger(text):
        raise WeightsError(
            f"{TRIGGER}: got {text[:LONGEST_TRIGGER]!r}; allowed: one line of at most"
            f" {LONGEST_TRIGGER} characters, without tokens such as <s0>"
        )
    return text or None


def is_trigger(text: str) -> bool:
    """Whether a text can stand in the prompt: one printable line, without tokens such as <s0>."""
    fits = bool(text.strip()) and len(text) <= LONGEST_TRIGGER
    return fits and text.isprintable() and re.search(r"<s\d+>", text) is None


def _read_scale(env: Mapping[str, str]) -> float | None:
    text = env.get(LORA_SCALE)
    if not text:
        return None
    scale = read_scale(text)
    if math.isnan(scale):
        raise WeightsError(f"{LORA_SCALE}: got {text!r}; allowed: {LORA_SCALE_ALLOWED}")
    return scale


def _read_turbo_guidance(env: Mapping[str, str]) -> float | None:
    text = env.get(TURBO_GUIDANCE)
    if not text:
        return None
    try:
        guidance = float(text)
    except ValueError:
        guidance = math.nan
    if not 1 <= guidance <= 20:
        raise WeightsError(
            f"{TURBO_GUIDANCE}: got {text!r}; allowed: a number from 1, which is no guidance, to"
            " 20; 5 to 8 for a LoRA that preserves guidance"
        )
    return guidance


def read_scale(text: str) -> float:
    """Read the scale of a LoRA; NaN for what is none."""
    try:
        scale = float(text)
    except ValueError:
        return math.nan
    return scale if -10 <= scale <= 10 else math.nan
