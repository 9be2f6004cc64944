"""The names that tools give to a LoRA's tensors: each finds its one module of a small SDXL."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from plitka.weights.lora_keys import list_candidates, parse_key
from tests.conftest import LoadSdxl
from tests.support.small_sdxl import SmallSdxl, load_base, read_modules, save_checkpoint
from tests.support.trained_loras import (
    Trained,
    assert_fused,
    full,
    kohya,
    name_kohya,
    original,
    peft_form,
)


@pytest.fixture(scope="module")
def base(small_sdxl: SmallSdxl) -> Any:
    return load_base(small_sdxl)


def _name_original(component: str, module: str) -> str:
    return name_kohya(component, original(module) if component == "unet" else module)


def _name_with(prefixes: dict[str, str]) -> Callable[[str, str], str]:
    return lambda component, module: name_kohya(component, module, prefixes)


def _name_dotted(prefixes: dict[str, str], on_unet: Callable[[str], str]) -> Any:
    def name(component: str, module: str) -> str:
        module = on_unet(module) if component == "unet" else full(module)
        return prefixes[component] + module

    return name


def _name_open_clip(component: str, module: str) -> str:
    """The second text encoder's modules as OpenCLIP names them; q, k and v are one there."""
    name = name_kohya(component, module)
    if component == "text_encoder_2" and not re.search("_[qkv]_proj$", name):
        name = name.replace("text_model_encoder_layers", "transformer_resblocks")
        name = name.replace("self_attn", "attn").replace("mlp_fc1", "mlp_c_fc")
    return name


_SAME = str
COMFY = {
    "unet": "diffusion_model.",
    "text_encoder": "text_encoders.clip_l.transformer.",
    "text_encoder_2": "text_encoders.clip_g.transformer.",
}
OMI = {"unet": "unet.", "text_encoder": "clip_l.", "text_encoder_2": "clip_g."}
LYCORIS = {"unet": "lycoris_unet", "text_encoder": "lycoris_te1", "text_encoder_2": "lycoris_te2"}
WRAPPED = {
    "unet": "unet.base_model.model.",
    "text_encoder": "text_encoder.base_model.model.",
    "text_encoder_2": "text_encoder_2.base_model.model.",
}
FLAT = {
    "unet": "lora_unet_base_model_model",
    "text_encoder": "lora_te1_base_model_model",
    "text_encoder_2": "lora_te2_base_model_model",
}
INSIDE = {part: f"base_model.model.{part}." for part in WRAPPED}


