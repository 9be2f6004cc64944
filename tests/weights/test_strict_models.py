"""Base models, VAEs and ControlNets: every tensor and every field counts, in every form of file."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file
from torch import Tensor

from plitka.cli.main import main
from plitka.engines.sdxl import architecture
from plitka.errors import WeightsError
from plitka.request.plan import make_plan
from plitka.weights import models
from plitka.weights.model_config import complete_config
from plitka.weights.sdxl_architecture import PUBLISHED
from tests.conftest import LoadSdxl
from tests.support import small_sdxl as small
from tests.support.drawing import draw
from tests.support.recipes import asked
from tests.support.small_sdxl import SmallSdxl
from tests.support.sparse_weights import write_sparse_file

WEIGHTS = "diffusion_pytorch_model.safetensors"
UNET = "unet/diffusion_pytorch_model.fp16.safetensors"


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def base(small_sdxl: SmallSdxl, tmp_path: Path) -> Path:
    """A copy of the base model that a test may change."""
    return Path(shutil.copytree(small_sdxl.base, tmp_path / "base"))


@pytest.fixture
def refuse(load_sdxl: LoadSdxl, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Both `check` and setup() refuse what the settings name, in the same sentence; gives it."""

    def refuse(**changed: str | Path) -> str:
        with pytest.raises(WeightsError) as fault:
            load_sdxl(**changed)
        assert main(["check"]) == 1
        (line,) = (x for x in capsys.readouterr().out.splitlines() if x.startswith("FAULT"))
        (said,) = str(fault.value).splitlines()
        assert line.endswith(said)
        return said

    return refuse


def change_tensors(file: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, {"format": "pt"})


def change_config(folder: Path, **fields: Any) -> None:
    """Set fields; an absent value takes the field out."""
    file = folder / "config.json"
    config = json.loads(file.read_text())
    for name, value in fields.items():
        if value is ...:
            del config[name]
        else:
            config[name] = value
    file.write_text(json.dumps(config))


# Tensors


@pytest.mark.parametrize(
    "file", [UNET, "text_encoder/model.fp16.safetensors", "text_encoder_2/model.fp16.safetensors"]
)
def test_a_tensor_without_a_place_is_refused(
    file: str, base: Path, refuse: Callable[..., str]
) -> None:
    change_tensors(base / file, lambda tensors: tensors.update(odd=torch.ones(2)))
    said = refuse(BASE=base)
    assert "1 of its tensors have no place in the model: odd" in said
    assert str((base / file).parent) in said


def test_a_tensor_of_another_shape_or_type_is_refused(
    base: Path, refuse: Callable[..., str]
) -> None:
    change_tensors(base / UNET, lambda held: held.update({"conv_in.bias": torch.ones(15).half()}))
    assert "conv_in.bias has shape 15, and the model's tensor 16" in refuse(BASE=base)
    change_tensors(
        base / UNET, lambda held: held.update({"conv_in.bias": torch.ones(16, dtype=torch.int8)})
    )
    assert "conv_in.bias has numbers of type I8" in refuse(BASE=base)


def test_a_union_controlnet_that_calls_itself_controlnetmodel_does_not_lose_its_transformer(
    small_sdxl: SmallSdxl, tmp_path: Path, refuse: Callable[..., str], load_sdxl: LoadSdxl
) -> None:
    folder = Path(shutil.copytree(small_sdxl.canny, tmp_path / "union"))
    more = {"task_embedding": torch.ones(6, 32), "transformer_layes.0.ln_1.weight": torch.ones(32)}
    change_tensors(folder / WEIGHTS, lambda held: held.update(more))
    engine = load_sdxl(CONTROLNET_CANNY=folder)
    with pytest.raises(WeightsError, match="union"):
        draw(engine, make_plan(asked({"red": 100}, 90)), 64, 1)


# Single files


