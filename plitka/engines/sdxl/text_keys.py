"""Keys and values of cross-attention: they depend on the text alone, so once a picture is enough.

`keep_text_keys` lets a network's cross-attention take what `make_text_keys` made in place of the
text; with the text itself it works as before. Equal to the bit, where they are made for as many
samples as a step has: kernels for two samples and for one may round differently.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import AttnProcessor2_0
from torch import Tensor
from torch.nn import functional


def keep_text_keys(network: Any) -> None:
    """Prepare a UNet or ControlNet, once, to be given keys and values in place of the text.

    A block is given its own part of them, by a hook before it: blocks of one width then do the same
    and are of the same code where that is compiled.
    """
    blocks = tuple(_list_blocks(network))
    whole = sum(2 * block.attn2.inner_kv_dim for block in blocks)
    first = 0
    for block in blocks:
        block.attn2.set_processor(_TextAttention())
        take = partial(_take_own, first=first, whole=whole)
        block.register_forward_pre_hook(take, with_kwargs=True)
        first += 2 * block.attn2.inner_kv_dim


def make_text_keys(network: Any, text: Tensor) -> Tensor:
    """Compute all keys and values of a network for one text.

    text: (samples, tokens, 2048). Returns (features,): for each cross-attention in order and each
    sample its keys, (tokens, width), and its values. In SDXL's UNet that is 26 MB a sample for a
    prompt of one chunk, in its ControlNet half of that.
    """
    parts = [
        torch.cat([block.attn2.to_k(text), block.attn2.to_v(text)], dim=1).flatten()
        for block in _list_blocks(network)
    ]
    return torch.cat(parts)


def _list_blocks(network: Any) -> Iterator[Any]:
    """List the blocks with a cross-attention."""
    for module in network.modules():
        if isinstance(module, BasicTransformerBlock):
            yield module


def _take_own(
    block: Any, arguments: tuple[Any, ...], named: Mapping[str, Any], first: int, whole: int
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Replace all keys and values by a block's own, (samples, 2 * tokens * width).

    first: features a token before them. whole: of all blocks.
    """
    text = named.get("encoder_hidden_states")
    if text is None or text.dim() != 1:  # the text itself, which checkpoints give by position
        return arguments, dict(named)
    samples = len(arguments[0])
    tokens = len(text) // (samples * whole)
    size = 2 * block.attn2.inner_kv_dim * tokens * samples
    start = first * tokens * samples
    own = text[start : start + size].view(samples, -1)
    return arguments, {**named, "encoder_hidden_states": own}


class _TextAttention:
    """Cross-attention that takes keys and values in place of the text."""

    def __init__(self) -> None:
        self._plain: Any = AttnProcessor2_0()

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        if encoder_hidden_states.dim() == 3:  # the text itself
            plain: Tensor = self._plain(
                attn, hidden_states, encoder_hidden_states, attention_mask=attention_mask
            )
            return plain
        tokens = encoder_hidden_states.shape[1] // (2 * attn.inner_kv_dim)
        key, value = encoder_hidden_states.chunk(2, dim=1)
        attended = functional.scaled_dot_product_attention(
            _split_heads(attn.to_q(hidden_states), hidden_states.shape[1], attn.heads),
            _split_heads(key, tokens, attn.heads),
            _split_heads(value, tokens, attn.heads),
        )
        merged = attended.transpose(1, 2).reshape(*hidden_states.shape[:2], -1)
        projected: Tensor = attn.to_out[0](merged)
        return projected


def _split_heads(features: Tensor, tokens: int, heads: int) -> Tensor:
    """View features as (samples, heads, tokens, width of a head)."""
    return features.view(len(features), tokens, heads, -1).transpose(1, 2)
