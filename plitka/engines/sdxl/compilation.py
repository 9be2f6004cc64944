"""torch.compile of the UNet and of the VAE's decoder, warmed for all that predictions ask of them.

Compiled code is made for the shapes that it has seen, and for their order in memory. So everything
that a prediction can ask for is run once, when the engine is loaded: both sizes of pictures, with
and without guidance (two samples and one). A ControlNet's residuals would double that; instead
compiled code always takes residuals, and those are zeros where no ControlNet runs.

A prompt too long for one chunk and the quality `turbo`, whose LoRA is hooked into the UNet, go
without compiled code, as do the small memory plans.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import ControlNetModel
from torch import Tensor

from plitka.engines.sdxl import loading, sampling
from plitka.engines.sdxl.device import Device, is_out_of_memory
from plitka.engines.sdxl.guidance import Step
from plitka.engines.sdxl.memory_plan import MemoryPlan
from plitka.engines.sdxl.options import Options
from plitka.engines.sdxl.text_encoding import CHUNK, PromptEmbeddings
from plitka.errors import EngineError, first_line
from plitka.runtime.timing import log

PLANS: tuple[MemoryPlan, ...] = ("resident", "encoders_on_cpu")
"""The memory plans in which networks stay where they are, and pictures whole."""

_SIZES = (512, 1024)  # pixels a side
_compile: Any = torch.compile  # partly typed
_VARIANTS = 16  # of one network; torch gives up after 8 where nothing is set

_DOWN, _MIDDLE = "down_block_additional_residuals", "mid_block_additional_residual"


class CompiledUNet:
    """The UNet as compiled code, to be called as the UNet is; the VAE's decoder is compiled within.

    Raises EngineError where that cannot be done.
    """

    def __init__(self, pipe: Any, device: Device, savings: Options) -> None:
        assert savings.compile is not None
        self._pipe = pipe
        self._zeros: dict[torch.Size, list[Tensor]] = {}
        given: dict[str, Any] = {"backend": savings.compile, "dynamic": False}
        torch._dynamo.config.recompile_limit = _VARIANTS
        with torch.inference_mode(), _explained(savings.compile):
            _try(device, given)
            self._unet = _compile(pipe.unet, **given)
            decode = _compile(pipe.vae.decoder.forward, **given)
            pipe.vae.decoder.forward = lambda sample: decode(sample.contiguous())
            network = _stand_in(pipe.unet, device, savings)
            for size in _SIZES:
                self._warm(network, size, device)

    def __call__(self, samples: Tensor, timestep: Tensor, **given: Any) -> Any:
        zeros = self._zeros[samples.shape]
        parts = [*given.pop(_DOWN), given.pop(_MIDDLE)] if _DOWN in given else zeros
        laid = [_as_laid(part, zero) for part, zero in zip(parts, zeros, strict=True)]
        residuals = {_DOWN: laid[:-1], _MIDDLE: laid[-1]}
        return self._unet(samples.contiguous(), timestep, **given, **residuals)

    def fits(self, embedded: PromptEmbeddings) -> bool:
        """Whether code was made for a prompt of this length."""
        return embedded.prompt.shape[1] == CHUNK

    def drop(self) -> None:
        """Give the decoder back as it was. The UNet itself was never changed."""
        del self._pipe.vae.decoder.forward  # the instance's; the class has its own
        self._zeros.clear()

    def _warm(self, controlnet: Any, size: int, device: Device) -> None:
        """Compile for pictures of one size."""
        unet = self._pipe.unet
        embedded = _nothing(unet)
        given = sampling.make_condition(embedded, size, 2.0)
        steps = [Step(guided=True, controlled=False), Step(guided=False, controlled=False)]
        schedule = sampling.make_schedule(self._pipe.scheduler, len(steps), len(steps), device.name)
        generator = torch.Generator("cpu").manual_seed(0)
        latents = sampling.draw_noise(schedule, size, generator, embedded.prompt)
        for step in steps:
            samples = torch.cat([latents] * step.samples)
            self._zeros[samples.shape] = _zeros(controlnet, samples, schedule.timesteps[0], given)
        latents = sampling.denoise(self, schedule, steps, latents, given, lambda: None)
        sampling.decode_latents(self._pipe.vae, latents)


def _try(device: Device, given: Mapping[str, Any]) -> None:
    """Compile next to nothing: what is lacking shows here at once, and not minutes later."""
    _compile(torch.sin, **given)(torch.zeros(8, device=device.name))


@contextmanager
def _explained(backend: str) -> Iterator[None]:
    """Why compiling has failed, and what can be done about it."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise EngineError(
                "PLITKA_COMPILE: out of memory while compiling; end what else uses the device, take"
                " a larger one, or set PLITKA_COMPILE=0"
            ) from error
        if not isinstance(error, torch._dynamo.exc.TorchDynamoException):
            raise
        log.debug("%s", error)
        reason = first_line(error).rstrip(":")
        raise EngineError(
            f"PLITKA_COMPILE: {backend} cannot compile here ({reason}); install what it needs (a"
            " C++ compiler such as g++, and Triton on a GPU), or set PLITKA_COMPILE=0"
        ) from error


def _nothing(unet: Any) -> PromptEmbeddings:
    """What an empty prompt could look like."""
    text = torch.zeros(1, CHUNK, unet.config.cross_attention_dim)
    pooled = torch.zeros(1, 1280)
    parts = (part.to(unet.device, unet.dtype) for part in (text, text, pooled, pooled))
    return PromptEmbeddings(*parts)


def _stand_in(unet: Any, device: Device, savings: Options) -> Any:
    """A ControlNet of the same build with weights that mean nothing, for as long as it is used."""
    with torch.device(unet.device):
        made = ControlNetModel.from_unet(unet, load_weights_from_unet=False)
    made = made.to(unet.device, unet.dtype).eval().requires_grad_(False)
    loading.set_memory_format(made, device, savings)
    return made


def _zeros(
    controlnet: Any, samples: Tensor, timestep: Tensor, given: sampling.Condition
) -> list[Tensor]:
    """Residuals that change nothing, those of the middle at the end."""
    rows, _, height, width = samples.shape
    edges = samples.new_zeros(rows, 3, 8 * height, 8 * width)
    added = sampling.run_controlnet(controlnet, samples, timestep, given, slice(2 - rows, 2), edges)
    return [torch.zeros_like(part) for part in (*added[_DOWN], added[_MIDDLE])]


def _as_laid(tensor: Tensor, example: Tensor) -> Tensor:
    """The same numbers in the example's order in memory."""
    if tensor.stride() == example.stride():
        return tensor
    return torch.empty_like(example).copy_(tensor)