def original_controlnet_name(name: str) -> str:
    """`controlnet_down_blocks.3.weight` -> `zero_convs.3.0.weight`."""
    if match := re.fullmatch(r"controlnet_down_blocks\.(\d+)\.(\w+)", name):
        return f"zero_convs.{match[1]}.0.{match[2]}"
    if match := re.fullmatch(r"controlnet_mid_block\.(\w+)", name):
        return f"middle_block_out.0.{match[1]}"
    if match := re.fullmatch(r"controlnet_cond_embedding\.(.+)\.(\w+)", name):
        place = {"conv_in": 0, "conv_out": 14}.get(match[1])
        number = 2 * (int(match[1].split(".")[1]) + 1) if place is None else place
        return f"input_hint_block.{number}.{match[2]}"
    return small.original_unet_name(name)


CONTROLNET_FORMS: Mapping[str, Callable[[str], str]] = {
    "diffusers": lambda name: name,
    "original": original_controlnet_name,
    "control_model": lambda name: f"control_model.{original_controlnet_name(name)}",
}


@pytest.mark.parametrize("form", CONTROLNET_FORMS)
def test_a_controlnet_in_one_file_draws_as_its_folder_does(
    form: str, small_sdxl: SmallSdxl, tmp_path: Path, load_sdxl: LoadSdxl
) -> None:
    path = tmp_path / "canny.safetensors"
    rename = CONTROLNET_FORMS[form]
    held = load_file(small_sdxl.canny / WEIGHTS)
    save_file({rename(name): tensor for name, tensor in held.items()}, path)
    plan = make_plan(asked({"red": 100}, 90))
    expected = draw(load_sdxl(), plan, 64, 1).image
    engine = load_sdxl(CONTROLNET_CANNY=path)
    assert main(["check"]) == 0
    assert (draw(engine, plan, 64, 1).image == expected).all()
    assert "canny" in engine.controlnets.loaded


VAE_FORMS: Mapping[str, Callable[[str], str]] = {
    "diffusers": lambda name: name,
    "original": lambda name: small.original_vae_name(name),
    "first_stage_model": lambda name: f"first_stage_model.{small.original_vae_name(name)}",
    "older diffusers": lambda name: (
        name.replace("to_q", "query")
        .replace("to_k", "key")
        .replace("to_v", "value")
        .replace("to_out.0", "proj_attn")
    ),
}


@pytest.mark.parametrize("form", VAE_FORMS)
@pytest.mark.parametrize("as_checkpoint", [False, True])
def test_a_vae_in_one_file_is_the_same_as_its_folder(
    form: str, as_checkpoint: bool, small_sdxl: SmallSdxl, tmp_path: Path, load_sdxl: LoadSdxl
) -> None:
    """Its configuration is the base model's own."""
    path = tmp_path / "vae.safetensors"
    rename = VAE_FORMS[form]
    held = load_file(small_sdxl.vae / WEIGHTS)
    save_file({rename(name): tensor for name, tensor in held.items()}, path)
    base = small_sdxl.base
    if as_checkpoint:
        copy = shutil.copytree(small_sdxl.base, tmp_path / "base")
        base = small.save_checkpoint(Path(copy) / "one.safetensors", small_sdxl.base)
    engine = load_sdxl(BASE=base, VAE=path)
    after = engine.pipe.vae.state_dict()
    assert set(after) == set(held)
    assert all(torch.equal(after[name], held[name]) for name in held)
    assert engine.pipe.vae.config.scaling_factor == 0.13025


@pytest.mark.parametrize("setting", ["VAE", "CONTROLNET_CANNY"])
def test_a_file_inside_its_folder_is_the_same_as_the_folder(
    setting: str, small_sdxl: SmallSdxl, load_sdxl: LoadSdxl
) -> None:
    folder = small_sdxl.vae if setting == "VAE" else small_sdxl.canny
    plan = make_plan(asked({"red": 100}, 90))
    expected = draw(load_sdxl(), plan, 64, 1).image
    engine = load_sdxl(**{setting: folder / WEIGHTS})
    assert main(["check"]) == 0
    assert (draw(engine, plan, 64, 1).image == expected).all()


