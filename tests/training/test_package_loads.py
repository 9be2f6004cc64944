"""A package predicts as the model that was trained: in Plitka's engine, and in diffusers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig

from plitka.training.package import Adapter, write_package
from tests.conftest import LoadSdxl
from tests.support.small_sdxl import SmallSdxl, load_base
from tests.support.trainings import inspected, trained
from tests.support.unet_predictions import predict

RANK = 4
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "conv2"]


def add_lora(unet: Any) -> None:
    """Attach a LoRA as the training does, with numbers that half precision holds exactly."""
    config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=TARGETS)
    unet.add_adapter(config)
    generator = torch.Generator().manual_seed(5)
    for name, parameter in unet.named_parameters():
        if "lora_" in name:
            drawn = 0.1 * torch.randn(parameter.shape, generator=generator)
            parameter.data.copy_(drawn.half().float())


def read_adapter(unet: Any) -> Adapter:
    pairs: dict[str, list[np.ndarray[Any, Any]]] = {}
    for name, parameter in unet.named_parameters():
        if "lora_" in name:
            module, _, part = name.partition(".lora_")
            pairs.setdefault(module, [parameter, parameter])["AB".index(part[0])] = (
                parameter.detach().numpy()
            )
    random = np.random.default_rng(8)
    rows = {
        name: random.normal(0, 0.02, (2, width)).astype(np.float32)
        for name, width in (("clip_l", 768), ("clip_g", 1280))
    }
    return Adapter({name: (down, up) for name, (down, up) in pairs.items()}, rows, RANK)


@pytest.fixture(scope="module")
def pipe(small_sdxl: SmallSdxl) -> Any:
    """The base with a LoRA attached, by diffusers and PEFT alone."""
    pipe = load_base(small_sdxl)
    add_lora(pipe.unet)
    return pipe


@pytest.fixture(scope="module")
def package(pipe: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Adapter]:
    out = tmp_path_factory.mktemp("package")
    adapter = read_adapter(pipe.unet)
    return write_package(out, adapter, trained(), inspected()), adapter


def test_plitkas_engine_predicts_what_was_trained(
    pipe: Any, package: tuple[Path, Adapter], load_sdxl: LoadSdxl
) -> None:
    archive, adapter = package
    engine: Any = load_sdxl(weights=archive, LORA_SCALE="1")
    expected = predict(pipe.unet)
    assert engine.pipe.unet.dtype == torch.float32
    found = predict(engine.pipe.unet)
    assert (found - expected).abs().max() < 1e-5
    pipe.unet.disable_adapters()
    without = predict(pipe.unet)
    pipe.unet.enable_adapters()
    assert (expected - without).abs().max() > 0.01
    encoders = (("clip_l", "", "tokenizer"), ("clip_g", "_2", "tokenizer_2"))
    for half, suffix, tokenizer in encoders:
        ids = getattr(engine.pipe, tokenizer).convert_tokens_to_ids(["<s0>", "<s1>"])
        table = getattr(engine.pipe, f"text_encoder{suffix}").get_input_embeddings().weight
        assert np.array_equal(table[ids].detach().numpy(), adapter.rows[half])


def test_diffusers_reads_all_modules_and_predicts_the_same(
    pipe: Any, package: tuple[Path, Adapter], small_sdxl: SmallSdxl
) -> None:
    archive, adapter = package
    fresh = load_base(small_sdxl)
    fresh.load_lora_weights(archive.with_name("lora.safetensors"))
    loaded = {
        name.partition(".lora_")[0] for name, _ in fresh.unet.named_parameters() if ".lora_" in name
    }
    assert loaded == set(adapter.lora)
    assert (predict(fresh.unet) - predict(pipe.unet)).abs().max() < 1e-5


def test_the_trigger_and_its_tokens_are_the_prompts_of_the_training(
    package: tuple[Path, Adapter], load_sdxl: LoadSdxl
) -> None:
    archive, _ = package
    noted = json.loads(archive.with_name("special_params.json").read_text(encoding="utf-8"))
    assert noted == {"ohwx_rubber_tile": "<s0><s1>"}
