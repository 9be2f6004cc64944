"""SDXL's published configuration: what must hold of every model of the family, and what may differ.

Two models may have the same tensors and draw different pictures, where a field of a configuration
differs: the number of heads, an activation, the scale of the latents. So what is not a size must be
as it was published. The values are those of stabilityai/stable-diffusion-xl-base-1.0 and, for the
ControlNet, of diffusers/controlnet-canny-sdxl-1.0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from plitka.weights.header import Shapes

Part: TypeAlias = Literal["unet", "vae", "text_encoder", "text_encoder_2", "controlnet"]
Config: TypeAlias = Mapping[str, Any]
"""A network's configuration, as its config.json holds it."""


class Architecture(Protocol):
    """What the libraries know of networks; `engines.sdxl.architecture` is one, and needs torch."""

    def list_tensors(self, part: Part, config: Config) -> Shapes:
        """List the tensors of a network: name -> shape.

        Raises ValueError for a configuration of which no network can be built.
        """
        ...

    def load_tokenizer(self, part: Part, folder: Path) -> Any:
        """Load the tokenizer of a text encoder. Raises ValueError for a damaged one."""
        ...


WIDTHS = {"clip_l": 768, "clip_g": 1280}  # of SDXL's two text encoders
CROSS_ATTENTION = 2048  # the two together
SD15_SCALING = 0.18215  # of a VAE's latents; SDXL's is 0.13025
OTHER_FAMILIES = {768: "SD 1.5", 1024: "SD 2"}  # by the width that cross-attention reads


@dataclass(frozen=True)
class Published:
    """The published configuration of one network.

    class_name: as config.json writes it. fixed: fields that every model of the family has,
    by their values; one that is absent counts as `absent` says, or else as right. sizes: fields
    that may differ, by their published values; the tensors must fit them. absent: values that
    diffusers and transformers take for absent fields, where these are others than the published.
    with_widths: sizes that no tensor tells, so that they must be as published where
    block_out_channels are. free: fields that change no picture but its rounding, taken as they are,
    by their published values. forced: fields that are used as published whatever a file says.
    """

    class_name: str
    fixed: Config
    sizes: Config
    absent: Config
    with_widths: tuple[str, ...] = ()
    free: Config = field(default_factory=dict)
    forced: Config = field(default_factory=dict)

    @property
    def config(self) -> Config:
        """The whole published configuration."""
        return {**self.fixed, **self.sizes, **self.free, **self.forced}


_UNET_AND_CONTROLNET: Config = {
    "act_fn": "silu",
    "addition_embed_type": "text_time",
    "class_embed_type": None,
    "cross_attention_dim": CROSS_ATTENTION,
    "downsample_padding": 1,
    "encoder_hid_dim": None,
    "encoder_hid_dim_type": None,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-5,
    "num_attention_heads": None,
    "num_class_embeds": None,
    "only_cross_attention": False,
    "resnet_time_scale_shift": "default",
    "use_linear_projection": True,
}
_UNET_AND_CONTROLNET_SIZES: Config = {
    "addition_time_embed_dim": 256,
    "attention_head_dim": [5, 10, 20],  # the number of heads, in spite of its name
    "block_out_channels": [320, 640, 1280],
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "layers_per_block": 2,
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "norm_num_groups": 32,
    "projection_class_embeddings_input_dim": 2816,
    "transformer_layers_per_block": [1, 2, 10],
}
_UNET_AND_CONTROLNET_ABSENT: Config = {
    "addition_embed_type": None,
    "addition_time_embed_dim": None,
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "cross_attention_dim": 1280,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "projection_class_embeddings_input_dim": None,
    "transformer_layers_per_block": 1,
    "use_linear_projection": False,
}
_TOLD_BY_NO_TENSOR = ("attention_head_dim", "norm_num_groups")

_TEXT_FIXED: Config = {"layer_norm_eps": 1e-5, "max_position_embeddings": 77}
_TEXT_ABSENT: Config = {
    "hidden_act": "quick_gelu",
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_attention_heads": 8,
    "num_hidden_layers": 12,
    "projection_dim": 512,
}
# The tokens' numbers in the published files are wrong, and the pooled embedding is where it is for
# that: SDXL was trained so, and files with the right numbers would draw other pictures.
_TEXT_FORCED: Config = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}

