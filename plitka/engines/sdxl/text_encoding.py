"""Prompts -> the embeddings that SDXL reads, however long they are, and kept for the next time."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from plitka.runtime.timing import log

CHUNK = 77
"""Tokens that CLIP reads at once."""

_KEPT = 32  # pairs of prompts; each chunk takes 0.3 MB in half precision


@dataclass(frozen=True)
class PromptEmbeddings:
    """prompt, negative: (1, 77 * chunks, 2048). pooled, negative_pooled: (1, 1280)."""

    prompt: Tensor
    negative: Tensor
    pooled: Tensor
    negative_pooled: Tensor

    def to(self, device: str) -> "PromptEmbeddings":
        parts = (self.prompt, self.negative, self.pooled, self.negative_pooled)
        return PromptEmbeddings(*(part.to(device) for part in parts))


class PromptEncoder:
    """Encodes with both encoders of a pipeline, and keeps the last results on the CPU.

    A text that does not fit into the 77 places that CLIP has is cut after a comma into chunks,
    each is encoded by itself, and UNet and ControlNet attend to all of them; the pooled embedding
    is the first chunk's.
    """

    def __init__(self, pipe: Any, keep: bool = True) -> None:
        self._kept_at_most = _KEPT if keep else 0
        self._halves = (
            (pipe.tokenizer, pipe.text_encoder),
            (pipe.tokenizer_2, pipe.text_encoder_2),
        )
        self._kept: OrderedDict[tuple[str, str], PromptEmbeddings] = OrderedDict()

    def embed(
        self, prompt: str, negative: str, at_work: Callable[[bool], None]
    ) -> PromptEmbeddings:
        """Embeddings of a pair, on the CPU.

        at_work: is called with True before the encoders are used and with False afterwards, and
        not at all for a pair that was kept.
        """
        pair = (prompt, negative)
        embedded = self._kept.pop(pair, None)
        if embedded is None:
            at_work(True)
            try:
                embedded = self._encode(prompt, negative).to("cpu")
            finally:
                at_work(False)
        self._kept[pair] = embedded
        while len(self._kept) > self._kept_at_most:
            self._kept.popitem(last=False)
        return embedded

    @torch.no_grad()
    def _encode(self, prompt: str, negative: str) -> PromptEmbeddings:
        chunks = [
            [_chunks(text, tokenizer) for text in (prompt, negative)]
            for tokenizer, _ in self._halves
        ]
        count = max(len(part) for half in chunks for part in half)
        for name, own in zip(("prompt", "negative prompt"), chunks[0], strict=True):
            if len(own) > 1:
                size = sum(map(len, own))
                log.info("%s: %d tokens, encoded whole in %d chunks", name, size, len(own))
        encoded = []
        pooled = []
        for index in (0, 1):
            hidden = []
            for (tokenizer, encoder), half in zip(self._halves, chunks, strict=True):
                padded = half[index] + [[]] * (count - len(half[index]))
                ids = torch.tensor([_framed(chunk, tokenizer) for chunk in padded])
                output = encoder(ids.to(encoder.device), output_hidden_states=True)
                states = output.hidden_states[-2]  # the last but one, as SDXL was trained
                hidden.append(states.reshape(1, -1, states.shape[-1]))
            encoded.append(torch.cat(hidden, dim=-1))
            pooled.append(output.text_embeds[:1])
        return PromptEmbeddings(encoded[0], encoded[1], pooled[0], pooled[1])


def _chunks(text: str, tokenizer: Any) -> list[list[int]]:
    """The ids of the text without the marks at its ends, in chunks that fit between two marks."""
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


def _framed(ids: list[int], tokenizer: Any) -> list[int]:
    """One chunk between its marks, filled up to the length that the encoder takes."""
    framed = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
    return framed + [tokenizer.pad_token_id] * (tokenizer.model_max_length - len(framed))
