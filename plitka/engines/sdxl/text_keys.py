"""Keys and values of cross-attention: they depend on the text alone, so once a picture is enough.

`keep_text_keys` lets a network's cross-attention take what `make_text_keys` made in place of the
text; with the text itself it works as before. Equal to the bit, where they are made for as many
samples as a step has: kernels for two samples and for one may round differently.
"""

from collections.abc import Iterator
from typing import Any

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import AttnProcessor2_0
from torch import Tensor
from torch.nn import functional


def keep_text_keys(network: Any) -> None:
    """Prepare a UNet or ControlNet, once, to be given keys and values in place of the text."""
    attentions = list(_list_text_attentions(network))
    whole = sum(2 * attention.inner_kv_dim for attention in attentions)
    first = 0
    for attention in attentions:
        attention.set_processor(_TextAttention(first, whole))
        first += 2 * attention.inner_kv_dim


def make_text_keys(network: Any, text: Tensor) -> Tensor:
    """Compute all keys and values of a network for one text.

    text: (samples, tokens, 2048). Returns (samples, features): for each cross-attention in order
    its keys, (tokens, width), and its values. In SDXL's UNet that is 26 MB a sample for a prompt of
    one chunk, in its ControlNet half of that.
    """
    parts = [
        projected.flatten(1)
        for attention in _list_text_attentions(network)
        for projected in (attention.to_k(text), attention.to_v(text))
    ]
    return torch.cat(parts, dim=1)


def _list_text_attentions(network: Any) -> Iterator[Any]:
    for module in network.modules():
        if isinstance(module, BasicTransformerBlock):
            yield module.attn2


class _TextAttention:
    """Cross-attention that takes keys and values in place of the text.

    first: features a token before this attention's. whole: of all attentions.
    """

    def __init__(self, first: int, whole: int) -> None:
        self._plain: Any = AttnProcessor2_0()
        self._first = first
        self._whole = whole

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
        tokens = encoder_hidden_states.shape[1] // self._whole
        start, size = self._first * tokens, attn.inner_kv_dim * tokens
        key = encoder_hidden_states[:, start : start + size]
        value = encoder_hidden_states[:, start + size : start + 2 * size]
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
