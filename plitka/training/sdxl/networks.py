"""What is trained, and on what: SDXL as the engine loads it, with a LoRA and rows of tokens."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from peft.tuners.lora import LoraLayer
from torch import Tensor

from plitka.engines.sdxl import loading
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.options import SdxlSettings
from plitka.errors import TrainingError
from plitka.request.prompt import DEFAULT_TRIGGER, Subject
from plitka.runtime.timing import Stages
from plitka.training.options import TrainingOptions
from plitka.training.sdxl.lora_layers import ADAPTER, attach_lora
from plitka.training.sdxl.planning import list_trained, strip_adapters
from plitka.training.sdxl.token_rows import HALVES, TokenRows
from plitka.weights.adapter_files import Package
from plitka.weights.noise import Noise
from plitka.weights.resolved import Resolved

_DOWN, _UP = f".lora_A.{ADAPTER}.weight", f".lora_B.{ADAPTER}.weight"  # PEFT's names

Array: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Networks:
    """SDXL to train on.

    pipe: the text-to-image pipeline; its UNet has the LoRA, its encoders the rows' tokens, its VAE
    works in float32. noise: what the base says of its noise. base: its title, for records.
    """

    pipe: Any
    rows: TokenRows
    noise: Noise
    subject: Subject
    base: str
    rank: int

    @property
    def encoders(self) -> tuple[tuple[Any, Any], ...]:
        """SDXL's two tokenizers, each with its text encoder."""
        pipe = self.pipe
        return ((pipe.tokenizer, pipe.text_encoder), (pipe.tokenizer_2, pipe.text_encoder_2))

    def trained(self) -> dict[str, torch.nn.Parameter]:
        """All that is trained, by name: the LoRA's factors, and the rows."""
        lora = {
            name: parameter
            for name, parameter in self.pipe.unet.named_parameters()
            if f".{ADAPTER}." in name
        }
        return lora | dict(zip(HALVES, self.rows.rows, strict=True))

    def export(
        self, values: Mapping[str, Tensor]
    ) -> tuple[dict[str, tuple[Array, Array]], dict[str, Array]]:
        """Sort values of `trained` by what they are: a LoRA's factors by module, rows by encoder.

        Returns module of the UNet -> down and up, and HALVES -> (vectors, width); all float32.
        """
        arrays = {name: value.detach().float().cpu().numpy() for name, value in values.items()}
        rows = {half: arrays.pop(half) for half in HALVES}
        down = {_find_module(name): array for name, array in arrays.items() if _DOWN in name}
        up = {_find_module(name): array for name, array in arrays.items() if _UP in name}
        return {module: (down[module], up[module]) for module in down}, rows

    @contextmanager
    def holding(self, values: Mapping[str, Tensor], scale: float = 1.0) -> Iterator[None]:
        """Put other values in place of the trained ones for the block; scale: of the LoRA."""
        trained = self.trained()
        kept = {name: parameter.detach().clone() for name, parameter in trained.items()}
        set_values(trained, values)
        self._set_scale(scale)
        try:
            yield
        finally:
            self._set_scale(1.0)
            set_values(trained, kept)

    def _set_scale(self, scale: float) -> None:
        for module in self.pipe.unet.modules():
            if isinstance(module, LoraLayer):
                module.set_scale(ADAPTER, scale)


def _find_module(name: str) -> str:
    """The module of the UNet whose factor has this name."""
    return name.removesuffix(_DOWN).removesuffix(_UP)


@torch.no_grad()
def set_values(parameters: Mapping[str, torch.nn.Parameter], values: Mapping[str, Tensor]) -> None:
    """Copy values into parameters of the same names."""
    for name, parameter in parameters.items():
        parameter.copy_(values[name])


def find_weights(settings: SdxlSettings, stages: Stages) -> Resolved:
    """Find, check and fetch the base model and the VAE, and nothing else.

    Raises WeightsError with all faults, TrainingError for a base that is one of Plitka's snapshots
    with a LoRA in it.
    """
    weights = loading.resolve_weights(
        strip_adapters(settings.weights), Package("", None, None), stages
    )
    if faults := list_trained(weights.snapshot, weights.base, weights.settings):
        raise TrainingError("\n".join(faults))
    return weights


def load_networks(
    weights: Resolved, options: TrainingOptions, device: Device, stages: Stages
) -> Networks:
    """Load SDXL for training: frozen, with a new LoRA and new rows."""
    loading.quiet_libraries()
    pipe = loading.assemble(weights, device, device.name, stages)
    # In half precision the published VAE overflows; another's latents are rounded.
    vae = weights.base.models["vae"] if weights.vae is None else weights.vae
    pipe.vae = loading.load_network(vae, device.name, torch.float32)
    subject = Subject(DEFAULT_TRIGGER, options.vectors)
    generator = torch.Generator().manual_seed(options.seed)
    with stages("attach LoRA and rows"):
        attach_lora(pipe.unet, options.rank, options.seed)
        encoders = ((pipe.tokenizer, pipe.text_encoder), (pipe.tokenizer_2, pipe.text_encoder_2))
        rows = TokenRows(encoders, subject.tokens, generator)
    return Networks(pipe, rows, weights.base.noise, subject, weights.settings.base, options.rank)