def test_a_checkpoint_without_a_vae_says_which_setting_takes_one(
    base: Path, small_sdxl: SmallSdxl, refuse: Callable[..., str], load_sdxl: LoadSdxl
) -> None:
    path = small.save_checkpoint(base / "checkpoint.safetensors", small_sdxl.base)
    tensors = load_file(path)
    save_file({n: t for n, t in tensors.items() if not n.startswith("first_stage_model.")}, path)
    said = refuse(BASE=path, VAE="base")
    assert "an SDXL checkpoint without a VAE; set PLITKA_VAE to one" in said
    load_sdxl(BASE=path)


# Fields


WRONG_FIELDS: list[tuple[str, dict[str, Any], str]] = [
    ("unet", {"act_fn": "gelu"}, "act_fn is gelu, and SDXL's is silu"),
    ("unet", {"flip_sin_to_cos": False}, "flip_sin_to_cos is False, and SDXL's is True"),
    ("unet", {"norm_eps": 1e-3}, "norm_eps is 0.001"),
    ("unet", {"addition_embed_type": ...}, "addition_embed_type is not there"),
    ("unet", {"encoder_hid_dim": 4096, "encoder_hid_dim_type": "text_proj"}, "Kolors"),
    ("unet", {"time_cond_proj_dim": 256}, "LCM"),
    ("unet", {"cross_attention_dim": ...}, "cross_attention_dim is not there"),
    ("unet", {"transformer_layers_per_block": ...}, "tensors"),
    ("unet", {"attention_head_dim": "many"}, "attention_head_dim is many, which is no size"),
    ("unet", {"block_out_channels": [16, 32]}, "no network can be built by its configuration"),
    ("unet", {"addition_time_embed_dim": 16}, "do not belong together"),
    ("unet", {"layers_per_block": -1}, "layers_per_block is -1, which is no size"),
    ("unet", {"_class_name": "SD3Transformer2DModel"}, "a SD3Transformer2DModel, not a UNet2D"),
    ("text_encoder", {"hidden_act": "gelu"}, "hidden_act is gelu, and SDXL's is quick_gelu"),
    ("text_encoder_2", {"hidden_act": ...}, "hidden_act is not there, which means quick_gelu"),
    ("text_encoder", {"num_hidden_layers": 2}, "lack"),
    ("text_encoder_2", {"architectures": ["ChatGLMModel"]}, "a ChatGLMModel, not a CLIPTextModelW"),
    (
        "vae",
        {"scaling_factor": ...},
        "a VAE of SD 1.5 or SD 2, not of SDXL (its config.json has",
    ),
    ("vae", {"scaling_factor": 0.5}, "scaling_factor is 0.5, and SDXL's is 0.13025"),
    ("vae", {"latents_mean": [0.1] * 4, "latents_std": [1.0] * 4}, "Playground 2.5"),
    ("vae", {"shift_factor": 0.1}, "shift_factor is 0.1, and SDXL's is nothing"),
    ("vae", {"layers_per_block": 2}, "lack"),
]