PUBLISHED: Mapping[Part, Published] = {
    "unet": Published(
        class_name="UNet2DConditionModel",
        fixed={
            **_UNET_AND_CONTROLNET,
            "attention_type": "default",
            "center_input_sample": False,
            "class_embeddings_concat": False,
            "conv_in_kernel": 3,
            "conv_out_kernel": 3,
            "cross_attention_norm": None,
            "dual_cross_attention": False,
            "mid_block_only_cross_attention": None,
            "out_channels": 4,
            "resnet_out_scale_factor": 1.0,
            "resnet_skip_time_act": False,
            "time_cond_proj_dim": None,
            "time_embedding_act_fn": None,
            "time_embedding_dim": None,
            "time_embedding_type": "positional",
            "timestep_post_act": None,
        },
        sizes={
            **_UNET_AND_CONTROLNET_SIZES,
            "reverse_transformer_layers_per_block": None,
            "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        },
        absent={
            **_UNET_AND_CONTROLNET_ABSENT,
            "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
        },
        with_widths=_TOLD_BY_NO_TENSOR,
        free={"upcast_attention": False},
    ),
    "controlnet": Published(
        class_name="ControlNetModel",
        fixed={
            **_UNET_AND_CONTROLNET,
            "conditioning_channels": 3,
            "global_pool_conditions": False,
        },
        sizes={
            **_UNET_AND_CONTROLNET_SIZES,
            "conditioning_embedding_out_channels": [16, 32, 96, 256],
        },
        absent=_UNET_AND_CONTROLNET_ABSENT,
        with_widths=_TOLD_BY_NO_TENSOR,
        free={"upcast_attention": False},
    ),
    "vae": Published(
        class_name="AutoencoderKL",
        fixed={
            "act_fn": "silu",
            "down_block_types": ["DownEncoderBlock2D"] * 4,
            "in_channels": 3,
            "latent_channels": 4,
            "latents_mean": None,
            "latents_std": None,
            "mid_block_add_attention": True,
            "out_channels": 3,
            "scaling_factor": 0.13025,
            "shift_factor": None,
            "up_block_types": ["UpDecoderBlock2D"] * 4,
            "use_post_quant_conv": True,
            "use_quant_conv": True,
        },
        sizes={
            "block_out_channels": [128, 256, 512, 512],
            "layers_per_block": 2,
            "norm_num_groups": 32,
        },
        absent={
            "block_out_channels": [64],
            "down_block_types": ["DownEncoderBlock2D"],
            "layers_per_block": 1,
            "scaling_factor": SD15_SCALING,
            "up_block_types": ["UpDecoderBlock2D"],
        },
        with_widths=("norm_num_groups",),
        free={"force_upcast": True},
    ),
    "text_encoder": Published(
        class_name="CLIPTextModel",
        fixed={
            **_TEXT_FIXED,
            "hidden_act": "quick_gelu",
            "hidden_size": WIDTHS["clip_l"],
            "num_attention_heads": 12,
        },
        sizes={"intermediate_size": 3072, "num_hidden_layers": 12, "vocab_size": 49408},
        absent=_TEXT_ABSENT,
        forced=_TEXT_FORCED,
    ),
    "text_encoder_2": Published(
        class_name="CLIPTextModelWithProjection",
        fixed={
            **_TEXT_FIXED,
            "hidden_act": "gelu",
            "hidden_size": WIDTHS["clip_g"],
            "num_attention_heads": 20,
            "projection_dim": WIDTHS["clip_g"],
        },
        sizes={"intermediate_size": 5120, "num_hidden_layers": 32, "vocab_size": 49408},
        absent=_TEXT_ABSENT,
        forced=_TEXT_FORCED,
    ),
}

NOISE_SCHEDULE: Config = {
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "num_train_timesteps": 1000,
    "trained_betas": None,
}
"""Of the scheduler: what the model was trained with."""
