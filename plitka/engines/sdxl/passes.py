"""The networks' passes: tensors in, tensors out, and no choice that depends on their values.

They are diffusers' UNet2DConditionModel.forward and ControlNetModel.forward for the configuration
that SDXL has (`weights.sdxl_architecture.PUBLISHED`), equal to the bit. What does not change from
step to step comes in as a tensor: the text's keys and values, and the edges' embedding.

The full pass of the UNet also returns its deep features, which are what its last block gets from
below. A shallow pass takes them from a step before and computes the rest, the highest resolution
alone (DeepCache: Ma et al. 2023, arXiv 2312.00858).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor


def run_unet(
    unet: Any,
    samples: Tensor,
    timestep: Tensor,
    text: Tensor,
    pooled: Tensor,
    time_ids: Tensor,
    residuals: Sequence[Tensor] = (),
) -> tuple[Tensor, Tensor]:
    """Run the whole UNet. Returns the noise, (samples, 4, height, width), and the deep features.

    text: by `make_text_keys`. pooled: (samples, 1280). time_ids: (samples, 6). residuals: of a
    ControlNet, as `run_controlnet` returns them.
    """
    embedded = _embed_time(unet, samples, timestep, pooled, time_ids)
    skips = _run_down(unet.conv_in(samples), unet.down_blocks, embedded, text)
    deep = skips[-1]
    if residuals:
        skips = _add(skips, residuals[:-1])
    if unet.mid_block is not None:
        deep = unet.mid_block(deep, embedded, **_list_text(unet.mid_block, text))
    if residuals:
        deep = deep + residuals[-1]
    for block in unet.up_blocks[:-1]:
        count = len(block.resnets)
        skips, own = skips[:-count], skips[-count:]
        deep = _run_up(block, deep, own, embedded, text)
    return _finish(unet, deep, skips, embedded, text), deep


def run_shallow_unet(
    unet: Any,
    samples: Tensor,
    timestep: Tensor,
    text: Tensor,
    pooled: Tensor,
    time_ids: Tensor,
    deep: Tensor,
    residuals: Sequence[Tensor] = (),
) -> Tensor:
    """Run the UNet's first and last block alone. Returns the noise.

    deep: what `run_unet` returned for these samples at a step before. residuals: of a ControlNet,
    as `run_shallow_controlnet` returns them.
    """
    embedded = _embed_time(unet, samples, timestep, pooled, time_ids)
    skips = _run_top(unet.conv_in(samples), unet.down_blocks[0], embedded, text)
    if residuals:
        skips = _add(skips, residuals)
    return _finish(unet, deep, skips, embedded, text)


def run_controlnet(
    network: Any,
    samples: Tensor,
    timestep: Tensor,
    text: Tensor,
    pooled: Tensor,
    time_ids: Tensor,
    edges: Tensor,
) -> list[Tensor]:
    """Run a whole ControlNet. Returns what is added to the UNet's features, before it is scaled.

    That is a tensor for each output of its down blocks in order, and one for its middle. text: by
    `make_text_keys` of this network. edges: by `embed_edges`.
    """
    embedded = _embed_time(network, samples, timestep, pooled, time_ids)
    skips = _run_down(network.conv_in(samples) + edges, network.down_blocks, embedded, text)
    middle = skips[-1]
    if network.mid_block is not None:
        middle = network.mid_block(middle, embedded, **_list_text(network.mid_block, text))
    residuals = [
        block(skip) for block, skip in zip(network.controlnet_down_blocks, skips, strict=True)
    ]
    return [*residuals, network.controlnet_mid_block(middle)]


def run_shallow_controlnet(
    network: Any,
    samples: Tensor,
    timestep: Tensor,
    text: Tensor,
    pooled: Tensor,
    time_ids: Tensor,
    edges: Tensor,
) -> list[Tensor]:
    """Run the part of a ControlNet that adds to what a shallow pass of the UNet computes."""
    embedded = _embed_time(network, samples, timestep, pooled, time_ids)
    skips = _run_top(network.conv_in(samples) + edges, network.down_blocks[0], embedded, text)
    blocks = network.controlnet_down_blocks[: len(skips)]
    return [block(skip) for block, skip in zip(blocks, skips, strict=True)]


def embed_edges(network: Any, edges: Tensor) -> Tensor:
    """Embed control images, (samples, 3, size, size), 0 to 1, at the resolution of latents."""
    embedding: Tensor = network.controlnet_cond_embedding(edges)
    return embedding


def _embed_time(
    network: Any, samples: Tensor, timestep: Tensor, pooled: Tensor, time_ids: Tensor
) -> Tensor:
    """Embed the time, and what SDXL adds to it: the pooled text, sizes and crop."""
    count = len(samples)
    embedded: Tensor = network.time_embedding(
        network.time_proj(timestep.expand(count)).to(samples.dtype)
    )
    ids = network.add_time_proj(time_ids.flatten()).reshape(count, -1)
    added: Tensor = network.add_embedding(torch.cat([pooled, ids], dim=-1).to(embedded.dtype))
    return embedded + added


def _run_down(
    sample: Tensor, blocks: Iterable[Any], embedded: Tensor, text: Tensor
) -> tuple[Tensor, ...]:
    """Run down blocks. Returns what goes in, and every output in order."""
    skips: tuple[Tensor, ...] = (sample,)
    for block in blocks:
        sample, outputs = block(sample, embedded, **_list_text(block, text))
        skips += outputs
    return skips


def _run_top(sample: Tensor, block: Any, embedded: Tensor, text: Tensor) -> tuple[Tensor, ...]:
    """Run the first down block. Returns what goes in, and its outputs at that resolution."""
    return _run_down(sample, [block], embedded, text)[: 1 + len(block.resnets)]


def _run_up(
    block: Any, sample: Tensor, skips: tuple[Tensor, ...], embedded: Tensor, text: Tensor
) -> Tensor:
    result: Tensor = block(sample, skips, embedded, **_list_text(block, text))
    return result


def _finish(
    unet: Any, deep: Tensor, skips: tuple[Tensor, ...], embedded: Tensor, text: Tensor
) -> Tensor:
    """Run the UNet's last block, and turn its features into noise."""
    sample = _run_up(unet.up_blocks[-1], deep, skips, embedded, text)
    noise: Tensor = unet.conv_out(unet.conv_act(unet.conv_norm_out(sample)))
    return noise


def _list_text(block: Any, text: Tensor) -> dict[str, Tensor]:
    """The text as an argument of a block that attends to it."""
    return {"encoder_hidden_states": text} if getattr(block, "has_cross_attention", False) else {}


def _add(skips: Sequence[Tensor], residuals: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return tuple(skip + part for skip, part in zip(skips, residuals, strict=True))