@pytest.mark.parametrize(("part", "fields", "sentence"), WRONG_FIELDS)
def test_a_field_that_would_change_the_picture_is_refused(
    part: str, fields: dict[str, Any], sentence: str, base: Path, refuse: Callable[..., str]
) -> None:
    change_config(base / part, **fields)
    said = refuse(BASE=base, VAE="base")
    assert sentence in said
    assert str(base / part) in said


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"conditioning_channels": 4}, "conditioning_channels is 4, and SDXL's is 3"),
        ({"encoder_hid_dim": 4096}, "a ControlNet for Kolors, not for SDXL"),
        ({"global_pool_conditions": True}, "global_pool_conditions is True"),
        ({"controlnet_conditioning_channel_order": "xyz"}, "is xyz, and not rgb or bgr"),
        ({"block_out_channels": [16, 32, 48]}, "and the base model's is [16, 32, 32]"),
        ({"projection_class_embeddings_input_dim": 5632}, "do not belong together"),
    ],
)
def test_a_controlnet_that_would_fail_each_angled_picture_is_refused_by_check(
    fields: dict[str, Any],
    sentence: str,
    small_sdxl: SmallSdxl,
    tmp_path: Path,
    load_sdxl: LoadSdxl,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = Path(shutil.copytree(small_sdxl.canny, tmp_path / "canny"))
    change_config(folder, **fields)
    engine = load_sdxl(CONTROLNET_CANNY=folder)
    assert main(["check"]) == 1
    assert sentence in capsys.readouterr().out
    with pytest.raises(WeightsError, match=re.escape(sentence)):
        draw(engine, make_plan(asked({"red": 100}, 90)), 64, 1)


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        ("unet", {"sample_size": 64, "upcast_attention": None, "dropout": ..., "new_field": 1}),
        ("text_encoder", {"eos_token_id": 49407, "bos_token_id": 49406, "pad_token_id": 0}),
        ("text_encoder_2", {"eos_token_id": ..., "attention_dropout": 0.1}),
        ("tokenizer_2", {"pad_token": "<|endoftext|>", "model_max_length": 12}),
        ("scheduler", {"timestep_spacing": "linspace", "steps_offset": 0, "beta_start": ...}),
    ],
)
def test_a_field_that_is_not_the_models_to_decide_changes_no_picture(
    part: str, fields: dict[str, Any], base: Path, load_sdxl: LoadSdxl
) -> None:
    plan = make_plan(asked({"red": 100}))
    expected = draw(load_sdxl(), plan, 64, 2).image
    name = {"tokenizer_2": "tokenizer_config.json", "scheduler": "scheduler_config.json"}.get(part)
    folder = base / part
    if name is not None:
        (folder / name).rename(folder / "config.json")
    change_config(folder, **fields)
    if name is not None:
        (folder / "config.json").rename(folder / name)
    assert (draw(load_sdxl(BASE=base), plan, 64, 2).image == expected).all()


def test_the_number_of_heads_is_told_by_the_published_widths() -> None:
    """No tensor tells it, so a folder of the published widths must have the published number."""
    config = {"_class_name": "UNet2DConditionModel", **PUBLISHED["unet"].config}
    for name, value in (("attention_head_dim", [10, 20, 40]), ("norm_num_groups", 16)):
        with pytest.raises(WeightsError, match=f"{name} is .*, so it would draw something else"):
            complete_config("unet", {**config, name: value}, "unet", "remedy")


# Full size


def name_checkpoint_tensors() -> dict[str, tuple[int, ...]]:
    """The tensors of the published checkpoint, by the names that the original code gives them."""
    shapes = {part: architecture.list_tensors(part, PUBLISHED[part].config) for part in PUBLISHED}
    named: dict[str, tuple[int, ...]] = {}
    for name, shape in shapes["unet"].items():
        named[f"model.diffusion_model.{small.original_unet_name(name)}"] = shape
    for name, shape in shapes["vae"].items():
        flat = "mid_block.attentions" in name and name.endswith("weight") and len(shape) == 2
        whole = (*shape, 1, 1) if flat else shape
        named[f"first_stage_model.{small.original_vae_name(name)}"] = whole
    for name, shape in shapes["text_encoder"].items():
        named[f"conditioner.embedders.0.transformer.text_model.{name}"] = shape
    empty = {n: torch.empty(s, device="meta") for n, s in shapes["text_encoder_2"].items()}
    for name, tensor in small.name_open_clip(empty).items():
        named[f"conditioner.embedders.1.model.{name}"] = tuple(tensor.shape)
    return named


