"""LoRA files in every form that is in use, fused into a small SDXL by its settings."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import save_file
from torch import Tensor

from plitka.errors import EngineError
from plitka.weights.lora_targets import list_modules
from tests.conftest import LoadSdxl
from tests.support.small_sdxl import SmallSdxl, original_unet_name

ON_UNET = r"to_q|to_k|to_v|to_out\.0|conv2|time_emb_proj"
ON_ENCODERS = r"(q|k|v|out)_proj|fc1"


class Trained:
    """A LoRA for modules of the base: each with its own rank and alpha.

    pairs: (component, module) -> down, up, alpha.
    """

    def __init__(self, pipe: Any, on_encoders: bool = False) -> None:
        generator = torch.Generator().manual_seed(11)
        self.pairs: dict[tuple[str, str], tuple[Tensor, Tensor, float]] = {}
        for number, (key, weight) in enumerate(targets(pipe, on_encoders)):
            rank = (2, 4, 8)[number % 3]
            alpha = (1.0, 4.0, 6.5)[number // 3 % 3]
            kernel = weight.shape[2:]
            down = 0.1 * torch.randn(rank, *weight.shape[1:], generator=generator)
            up = 0.1 * torch.randn(weight.shape[0], rank, *[1] * len(kernel), generator=generator)
            self.pairs[key] = (down, up, alpha)

    def change(self, key: tuple[str, str]) -> Tensor:
        """alpha / r * B @ A, by a convolution's own arithmetic where it is one."""
        down, up, alpha = self.pairs[key]
        product = torch.einsum("orxy,rikl->oikl", up, down) if down.dim() == 4 else up @ down
        return product * (alpha / down.shape[0])


def targets(pipe: Any, on_encoders: bool) -> Iterator[tuple[tuple[str, str], Tensor]]:
    wanted = {"unet": ON_UNET}
    if on_encoders:
        wanted |= {"text_encoder": ON_ENCODERS, "text_encoder_2": ON_ENCODERS}
    for component, pattern in wanted.items():
        for name, module in getattr(pipe, component).named_modules():
            if re.search(rf"\.({pattern})$", name):
                yield (component, name), module.weight


@pytest.fixture(scope="module")
def base(small_sdxl: SmallSdxl) -> Any:
    """The base by diffusers' own loader, with nothing of Plitka's."""
    return StableDiffusionXLPipeline.from_pretrained(
        small_sdxl.base, variant="fp16", dtype=torch.float32
    )


def kohya(trained: Trained, original_names: bool = False) -> dict[str, Tensor]:
    prefixes = {"unet": "lora_unet", "text_encoder": "lora_te1", "text_encoder_2": "lora_te2"}
    tensors: dict[str, Tensor] = {}
    for (component, module), (down, up, alpha) in trained.pairs.items():
        if component == "unet" and original_names:
            module = original_unet_name(f"{module}.weight").removesuffix(".weight")
        if component != "unet":
            module = f"text_model.{module.removeprefix('text_model.')}"
        name = f"{prefixes[component]}_{module.replace('.', '_')}"
        tensors[f"{name}.lora_down.weight"] = down
        tensors[f"{name}.lora_up.weight"] = up
        tensors[f"{name}.alpha"] = torch.tensor(alpha)
    return tensors


def diffusers_form(trained: Trained) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for (component, module), (down, up, alpha) in trained.pairs.items():
        tensors[f"{component}.{module}.lora.down.weight"] = down
        tensors[f"{component}.{module}.lora.up.weight"] = up
        tensors[f"{component}.{module}.alpha"] = torch.tensor(alpha)
    return tensors


def older_diffusers_form(trained: Trained) -> dict[str, Tensor]:
    """Layers of attention processors, as Cog's SDXL trainer writes them: no component, no alpha."""
    tensors: dict[str, Tensor] = {}
    for (component, module), (down, up, _) in list(trained.pairs.items()):
        if component == "unet" and "attn" in module:
            place, layer = module.removesuffix(".0").rsplit(".", 1)
            tensors[f"{place}.processor.{layer}_lora.down.weight"] = down
            tensors[f"{place}.processor.{layer}_lora.up.weight"] = up
            trained.pairs[component, module] = (down, up, down.shape[0])
        else:
            del trained.pairs[component, module]
    return tensors