@pytest.mark.parametrize(
    "naming",
    [
        pytest.param(name_kohya, id="kohya"),
        pytest.param(_name_original, id="kohya, the original's names"),
        pytest.param(_name_open_clip, id="kohya, OpenCLIP's names"),
        pytest.param(_name_with(LYCORIS), id="lycoris"),
        pytest.param(_name_with({**LYCORIS, "unet": "lycoris"}), id="lycoris, UNet bare"),
        pytest.param(_name_with(FLAT), id="kohya of PEFT's names"),
        pytest.param(_name_dotted(COMFY, original), id="ComfyUI"),
        pytest.param(_name_dotted(COMFY, _SAME), id="ComfyUI, diffusers' blocks"),
        pytest.param(_name_dotted(OMI, original), id="OMI"),
        pytest.param(_name_dotted(WRAPPED, _SAME), id="PEFT inside diffusers"),
        pytest.param(_name_dotted(INSIDE, _SAME), id="diffusers inside PEFT"),
    ],
)
def test_a_name_finds_its_module(
    naming: Any, base: Any, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    trained = Trained(base, on_encoders=True)
    save_file(kohya(trained, naming), tmp_path / "lora.safetensors")
    engine = load_sdxl(LORA=tmp_path / "lora.safetensors", LORA_SCALE="0.6")
    assert_fused(engine, base, trained, 0.6)


def _diffusers(trained: Trained) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for (component, module), (down, up, alpha) in trained.pairs.items():
        tensors[f"{component}.{module}.lora.down.weight"] = down
        tensors[f"{component}.{module}.lora.up.weight"] = up
        tensors[f"{component}.{module}.alpha"] = torch.tensor(alpha)
    return tensors


def _older_diffusers(trained: Trained) -> dict[str, Tensor]:
    """Layers of attention processors, as Cog's SDXL trainer writes them: no component, no alpha."""
    tensors: dict[str, Tensor] = {}
    for component, module in list(trained.pairs):
        if component == "unet" and "attn" in module:
            down, up, _ = trained.pairs[component, module]
            place, layer = module.removesuffix(".0").rsplit(".", 1)
            tensors[f"{place}.processor.{layer}_lora.down.weight"] = down
            tensors[f"{place}.processor.{layer}_lora.up.weight"] = up
        else:
            del trained.pairs[component, module]
    trained.without_alphas()
    return tensors


def _older_encoders(trained: Trained) -> dict[str, Tensor]:
    """Text encoders as diffusers patched them: q_proj is to_q_lora, others lora_linear_layer."""
    tensors: dict[str, Tensor] = {}
    for (component, module), (down, up, _) in trained.without_alphas().pairs.items():
        if component == "unet":
            name = f"unet.{module}.lora"
        elif match := re.fullmatch(r"(.+)\.(?:([qkv])|out)_proj", module):
            name = f"{component}.{full(match[1])}.to_{match[2] or 'out'}_lora"
        else:
            name = f"{component}.{full(module)}.lora_linear_layer"
        tensors[f"{name}.down.weight"], tensors[f"{name}.up.weight"] = down, up
    return tensors


def _of_an_adapter(name: str) -> Callable[[Trained], dict[str, Tensor]]:
    return lambda trained: peft_form(trained.without_alphas(), adapter=f".{name}")


def _bundle(trained: Trained) -> dict[str, Tensor]:
    """OneTrainer's: embeddings lie beside the LoRA, and are not its own."""
    return {
        **kohya(trained),
        "bundle_emb.tile.clip_l": torch.ones(2, 768),
        "bundle_emb.tile.clip_g": torch.ones(2, 1280),
    }


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(_diffusers, id="diffusers"),
        pytest.param(_older_diffusers, id="older diffusers"),
        pytest.param(_older_encoders, id="older diffusers, text encoders"),
        pytest.param(_of_an_adapter("default"), id="PEFT's adapter"),
        pytest.param(_of_an_adapter("my-adapter.v1"), id="PEFT's adapter with dots"),
        pytest.param(_bundle, id="a bundle with embeddings"),
    ],
)
def test_a_form_finds_its_modules(
    write: Any, base: Any, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    trained = Trained(base, on_encoders=True)
    save_file(write(trained), tmp_path / "lora.safetensors")
    engine = load_sdxl(LORA=tmp_path / "lora.safetensors", LORA_SCALE="0.6")
    assert_fused(engine, base, trained, 0.6)


def test_the_modules_of_a_checkpoint_are_those_of_a_folder(
    small_sdxl: SmallSdxl, tmp_path: Path
) -> None:
    """Norms, biases and the text projection among them, under either's names."""
    checkpoint = save_checkpoint(tmp_path / "sdxl.safetensors", small_sdxl.base)
    folder = read_modules(small_sdxl.base)
    assert read_modules(checkpoint, small_sdxl.base) == folder
    assert folder["unet"]["conv_norm_out"] == ((16,), True)
    assert folder["text_encoder_2"]["text_projection"] == ((1280, 1280), False)


def test_every_module_is_found_by_its_original_name_and_adapters_names_may_have_dots(
    base: Any, small_sdxl: SmallSdxl
) -> None:
    known = read_modules(small_sdxl.base)["unet"]
    for name, module in base.unet.named_modules():
        if getattr(module, "weight", None) is not None:
            key = parse_key(f"diffusion_model.{original(name)}.lora_A.a-b.c.weight")
            assert key is not None, name
            assert key.adapter == "a-b.c"
            found = next(known_as for known_as in list_candidates(key) if known_as in known)
            assert found == name.replace(".", "_")
