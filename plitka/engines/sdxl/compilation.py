"""torch.compile for the blocks that the networks repeat, and for the VAE's decoder.

A UNet's transformer blocks are most of its kernels and of two kinds alone, so they are compiled by
themselves (regional compilation): a few small pieces of code in place of one of the whole UNet for
each kind of step. The ControlNets are made of the same blocks and get the same code, also one that
is loaded later; weights are arguments of the code, so that it serves turbo's own as well.

Compiled code is specific to shapes. So a step of each kind is run when the engine is loaded, and
pictures compile nothing: a block that gets other shapes, as with a prompt longer than one chunk,
runs as it is.

Compiled blocks are part of the steps that CUDA graphs replay.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from weakref import WeakSet

import torch
from diffusers.models.attention import BasicTransformerBlock
from torch.nn import Module

from plitka.engines.sdxl import sampling
from plitka.engines.sdxl.compiled_code import CompiledCode
from plitka.engines.sdxl.device import Device, is_out_of_memory
from plitka.engines.sdxl.memory_plan import MemoryPlan
from plitka.engines.sdxl.options import Options
from plitka.engines.sdxl.rehearsal import rehearse_steps
from plitka.engines.sdxl.text_encoding import CHUNK, PromptEmbeddings
from plitka.errors import EngineError, extract_first_line
from plitka.request.plan import DRAWN_SIZES
from plitka.runtime.timing import log

PLANS: tuple[MemoryPlan, ...] = ("resident", "encoders_on_cpu")
"""The memory plans in which networks stay where they are, and pictures whole."""

_VARIANTS = 64  # of one block's code: widths, sizes, guided or not; torch gives up at 8

_compile: Any = torch.compile  # partly typed


class CompiledBlocks:
    """Compiles the blocks of networks in place, and the VAE's decoder.

    kept: what was compiled at earlier starts, None for nothing. Raises EngineError if they cannot
    be compiled.
    """

    def __init__(
        self, pipe: Any, device: Device, options: Options, kept: CompiledCode | None = None
    ) -> None:
        assert options.compile is not None
        self._settings: dict[str, Any] = {"backend": options.compile, "dynamic": False}
        self._networks: WeakSet[Module] = WeakSet()
        with torch.inference_mode(), _explain_failure(options.compile):
            _check_backend(device, self._settings)
            if kept is not None:
                kept.load()
            self.add(pipe.unet)
            decode = _compile(pipe.vae.decoder.forward, **self._settings)
            pipe.vae.decoder.forward = lambda sample: decode(sample.contiguous())
            limits: Any = torch._dynamo.config
            with limits.patch(recompile_limit=_VARIANTS):
                for size in DRAWN_SIZES:
                    latents = rehearse_steps(pipe, size)
                    sampling.decode_latents(pipe.vae, latents)
        if kept is not None:
            kept.save()

    def add(self, network: Module) -> None:
        """Have the blocks of a network run by compiled code."""
        if network not in self._networks:
            self._networks.add(network)
            for block in _list_blocks(network):
                block.forward = _compile(block.forward, **self._settings)

    def fits(self, embeddings: PromptEmbeddings) -> bool:
        """Whether code was compiled for a prompt of this length."""
        return embeddings.prompt.shape[1] == CHUNK


def use_compiled_code(fits: bool = True) -> AbstractContextManager[Any]:
    """Compile nothing in the block; run the code that there is only if it fits."""
    stance: Any = torch.compiler.set_stance
    chosen: AbstractContextManager[Any] = stance("eager_on_recompile" if fits else "force_eager")
    return chosen


def _list_blocks(network: Module) -> Iterator[Any]:
    for module in network.modules():
        if isinstance(module, BasicTransformerBlock):
            yield module


def _check_backend(device: Device, settings: Mapping[str, Any]) -> None:
    """Compile next to nothing, so that a missing compiler shows at once, and not minutes later."""
    _compile(torch.sin, **settings)(torch.zeros(8, device=device.name))


@contextmanager
def _explain_failure(backend: str) -> Iterator[None]:
    """Turn what torch raises in the block into an EngineError with its remedy."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise EngineError(
                "PLITKA_COMPILE: out of memory while compiling; end other programs that use the"
                " device, take a larger one, or set PLITKA_COMPILE=0"
            ) from error
        if not isinstance(error, torch._dynamo.exc.TorchDynamoException):
            raise
        log.debug("%s", error)
        reason = extract_first_line(error).rstrip(":")
        raise EngineError(
            f"PLITKA_COMPILE: {backend} cannot compile here ({reason}); install what it needs (a"
            " C++ compiler such as g++, and Triton on a GPU), or set PLITKA_COMPILE=0"
        ) from error
