"""SDXL's published architecture: widths, and the module table that a LoRA is resolved against."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from plitka.weights.header import Shape

WIDTHS = {"clip_l": 768, "clip_g": 1280}  # of SDXL's two text encoders
CROSS_ATTENTION = 2048  # the two together; 768 in SD 1.5, 1024 in SD 2
SD15_SCALING = 0.18215  # of a VAE's latents; SDXL's is 0.13025
OTHER_FAMILIES = {768: "SD 1.5", 1024: "SD 2"}  # by the width of what cross-attention reads
Modules: TypeAlias = Mapping[str, Mapping[str, Shape]]
"""component -> module, with _ for . in its name -> shape of its weight, (out, in, ...)"""


def list_sdxl_modules() -> Modules:
    """The modules of SDXL base 1.0, for when the base model is still to be fetched."""
    return {
        "unet": dict(_sdxl_unet()),
        "text_encoder": dict(_sdxl_encoder(768, 12)),
        "text_encoder_2": dict(_sdxl_encoder(1280, 32)),
    }


_CHANNELS, _DEPTHS, _EMBEDDED = (320, 640, 1280), (0, 2, 10), 1280


def _sdxl_unet() -> Iterator[tuple[str, Shape]]:
    first = _CHANNELS[0]
    yield "conv_in", (first, 4, 3, 3)
    yield "conv_out", (4, first, 3, 3)
    for name, width in (("time_embedding", first), ("add_embedding", 2816)):
        yield f"{name}_linear_1", (_EMBEDDED, width)
        yield f"{name}_linear_2", (_EMBEDDED, _EMBEDDED)
    before = [first]  # channels that each skip connection carries
    width = first
    for block, (channels, depth) in enumerate(zip(_CHANNELS, _DEPTHS, strict=True)):
        for layer in range(2):
            yield from _resnet(f"down_blocks_{block}_resnets_{layer}", width, channels)
            yield from _attention(f"down_blocks_{block}_attentions_{layer}", channels, depth)
            width = channels
            before.append(width)
        if block < 2:
            yield f"down_blocks_{block}_downsamplers_0_conv", (width, width, 3, 3)
            before.append(width)
    for layer in range(2):
        yield from _resnet(f"mid_block_resnets_{layer}", width, width)
    yield from _attention("mid_block_attentions_0", width, _DEPTHS[-1])
    for block, (channels, depth) in enumerate(zip(_CHANNELS[::-1], _DEPTHS[::-1], strict=True)):
        for layer in range(3):
            yield from _resnet(f"up_blocks_{block}_resnets_{layer}", width + before.pop(), channels)
            yield from _attention(f"up_blocks_{block}_attentions_{layer}", channels, depth)
            width = channels
        if block < 2:
            yield f"up_blocks_{block}_upsamplers_0_conv", (width, width, 3, 3)


def _resnet(name: str, width: int, channels: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}_conv1", (channels, width, 3, 3)
    yield f"{name}_conv2", (channels, channels, 3, 3)
    yield f"{name}_time_emb_proj", (channels, _EMBEDDED)
    if width != channels:
        yield f"{name}_conv_shortcut", (channels, width, 1, 1)


def _attention(name: str, width: int, depth: int) -> Iterator[tuple[str, Shape]]:
    if depth == 0:
        return
    yield f"{name}_proj_in", (width, width)
    yield f"{name}_proj_out", (width, width)
    for layer in range(depth):
        block = f"{name}_transformer_blocks_{layer}"
        for attention, reads in (("attn1", width), ("attn2", CROSS_ATTENTION)):
            for letter, size in (("q", width), ("k", reads), ("v", reads)):
                yield f"{block}_{attention}_to_{letter}", (width, size)
            yield f"{block}_{attention}_to_out_0", (width, width)
        yield f"{block}_ff_net_0_proj", (8 * width, width)
        yield f"{block}_ff_net_2", (width, 4 * width)


def _sdxl_encoder(width: int, layers: int) -> Iterator[tuple[str, Shape]]:
    for layer in range(layers):
        name = f"encoder_layers_{layer}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield f"{name}_self_attn_{part}", (width, width)
        yield f"{name}_mlp_fc1", (4 * width, width)
        yield f"{name}_mlp_fc2", (width, 4 * width)
    if width == 1280:
        yield "text_projection", (width, width)
