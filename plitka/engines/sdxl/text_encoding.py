"""Encodes prompts of any length to the embeddings that SDXL reads, and keeps the last results."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from plitka.runtime.lru_cache import LruCache
from plitka.runtime.timing import log

CHUNK = 77
"""Tokens that CLIP reads at once."""

_KEPT = 32  # pairs of prompts; each chunk takes 0.3 MB in half precision


@dataclass(frozen=True)
class PromptEmbeddings:
    """What UNet and ControlNet read of a prompt and its negative prompt.

    prompt, negative: (1, 77 * chunks, 2048). pooled, negative_pooled: (1, 1280).
    """

    prompt: Tensor
    negative: Tensor
    pooled: Tensor
    negative_pooled: Tensor

    def to(self, device: str) -> "PromptEmbeddings":
        parts = (self.prompt, self.negative, self.pooled, self.negative_pooled)
        return PromptEmbeddings(*(part.to(device) for part in parts))


class PromptEncoder:
    """Encodes prompts with both text encoders of a pipeline, and keeps the last results.

    A text longer than CLIP's 77 tokens is cut into chunks, after a comma where there is one. Each
    chunk is encoded by itself; UNet and ControlNet attend to all of them. The pooled embedding is
    the first chunk's.
    """

    def __init__(self, pipe: Any, keep: bool = True) -> None:
        """keep: whether results are kept, on the CPU."""
        self._encoders = (
            (pipe.tokenizer, pipe.text_encoder),
            (pipe.tokenizer_2, pipe.text_encoder_2),
        )
        self._cache: LruCache[tuple[str, str], PromptEmbeddings] = LruCache(_KEPT if keep else 0)

    def encode(
        self, prompt: str, negative: str, on_device: AbstractContextManager[None]
    ) -> PromptEmbeddings:
        """Return the embeddings of a prompt and its negative prompt, on the CPU.

        on_device: the encoders work in its block; it is not entered for a pair that was kept.
        """

        def encode_on_device() -> PromptEmbeddings:
            with on_device:
                return self._encode(prompt, negative).to("cpu")

        return self._cache.get((prompt, negative), encode_on_device)

    @torch.no_grad()
    def _encode(self, prompt: str, negative: str) -> PromptEmbeddings:
        """Encode a pair where the encoders are."""
        encoded = encode_texts(self._encoders, (prompt, negative))
        _log_long_prompts(encoded.tokens)
        (positive, negative_states), (pooled, negative_pooled) = encoded.states, encoded.pooled
        return PromptEmbeddings(positive, negative_states, pooled, negative_pooled)


@dataclass(frozen=True)
class EncodedTexts:
    """What UNet and ControlNet read of some texts, a tensor for each of them.

    states: (1, 77 * chunks, 2048). pooled: (1, 1280). tokens: how many each text has, and in how
    many chunks, by the first tokenizer.
    """

    states: tuple[Tensor, ...]
    pooled: tuple[Tensor, ...]
    tokens: tuple[tuple[int, int], ...]


def encode_texts(encoders: Sequence[tuple[Any, Any]], texts: Sequence[str]) -> EncodedTexts:
    """Encode texts where the encoders are; all get as many chunks as the longest.

    encoders: SDXL's two tokenizers, each with its text encoder. Gradients flow where they are on.
    """
    chunks = [  # by encoder, then by text
        [_split_into_chunks(text, tokenizer) for text in texts] for tokenizer, _ in encoders
    ]
    count = max(len(own) for by_text in chunks for own in by_text)
    embeddings = []
    pooled = []
    for text in range(len(texts)):
        hidden = []
        for (tokenizer, encoder), by_text in zip(encoders, chunks, strict=True):
            padded = by_text[text] + [[]] * (count - len(by_text[text]))
            ids = torch.tensor([_add_special_tokens(chunk, tokenizer) for chunk in padded])
            output = encoder(ids.to(encoder.device), output_hidden_states=True)
            states = output.hidden_states[-2]  # the last but one, as SDXL was trained
            hidden.append(states.reshape(1, -1, states.shape[-1]))
        embeddings.append(torch.cat(hidden, dim=-1))
        pooled.append(output.text_embeds[:1])  # of the second encoder; the first has none
    tokens = tuple((sum(map(len, own)), len(own)) for own in chunks[0])
    return EncodedTexts(tuple(embeddings), tuple(pooled), tokens)


def _log_long_prompts(counted: Sequence[tuple[int, int]]) -> None:
    for name, (tokens, chunks) in zip(("prompt", "negative prompt"), counted, strict=True):
        if chunks > 1:
            log.info("%s: %d tokens, encoded whole in %d chunks", name, tokens, chunks)


def _split_into_chunks(text: str, tokenizer: Any) -> list[list[int]]:
    """Tokenize a text, and cut it into chunks that leave room for the start and end tokens.

    A cut is after the last comma in the second half of a chunk, or else where the chunk is full.
    """
    ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
    size = tokenizer.model_max_length - 2
    comma = tokenizer.convert_tokens_to_ids(",</w>")
    chunks = []
    while len(ids) > size:
        cuts = (place for place in range(size, size // 2, -1) if ids[place - 1] == comma)
        cut = next(cuts, size)
        chunks.append(ids[:cut])
        ids = ids[cut:]
    return [*chunks, ids]


def _add_special_tokens(ids: list[int], tokenizer: Any) -> list[int]:
    """Put one chunk between its start and end token, and pad it to the encoder's length."""
    framed = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
    return framed + [tokenizer.pad_token_id] * (tokenizer.model_max_length - len(framed))
