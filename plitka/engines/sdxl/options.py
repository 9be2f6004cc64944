"""Speed options of the SDXL engine."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

from plitka.errors import EngineError

GUIDANCE_INTERVAL = "PLITKA_GUIDANCE_INTERVAL"
CONTROLNET_INTERVAL = "PLITKA_CONTROLNET_INTERVAL"
COMPILE = "PLITKA_COMPILE"
OVERLAP = "PLITKA_OVERLAP"
CHANNELS_LAST = "PLITKA_CHANNELS_LAST"
TF32 = "PLITKA_TF32"
KEEP_PROMPTS = "PLITKA_KEEP_PROMPTS"

BACKENDS = ("inductor", "cudagraphs", "aot_eager", "eager")
"""Of torch.compile: the first is the one that makes code, the last ones are for tests."""

_OFF = ("off", "none", "0", "no", "false")
_ON = ("on", "1", "yes", "true")


@dataclass(frozen=True)
class Interval:
    """From low to high; `all of it` is -inf to inf."""

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
    """guidance: noise levels (sigma; SDXL's go from 14.6 down to 0.03) with guidance: low < sigma
    <= high; outside, the unconditional half of the batch is not computed.
    controlnet: the share of the steps, 0 to 1, in which the ControlNet runs.
    compile: the backend of torch.compile for UNet and VAE decoder, None for none.
    overlap: whether the next picture is drawn while the last one is matched and handed out.
    channels_last: whether weights lie in memory as a CUDA card convolves fastest.
    tf32: whether a CUDA card may round what is left in single precision to TF32.
    keep_prompts: whether the embeddings of the last prompts are kept.
    """

    guidance: Interval = GUIDED
    controlnet: Interval = EVERYWHERE
    compile: str | None = None
    overlap: bool = True
    channels_last: bool = True
    tf32: bool = True
    keep_prompts: bool = True


PLAIN = Options(
    guidance=EVERYWHERE, overlap=False, channels_last=False, tf32=False, keep_prompts=False
)
"""Nothing left out and nothing at once: what diffusers' own pipelines do."""


def read_options(env: Mapping[str, str] = os.environ) -> Options:
    """Read the switches. Raises EngineError for one that says nothing that is known."""
    return Options(
        guidance=_interval(env, GUIDANCE_INTERVAL, GUIDED, math.inf),
        controlnet=_interval(env, CONTROLNET_INTERVAL, EVERYWHERE, 1),
        compile=_backend(env),
        overlap=_switch(env, OVERLAP),
        channels_last=_switch(env, CHANNELS_LAST),
        tf32=_switch(env, TF32),
        keep_prompts=_switch(env, KEEP_PROMPTS),
    )


def _interval(env: Mapping[str, str], name: str, default: Interval, most: float) -> Interval:
    text = (env.get(name) or "").strip().lower()
    if not text:
        return default
    if text in _OFF:
        return EVERYWHERE
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = math.nan
    if not 0 <= low < high <= most:
        limit = "" if math.isinf(most) else f" up to {most:g}"
        raise EngineError(
            f"{name}: got {text!r}; allowed: two numbers{limit}, the lower one first, such as"
            f" 0.28,{'5.42' if math.isinf(most) else '0.9'}, or off to leave nothing out"
        )
    return Interval(low, high)


def _backend(env: Mapping[str, str]) -> str | None:
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


def _switch(env: Mapping[str, str], name: str) -> bool:
    """On, unless it is switched off."""
    text = (env.get(name) or "").strip().lower()
    if text not in ("", *_ON, *_OFF):
        raise EngineError(f"{name}: got {text!r}; allowed: 1 or 0")
    return text not in _OFF
