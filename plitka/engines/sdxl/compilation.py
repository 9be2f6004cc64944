"""torch.compile for the UNet and the VAE's decoder, done when the engine is loaded.

Compiled code is specific to the shapes and memory formats that it was run with. So everything that
a prediction can ask for is run once at that time: both picture sizes, with guidance and without
(two samples and one). A ControlNet's residuals would double that; so compiled code always takes
residuals, and they are zeros where no ControlNet runs.

The networks run uncompiled for prompts longer than one chunk, for the quality `turbo`, whose LoRA
is hooked into the UNet, and under the small memory plans; shallow passes, which are short, always.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from diffusers import ControlNetModel
from torch import Tensor

from plitka.engines.sdxl import loading, passes, sampling
from plitka.engines.sdxl.device import Device, is_out_of_memory
from plitka.engines.sdxl.guidance import Step
from plitka.engines.sdxl.memory_plan import MemoryPlan
from plitka.engines.sdxl.options import Options
from plitka.engines.sdxl.text_encoding import CHUNK, PromptEmbeddings
from plitka.engines.sdxl.text_keys import keep_text_keys
from plitka.errors import EngineError, extract_first_line
from plitka.request.plan import DRAWN_SIZES
from plitka.runtime.timing import log

PLANS: tuple[MemoryPlan, ...] = ("resident", "encoders_on_cpu")
"""The memory plans in which networks stay where they are, and pictures whole."""

_compile: Any = torch.compile  # partly typed


class CompiledUNet:
    """Makes the passes of `sampling.denoise`, the UNet's by compiled code.

    Compiles the VAE's decoder in place as well.

    Raises EngineError if it cannot be compiled.
    """

    def __init__(self, pipe: Any, device: Device, options: Options) -> None:
        assert options.compile is not None
        self._pipe = pipe
        self._zero_residuals: dict[torch.Size, Sequence[Tensor]] = {}  # by shape of the samples
        settings: dict[str, Any] = {"backend": options.compile, "dynamic": False}
        with torch.inference_mode(), _explain_failure(options.compile):
            _check_backend(device, settings)
            self._run = _compile(passes.run_unet, **settings)
            decode = _compile(pipe.vae.decoder.forward, **settings)
            pipe.vae.decoder.forward = lambda sample: decode(sample.contiguous())
            controlnet = _make_untrained_controlnet(pipe.unet, device, options)
            for size in DRAWN_SIZES:
                self._warm_up(controlnet, size, device)

    def __call__(self, function: Callable[..., Any], network: Any, *arguments: Any) -> Any:
        """Make a pass: the UNet's by compiled code, others as they are."""
        if function is not passes.run_unet:
            return function(network, *arguments)
        samples, *inputs, residuals = arguments
        zeros = self._zero_residuals[samples.shape]
        parts = [
            _match_strides(part, zero) for part, zero in zip(residuals or zeros, zeros, strict=True)
        ]
        return self._run(network, samples.contiguous(), *inputs, parts)

    def fits(self, embeddings: PromptEmbeddings) -> bool:
        """Whether code was compiled for a prompt of this length."""
        return embeddings.prompt.shape[1] == CHUNK

    def drop(self) -> None:
        """Restore the VAE's decoder. The UNet itself was never changed."""
        del self._pipe.vae.decoder.forward  # the instance's; the class has its own
        self._zero_residuals.clear()

    def _warm_up(self, controlnet: Any, size: int, device: Device) -> None:
        """Compile for pictures of one size, in pixels a side."""
        unet = self._pipe.unet
        embeddings = _make_empty_embeddings(unet)
        edges = np.zeros((size, size), np.uint8)
        condition = sampling.make_condition(embeddings, size, 2.0, controlnet, edges, 1.0)
        steps = [Step(guided=True, controlled=False), Step(guided=False, controlled=False)]
        schedule = sampling.make_schedule(self._pipe.scheduler, len(steps), len(steps), device.name)
        generator = torch.Generator("cpu").manual_seed(0)
        latents = sampling.draw_noise(schedule, size, generator, embeddings.prompt)
        for step in steps:
            samples = torch.cat([latents] * step.samples)
            given = sampling.make_inputs(unet, condition, step.guided)
            residuals = sampling.run_controlnet(condition, samples, schedule.timesteps[0], given)
            # In the ControlNet's shapes and memory formats.
            self._zero_residuals[samples.shape] = [torch.zeros_like(part) for part in residuals]
        latents = sampling.denoise(unet, schedule, steps, latents, condition, lambda: None, self)
        sampling.decode_latents(self._pipe.vae, latents)


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
                "PLITKA_COMPILE: out of memory while compiling; end what else uses the device, take"
                " a larger one, or set PLITKA_COMPILE=0"
            ) from error
        if not isinstance(error, torch._dynamo.exc.TorchDynamoException):
            raise
        log.debug("%s", error)
        reason = extract_first_line(error).rstrip(":")
        raise EngineError(
            f"PLITKA_COMPILE: {backend} cannot compile here ({reason}); install what it needs (a"
            " C++ compiler such as g++, and Triton on a GPU), or set PLITKA_COMPILE=0"
        ) from error


def _make_empty_embeddings(unet: Any) -> PromptEmbeddings:
    """Make embeddings of the shapes of a short prompt, all zeros."""
    text = torch.zeros(1, CHUNK, unet.config.cross_attention_dim)
    pooled = torch.zeros(1, 1280)
    parts = (part.to(unet.device, unet.dtype) for part in (text, text, pooled, pooled))
    return PromptEmbeddings(*parts)


def _make_untrained_controlnet(unet: Any, device: Device, options: Options) -> Any:
    """Make a ControlNet for the UNet with random weights, to learn its residuals' shapes."""
    with torch.device(unet.device):
        network = ControlNetModel.from_unet(unet, load_weights_from_unet=False)
    network = network.to(unet.device, unet.dtype).eval().requires_grad_(False)
    keep_text_keys(network)
    loading.set_memory_format(network, device, options)
    return network


def _match_strides(tensor: Tensor, example: Tensor) -> Tensor:
    """Return the tensor with the strides of the example, copied where they differ."""
    if tensor.stride() == example.stride():
        return tensor
    return torch.empty_like(example).copy_(tensor)
