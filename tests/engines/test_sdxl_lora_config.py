"""Adapters that PEFT trains: its configuration beside the file decides on alpha and more.

PEFT's own layers are the reference; what a pattern means is written out as well.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft as peft_library
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from plitka.errors import EngineError
from tests.conftest import LoadSdxl
from tests.support.marks import long
from tests.support.small_sdxl import SmallSdxl, load_base
from tests.support.trained_loras import Trained, assert_fused, peft_form, peft_notes


@pytest.fixture(scope="module")
def base(small_sdxl: SmallSdxl) -> Any:
    return load_base(small_sdxl)


def test_diffusers_saves_alphas_in_the_files_notes(
    base: Any, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    trained = Trained(base, on_encoders=True)
    notes: dict[str, Any] = {}
    for component in ("unet", "text_encoder", "text_encoder_2"):
        notes |= peft_notes(trained, component, f"{component}.")
    path = tmp_path / "pytorch_lora_weights.safetensors"
    save_file(peft_form(trained), path, {"lora_adapter_metadata": json.dumps(notes)})
    assert_fused(load_sdxl(LORA=tmp_path, LORA_SCALE="1.3"), base, trained, 1.3)


def test_peft_saves_alphas_beside_the_file(base: Any, load_sdxl: LoadSdxl, tmp_path: Path) -> None:
    trained = Trained(base)
    path = tmp_path / "adapter_model.safetensors"
    save_file(peft_form(trained, "base_model.model.", ".default"), path)
    (tmp_path / "adapter_config.json").write_text(json.dumps(peft_notes(trained, "unet")))
    assert_fused(load_sdxl(LORA=path, LORA_SCALE="0.75"), base, trained, 0.75)


@pytest.mark.parametrize(
    ("start", "pattern", "fits"),
    [
        ("unet.", r"^mid_block\..+\.to_q", lambda name: name.startswith("mid_block")),
        ("base_model.model.", r"^mid_block\..+", lambda name: name.startswith("mid_block")),
        ("unet.base_model.model.", r"^attn1\.to_q", lambda name: False),
        ("base_model.model.", r"attn1\.to_q", lambda name: "attn1" in name),
        ("unet.", r"tn1\.to_q", lambda name: False),
        ("unet.", r"to_q|nothing", lambda name: True),
    ],
)
def test_a_pattern_fits_from_a_dot_to_the_end_and_a_caret_from_the_start(
    start: str,
    pattern: str,
    fits: Callable[[str], bool],
    base: Any,
    load_sdxl: LoadSdxl,
    tmp_path: Path,
) -> None:
    """The names that it is matched with are the network's own, without what stands before them."""
    trained = Trained(base)
    for key in list(trained.pairs):
        down, up, _ = trained.pairs[key]
        if key[1].endswith("to_q"):
            trained.pairs[key] = (down, up, 16.0 if fits(key[1]) else 4.0)
        else:
            del trained.pairs[key]
    ranks = {name: pair[0].shape[0] for (_, name), pair in trained.pairs.items()}
    config = {
        "r": 8,
        "lora_alpha": 4,
        "rank_pattern": ranks,
        "alpha_pattern": {pattern: 16, ".*": 4},
    }
    save_file(peft_form(trained, start), tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    assert_fused(load_sdxl(LORA=tmp_path, LORA_SCALE="1"), base, trained, 1)


peft: Any = peft_library  # its configurations' arguments are checked by what they train
_ON = {"target_modules": r".*\.(to_q|to_v|time_emb_proj|conv1|conv_shortcut)"}
_PATTERNS = {
    "rank_pattern": {r"^mid_block\..+": 2},
    "alpha_pattern": {r"attn2\.to_q": 9, r"^down_blocks\.0\..+": 3},
}
CONFIGS = {
    "LoRA": lambda: peft.LoraConfig(r=4, lora_alpha=7, **_ON, **_PATTERNS),
    "rank-stabilised": lambda: peft.LoraConfig(r=4, lora_alpha=7, use_rslora=True, **_ON),
    "DoRA": lambda: peft.LoraConfig(r=4, lora_alpha=7, use_dora=True, **_ON),
    "LoRA with biases": lambda: peft.LoraConfig(
        r=4, lora_alpha=7, lora_bias=True, target_modules=["time_emb_proj", "conv1"]
    ),
    "LoHa": lambda: peft.LoHaConfig(r=4, alpha=7, **_ON, **_PATTERNS),
    "LoHa, effective": lambda: peft.LoHaConfig(r=4, alpha=7, use_effective_conv2d=True, **_ON),
    "LoKr": lambda: peft.LoKrConfig(r=4, alpha=7, **_ON, **_PATTERNS),
    "LoKr, effective": lambda: peft.LoKrConfig(
        r=2, alpha=7, use_effective_conv2d=True, decompose_both=True, decompose_factor=4, **_ON
    ),
    "OFT": lambda: peft.OFTConfig(oft_block_size=8, use_cayley_neumann=False, **_ON),
    "OFT in a series": lambda: peft.OFTConfig(oft_block_size=8, num_cayley_neumann_terms=4, **_ON),
    "OFT, constrained": lambda: peft.OFTConfig(oft_block_size=8, coft=True, eps=0.5, **_ON),
    "OFT, shared": lambda: peft.OFTConfig(oft_block_size=8, block_share=True, **_ON),
    "IA3": lambda: peft.IA3Config(feedforward_modules=["attn2.to_q", "conv1"], **_ON),
}


_LESS_COMMON: tuple[str, ...] = ("rank-stabilised", "LoHa, effective", "LoKr, effective")
_LESS_COMMON += ("OFT in a series", "OFT, constrained", "OFT, shared")


@pytest.mark.parametrize("kind", [long(kind) if kind in _LESS_COMMON else kind for kind in CONFIGS])
def test_what_peft_trains_and_saves_is_fused_as_peft_merges_it(
    kind: str, base: Any, small_sdxl: SmallSdxl, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    """At the scale 0.5, half of what PEFT's merging changes."""
    make: Any = CONFIGS[kind]
    pipe = load_base(small_sdxl)
    model = peft.get_peft_model(pipe.unet, make())
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    model.save_pretrained(tmp_path)
    merged = model.merge_and_unload().state_dict()
    engine = load_sdxl(LORA=tmp_path, LORA_SCALE="0.5")
    fused, before = engine.pipe.unet.state_dict(), base.unet.state_dict()
    changed = 0
    for name, old in before.items():
        change = 0.5 * (merged[name] - old)
        assert (fused[name] - old - change).norm() <= 1e-4 * old.norm() + 1e-12, name
        if not torch.equal(merged[name], old):
            assert (fused[name] - old - change).norm() <= 1e-3 * change.norm(), name
            changed += 1
    assert changed > 20


def test_a_butterfly_of_more_stages_is_fused_as_pefts_permutations_say(
    base: Any, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    """PEFT's layer does one stage without a compiled extension; its permutations do all."""
    from peft.tuners.boft.layer import BOFTLayer

    generator = torch.Generator().manual_seed(1)
    factors = 0.3 * torch.randn(3, 8, 4, 4, generator=generator)
    scale = 1 + 0.1 * torch.randn(32, 1, generator=generator)
    layer: Any = BOFTLayer.__new__(BOFTLayer)
    turned = torch.eye(32)
    for stage in range(3):
        order = layer.perm2mat(layer.block_butterfly_perm(32, 8 // 2**stage, 2, 2))
        turns = torch.zeros(32, 32)
        for block, turn in enumerate(layer.cayley_batch(factors[stage])):
            turns[4 * block : 4 * block + 4, 4 * block : 4 * block + 4] = turn
        turned = order @ turns @ order.T @ turned
    name = "base_model.model.mid_block.attentions.0.proj_in"
    file = tmp_path / "adapter_model.safetensors"
    save_file({f"{name}.boft_R": factors, f"{name}.boft_s": scale}, file)
    fused = load_sdxl(LORA=file, LORA_SCALE="1").pipe.unet.mid_block.attentions[0].proj_in
    expected = (turned @ base.unet.mid_block.attentions[0].proj_in.weight.T).T * scale
    assert torch.allclose(fused.weight, expected, atol=1e-6)


def test_what_diffusers_saves_is_fused_as_diffusers_fuses_it(
    base: Any, small_sdxl: SmallSdxl, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    """The reference is diffusers' own loading and fusing of the very file."""
    pipe = load_base(small_sdxl)
    config = peft.LoraConfig(r=4, lora_alpha=7, target_modules=["to_q", "to_out.0", "conv2"])
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


ENDLESS = r"(?:[\w.]|[\w.]{2}|[\w.]{3}|[\w.]{4})+[,;]"  # tries all ways to part a name
WHOLE = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "use_dora": False}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"lora_alpha": None}, "says None as lora_alpha"),
        ({"lora_alpha": "8"}, "says '8' as lora_alpha"),
        ({"r": 8}, "is of rank 4, and its configuration says 8"),
        ({"r": "4"}, "says '4' as its rank"),
        ({"alpha_pattern": {"(": 4}}, "in alpha_pattern, which is no pattern"),
        ({"alpha_pattern": [4]}, "as alpha_pattern"),
        (
            {"alpha_pattern": {ENDLESS: 4}},
            "in alpha_pattern, which is no pattern",
        ),
        ({"rank_pattern": {"a{99999999999999999999}": 4}}, "in rank_pattern, which is no pattern"),
        ({"rank_pattern": {"(" * 1500 + ")" * 1500: 4}}, "in rank_pattern, which is no pattern"),
        ({"lora_alpha": 10**400}, "000… as lora_alpha, not a number"),
        ({"lora_alpha": float("nan")}, "says nan as lora_alpha"),
        ({"peft_type": "\ud800\n" + "x" * 9999}, "xxx…, and the file is a LORA"),
        ({"peft_type": "LOHA"}, "says 'LOHA', and the file is a LORA"),
        ({"use_dora": True}, "lacks magnitudes, and its configuration says use_dora=True"),
        ({"lora_bias": True}, "lacks a bias, and its configuration says lora_bias=True"),
        ({"init_lora_weights": "pissa_niter_4"}, "changes the base model's own weights"),
        ({"use_qalora": True}, "sets use_qalora, which is not read"),
        ({"modules_to_save": ["conv_out"]}, "sets modules_to_save, which is not read"),
    ],
)
@pytest.mark.parametrize("notes", [False, True])
def test_a_configuration_that_is_not_the_files_is_refused(
    changed: dict[str, Any], sentence: str, notes: bool, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    name = "mid_block.attentions.0.proj_in"
    start = "unet." if notes else "base_model.model."
    tensors = {
        f"{start}{name}.lora_A.weight": torch.ones(4, 32),
        f"{start}{name}.lora_B.weight": torch.ones(32, 4),
    }
    config = {**WHOLE, **changed}
    path = tmp_path / "adapter_model.safetensors"
    if notes:
        inside = json.dumps({f"unet.{field}": value for field, value in config.items()})
        save_file(tensors, path, {"lora_adapter_metadata": inside})
    else:
        save_file(tensors, path)
        (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(EngineError, match=r"adapter_model\.safetensors: ") as fault:
        load_sdxl(LORA=path)
    assert sentence in str(fault.value)


@pytest.mark.parametrize("text", ["{", "[1]", "\x00"])
def test_a_configuration_that_is_no_json_object_is_refused(
    text: str, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    save_file({"unet.conv_in.lora_A.weight": torch.ones(4, 4, 3, 3)}, tmp_path / "a.safetensors")
    (tmp_path / "adapter_config.json").write_text(text)
    with pytest.raises(EngineError, match=r"adapter_config.json: .*JSON"):
        load_sdxl(LORA=tmp_path / "a.safetensors")


@pytest.mark.parametrize("said", ["(", ENDLESS, 4, {"conv1": 1}])
def test_feedforward_modules_that_are_no_list_are_refused(
    said: Any, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    path = tmp_path / "adapter_model.safetensors"
    save_file({"base_model.model.mid_block.resnets.0.conv1.ia3_l": torch.ones(1, 32, 1, 1)}, path)
    config = {"peft_type": "IA3", "feedforward_modules": said}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(EngineError, match="no list as feedforward_modules"):
        load_sdxl(LORA=path)


def test_an_oft_of_peft_without_its_configuration_is_refused(
    small_sdxl: SmallSdxl, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    """Its rotations could be exact or a series, which draw different pictures."""
    model = peft.get_peft_model(
        load_base(small_sdxl).unet, peft.OFTConfig(oft_block_size=8, target_modules=["to_q"])
    )
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    del config["use_cayley_neumann"]
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(EngineError, match=r"no adapter_config\.json says use_cayley_neumann"):
        load_sdxl(LORA=tmp_path)
    (tmp_path / "adapter_config.json").unlink()
    assert load_file(tmp_path / "adapter_model.safetensors")
    with pytest.raises(EngineError, match=r"no adapter_config\.json says use_cayley_neumann"):
        load_sdxl(LORA=tmp_path)
