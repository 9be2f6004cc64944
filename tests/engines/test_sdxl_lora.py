"""A LoRA fused into a small SDXL: what is left of it, and what a file is refused for."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from plitka.errors import EngineError
from plitka.weights.lora_targets import list_modules
from tests.conftest import LoadSdxl
from tests.support.small_sdxl import SmallSdxl, load_base
from tests.support.trained_loras import Trained, kohya


def test_after_fusing_nothing_of_the_lora_is_left(
    small_sdxl: SmallSdxl, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    save_file(kohya(Trained(load_base(small_sdxl))), tmp_path / "lora.safetensors")
    engine = load_sdxl(LORA=tmp_path / "lora.safetensors")
    assert not any("lora" in name for name, _ in engine.pipe.unet.named_modules())
    assert not hasattr(engine.pipe.unet, "peft_config")


def test_the_modules_that_a_lora_may_change_are_the_published_models_own() -> None:
    """They are listed from the tensors' names and shapes alone."""
    from accelerate import init_empty_weights
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    with init_empty_weights():
        unet = UNet2DConditionModel(
            block_out_channels=(320, 640, 1280),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2, 10),
            attention_head_dim=(5, 10, 20),
            cross_attention_dim=2048,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
        )
        encoder = CLIPTextModelWithProjection(
            CLIPTextConfig(
                hidden_size=1280,
                intermediate_size=5120,
                projection_dim=1280,
                num_hidden_layers=32,
                num_attention_heads=20,
            )
        )
    models = {"unet": unet, "text_encoder": encoder, "text_encoder_2": encoder}
    listed = list_modules(
        {
            component: {name: tuple(value.shape) for name, value in model.state_dict().items()}
            for component, model in models.items()
        }
    )
    norms, embedding = (torch.nn.GroupNorm, torch.nn.LayerNorm), torch.nn.Embedding
    changeable = (torch.nn.Linear, torch.nn.Conv2d, *norms, embedding)
    for component, model in models.items():
        modules = {
            name.removeprefix("text_model.").replace(".", "_"): (
                tuple(module.weight.shape),
                getattr(module, "bias", None) is not None,
            )
            for name, module in model.named_modules()
            if isinstance(module, changeable)
        }
        assert dict(listed[component]) == modules


PLACE = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
BIASED = "lora_unet_mid_block_attentions_0_proj_in"
CONV = "lora_unet_mid_block_resnets_0_conv1"
SD15 = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"

