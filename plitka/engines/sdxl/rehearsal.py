"""Runs each kind of step that a picture of a preset has, before the first picture.

Code is compiled so, and graphs are captured: in the loop of the pictures itself, so that what they
ask for later is what was asked for here.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from plitka.engines.sdxl import sampling
from plitka.engines.sdxl.guidance import Step
from plitka.engines.sdxl.sampling import Run
from plitka.engines.sdxl.text_encoding import CHUNK, PromptEmbeddings

Kind: TypeAlias = tuple[bool, bool]
KINDS: tuple[Kind, ...] = ((True, True), (True, False), (False, True), (False, False))
"""Of steps: whether guided, and whether with deep features of their own, as Step has them."""

TURBO_KINDS: tuple[Kind, ...] = ((False, True),)
GUIDED_TURBO_KINDS: tuple[Kind, ...] = ((True, True), (False, True))


def rehearse_steps(
    pipe: Any,
    size: int,
    controlnet: Any = None,
    kinds: Sequence[Kind] = KINDS,
    run: Run = sampling.call,
) -> Tensor:
    """Run a step of each kind on noise. Returns the latents, (1, 4, size / 8, size / 8).

    size: pixels a side. controlnet: runs in all steps, None for none. run: makes the networks'
    passes.
    """
    embeddings = _make_embeddings(pipe.unet)
    edges = None if controlnet is None else np.zeros((size, size), np.uint8)
    condition = sampling.make_condition(embeddings, size, 2.0, controlnet, edges, 1.0)
    steps = [Step(guided, edges is not None, deep) for guided, deep in kinds]
    place = str(pipe.unet.device)
    schedule = sampling.make_schedule(pipe.scheduler, len(steps), len(steps), place)
    generator = torch.Generator("cpu").manual_seed(0)
    latents = sampling.draw_noise(schedule, size, generator, embeddings.prompt)
    return sampling.denoise(pipe.unet, schedule, steps, latents, condition, lambda: None, run)


def _make_embeddings(unet: Any) -> PromptEmbeddings:
    """Make embeddings of a short prompt's shapes, of noise."""
    generator = torch.Generator("cpu").manual_seed(0)
    shapes = [(1, CHUNK, unet.config.cross_attention_dim)] * 2 + [(1, 1280)] * 2
    parts = (torch.randn(shape, generator=generator) for shape in shapes)
    return PromptEmbeddings(*(part.to(unet.device, unet.dtype) for part in parts))