def peft_form(
    trained: Trained, start: str = "{component}.", adapter: str = ""
) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for (component, module), (down, up, _) in trained.pairs.items():
        name = start.format(component=component) + module
        tensors[f"{name}.lora_A{adapter}.weight"] = down
        tensors[f"{name}.lora_B{adapter}.weight"] = up
    return tensors


def peft_notes(trained: Trained, component: str, prefix: str = "") -> dict[str, Any]:
    """Ranks and alphas as PEFT's config holds them: one for all, and what differs from it."""
    alphas = {
        module: pair[2] for (part, module), pair in trained.pairs.items() if part == component
    }
    ranks = {
        module: pair[0].shape[0]
        for (part, module), pair in trained.pairs.items()
        if part == component
    }
    return {
        f"{prefix}r": 4,
        f"{prefix}lora_alpha": 4.0,
        f"{prefix}rank_pattern": {name: rank for name, rank in ranks.items() if rank != 4},
        f"{prefix}alpha_pattern": {name: alpha for name, alpha in alphas.items() if alpha != 4.0},
        f"{prefix}use_rslora": False,
    }


def assert_fused(engine: Any, base: Any, trained: Trained, scale: float) -> None:
    """Every weight is what arithmetic says, 1e-4 relative, and no other one has changed."""
    for component in ("unet", "text_encoder", "text_encoder_2"):
        before = getattr(base, component).state_dict()
        after = getattr(engine.pipe, component).state_dict()
        for name in before:
            expected = before[name]
            key = (component, name.removesuffix(".weight"))
            if name.endswith(".weight") and key in trained.pairs:
                expected = expected + scale * trained.change(key)
                assert not torch.equal(after[name], before[name]), name
            elif "token_embedding" in name:
                continue
            error = (after[name] - expected).norm() / expected.norm().clamp_min(1e-12)
            assert error < 1e-4, name
        assert set(after) == set(before)