def test_the_published_checkpoint_has_a_place_for_each_tensor(tmp_path: Path) -> None:
    leftovers = {
        "conditioner.embedders.0.transformer.text_model.embeddings.position_ids": (1, 77),
        "conditioner.embedders.1.model.logit_scale": (),
        "conditioner.embedders.0.logit_scale": (),
        "denoiser.sigmas": (1000,),
        "alphas_cumprod": (1000,),
    }
    named = name_checkpoint_tensors()
    path = write_sparse_file(tmp_path / "sd_xl_base_1.0.safetensors", named | leftovers)
    found = models.check_base(path, architecture)
    counted = {part: len(model.tensors) for part, model in found.models.items()}
    assert counted == {"unet": 1680, "vae": 248, "text_encoder": 196, "text_encoder_2": 517}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"model.diffusion_model.out.2.scale_weight": ()}, "fp8"),
        ({"model.diffusion_model.scaled_fp8": (0,)}, "fp8"),
        ({"edm_mean": (1, 4, 1, 1), "edm_std": (1, 4, 1, 1)}, "Playground 2.5"),
        ({"edm_vpred.sigma_max": (), "v_pred": (0,)}, "CosXL"),
        ({"something.else": (3,)}, "1 of its tensors belong to no part of an SDXL checkpoint"),
        ({"model.diffusion_model.out.3.weight": (3,)}, "1 of its tensors have no place"),
    ],
)
def test_a_checkpoint_with_marks_of_another_kind_is_refused_by_name(
    more: dict[str, tuple[int, ...]], sentence: str, tmp_path: Path
) -> None:
    path = write_sparse_file(tmp_path / "x.safetensors", name_checkpoint_tensors() | more)
    with pytest.raises(WeightsError) as fault:
        models.check_base(path, architecture)
    assert sentence in str(fault.value)
    assert str(path) in str(fault.value)


# Noise


V_AND_ZERO = {"v_pred": torch.tensor([]), "ztsnr": torch.tensor([])}


@pytest.mark.parametrize("form", ["marks", "notes", "scheduler", "beside"])
def test_a_model_that_predicts_v_is_drawn_so(
    form: str, base: Path, small_sdxl: SmallSdxl, load_sdxl: LoadSdxl
) -> None:
    """From the noisiest step on, where zero-terminal SNR leaves noise alone."""
    at, config = base, base / "scheduler" / "scheduler_config.json"
    if form != "scheduler":
        at = small.save_checkpoint(base / "checkpoint.safetensors", small_sdxl.base)
        if form == "marks":
            change_tensors(at, lambda held: held.update(V_AND_ZERO))
        if form == "notes":
            save_file(load_file(at), at, {"modelspec.prediction_type": "v"})
    if form in ("scheduler", "beside"):
        changed = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}
        config.write_text(json.dumps({**json.loads(config.read_text()), **changed}))
    engine = load_sdxl(BASE=at)
    scheduler = engine.pipe.scheduler
    assert scheduler.config.prediction_type == "v_prediction"
    scheduler.set_timesteps(4)
    if form == "notes":
        assert scheduler.sigmas[0] < 15
        return
    assert scheduler.timesteps.tolist() == [999, 749, 499, 249]
    # 1 - abar = 1 / (1 + 1 / sigma^2): of a variance of 1, all is noise.
    assert scheduler.sigmas[0] > 1000
    reference = DPMSolverMultistepScheduler.from_config(
        json.loads(config.read_text()),
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        algorithm_type="dpmsolver++",
    )
    reference.set_timesteps(4)
    assert torch.equal(reference.sigmas, scheduler.sigmas)
    picture = draw(engine, make_plan(asked({"red": 100})), 64, 4).image
    assert picture.std() > 1


@pytest.mark.parametrize("in_checkpoint", [False, True])
def test_zero_terminal_snr_without_v_prediction_is_refused(
    in_checkpoint: bool, base: Path, small_sdxl: SmallSdxl, refuse: Callable[..., str]
) -> None:
    """From noise alone a prediction of the noise tells nothing of the picture."""
    at = base
    if in_checkpoint:
        at = small.save_checkpoint(base / "checkpoint.safetensors", small_sdxl.base)
        change_tensors(at, lambda held: held.update(ztsnr=torch.tensor([])))
    else:
        config = base / "scheduler" / "scheduler_config.json"
        changed = {**json.loads(config.read_text()), "rescale_betas_zero_snr": True}
        config.write_text(json.dumps(changed))
    assert "says zero-terminal SNR" in refuse(BASE=at)


