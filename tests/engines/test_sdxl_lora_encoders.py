"""LoRAs of the text encoders as ComfyUI extracts them and as PEFT saves them by themselves."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from plitka.errors import WeightsError
from tests.conftest import LoadSdxl

LAYER = "encoder.layers.0.self_attn.q_proj"


def random(*shape: int, seed: int) -> Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_what_comfyui_extracts_of_text_encoders_is_fused_embeddings_too(
    load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    """Its factors are of every matrix, also of a projection that SDXL has not."""
    plain = load_sdxl(EMBEDDINGS="none").pipe.text_encoder.state_dict()
    factors: dict[str, tuple[Tensor, Tensor]] = {}
    tensors: dict[str, Tensor] = {}
    for seed, (module, shape) in enumerate(
        {
            "embeddings.token_embedding": plain["embeddings.token_embedding.weight"].shape,
            "embeddings.position_embedding": (77, 768),
            LAYER: (768, 768),
        }.items()
    ):
        up, down = random(shape[0], 4, seed=seed), random(4, shape[1], seed=seed + 9)
        factors[module] = up, down
        name = f"text_encoders.clip_l.transformer.text_model.{module}"
        tensors |= {f"{name}.lora_up.weight": up, f"{name}.lora_down.weight": down}
    projection = "text_encoders.clip_l.transformer.text_projection"
    tensors[f"{projection}.lora_up.weight"] = random(768, 4, seed=30)
    tensors[f"{projection}.lora_down.weight"] = random(4, 768, seed=31)
    save_file(tensors, tmp_path / "lora.safetensors")
    engine = load_sdxl(LORA=tmp_path / "lora.safetensors", LORA_SCALE="0.5", EMBEDDINGS="none")
    after = engine.pipe.text_encoder.state_dict()
    assert set(after) == set(plain)
    for name, weight in plain.items():
        module = name.removesuffix(".weight")
        expected = weight
        if module in factors:
            up, down = factors[module]
            expected = weight + 0.5 * up @ down
        torch.testing.assert_close(after[name], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("component", "width"), [("text_encoder", 768), ("text_encoder_2", 1280)])
def test_peft_adapters_of_one_text_encoder_are_told_by_their_width(
    component: str, width: int, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    up, down = random(width, 4, seed=1), random(4, width, seed=2)
    name = f"base_model.model.text_model.{LAYER}"
    file = tmp_path / "adapter_model.safetensors"
    save_file({f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}, file)
    engine, plain = load_sdxl(LORA=file, LORA_SCALE="1"), load_sdxl()
    for encoder in ("text_encoder", "text_encoder_2"):
        before = getattr(plain.pipe, encoder).state_dict()
        for key, weight in getattr(engine.pipe, encoder).state_dict().items():
            is_target = encoder == component and f"{LAYER}.weight" in key
            expected = before[key] + up @ down if is_target else before[key]
            torch.testing.assert_close(weight, expected, rtol=1e-4, atol=1e-5)


def test_a_bias_in_sparse_form_is_refused_by_name(load_sdxl: LoadSdxl, tmp_path: Path) -> None:
    place = "lora_unet_mid_block_attentions_0_proj_in"
    tensors = {
        f"{place}.lora_down.weight": torch.ones(4, 32),
        f"{place}.lora_up.weight": torch.ones(32, 4),
        f"{place}.alpha": torch.tensor(4.0),
        f"{place}.bias_indices": torch.zeros(1, 3, dtype=torch.int64),
        f"{place}.bias_values": torch.ones(3),
        f"{place}.bias_size": torch.tensor([32]),
    }
    save_file(tensors, tmp_path / "lora.safetensors")
    with pytest.raises(WeightsError, match="a bias of which only some numbers are there"):
        load_sdxl(LORA=tmp_path / "lora.safetensors")


def test_a_lora_of_another_base_is_told_so(load_sdxl: LoadSdxl, tmp_path: Path) -> None:
    """As SDXL's own on one with fewer layers: the file is whole, and the remedy is another base."""
    place = "lora_unet_mid_block_attentions_0_transformer_blocks_9_attn1_to_q"
    tensors = {
        f"{place}.lora_down.weight": torch.ones(4, 32),
        f"{place}.lora_up.weight": torch.ones(32, 4),
        f"{place}.alpha": torch.tensor(4.0),
    }
    save_file(tensors, tmp_path / "lora.safetensors")
    with pytest.raises(WeightsError, match="set PLITKA_BASE to the model that it was trained on"):
        load_sdxl(LORA=tmp_path / "lora.safetensors")
