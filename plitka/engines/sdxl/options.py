"""Speed options of the SDXL engine, and all that it is loaded by."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from plitka.errors import EngineError
from plitka.weights.settings import WeightsSettings

GUIDANCE_INTERVAL = "PLITKA_GUIDANCE_INTERVAL"
COMPILE = "PLITKA_COMPILE"
CUDA_GRAPHS = "PLITKA_CUDA_GRAPHS"
DEEP_CACHE = "PLITKA_DEEP_CACHE"
OVERLAP = "PLITKA_OVERLAP"
MEMORY_FRACTION = "PLITKA_GPU_MEMORY_FRACTION"
DEVICE = "PLITKA_DEVICE"
VISIBLE_CARDS = "CUDA_VISIBLE_DEVICES"  # CUDA's own

BACKENDS = ("inductor", "aot_eager", "eager")
"""Of torch.compile: the first is the one that makes code, the last ones are for tests."""

_OFF = ("off", "none", "0", "no", "false")
_ON = ("on", "1", "yes", "true")


@dataclass(frozen=True)
class Interval:
    """From low to high. EVERYWHERE is -inf to inf."""

    low: float = -math.inf
    high: float = math.inf


EVERYWHERE = Interval()

# Guidance in the middle of the noise levels alone is enough, and better than everywhere
# (Kynkäänniemi et al. 2024, arXiv 2404.07724). Here only the end is left out, where fine texture
# settles; at the start, which decides on composition and colour, guidance stays. 0.28 is near the
# level under which texture alone is left: a third of the last steps with Karras sigmas.
GUIDED = Interval(low=0.28)


@dataclass(frozen=True)
class Options:
    """What the engine leaves out, or does at once, to be fast.

    guidance: noise levels (sigma; SDXL's go from 14.6 down to 0.03) with guidance: low < sigma
    <= high; outside, the unconditional half of the batch is not computed.
    deep_interval: of how many steps one computes the UNet's deep features, 1 to 3; None leaves it
    to the quality.
    compile: the backend of torch.compile for the networks' blocks, None for none.
    cuda_graphs: whether a CUDA card replays steps that were recorded when the engine was loaded.
    overlap: whether the next picture is drawn while the last one is matched and handed out.

    Only benchmarks and tests change the following. controlnet: the share of the steps, 0 to 1, in
    which the ControlNet runs. channels_last: whether weights lie in memory as a CUDA card convolves
    fastest. tf32: whether a CUDA card may round what is left in single precision to TF32.
    keep_prompts: whether the embeddings of the last prompts are kept.
    """

    guidance: Interval = GUIDED
    deep_interval: int | None = None
    compile: str | None = None
    cuda_graphs: bool = True
    overlap: bool = True
    controlnet: Interval = EVERYWHERE
    channels_last: bool = True
    tf32: bool = True
    keep_prompts: bool = True


PLAIN = Options(
    guidance=EVERYWHERE,
    deep_interval=1,
    cuda_graphs=False,
    overlap=False,
    channels_last=False,
    tf32=False,
    keep_prompts=False,
)
"""Nothing left out and nothing at once: what diffusers' own pipelines do."""


@dataclass(frozen=True)
class SdxlSettings:
    """All that the sdxl engine is loaded by.

    memory_fraction: of a GPU's memory that may be used, above 0, at most 1. device: "cpu", "mps",
    "cuda" or "cuda:1"; None leaves it to what is there. dtype: "float16", "bfloat16" or "float32",
    for measurements; None leaves it to the device.
    """

    weights: WeightsSettings
    options: Options = Options()
    memory_fraction: float = 1.0
    device: str | None = None
    dtype: str | None = None


def read_options(env: Mapping[str, str]) -> Options:
    """Read the options. Raises EngineError for a value that is not allowed."""
    return Options(
        guidance=_read_interval(env),
        deep_interval=_read_deep_interval(env),
        compile=_read_backend(env),
        cuda_graphs=_read_switch(env, CUDA_GRAPHS),
        overlap=_read_switch(env, OVERLAP),
    )


def read_memory_fraction(env: Mapping[str, str]) -> float:
    """The share of a GPU's memory that may be used. Raises EngineError unless it is 0 < x <= 1."""
    text = env.get(MEMORY_FRACTION) or "1"
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise EngineError(f"{MEMORY_FRACTION}: got {text!r}; allowed: a number above 0, at most 1")
    return share


def read_device(env: Mapping[str, str]) -> str | None:
    """The device that shall draw, None for the best one. Raises EngineError for no device's name.

    Who hides all cards from CUDA wants the CPU, too.
    """
    name = (env.get(DEVICE) or "").strip().lower()
    if not name:
        return "cpu" if (env.get(VISIBLE_CARDS) or "").strip() == "-1" else None
    if not re.fullmatch(r"cpu|mps|cuda(:\d{1,3})?", name):
        raise EngineError(
            f"{DEVICE}: got {name!r}; allowed: cuda, a card such as cuda:1, mps, or cpu"
        )
    return name


def _read_interval(env: Mapping[str, str]) -> Interval:
    text = (env.get(GUIDANCE_INTERVAL) or "").strip().lower()
    if not text:
        return GUIDED
    if text in _OFF:
        return EVERYWHERE
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = math.nan
    if not 0 <= low < high:
        raise EngineError(
            f"{GUIDANCE_INTERVAL}: got {text!r}; allowed: two numbers, the lower one first, such as"
            " 0.28,5.42, or off to guide every step"
        )
    return Interval(low, high)


def _read_deep_interval(env: Mapping[str, str]) -> int | None:
    text = (env.get(DEEP_CACHE) or "").strip().lower()
    if not text:
        return None
    if text in (*_OFF, "1"):
        return 1
    if text in ("2", "3"):
        return int(text)
    raise EngineError(
        f"{DEEP_CACHE}: got {text!r}; allowed: 2 or 3, to compute every second or third step in"
        " full, or off, to compute every step in full"
    )


def _read_backend(env: Mapping[str, str]) -> str | None:
    text = (env.get(COMPILE) or "").strip().lower()
    if text in ("", *_OFF):
        return None
    if text in _ON:
        return BACKENDS[0]
    if text in BACKENDS:
        return text
    raise EngineError(
        f"{COMPILE}: got {text!r}; allowed: 1 or 0, or a backend of torch.compile:"
        f" {', '.join(BACKENDS)}"
    )


def _read_switch(env: Mapping[str, str], name: str) -> bool:
    """On, unless it is switched off."""
    text = (env.get(name) or "").strip().lower()
    if text not in ("", *_ON, *_OFF):
        raise EngineError(f"{name}: got {text!r}; allowed: 1 or 0")
    return text not in _OFF