@pytest.mark.parametrize("form", ["kohya", "kohya with the original's names", "diffusers", "older"])
def test_each_form_is_fused_exactly_where_it_belongs(
    form: str, base: Any, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    trained = Trained(base, on_encoders=True)
    tensors = {
        "kohya": lambda: kohya(trained),
        "kohya with the original's names": lambda: kohya(trained, original_names=True),
        "diffusers": lambda: diffusers_form(trained),
        "older": lambda: older_diffusers_form(trained),
    }[form]()
    save_file(tensors, tmp_path / "lora.safetensors")
    engine = load_sdxl(LORA=tmp_path / "lora.safetensors", LORA_SCALE="0.6")
    assert_fused(engine, base, trained, 0.6)


def test_peft_as_diffusers_saves_it_with_alpha_in_the_notes(
    base: Any, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    trained = Trained(base, on_encoders=True)
    notes: dict[str, Any] = {}
    for component in ("unet", "text_encoder", "text_encoder_2"):
        notes |= peft_notes(trained, component, f"{component}.")
    path = tmp_path / "pytorch_lora_weights.safetensors"
    save_file(peft_form(trained), path, {"lora_adapter_metadata": json.dumps(notes)})
    assert_fused(load_sdxl(LORA=tmp_path, LORA_SCALE="1.3"), base, trained, 1.3)


def test_peft_as_peft_saves_it_with_alpha_in_the_config_beside(
    base: Any, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    trained = Trained(base)
    path = tmp_path / "adapter_model.safetensors"
    save_file(peft_form(trained, "base_model.model.", ".default"), path)
    (tmp_path / "adapter_config.json").write_text(json.dumps(peft_notes(trained, "unet")))
    assert_fused(load_sdxl(LORA=path, LORA_SCALE="0.75"), base, trained, 0.75)


def test_what_peft_itself_trains_and_diffusers_saves_is_fused_as_peft_would(
    base: Any, small_sdxl: SmallSdxl, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    """The reference is diffusers' own loading and fusing of the very file."""
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    pipe = StableDiffusionXLPipeline.from_pretrained(
        small_sdxl.base, variant="fp16", dtype=torch.float32
    )
    config: Any = LoraConfig(r=4, lora_alpha=7, target_modules=["to_q", "to_out.0", "conv2"])
    pipe.unet.add_adapter(config)
    for name, parameter in pipe.unet.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    layers = get_peft_model_state_dict(pipe.unet)
    StableDiffusionXLPipeline.save_lora_weights(
        tmp_path, layers, unet_lora_adapter_metadata=config.to_dict()
    )
    pipe.unet.fuse_lora(0.5)
    pipe.unload_lora_weights()
    engine = load_sdxl(LORA=tmp_path, LORA_SCALE="0.5")
    expected, unfused = pipe.unet.state_dict(), base.unet.state_dict()
    changed = 0
    for name, weight in engine.pipe.unet.state_dict().items():
        assert (weight - expected[name]).norm() <= 1e-4 * expected[name].norm(), name
        changed += not torch.equal(weight, unfused[name])
    assert changed > 20


def test_after_fusing_nothing_of_the_lora_is_left(
    base: Any, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    save_file(kohya(Trained(base)), tmp_path / "lora.safetensors")
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
    for component, model in models.items():
        modules = {
            name.removeprefix("text_model.").replace(".", "_"): tuple(module.weight.shape)
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)
        }
        assert listed[component] == modules


PLACE = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
SD15 = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({"lora_unet_nowhere.lora_down.weight": (4, 32)}, "1 of its 4 tensors find no module"),
        ({"lora_unet_nowhere.alpha": ()}, "lora_unet_nowhere.alpha"),
        ({"unet.mid_block.nowhere.lora_A.weight": (4, 32)}, "find no module"),
        ({f"{PLACE}.lora_extra.weight": (4, 32)}, "find no module"),
        ({f"{PLACE}.lora_up.weight": None}, "lacks its up half"),
        ({f"{PLACE}.lora_down.weight": (4, 48)}, "do not fit unet mid_block"),
        ({f"{PLACE}.lora_up.weight": (32, 8)}, "do not fit unet mid_block"),
        ({f"{PLACE}.alpha": (2,)}, "is not one number"),
        ({f"unet.{PLACE[10:]}.alpha": ()}, "for the same module"),
        ({f"{SD15}.lora_down.weight": (4, 768)}, "a LoRA for SD 1.5, not for SDXL"),
        ({f"{SD15}.lora_down.weight": (4, 1024)}, "a LoRA for SD 2, not for SDXL"),
        ({"lora_te_text_model_encoder_layers_0_mlp_fc1.alpha": ()}, "a LoRA for SD 1.5"),
        ({"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": (4, 9)}, "Flux"),
        ({f"{PLACE}.dora_scale": (1,)}, "a DoRA, which is not read"),
        ({f"{PLACE}.hada_w1_a": (4, 4)}, "a LoHa, which is not read"),
    ],
)
def test_a_tensor_without_a_place_is_an_error_and_says_what_to_do(
    tensors: dict[str, tuple[int, ...] | None],
    sentence: str,
    load_sdxl: LoadSdxl,
    tmp_path: Path,
) -> None:
    file = {
        f"{PLACE}.lora_down.weight": torch.ones(4, 32),
        f"{PLACE}.lora_up.weight": torch.ones(32, 4),
        f"{PLACE}.alpha": torch.tensor(4.0),
    }
    for name, shape in tensors.items():
        if shape is None:
            del file[name]
        else:
            file[name] = torch.ones(shape)
    path = tmp_path / "lora.safetensors"
    save_file(file, path)
    with pytest.raises(EngineError) as fault:
        load_sdxl(LORA=path)
    assert str(path) in str(fault.value)
    assert sentence in str(fault.value)
    assert "PLITKA_LORA=none" in str(fault.value) or "again" in str(fault.value)


def test_a_lora_of_nan_is_refused(load_sdxl: LoadSdxl, tmp_path: Path) -> None:
    path = tmp_path / "lora.safetensors"
    save_file(
        {
            f"{PLACE}.lora_down.weight": torch.full((4, 32), torch.nan),
            f"{PLACE}.lora_up.weight": torch.ones(32, 4),
        },
        path,
    )
    with pytest.raises(EngineError, match="holds NaN or inf"):
        load_sdxl(LORA=path)