@pytest.mark.parametrize(
    "index", [[], {}, {"weight_map": []}, {"weight_map": {"a": "../x.safetensors"}}]
)
def test_a_damaged_index_of_shards_is_refused(
    index: object, base: Path, refuse: Callable[..., str]
) -> None:
    (base / UNET).unlink()
    file = base / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    file.write_text(json.dumps(index))
    said = refuse(BASE=base)
    assert said.startswith(str(file))
    assert "again" in said


def test_a_model_that_predicts_v_stays_one_when_it_is_baked(
    base: Path, load_sdxl: LoadSdxl, tmp_path: Path, small_sdxl: SmallSdxl
) -> None:
    path = small.save_checkpoint(base / "checkpoint.safetensors", small_sdxl.base)
    change_tensors(path, lambda held: held.update(V_AND_ZERO))
    plan = make_plan(asked({"red": 100}))
    before = load_sdxl(BASE=path)
    assert main(["bake", str(tmp_path / "baked")]) == 0
    index = StableDiffusionXLPipeline.load_config(tmp_path / "baked")
    assert index["scheduler"][1] == "EulerDiscreteScheduler"
    after = load_sdxl(BASE=tmp_path / "baked", VAE="", LORA="", EMBEDDINGS="")
    assert after.pipe.scheduler.config == before.pipe.scheduler.config
    assert after.pipe.scheduler.config.prediction_type == "v_prediction"
    assert draw(after, plan, 64, 2).image.std() > 1


# Tokenizers


def test_words_that_the_text_encoder_has_no_rows_for_are_refused(
    base: Path, refuse: Callable[..., str]
) -> None:
    words = json.loads((base / "tokenizer" / "vocab.json").read_text())
    more = {**words, "redtile</w>": len(words)}
    (base / "tokenizer" / "vocab.json").write_text(json.dumps(more))
    with (base / "tokenizer" / "merges.txt").open("a") as file:
        file.write("r e\n")
    said = refuse(BASE=base)
    assert f"knows {len(more)} tokens, and text_encoder only {len(words)}" in said


def test_merges_that_are_cut_off_are_refused(base: Path, refuse: Callable[..., str]) -> None:
    """With fewer of them words would be read as others, without an error."""
    file = base / "tokenizer" / "merges.txt"
    file.write_text("\n".join(file.read_text().splitlines()[:-3]) + "\n")
    assert "do not belong together" in refuse(BASE=base)


def test_a_base_model_with_embeddings_of_its_own_is_refused_beside_others(
    base: Path,
    small_sdxl: SmallSdxl,
    tmp_path: Path,
    load_sdxl: LoadSdxl,
    refuse: Callable[..., str],
) -> None:
    """As diffusers saves a pipeline into which embeddings were loaded."""
    load_sdxl(BASE=base).pipe.save_pretrained(tmp_path / "saved")
    said = refuse(BASE=tmp_path / "saved")
    assert "has embeddings of its own for <s0>; set PLITKA_EMBEDDINGS to none" in said
    load_sdxl(BASE=tmp_path / "saved", EMBEDDINGS="none")


def test_a_folder_without_a_vae_says_which_setting_takes_one(
    base: Path, small_sdxl: SmallSdxl, refuse: Callable[..., str], load_sdxl: LoadSdxl
) -> None:
    shutil.rmtree(base / "vae")
    said = refuse(BASE=base, VAE="Base")  # the word in any case
    assert "an SDXL model without a VAE; set PLITKA_VAE to one" in said
    load_sdxl(BASE=base)


def test_a_whole_model_as_a_package_is_told_its_setting(base: Path, load_sdxl: LoadSdxl) -> None:
    with pytest.raises(WeightsError, match=r"a whole model in diffusers' form.*PLITKA_BASE"):
        load_sdxl(weights=base)
