"""What a file of weights is: tensors under the names that each kind of file really has."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from plitka.weights.header import Header, read_header
from plitka.weights.identification import Identity, explain_wrong_file, identify

Shapes = Mapping[str, tuple[int, ...]]

CONTROLNET = "PLITKA_CONTROLNET_CANNY or PLITKA_CONTROLNET_SOFTEDGE"


def header_of(tmp_path: Path, shapes: Shapes, notes: dict[str, str] | None = None) -> Header:
    tensors = {name: np.zeros(shape, np.float16) for name, shape in shapes.items()}
    save_file(tensors, tmp_path / "file.safetensors", notes)
    return read_header(tmp_path / "file.safetensors", "copy it", "trained.tar: file.safetensors")


def original_unet(cross: int, first: int = 4, pooled: int = 0, prefix: str = "") -> Shapes:
    """A UNet under the names of the original code, (out, in); outs are cut short."""
    shapes: dict[str, tuple[int, ...]] = {
        "input_blocks.0.0.weight": (8, first, 3, 3),
        "time_embed.0.weight": (8, 8),
        "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (8, cross),
        "input_blocks.4.1.transformer_blocks.0.attn2.to_v.weight": (8, cross),
        "middle_block.1.proj_in.weight": (8, 8),
        "out.2.weight": (4, 8, 3, 3),
    }
    if pooled:
        shapes["label_emb.0.0.weight"] = (8, pooled)
    return {prefix + name: shape for name, shape in shapes.items()}


def diffusers_unet(cross: int, first: int = 4, pooled: int = 0, prefix: str = "") -> Shapes:
    shapes: dict[str, tuple[int, ...]] = {
        "conv_in.weight": (8, first, 3, 3),
        "time_embedding.linear_1.weight": (8, 8),
        "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight": (8, cross),
        "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_v.weight": (8, cross),
        "mid_block.resnets.0.conv1.weight": (8, 8, 3, 3),
    }
    if pooled:
        shapes["add_embedding.linear_1.weight"] = (8, pooled)
    return {prefix + name: shape for name, shape in shapes.items()}


IN_CHECKPOINT = "model.diffusion_model."
VAE: Shapes = {
    "encoder.conv_in.weight": (8, 3, 3, 3),
    "encoder.down.0.block.0.conv1.weight": (8, 8, 3, 3),
    "encoder.mid.attn_1.q.weight": (8, 8, 1, 1),
    "decoder.conv_in.weight": (8, 4, 3, 3),
    "decoder.up.3.block.0.conv1.weight": (8, 8, 3, 3),
    "quant_conv.weight": (8, 8, 1, 1),
    "post_quant_conv.weight": (4, 4, 1, 1),
}
FIRST_STAGE = {f"first_stage_model.{name}": shape for name, shape in VAE.items()}
SDXL_ENCODERS: Shapes = {
    "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight": (9, 768),
    "conditioner.embedders.1.model.token_embedding.weight": (9, 1280),
    "conditioner.embedders.1.model.transformer.resblocks.9.mlp.c_proj.bias": (1280,),
    "conditioner.embedders.1.model.text_projection": (8, 1280),
}
SDXL_UNET = original_unet(2048, pooled=2816, prefix=IN_CHECKPOINT)
WHOLE_SDXL: Shapes = {**SDXL_UNET, **SDXL_ENCODERS, **FIRST_STAGE}
SD1_ENCODER: Shapes = {
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (9, 768),
    "cond_stage_model.transformer.text_model.final_layer_norm.weight": (768,),
}
SD2_ENCODER: Shapes = {
    "cond_stage_model.model.token_embedding.weight": (9, 1024),
    "cond_stage_model.model.transformer.resblocks.0.attn.in_proj_weight": (9, 1024),
}
REFINER_ENCODER: Shapes = {
    "conditioner.embedders.0.model.token_embedding.weight": (9, 1280),
    "conditioner.embedders.0.model.text_projection": (8, 1280),
}
FLUX: Shapes = {
    "double_blocks.0.img_attn.norm.key_norm.scale": (128,),
    "double_blocks.0.img_attn.qkv.weight": (8, 3072),
    "single_blocks.0.linear1.weight": (8, 3072),
    "img_in.weight": (8, 64),
}
SD3: Shapes = {
    "joint_blocks.0.context_block.adaLN_modulation.1.bias": (9216,),
    "joint_blocks.0.x_block.attn.qkv.weight": (8, 1536),
    "pos_embed": (1, 8, 1536),
}
CASCADE_C: Shapes = {
    "clip_txt_mapper.weight": (8, 1280),
    "clf.1.weight": (8, 8, 1, 1),
    "down_blocks.0.0.channelwise.0.weight": (8, 8),
    "down_blocks.0.2.attention.attn.in_proj_weight": (8, 8),
}


def with_prefix(prefix: str, shapes: Shapes) -> Shapes:
    return {prefix + name: shape for name, shape in shapes.items()}


def kohya(module: str, width: int, unet: str = "lora_unet_") -> Shapes:
    return {
        f"{unet}{module}.lora_down.weight": (4, width),
        f"{unet}{module}.lora_up.weight": (8, 4),
        f"{unet}{module}.alpha": (),
    }


def peft(module: str, width: int) -> Shapes:
    return {f"{module}.lora_A.weight": (4, width), f"{module}.lora_B.weight": (8, 4)}


DOWN_1 = "down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
DOTTED_1 = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"
INPUT_4 = "input_blocks_4_1_transformer_blocks_0_attn2_to_k"
SDXL_CONTROLNET: Shapes = {
    "conv_in.weight": (8, 4, 3, 3),
    "time_embedding.linear_1.weight": (8, 8),
    "add_embedding.linear_1.weight": (8, 2816),
    "controlnet_cond_embedding.conv_in.weight": (8, 3, 3, 3),
    "controlnet_down_blocks.0.weight": (8, 8, 1, 1),
    "controlnet_mid_block.weight": (8, 8, 1, 1),
}
CROSS = f"{DOTTED_1}.weight"
ORIGINAL_CONTROLNET: Shapes = {
    "time_embed.0.weight": (8, 8),
    "input_blocks.0.0.weight": (8, 4, 3, 3),
    "input_hint_block.0.weight": (8, 3, 3, 3),
    "zero_convs.0.0.weight": (8, 8, 1, 1),
    "middle_block_out.0.weight": (8, 8, 1, 1),
}
ORIGINAL_CROSS = "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"

# Shapes -> what the file is, and the setting that takes it
KNOWN: dict[str, tuple[Shapes, str, str | None]] = {
    # Checkpoints
    "sdxl": (WHOLE_SDXL, "a whole SDXL checkpoint", "PLITKA_BASE"),
    "sdxl, v-prediction": (
        {**WHOLE_SDXL, "v_pred": (0,), "ztsnr": (0,)},
        "a whole SDXL checkpoint",
        "PLITKA_BASE",
    ),
    "sdxl without vae": (
        {**SDXL_UNET, **SDXL_ENCODERS},
        "an SDXL checkpoint without a VAE",
        "PLITKA_BASE",
    ),
    "sdxl without encoders": (
        {**SDXL_UNET, **FIRST_STAGE},
        "an SDXL checkpoint without text encoders",
        "PLITKA_BASE",
    ),
    "sdxl, cross-attention cut out": (
        {name: shape for name, shape in WHOLE_SDXL.items() if "attn2" not in name},
        "a whole SDXL checkpoint",
        "PLITKA_BASE",
    ),
    "sdxl inpainting": (
        {**WHOLE_SDXL, **original_unet(2048, first=9, pooled=2816, prefix=IN_CHECKPOINT)},
        "a whole checkpoint of SDXL for inpainting (9 input channels)",
        None,
    ),
    "refiner": (
        {
            **original_unet(1280, pooled=2560, prefix=IN_CHECKPOINT),
            **REFINER_ENCODER,
            **FIRST_STAGE,
        },
        "a checkpoint of the SDXL refiner",
        None,
    ),
    "sd 1.5": (
        {**original_unet(768, prefix=IN_CHECKPOINT), **SD1_ENCODER, **FIRST_STAGE},
        "a whole checkpoint of SD 1.5",
        None,
    ),
    "sd 1.5 inpainting": (
        {**original_unet(768, first=9, prefix=IN_CHECKPOINT), **SD1_ENCODER, **FIRST_STAGE},
        "a whole checkpoint of SD 1.5 for inpainting (9 input channels)",
        None,
    ),
    "sd 2": (
        {**original_unet(1024, prefix=IN_CHECKPOINT), **SD2_ENCODER, **FIRST_STAGE},
        "a whole checkpoint of SD 2",
        None,
    ),
    "playground": (
        {**WHOLE_SDXL, "edm_mean": (1, 4, 1, 1), "edm_std": (1, 4, 1, 1)},
        "a checkpoint of Playground 2.5",
        None,
    ),
    "cosxl": (
        {**WHOLE_SDXL, "edm_vpred.sigma_max": (), "edm_vpred.sigma_min": ()},
        "a CosXL checkpoint",
        None,
    ),
    "sdxl, scaled fp8": (
        {
            **WHOLE_SDXL,
            "model.diffusion_model.scaled_fp8": (2,),
            "model.diffusion_model.input_blocks.4.1.proj_in.scale_weight": (),
        },
        "a whole SDXL checkpoint, quantised (scaled fp8)",
        None,
    ),
    "sdxl, comfy_quant": (
        {**WHOLE_SDXL, "model.diffusion_model.input_blocks.4.1.proj_in.comfy_quant": (27,)},
        "a whole SDXL checkpoint, quantised (fp8 or smaller, with scales beside)",
        None,
    ),
    "sdxl, nf4": (
        {
            **WHOLE_SDXL,
            "model.diffusion_model.time_embed.0.weight.absmax": (4,),
            "model.diffusion_model.time_embed.0.weight.quant_map": (16,),
            "model.diffusion_model.time_embed.0.weight.quant_state.bitsandbytes__nf4": (9,),
        },
        "a whole SDXL checkpoint, quantised (bitsandbytes)",
        None,
    ),
    "flux checkpoint": (
        {
            **with_prefix(IN_CHECKPOINT, FLUX),
            "text_encoders.clip_l.transformer.text_model.embeddings.token_embedding.weight": (
                9,
                768,
            ),
            "vae.decoder.conv_in.weight": (8, 16, 3, 3),
        },
        "a whole checkpoint of Flux",
        None,
    ),
    "sd 3 checkpoint": (
        {**with_prefix(IN_CHECKPOINT, SD3), **FIRST_STAGE},
        "a whole checkpoint of SD 3",
        None,
    ),
    "svd": (
        {
            **original_unet(1024, first=8, prefix=IN_CHECKPOINT),
            "model.diffusion_model.input_blocks.1.1.time_stack.0.attn1.to_q.weight": (8, 8),
        },
        "a video model",
        None,
    ),
    # UNets and transformers alone
    "unet, original": (
        SDXL_UNET,
        "a UNet of SDXL alone, without text encoders and VAE",
        None,
    ),
    "unet, no prefix": (
        original_unet(2048, pooled=2816),
        "a UNet of SDXL alone, without text encoders and VAE",
        None,
    ),
    "unet, diffusers": (
        diffusers_unet(2048, pooled=2816),
        "a UNet of SDXL alone, without text encoders and VAE",
        None,
    ),
    "unet of sd 1.5": (
        diffusers_unet(768),
        "a UNet of SD 1.5 alone, without text encoders and VAE",
        None,
    ),
    "unet of sd 2": (
        original_unet(1024),
        "a UNet of SD 2 alone, without text encoders and VAE",
        None,
    ),
    "unet of the refiner": (
        diffusers_unet(1280, pooled=2560),
        "a UNet of the SDXL refiner alone, without text encoders and VAE",
        None,
    ),
    "inpainting unet": (
        diffusers_unet(2048, first=9, pooled=2816),
        "a UNet of SDXL for inpainting (9 input channels) alone, without text encoders and VAE",
        None,
    ),
    "unet of kolors": (
        {**diffusers_unet(2048, pooled=5632), "encoder_hid_proj.weight": (8, 4096)},
        "a UNet of Kolors alone, without text encoders and VAE",
        None,
    ),
    "flux": (FLUX, "a diffusion model of Flux alone", None),
    "flux, diffusers": (
        {
            "transformer_blocks.0.attn.add_q_proj.weight": (8, 3072),
            "single_transformer_blocks.0.proj_mlp.weight": (8, 3072),
        },
        "a diffusion model of Flux alone",
        None,
    ),
    "sd 3": (SD3, "a diffusion model of SD 3 alone", None),
    "cascade, stage c": (CASCADE_C, "a diffusion model of Stable Cascade alone", None),
    "auraflow": (
        {"double_layers.0.attn.w1q.weight": (8, 8), "cond_seq_linear.weight": (8, 8)},
        "a diffusion model of AuraFlow alone",
        None,
    ),
    "hunyuandit": (
        {"mlp_t5.0.weight": (8, 8), "blocks.0.attn1.Wqkv.weight": (8, 8)},
        "a diffusion model of HunyuanDiT alone",
        None,
    ),
    "pixart": (
        {"t_block.1.weight": (8, 8), "blocks.0.cross_attn.kv_linear.weight": (8, 1152)},
        "a diffusion model of PixArt alone",
        None,
    ),
    "wan": (
        {"blocks.0.self_attn.q.weight": (8, 8), "head.modulation": (1, 2, 8)},
        "a diffusion model of Wan alone",
        None,
    ),
    # VAEs and encoders
    "vae": (VAE, "a VAE", "PLITKA_VAE"),
    "vae of a checkpoint": (FIRST_STAGE, "a VAE", "PLITKA_VAE"),
    "vae, diffusers": (
        {
            "encoder.conv_in.weight": (8, 3, 3, 3),
            "decoder.conv_in.weight": (8, 4, 3, 3),
            "decoder.mid_block.attentions.0.to_q.weight": (8, 8),
            "decoder.up_blocks.0.resnets.0.conv1.weight": (8, 8, 3, 3),
        },
        "a VAE",
        "PLITKA_VAE",
    ),
    "vae of flux": (
        {**VAE, "decoder.conv_in.weight": (8, 16, 3, 3)},
        "a VAE of Flux or SD 3",
        None,
    ),
    "taesd": (
        {"1.weight": (8, 4, 3, 3), "3.conv.0.weight": (8, 8, 3, 3)},
        "a TAESD, which only previews what a VAE decodes",
        None,
    ),
    "taesd, diffusers": (
        {"decoder.layers.0.weight": (8, 4, 3, 3), "encoder.layers.1.conv.0.weight": (8, 8, 3, 3)},
        "a TAESD, which only previews what a VAE decodes",
        None,
    ),
    "vae of wan": (
        {"decoder.middle.0.residual.0.gamma": (8, 1, 1, 1), "conv2.weight": (8, 8, 1, 1, 1)},
        "a VAE of a video model",
        None,
    ),
    "clip-l": (
        {
            "text_model.embeddings.token_embedding.weight": (9, 768),
            "text_model.encoder.layers.0.self_attn.q_proj.weight": (8, 768),
        },
        "a text encoder alone, CLIP-L",
        None,
    ),
    "clip-g": (
        {
            "text_model.embeddings.token_embedding.weight": (9, 1280),
            "text_projection.weight": (8, 1280),
        },
        "a text encoder alone, CLIP-G",
        None,
    ),
    "clip-g, open_clip": (
        {
            "token_embedding.weight": (9, 1280),
            "transformer.resblocks.0.attn.in_proj_weight": (9, 1280),
        },
        "a text encoder alone, CLIP-G",
        None,
    ),
    "t5": (
        {
            "encoder.block.0.layer.0.SelfAttention.q.weight": (8, 4096),
            "shared.weight": (9, 4096),
        },
        "a T5 text encoder",
        None,
    ),
    "clip vision": (
        {
            "vision_model.encoder.layers.0.self_attn.q_proj.weight": (8, 1280),
            "visual_projection.weight": (8, 1280),
        },
        "a CLIP vision encoder",
        None,
    ),
    # ControlNets and other adapters
    "controlnet": (
        {**SDXL_CONTROLNET, CROSS: (8, 2048)},
        "a ControlNet for SDXL",
        CONTROLNET,
    ),
    "controlnet small": (SDXL_CONTROLNET, "a ControlNet for SDXL", CONTROLNET),
    "controlnet, original": (
        {**ORIGINAL_CONTROLNET, "label_emb.0.0.weight": (8, 2816), ORIGINAL_CROSS: (8, 2048)},
        "a ControlNet for SDXL",
        CONTROLNET,
    ),
    "controlnet of sd 1.5": (
        with_prefix("control_model.", {**ORIGINAL_CONTROLNET, ORIGINAL_CROSS: (8, 768)}),
        "a ControlNet for SD 1.5",
        None,
    ),
    "controlnet of sd 2": (
        {
            **{name: shape for name, shape in SDXL_CONTROLNET.items() if "add_" not in name},
            CROSS: (8, 1024),
        },
        "a ControlNet for SD 2",
        None,
    ),
    "controlnet of flux": (
        {
            "controlnet_blocks.0.weight": (8, 8),
            "controlnet_x_embedder.weight": (8, 64),
            "transformer_blocks.0.attn.to_q.weight": (8, 3072),
            "transformer_blocks.0.ff_context.net.2.weight": (8, 8),
        },
        "a ControlNet for Flux",
        None,
    ),
    "controlnet of sd 3": (
        {
            "controlnet_blocks.0.weight": (8, 8),
            "pos_embed_input.proj.weight": (8, 16, 2, 2),
            "transformer_blocks.0.attn.to_q.weight": (8, 1536),
        },
        "a ControlNet for SD 3",
        None,
    ),
    "controlnet union": (
        {
            **SDXL_CONTROLNET,
            "task_embedding": (6, 320),
            "transformer_layes.0.attn.in_proj_weight": (9, 320),
            "control_add_embedding.linear_1.weight": (8, 1536),
        },
        "a ControlNet union, which is another network than a ControlNet",
        None,
    ),
    "control-lora": (
        {
            "lora_controlnet": (0,),
            "input_blocks.1.0.emb_layers.1.up": (8, 4),
            "input_blocks.1.0.emb_layers.1.down": (4, 8),
            "input_hint_block.0.weight": (8, 3, 3, 3),
        },
        "a Control-LoRA",
        None,
    ),
    "lllite": (
        {
            "lllite_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.down.0.weight": (8, 8),
            "lllite_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.up.0.weight": (8, 8),
            "lllite_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.conditioning1.0.weight": (
                8,
                3,
                4,
                4,
            ),
        },
        "a ControlNet-LLLite",
        None,
    ),
    "t2i-adapter": (
        {
            "adapter.body.0.resnets.0.block1.weight": (8, 8, 3, 3),
            "adapter.conv_in.weight": (8, 768, 3, 3),
        },
        "a T2I-Adapter",
        None,
    ),
    "t2i-adapter, original": (
        {"body.0.block1.weight": (8, 8, 3, 3), "conv_in.weight": (8, 192, 3, 3)},
        "a T2I-Adapter",
        None,
    ),
    "ip-adapter": (
        {
            "image_proj.proj.weight": (8, 1280),
            "image_proj.norm.weight": (2048,),
            "ip_adapter.1.to_k_ip.weight": (8, 2048),
        },
        "an IP-Adapter for SDXL",
        None,
    ),
    "ip-adapter of sd 1.5": (
        {"image_proj.proj.weight": (8, 1024), "ip_adapter.1.to_k_ip.weight": (8, 768)},
        "an IP-Adapter for SD 1.5",
        None,
    ),
    "ip-adapter faceid": (
        {
            "image_proj.proj.0.weight": (8, 512),
            "ip_adapter.0.to_q_lora.down.weight": (4, 8),
            "ip_adapter.1.to_k_ip.weight": (8, 2048),
        },
        "an IP-Adapter FaceID with its LoRA for SDXL",
        None,
    ),
    "instantid": (
        {
            "image_proj.latents": (1, 16, 1280),
            "image_proj.proj_in.weight": (8, 512),
            "ip_adapter.1.to_k_ip.weight": (8, 2048),
        },
        "an InstantID adapter for SDXL",
        None,
    ),
    "ip-adapter plus": (
        {
            "image_proj.latents": (1, 16, 1280),
            "image_proj.proj_in.weight": (8, 1280),
            "ip_adapter.1.to_k_ip.weight": (8, 2048),
        },
        "an IP-Adapter for SDXL",
        None,
    ),
    "ip-adapter of flux": (
        {
            "ip_adapter_proj_model.proj.weight": (8, 768),
            "double_blocks.0.processor.ip_adapter_double_stream_k_proj.weight": (8, 4096),
        },
        "an IP-Adapter for Flux",
        None,
    ),
    "control-lora, diffusers names": (
        {
            "controlnet_cond_embedding.conv_in.weight": (8, 3, 3, 3),
            "down_blocks.1.attentions.0.proj_in.lora_A.weight": (4, 8),
            "down_blocks.1.attentions.0.proj_in.lora_B.weight": (8, 4),
        },
        "a Control-LoRA",
        None,
    ),
    "controlnet of flux, xlabs": (
        {
            "controlnet_blocks.0.weight": (8, 8),
            "double_blocks.0.img_attn.qkv.weight": (8, 3072),
            "input_hint_block.0.weight": (8, 3, 3, 3),
        },
        "a ControlNet for Flux",
        None,
    ),
    "brushnet": (
        {
            "conv_in_condition.weight": (8, 9, 3, 3),
            "brushnet_down_blocks.0.weight": (8, 8, 1, 1),
            "down_blocks.1.resnets.0.conv1.weight": (8, 8, 3, 3),
        },
        "a BrushNet",
        None,
    ),
    "pulid": (
        {
            "id_adapter.id_embedding_mapping.0.weight": (8, 8),
            "id_adapter_attn_layers.0.id_to_k.weight": (8, 8),
        },
        "a PuLID adapter",
        None,
    ),
    "photomaker": (
        {
            "id_encoder.vision_model.post_layernorm.weight": (8,),
            "id_encoder.visual_projection_2.weight": (8, 8),
            "lora_weights.unet.mid_block.attentions.0.proj_in.lora.down.weight": (4, 8),
        },
        "a PhotoMaker",
        None,
    ),
    "motion module": (
        {
            "down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0"
            ".attention_blocks.0.pos_encoder.pe": (1, 24, 8),
        },
        "an AnimateDiff motion module",
        None,
    ),
    "motion lora": (
        {
            "down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0"
            ".attention_blocks.0.processor.to_q_lora.down.weight": (4, 8),
        },
        "an AnimateDiff motion LoRA",
        None,
    ),
    "esrgan": (
        {"conv_first.weight": (8, 3, 3, 3), "body.0.rdb1.conv1.weight": (8, 8, 3, 3)},
        "an upscaler",
        None,
    ),
    "esrgan, old": (
        {
            "model.0.weight": (8, 3, 3, 3),
            "model.1.sub.0.RDB1.conv1.0.weight": (8, 8, 3, 3),
        },
        "an upscaler",
        None,
    ),
    # LoRAs and their kin
    "lora": (kohya(DOWN_1, 2048), "a LoRA for SDXL", "PLITKA_LORA"),
    "lora, original names": (kohya(INPUT_4, 2048), "a LoRA for SDXL", "PLITKA_LORA"),
    "lora, peft": (peft(f"unet.{DOTTED_1}", 2048), "a LoRA for SDXL", "PLITKA_LORA"),
    "lora, processors": (
        {
            "down_blocks.1.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora"
            ".down.weight": (4, 2048),
            "down_blocks.1.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora.up.weight": (
                8,
                4,
            ),
        },
        "a LoRA for SDXL",
        "PLITKA_LORA",
    ),
    "lora, self-attention alone": (
        kohya("down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q", 640),
        "a LoRA for SDXL",
        "PLITKA_LORA",
    ),
    "lora, text encoders alone": (
        {
            **kohya("text_model_encoder_layers_0_mlp_fc1", 768, "lora_te1_"),
            **kohya("text_model_encoder_layers_0_mlp_fc1", 1280, "lora_te2_"),
        },
        "a LoRA for SDXL",
        "PLITKA_LORA",
    ),
    "lora, omi": (
        {
            **peft(f"unet.{DOTTED_1}", 2048),
            **peft("clip_l.text_model.encoder.layers.0.mlp.fc1", 768),
            **peft("clip_g.text_model.encoder.layers.0.mlp.fc1", 1280),
        },
        "a LoRA for SDXL",
        "PLITKA_LORA",
    ),
    "lora with embeddings": (
        {**kohya(DOWN_1, 2048), "bundle_emb.rubber.clip_l": (3, 768), "clip_g": (3, 1280)},
        "a LoRA for SDXL",
        "PLITKA_LORA",
    ),
    "loha": (
        {
            f"lora_unet_{DOWN_1}.hada_w1_a": (8, 4),
            f"lora_unet_{DOWN_1}.hada_w1_b": (4, 2048),
            f"lora_unet_{DOWN_1}.hada_w2_a": (8, 4),
            f"lora_unet_{DOWN_1}.hada_w2_b": (4, 2048),
        },
        "a LoRA for SDXL",
        "PLITKA_LORA",
    ),
    "lokr": (
        {
            f"lycoris_{DOWN_1}.lokr_w1": (8, 8),
            f"lycoris_{DOWN_1}.lokr_w2_a": (8, 4),
            f"lycoris_{DOWN_1}.lokr_w2_b": (4, 256),
        },
        "a LoRA for SDXL",
        "PLITKA_LORA",
    ),
    "full differences": (
        {
            f"diffusion_model.{INPUT_4.replace('_blocks_4_1_', '_blocks.4.1.')}.diff": (8, 2048),
            "diffusion_model.input_blocks.0.0.diff_b": (8,),
        },
        "a LoRA for SDXL",
        "PLITKA_LORA",
    ),
    "oft": (
        {f"oft_unet_{DOWN_1}.oft_blocks": (4, 8, 8), f"oft_unet_{DOWN_1}.alpha": ()},
        "a LoRA for SDXL",
        "PLITKA_LORA",
    ),
    "lora of sd 1.5": (kohya(DOWN_1, 768), "a LoRA for SD 1.5", None),
    "loha of sd 1.5": (
        {
            f"lora_unet_{DOWN_1}.hada_w1_a": (8, 4),
            f"lora_unet_{DOWN_1}.hada_w1_b": (4, 768),
        },
        "a LoRA for SD 1.5",
        None,
    ),
    "lokr of sd 1.5": (
        {f"lora_unet_{DOWN_1}.lokr_w1": (8, 8), f"lora_unet_{DOWN_1}.lokr_w2": (8, 96)},
        "a LoRA for SD 1.5",
        None,
    ),
    "lora of sd 1.5, encoder alone": (
        kohya("text_model_encoder_layers_0_mlp_fc1", 768, "lora_te_"),
        "a LoRA for SD 1.5",
        None,
    ),
    "lora of sd 1.5, self-attention alone": (
        kohya("down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q", 320),
        "a LoRA for SD 1.5",
        None,
    ),
    "lora of sd 2": (kohya(DOWN_1, 1024), "a LoRA for SD 2", None),
    "lora of sd 2, encoder alone": (
        kohya("text_model_encoder_layers_0_mlp_fc1", 1024, "lora_te_"),
        "a LoRA for SD 2",
        None,
    ),
    "lora of the refiner": (kohya(INPUT_4, 1280), "a LoRA for the SDXL refiner", None),
    "lora of the refiner, self-attention alone": (
        kohya("input_blocks_7_1_transformer_blocks_0_attn1_to_q", 1536),
        "a LoRA for the SDXL refiner",
        None,
    ),
    "lora of flux, processors": (
        {
            "double_blocks.0.processor.qkv_lora1.down.weight": (4, 3072),
            "double_blocks.0.processor.qkv_lora1.up.weight": (8, 4),
        },
        "a LoRA for Flux",
        None,
    ),
    "lora of flux, peft": (
        peft("base_model.model.double_blocks.0.img_attn.proj", 3072),
        "a LoRA for Flux",
        None,
    ),
    "lora of flux, lokr": (
        {
            "lycoris_single_blocks_0_linear1.lokr_w1": (8, 8),
            "lycoris_single_blocks_0_linear1.lokr_w2": (8, 384),
        },
        "a LoRA for Flux",
        None,
    ),
    "lora of flux, its t5": (
        kohya("encoder_block_0_layer_0_SelfAttention_q", 4096, "lora_te2_"),
        "a LoRA for Flux or SD 3",
        None,
    ),
    "lora of sd 3, onetrainer": (
        {
            **kohya("transformer_transformer_blocks_0_attn_add_q_proj", 1536, "lora_"),
            **kohya("text_model_encoder_layers_0_mlp_fc1", 1280, "lora_te2_"),
            **kohya("encoder_block_0_layer_0_SelfAttention_q", 4096, "lora_te3_"),
        },
        "a LoRA for SD 3",
        None,
    ),
    "lora of auraflow": (
        peft("transformer.joint_transformer_blocks.0.attn.to_q", 3072),
        "a LoRA for AuraFlow",
        None,
    ),
    "lora of hunyuandit": (
        kohya("blocks_0_attn1_Wqkv", 1408),
        "a LoRA for HunyuanDiT",
        None,
    ),
    "lora of z-image": (
        peft("diffusion_model.layers.0.attention.qkv", 3840),
        "a LoRA for Lumina or Z-Image",
        None,
    ),
    "lora of flux, kohya": (
        {
            **kohya("double_blocks_0_img_attn_qkv", 3072),
            **kohya("text_model_encoder_layers_0_mlp_fc1", 768, "lora_te1_"),
        },
        "a LoRA for Flux",
        None,
    ),
    "lora of flux, diffusers": (
        peft("transformer.single_transformer_blocks.0.attn.to_q", 3072),
        "a LoRA for Flux",
        None,
    ),
    "lora of flux, double blocks alone": (
        {
            **peft("transformer.transformer_blocks.0.attn.add_q_proj", 3072),
            **peft("transformer.transformer_blocks.0.ff_context.net.0.proj", 3072),
        },
        "a LoRA for Flux",
        None,
    ),
    "lora of flux, comfy": (
        peft("diffusion_model.double_blocks.0.img_attn.qkv", 3072),
        "a LoRA for Flux",
        None,
    ),
    "lora of flux, onetrainer": (
        kohya("transformer_single_transformer_blocks_0_attn_to_q", 3072, "lora_"),
        "a LoRA for Flux",
        None,
    ),
    "lora of sd 3, kohya": (
        kohya("joint_blocks_0_x_block_attn_qkv", 1536),
        "a LoRA for SD 3",
        None,
    ),
    "lora of sd 3, diffusers": (
        peft("transformer.transformer_blocks.0.attn.add_q_proj", 1536),
        "a LoRA for SD 3",
        None,
    ),
    "lora of cascade": (
        kohya("down_blocks_0_2_attention_attn_in_proj", 2048, "lora_prior_unet_"),
        "a LoRA for Stable Cascade",
        None,
    ),
    "lora of wan": (
        peft("diffusion_model.blocks.0.cross_attn.k", 5120),
        "a LoRA for Wan",
        None,
    ),
    "lora of wan, kohya": (kohya("blocks_0_self_attn_q", 5120), "a LoRA for Wan", None),
    "lora of anima": (
        kohya("blocks_0_cross_attn_k_proj", 1024),
        "a LoRA for Cosmos or Anima",
        None,
    ),
    "lora of hunyuanvideo": (
        kohya("double_blocks_0_img_mod_linear", 3072),
        "a LoRA for HunyuanVideo",
        None,
    ),
    "lora of qwen": (
        peft("transformer.transformer_blocks.0.img_mlp.net.0.proj", 3072),
        "a LoRA for Qwen-Image",
        None,
    ),
    "lora of pixart": (
        peft("base_model.model.transformer_blocks.0.attn1.to_q", 1152),
        "a LoRA for PixArt",
        None,
    ),
    "lora of an unknown transformer": (
        peft("transformer.transformer_blocks.0.attn1.to_q", 2048),
        "a LoRA for a diffusion transformer",
        None,
    ),
    # Embeddings
    "embeddings": (
        {"clip_l": (2, 768), "clip_g": (2, 1280)},
        "embeddings for SDXL",
        "PLITKA_EMBEDDINGS",
    ),
    "embeddings, old names": (
        {"text_encoders_0": (2, 768), "text_encoders_1": (2, 1280)},
        "embeddings for SDXL",
        "PLITKA_EMBEDDINGS",
    ),
    "embeddings, onetrainer": (
        {"clip_l": (3, 768), "clip_g": (3, 1280), "clip_l_out": (3, 768), "clip_g_out": (3, 1280)},
        "embeddings for SDXL",
        "PLITKA_EMBEDDINGS",
    ),
    "embeddings, a half lost": ({"clip_l": (2, 768)}, "embeddings for SDXL", "PLITKA_EMBEDDINGS"),
    "embeddings, second half": (
        {"<rubber>": (1, 1280)},
        "embeddings for SDXL",
        "PLITKA_EMBEDDINGS",
    ),
    "embeddings of flux": (
        {"clip_l": (2, 768), "t5": (2, 4096)},
        "embeddings for Flux",
        None,
    ),
    "embeddings of sd 3": (
        {"clip_l": (2, 768), "clip_g": (2, 1280), "t5": (2, 4096)},
        "embeddings for SD 3",
        None,
    ),
    "embedding of sd 1.5": ({"emb_params": (2, 768)}, "an embedding for SD 1.5", None),
    "embedding of sd 1.5, token": ({"<cat-toy>": (768,)}, "an embedding for SD 1.5", None),
    "embedding of sd 2": ({"emb_params": (8, 1024)}, "an embedding for SD 2", None),
}


@pytest.mark.parametrize(("shapes", "title", "setting"), KNOWN.values(), ids=list(KNOWN))
def test_what_a_file_is_is_said(
    shapes: Shapes, title: str, setting: str | None, tmp_path: Path
) -> None:
    found = identify(header_of(tmp_path, shapes))
    assert found is not None
    assert (found.title, found.setting) == (title, setting)


NOTED = [
    ({"ss_base_model_version": "sd_v1"}, "a LoRA for SD 1.5"),
    ({"ss_base_model_version": "sdxl_base_v1-0"}, "a LoRA for SDXL"),
    ({"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}, "a LoRA for SDXL"),
    ({"modelspec.architecture": "stable-diffusion-v2-768-v/lora"}, "a LoRA for SD 2"),
    (
        {"modelspec.architecture": "stable-diffusion-xl-v1-refiner/lora"},
        "a LoRA for the SDXL refiner",
    ),
    ({"ss_base_model_version": "kolors"}, "a LoRA for Kolors"),
    ({}, "a LoRA for SDXL"),
]


@pytest.mark.parametrize(("notes", "title"), NOTED)
def test_notes_decide_what_no_tensor_shows(
    notes: dict[str, str], title: str, tmp_path: Path
) -> None:
    found = identify(header_of(tmp_path, kohya("mid_block_attentions_0_proj_in", 1280), notes))
    assert found is not None
    assert found.title == title


def test_tensors_are_believed_before_notes(tmp_path: Path) -> None:
    header = header_of(tmp_path, kohya(DOWN_1, 2048), {"ss_base_model_version": "sd_v1"})
    assert identify(header) == Identity("a LoRA for SDXL", "PLITKA_LORA")


DAMAGED: list[Shapes] = [
    {
        **kohya(DOWN_1, 2048),
        f"lora_unet_{DOWN_1.replace('to_k', 'to_v')}.lora_down.weight": (4, 768),
    },
    {**kohya(DOWN_1, 7), **kohya("text_model_encoder_layers_0_mlp_fc1", 1280, "lora_te2_")},
    {**kohya(DOWN_1, 2048), "double_blocks.0.img_attn.qkv.lora_A.weight": (4, 3072)},
    {**kohya(DOWN_1, 2048), "odd": (1,), "lora_unet_odd.alpha": ()},
    {f"lora_unet_{DOWN_1}.lora_down.weight": (2048, 4)},
    kohya("down_blocks_2_attentions_0_transformer_blocks_9_attn2_to_k", 768),
    {"unet.mid_block.attentions.0.proj_in.lora_C.weight": (4, 8)},
    {
        "transformer_blocks.0.attn.to_q.lora_A.weight": (4, 8),
        "clip_l": (2, 768),
        "clip_g": (2, 1280),
    },
]


@pytest.mark.parametrize("shapes", DAMAGED)
def test_a_damaged_lora_for_sdxl_stays_one(shapes: Shapes, tmp_path: Path) -> None:
    assert identify(header_of(tmp_path, shapes)) == Identity("a LoRA for SDXL", "PLITKA_LORA")


@pytest.mark.parametrize(
    "shapes",
    [
        {"clip_l": (2, 768), "clip_g": (2, 1280), "odd": (1,)},
        {"clip_l": (2, 768), "clip_g": (2, 1280), "emb_params": (2, 768)},
        {"clip_l": (768, 2), "clip_g": (2, 7)},
        {"text_encoders_0": (2, 768), "clip_g": (1, 2, 1280)},
        {"<s0>": (1280,), "<s1>": (1280,)},
        {"<floral-tile>": (2, 1280)},
    ],
)
def test_damaged_embeddings_for_sdxl_stay_such(shapes: Shapes, tmp_path: Path) -> None:
    found = identify(header_of(tmp_path, shapes))
    assert found == Identity("embeddings for SDXL", "PLITKA_EMBEDDINGS")


def test_what_nothing_is_known_of_is_not_named(tmp_path: Path) -> None:
    assert identify(header_of(tmp_path, {"a": (2, 5), "b.weight": (3,)})) is None
    assert identify(header_of(tmp_path, {})) is None


@pytest.mark.parametrize(
    ("shapes", "wanted", "setting", "sentence"),
    [
        (
            WHOLE_SDXL,
            "a LoRA for SDXL",
            "PLITKA_LORA",
            "a whole SDXL checkpoint, not a LoRA for SDXL; name it with PLITKA_BASE, and set"
            " PLITKA_LORA to a LoRA for SDXL, or to none",
        ),
        (
            kohya(DOWN_1, 2048),
            "an SDXL model",
            "PLITKA_BASE",
            "a LoRA for SDXL, not an SDXL model; name it with PLITKA_LORA, and set PLITKA_BASE to"
            " an SDXL model",
        ),
        (
            FLUX,
            "a VAE for SDXL",
            "PLITKA_VAE",
            "a diffusion model of Flux alone, not a VAE for SDXL, and Plitka has no use for it; set"
            " PLITKA_VAE to a VAE for SDXL, or to base",
        ),
        (
            {"a": (2, 5)},
            "embeddings for SDXL",
            "PLITKA_EMBEDDINGS",
            "not embeddings for SDXL, it holds a; set PLITKA_EMBEDDINGS to embeddings for SDXL, or"
            " to none",
        ),
        (
            {"<rubber>": (1, 1280)},
            "embeddings for SDXL",
            "PLITKA_EMBEDDINGS",
            "embeddings for SDXL, but not in a form that is read, it holds <rubber>; set"
            " PLITKA_EMBEDDINGS to embeddings for SDXL, or to none",
        ),
    ],
)
def test_the_sentence_says_what_it_is_and_where_it_belongs(
    shapes: Shapes, wanted: str, setting: str, sentence: str, tmp_path: Path
) -> None:
    error = explain_wrong_file(header_of(tmp_path, shapes), wanted, setting)
    assert str(error) == f"trained.tar: file.safetensors: {sentence}"
