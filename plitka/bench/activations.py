"""Bytes that autograd keeps for the backward pass of a training step, counted without running it.

Networks and tensors are on torch's meta device, which has shapes and no content. Attention counts
as CUDA's flash kernel does it, which keeps no table of weights.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from plitka.bench import random_models
from plitka.engines.sdxl.text_encoding import CHUNK

_FULL = random_models.ARCHITECTURES["full"]


@dataclass(frozen=True)
class Kept:
    """Bytes. kept: from the forward pass to the backward pass. recomputed: kept while the largest
    checkpointed block is computed anew; 0 without checkpointing.
    """

    kept: int
    recomputed: int

    @property
    def peak(self) -> int:
        return self.kept + self.recomputed


def make_unet_on_meta(dtype: torch.dtype, attach: Callable[[Any], None]) -> Any:
    """Make SDXL's UNet without content, frozen. attach: adds what is trained."""
    with _on_meta(dtype):
        unet = random_models.make_unet(_FULL).requires_grad_(False).train()
        attach(unet)
    return unet


def count_encoders(dtype: torch.dtype, chunks: int) -> int:
    """Count what both text encoders keep for the gradient of vectors that are trained."""
    total = 0
    for make in random_models.list_text_encoders(_FULL).values():
        with _on_meta(dtype):
            encoder = make().requires_grad_(False).train()
        encoder.get_input_embeddings().weight.requires_grad_(True)
        seen = _Seen(encoder)
        ids = torch.empty(chunks, CHUNK, dtype=torch.int64, device="meta")
        with saved_tensors_hooks(seen.add, _return), _FlashAttention():
            encoder(ids, output_hidden_states=True)
        total += seen.bytes
    return total


@contextmanager
def _on_meta(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device("meta"):
            yield
    finally:
        torch.set_default_dtype(before)


def count_unet(unet: Any, batch: int, pixels: int, tokens: int, checkpointed: bool) -> Kept:
    """Count one forward pass. tokens: of the captions, all chunks together."""
    seen, recomputed = _Seen(unet), 0

    def checkpoint(block: Callable[..., Any], *inputs: Any) -> Any:
        """Keep what goes in, and count what would be kept of the inside while it is recomputed."""
        nonlocal recomputed
        for value in inputs:
            if isinstance(value, Tensor):
                seen.add(value)
        inside = _Seen(unet)
        with saved_tensors_hooks(inside.add, _return):
            output = block(*inputs)
        recomputed = max(recomputed, inside.bytes)
        return output

    if checkpointed:
        unet.enable_gradient_checkpointing(checkpoint)
    else:
        unet.disable_gradient_checkpointing()

    def make_empty(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=unet.dtype, device="meta")

    with saved_tensors_hooks(seen.add, _return), _FlashAttention():
        unet(
            make_empty(batch, 4, pixels // 8, pixels // 8),
            torch.empty(batch, dtype=torch.int64, device="meta"),
            encoder_hidden_states=make_empty(batch, tokens, 2048).requires_grad_(),
            added_cond_kwargs={
                "text_embeds": make_empty(batch, 1280).requires_grad_(),
                "time_ids": make_empty(batch, 6),
            },
            return_dict=False,
        )
    return Kept(seen.bytes, recomputed)


class _Seen:
    """Counts the bytes of distinct tensors that are no weights."""

    def __init__(self, network: Any) -> None:
        self.bytes = 0
        self._known = {_identify(parameter) for parameter in network.parameters()}
        self._held: list[Tensor] = []  # so that no other tensor gets the address of one of them

    def add(self, tensor: Tensor) -> Tensor:
        place = _identify(tensor)
        if place not in self._known:
            self._known.add(place)
            self._held.append(tensor)
            self.bytes += tensor.untyped_storage().nbytes()
        return tensor


def _identify(tensor: Tensor) -> int:
    place: int = tensor.untyped_storage()._cdata
    return place


def _return(tensor: Tensor) -> Tensor:
    return tensor


class _FlashAttention(TorchFunctionMode):
    """Lets attention be CUDA's flash kernel; on the meta device torch would take the plain one."""

    def __torch_function__(
        self, call: Any, types: Any, inputs: Any = (), options: Any = None
    ) -> Any:
        if call is functional.scaled_dot_product_attention:
            query, key, value = inputs[:3]
            flash = torch.ops.aten._scaled_dot_product_flash_attention
            return flash(query, key, value)[0]
        return call(*inputs, **(options or {}))