Shapes = dict[str, tuple[int, ...] | None]
WITH_FAULTS: list[tuple[Shapes, str]] = [
    # names
    ({"lora_unet_nowhere.lora_down.weight": (4, 32)}, "1 of its 4 tensors find no module"),
    ({"lora_unet_nowhere.alpha": ()}, "lora_unet_nowhere.alpha"),
    ({"unet.mid_block.nowhere.lora_A.weight": (4, 32)}, "find no module"),
    ({f"{PLACE}.lora_extra.weight": (4, 32)}, "find no module"),
    ({"conv_in.weight": (16, 4, 3, 3)}, "a whole module (modules_to_save), which is not read"),
    ({f"unet.{PLACE[10:]}.alpha": ()}, "for the same part of the same module"),
    ({f"diffusion_model.{PLACE[10:]}.lora_A.b.weight": (4, 32)}, "for the same part"),
    (
        {"unet.conv_in.lora_A.a.weight": (4, 4, 3, 3), "unet.conv_in.lora_B.b.weight": (16, 4)},
        "holds more than one adapter: a, b",
    ),
    # parts
    ({f"{PLACE}.lora_up.weight": None}, "lacks its up half"),
    ({f"{BIASED}.alpha": ()}, "alpha belongs to no method"),
    ({f"{BIASED}.dora_scale": (32, 1)}, "belongs to no method"),
    ({f"{BIASED}.hada_w1_a": (32, 4)}, "lacks hada_w1_b, hada_w2_a, hada_w2_b beside it"),
    ({f"{BIASED}.lokr_w1": (4, 4)}, "lacks lokr_w2 beside it"),
    ({f"{BIASED}.lokr_w1": (4, 4), f"{BIASED}.lokr_w2_b": (4, 8)}, "lacks lokr_w2_a"),
    ({f"{BIASED}.on_input": ()}, "lacks weight"),
    ({f"{BIASED}.rescale": (32, 1)}, "lacks oft_blocks"),
    ({f"{PLACE}.hada_w1_a": (32, 4)}, "mix LoRA and LoHa"),
    ({f"{PLACE}.diff": (32, 32)}, "mix LoRA and difference"),
    ({f"{BIASED}.diff": (32, 32), f"{BIASED}.alpha": ()}, "alpha belongs to no method"),
    ({f"{PLACE}.lora_magnitude_vector": (32,), f"{PLACE}.dora_scale": (32, 1)}, "same module"),
    ({f"{PLACE}.alpha": (2,)}, "alpha (2) is not one number"),
    # biases
    ({f"{PLACE}.diff_b": (32,)}, "diff_b changes a bias that SDXL has not"),
    ({f"{PLACE}.lora_up.bias": (32,)}, "changes a bias that SDXL has not"),
    ({f"{BIASED}.diff_b": (31,)}, "diff_b (31) does not fit unet mid_block"),
    (
        {f"{BIASED}.{part}": (32,) for part in ("diff_b", "w_norm", "b_norm")},
        "diff_b and lora_unet_mid_block_attentions_0_proj_in.b_norm are for one bias",
    ),
    # shapes
    ({f"{PLACE}.lora_down.weight": (4, 48)}, "do not fit unet mid_block"),
    ({f"{PLACE}.lora_down.weight": (0, 32), f"{PLACE}.lora_up.weight": (32, 0)}, "do not fit"),
    ({f"{PLACE}.lora_down.weight": (32, 4)}, "do not fit"),
    ({f"{PLACE}.lora_up.weight": (32, 8)}, "do not fit"),
    ({f"{PLACE}.lora_up.weight": ()}, "do not fit"),
    ({f"{PLACE}.lora_mid.weight": (4, 4)}, "do not fit"),
    ({f"{PLACE}.dora_scale": (16, 1)}, "do not fit"),
    ({f"{PLACE}.lora_magnitude_vector.weight": (32, 32)}, "do not fit"),
    (
        {f"{CONV}.lora_down.weight": (4, 3, 3, 32), f"{CONV}.lora_up.weight": (32, 4, 1, 1)},
        "do not fit",
    ),
    (
        {
            f"{CONV}.lora_down.weight": (4, 32, 1, 1),
            f"{CONV}.lora_mid.weight": (4, 4, 1, 1),
            f"{CONV}.lora_up.weight": (32, 4, 1, 1),
        },
        "do not fit",
    ),
    (
        {f"{CONV}.hada_{w}_{half}": (4, 32) for w in ("w1", "w2") for half in "ab"},
        "do not fit",
    ),
    ({f"{BIASED}.lokr_w1": (4, 5), f"{BIASED}.lokr_w2": (8, 8)}, "do not fit"),
    ({f"{BIASED}.lokr_w1": (4, 4), f"{BIASED}.lokr_w2": (8, 4)}, "do not fit"),
    (
        {
            f"{BIASED}.lokr_w1": (4, 4),
            f"{BIASED}.lokr_w1_a": (4, 2),
            f"{BIASED}.lokr_w2": (8, 8),
        },
        "do not fit",
    ),
    ({f"{BIASED}.oft_blocks": (4, 4, 4)}, "does not fit"),
    ({f"{BIASED}.oft_blocks": (4, 6, 4, 8)}, "does not fit"),
    ({f"{BIASED}.oft_blocks": (4, 4, 8, 8)}, "does not fit"),  # four stages of two
    ({f"{BIASED}.oft_R.weight": (4, 27)}, "does not fit"),
    ({f"{BIASED}.boft_R": (4, 4, 8, 8), f"{BIASED}.boft_s": (32, 1)}, "do not fit"),
    ({f"{BIASED}.weight": (1, 32), f"{BIASED}.on_input": ()}, "do not fit"),
    ({f"{BIASED}.ia3_l": (32,)}, "does not fit"),
    ({f"{CONV}.ia3_l": (1, 32, 1, 1)}, "is for the inputs or the outputs of a module"),
    ({f"{BIASED}.diff": (32, 31)}, "does not fit"),
    ({f"{BIASED}.w_norm": (32,), f"{BIASED}.b_norm": (32,)}, "do not fit"),
    ({"lora_unet_mid_block_attentions_0_norm.w_norm": (32,)}, "lacks b_norm beside it"),
    (
        {f"{BIASED}.lora_down.weight": (4, 32), f"{BIASED}.lora_up.weight": (32, 4)},
        "lora_down.weight has no alpha beside it, as 1 other modules of its kind have",
    ),
    (
        {f"{BIASED}.{part}.weight": (32, 32) for part in ("a1", "a2", "b1", "b2")},
        "cannot be told which version of GLoRA",
    ),
    # methods that are not read
    ({"base_model.model.mid_block.conv.vera_lambda_b": (4,)}, "a VeRA, which is not read"),
    ({"base_model.model.x.fourierft_spectrum.default": (4,)}, "a FourierFT, which is not read"),
    ({"base_model.model.x.hra_u.default": (4, 4)}, "an HRA, which is not read"),
    ({"base_model.model.x.randlora_lambda.default": (4,)}, "a RandLoRA, which is not read"),
    ({"text_encoder.x.token_embedding.lora_embedding_A": (4, 4)}, "token embedding"),
    ({"base_model.model.x.modules_to_save.weight": (4, 4)}, "modules_to_save"),
    ({"base_model.model.x.lora_E.default": (4, 1)}, "an AdaLoRA"),
    ({f"{BIASED}.lambda_layer": (1, 4), f"{BIASED}.q_layer.weight": (4, 32)}, "a T-LoRA"),
    ({f"{BIASED}.set_weight": (32, 32)}, "whole weights in place of the base's"),
    # other families
    ({f"{SD15}.lora_down.weight": (4, 768)}, "a LoRA for SD 1.5, not"),
    ({f"{SD15}.lora_down.weight": (4, 1024)}, "a LoRA for SD 2, not"),
]


