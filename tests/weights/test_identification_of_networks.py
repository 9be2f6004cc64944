"""What a file is, by the tensors of the networks as diffusers and transformers have them.

The networks are made without numbers (torch's meta device), with few layers and in their
published widths.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
import transformers

from plitka.bench import random_models
from plitka.weights.header import Header, Shape
from plitka.weights.identification import Identity, identify
from tests.support.small_sdxl import SMALL, original_unet_name

FOUR_DOWN = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
FOUR_UP = ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3
REFINER_DOWN = ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D")
REFINER_UP = ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D")
XL: dict[str, Any] = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "transformer_layers_per_block": (1, 1, 2),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
XL_UP = ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D")
WIDE_VAE: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}


def make_unet(**config: Any) -> Any:
    return diffusers.UNet2DConditionModel(**config)


def make_refiner() -> Any:
    return make_unet(
        block_out_channels=(384, 768, 1536, 1536),
        down_block_types=REFINER_DOWN,
        up_block_types=REFINER_UP,
        attention_head_dim=(6, 12, 24, 24),
        cross_attention_dim=1280,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2560,
    )


def make_kolors() -> Any:
    config = {**XL, "projection_class_embeddings_input_dim": 5632, "up_block_types": XL_UP}
    return make_unet(**config, encoder_hid_dim=4096, encoder_hid_dim_type="text_proj")


def make_clip(width: int) -> Any:
    config = transformers.CLIPTextConfig(hidden_size=width, num_hidden_layers=1)
    config.num_attention_heads = width // 64
    return transformers.CLIPTextModel(config)


ALONE = "alone, without text encoders and VAE"
# Network -> what its file is
NETWORKS: dict[str, tuple[Callable[[], Any], str]] = {
    "sdxl": (lambda: make_unet(**XL, up_block_types=XL_UP), f"a UNet of SDXL {ALONE}"),
    "refiner": (make_refiner, f"a UNet of the SDXL refiner {ALONE}"),
    "kolors": (make_kolors, f"a UNet of Kolors {ALONE}"),
    "sd 1.5": (
        lambda: make_unet(
            cross_attention_dim=768, down_block_types=FOUR_DOWN, up_block_types=FOUR_UP
        ),
        f"a UNet of SD 1.5 {ALONE}",
    ),
    "sd 2": (
        lambda: make_unet(
            cross_attention_dim=1024, down_block_types=FOUR_DOWN, up_block_types=FOUR_UP
        ),
        f"a UNet of SD 2 {ALONE}",
    ),
    "flux": (
        lambda: diffusers.FluxTransformer2DModel(num_layers=1, num_single_layers=1),
        "a diffusion model of Flux alone",
    ),
    "sd 3": (
        lambda: diffusers.SD3Transformer2DModel(
            num_layers=2, num_attention_heads=24, caption_projection_dim=1536
        ),
        "a diffusion model of SD 3 alone",
    ),
    "pixart": (
        lambda: diffusers.PixArtTransformer2DModel(num_layers=1),
        "a diffusion model of PixArt alone",
    ),
    "sana": (
        lambda: diffusers.SanaTransformer2DModel(num_layers=1),
        "a diffusion model of Sana alone",
    ),
    "qwen": (
        lambda: diffusers.QwenImageTransformer2DModel(num_layers=1),
        "a diffusion model of Qwen-Image alone",
    ),
    "hunyuanvideo": (
        lambda: diffusers.HunyuanVideoTransformer3DModel(num_layers=1, num_single_layers=1),
        "a diffusion model of HunyuanVideo alone",
    ),
    "another": (
        lambda: diffusers.LTXVideoTransformer3DModel(num_layers=1),
        "a diffusion transformer",
    ),
    "vae": (lambda: diffusers.AutoencoderKL(**WIDE_VAE), "a VAE"),
    "vae of flux": (
        lambda: diffusers.AutoencoderKL(**WIDE_VAE, latent_channels=16),
        "a VAE of Flux or SD 3",
    ),
    "vae of wan": (diffusers.AutoencoderKLWan, "a VAE of a video model"),
    "taesd": (diffusers.AutoencoderTiny, "a TAESD, which only previews what a VAE decodes"),
    "controlnet": (lambda: diffusers.ControlNetModel(**XL), "a ControlNet for SDXL"),
    "controlnet of sd 1.5": (
        lambda: diffusers.ControlNetModel(cross_attention_dim=768),
        "a ControlNet for SD 1.5",
    ),
    "controlnet union": (
        lambda: diffusers.ControlNetUnionModel(**XL),
        "a ControlNet union, which is another network than a ControlNet",
    ),
    "controlnet of flux": (
        lambda: diffusers.FluxControlNetModel(num_layers=1, num_single_layers=1),
        "a ControlNet for Flux",
    ),
    "controlnet-xs": (diffusers.ControlNetXSAdapter, "a ControlNet-XS"),
    "t2i-adapter": (
        lambda: diffusers.T2IAdapter(adapter_type="full_adapter_xl"),
        "a T2I-Adapter",
    ),
    "motion": (diffusers.MotionAdapter, "an AnimateDiff motion module"),
    "clip-l": (lambda: make_clip(768), "a text encoder alone, CLIP-L"),
    "clip-g": (lambda: make_clip(1280), "a text encoder alone, CLIP-G"),
    "t5": (
        lambda: transformers.T5EncoderModel(transformers.T5Config(num_layers=1)),
        "a T5 text encoder",
    ),
}


def list_shapes(network: Any) -> dict[str, Shape]:
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def header_of(shapes: Mapping[str, Shape]) -> Header:
    path = Path("file.safetensors")
    return Header(path, str(path), shapes, dict.fromkeys(shapes, "F16"), {})


@pytest.mark.parametrize(("make", "title"), NETWORKS.values(), ids=list(NETWORKS))
def test_a_network_is_what_it_is(make: Callable[[], Any], title: str) -> None:
    with torch.device("meta"):
        shapes = list_shapes(make())
    found = identify(header_of(shapes))
    assert found is not None
    assert found.title == title


LORAS = [
    ("lora_unet_{_}.lora_down.weight", "lora_unet_{_}.lora_up.weight"),
    ("unet.{}.lora_A.weight", "unet.{}.lora_B.weight"),
    ("base_model.model.{}.lora_A.default.weight", "base_model.model.{}.lora_B.default.weight"),
    ("{}.lora.down.weight", "{}.lora.up.weight"),
    ("diffusion_model.{}.lora_down.weight", "diffusion_model.{}.lora_up.weight"),
    ("lora_unet_{_}.hada_w1_b", "lora_unet_{_}.hada_w1_a"),
]


@pytest.mark.parametrize("original", [False, True], ids=["diffusers", "original"])
@pytest.mark.parametrize("names", LORAS, ids=[names[0] for names in LORAS])
def test_a_lora_of_any_one_layer_of_sdxl_is_for_sdxl(
    names: tuple[str, str], original: bool
) -> None:
    with torch.device("meta"):
        shapes = list_shapes(random_models.make_unet(SMALL))
    for name, shape in shapes.items():
        if len(shape) < 2:
            continue
        module = (original_unet_name(name) if original else name).removesuffix(".weight")
        down, up = (part.format(module, _=module.replace(".", "_")) for part in names)
        header = header_of({down: (4, *shape[1:]), up: (shape[0], 4)})
        assert identify(header) == Identity("a LoRA for SDXL", "PLITKA_LORA"), name


@pytest.mark.parametrize(
    ("make", "title"),
    [
        (NETWORKS[name][0], f"a LoRA for {title}")
        for name, title in (
            ("refiner", "the SDXL refiner"),
            ("sd 1.5", "SD 1.5"),
            ("sd 2", "SD 2"),
            ("flux", "Flux"),
            ("sd 3", "SD 3"),
            ("pixart", "PixArt"),
            ("qwen", "Qwen-Image"),
            ("another", "a diffusion transformer"),
        )
    ],
)
@pytest.mark.parametrize(
    "names",
    [
        ("lora_unet_{_}.lora_down.weight", "lora_unet_{_}.lora_up.weight"),
        ("transformer.{}.lora_A.weight", "transformer.{}.lora_B.weight"),
        ("diffusion_model.{}.lora_A.weight", "diffusion_model.{}.lora_B.weight"),
    ],
    ids=["kohya", "diffusers", "comfy"],
)
def test_a_lora_of_another_network_is_for_that(
    make: Callable[[], Any], title: str, names: tuple[str, str]
) -> None:
    with torch.device("meta"):
        shapes = list_shapes(make())
    lora: dict[str, Shape] = {}
    for name, shape in shapes.items():
        if len(shape) == 2 and name.endswith(".weight"):
            module = name.removesuffix(".weight")
            down, up = (part.format(module, _=module.replace(".", "_")) for part in names)
            lora |= {down: (4, shape[1]), up: (shape[0], 4)}
    assert identify(header_of(lora)) == Identity(title, None)
