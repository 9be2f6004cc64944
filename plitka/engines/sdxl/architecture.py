"""Builds networks by their configurations, without memory for their weights."""

import functools
import json
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from accelerate import init_empty_weights
from huggingface_hub.errors import StrictDataclassFieldValidationError

from plitka.weights.header import Shapes
from plitka.weights.sdxl_architecture import Config, Part

_CLASSES: dict[Part, Any] = {
    "unet": diffusers.UNet2DConditionModel,
    "vae": diffusers.AutoencoderKL,
    "text_encoder": transformers.CLIPTextModel,
    "text_encoder_2": transformers.CLIPTextModelWithProjection,
    "controlnet": diffusers.ControlNetModel,
}


def build_network(part: Part, config: Config) -> Any:
    """Build a network whose parameters are on torch's meta device; its buffers are on the CPU.

    config: complete, as `weights.model_config` gives it. Raises ValueError for one of which no
    network can be built.
    """
    with init_empty_weights(include_buffers=False):
        try:
            if part.startswith("text_encoder"):
                return _CLASSES[part](transformers.CLIPTextConfig(**config))
            return _CLASSES[part](**config)
        except (
            ArithmeticError,
            AssertionError,
            AttributeError,
            LookupError,
            NotImplementedError,
            RuntimeError,
            StrictDataclassFieldValidationError,
            TypeError,
            ValueError,
        ) as error:  # sizes that do not go together: each constructor stumbles in its own way
            raise ValueError(str(error)) from error


def list_tensors(part: Part, config: Config) -> Shapes:
    """List the tensors of a network: name -> shape. Raises ValueError as `build_network`."""
    return _list_tensors(part, json.dumps(config, sort_keys=True))


@functools.cache
def _list_tensors(part: Part, config: str) -> Shapes:
    with torch.device("meta"):
        network = build_network(part, json.loads(config))
    return {name: tuple(parameter.shape) for name, parameter in network.named_parameters()}


_PADS: dict[Part, str] = {"text_encoder": "<|endoftext|>", "text_encoder_2": "!"}


def load_tokenizer(part: Part, folder: Path) -> Any:
    """Load the tokenizer of a text encoder, with SDXL's marks whatever its settings say.

    Raises ValueError for a damaged one.
    """
    try:
        return transformers.CLIPTokenizer.from_pretrained(
            folder,
            bos_token="<|startoftext|>",
            eos_token="<|endoftext|>",
            unk_token="<|endoftext|>",
            pad_token=_PADS[part],
            model_max_length=77,
        )
    except Exception as error:  # the tokenizers library raises this very class for a bad file
        raise ValueError(str(error)) from error