@pytest.mark.parametrize(("shapes", "sentence"), WITH_FAULTS)
def test_a_tensor_without_a_place_is_an_error_and_says_what_to_do(
    shapes: Shapes, sentence: str, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    file = {
        f"{PLACE}.lora_down.weight": torch.ones(4, 32),
        f"{PLACE}.lora_up.weight": torch.ones(32, 4),
        f"{PLACE}.alpha": torch.tensor(4.0),
    }
    for name, shape in shapes.items():
        if shape is None:
            del file[name]
        else:
            file[name] = torch.ones(shape)
    fault = _refuse(file, load_sdxl, tmp_path)
    assert sentence in fault
    assert "PLITKA_LORA" in fault


def _refuse(file: dict[str, Tensor], load_sdxl: LoadSdxl, tmp_path: Path) -> str:
    """What is said of a file: one sentence that begins with its path."""
    path = tmp_path / "lora.safetensors"
    save_file(file, path)
    with pytest.raises(EngineError) as fault:
        load_sdxl(LORA=path)
    assert str(fault.value).startswith(f"{path}: ")
    assert "\n" not in str(fault.value)
    return str(fault.value)


@pytest.mark.parametrize(
    "names",
    [
        ["lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"],
        ["transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight"],
        ["lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight"],
        ["conv_in.weight", "conv_in.bias"],
        ["clip_l", "clip_g"],
    ],
)
def test_what_is_no_lora_for_sdxl_is_not_called_one(
    names: list[str], load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    fault = _refuse({name: torch.ones(4, 768) for name in names}, load_sdxl, tmp_path)
    assert "a LoRA for SDXL" in fault
    assert "download it again" not in fault


@pytest.mark.parametrize("part", ["lora_down.weight", "alpha"])
@pytest.mark.parametrize("dtype", [torch.int8, torch.bool])
def test_factors_that_are_no_floating_point_numbers_are_refused(
    dtype: torch.dtype, part: str, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    file = {
        f"{PLACE}.lora_down.weight": torch.ones(4, 32),
        f"{PLACE}.lora_up.weight": torch.ones(32, 4),
        f"{PLACE}.alpha": torch.tensor(4.0),
    }
    file[f"{PLACE}.{part}"] = file[f"{PLACE}.{part}"].to(dtype)
    assert "numbers, not floating-point ones" in _refuse(file, load_sdxl, tmp_path)


def test_an_alpha_may_be_a_whole_number(
    small_sdxl: SmallSdxl, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    file = {
        f"{PLACE}.lora_down.weight": torch.full((4, 32), 0.1).to(torch.float8_e4m3fn),
        f"{PLACE}.lora_up.weight": torch.full((32, 4), 0.1, dtype=torch.bfloat16),
        f"{PLACE}.alpha": torch.tensor([8]),
    }
    save_file(file, tmp_path / "lora.safetensors")
    engine = load_sdxl(LORA=tmp_path / "lora.safetensors", LORA_SCALE="1")
    old, new = (
        pipe.unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_q.weight
        for pipe in (load_base(small_sdxl), engine.pipe)
    )
    up, down = (file[f"{PLACE}.lora_{half}.weight"].float() for half in ("up", "down"))
    assert torch.allclose(new, old + 2 * up @ down, atol=1e-6)


@pytest.mark.parametrize(
    "parts",
    [
        {"lora_down.weight": torch.full((4, 32), torch.nan), "lora_up.weight": torch.ones(32, 4)},
        {"lora_down.weight": torch.full((4, 32), 3e38), "lora_up.weight": torch.ones(32, 4)},
        {"diff_b": torch.full((32,), torch.inf)},
        {"oft_blocks": torch.full((4, 8, 8), torch.nan)},
    ],
)
def test_a_weight_or_a_bias_that_becomes_nan_is_refused(
    parts: dict[str, Any], load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    file = {f"{BIASED}.{part}": tensor for part, tensor in parts.items()}
    assert "holds NaN or inf" in _refuse(file, load_sdxl, tmp_path)
