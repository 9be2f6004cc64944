"""Baked snapshots: the same tiles, nothing left to do at the start, and no doubt about damage."""

import json
import resource
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from plitka.bench import compare, random_models
from plitka.cli import main
from plitka.engines.sdxl.options import SdxlSettings
from plitka.errors import EngineError, WeightsError
from plitka.request.plan import make_plan
from plitka.request.prompt import Subject
from plitka.weights.settings import read_weights_settings
from tests.support.drawing import draw
from tests.support.recipes import asked, parse, request
from tests.support.settings import load_engine
from tests.support.small_sdxl import SmallSdxl

TURBO_MODULE = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"


@pytest.fixture(scope="module")
def unbaked(small_sdxl: SmallSdxl, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of a model with a LoRA, embeddings, ControlNets and a turbo LoRA."""
    folder = tmp_path_factory.mktemp("unbaked")
    made = random_models.write_model(folder, "small")
    save_file(
        {
            f"{TURBO_MODULE}.lora_down.weight": 0.1 * torch.randn(2, 32),
            f"{TURBO_MODULE}.lora_up.weight": 0.1 * torch.randn(32, 2),
        },
        folder / "turbo.safetensors",
    )
    return {
        **small_sdxl.settings(LORA=made.lora),
        "PLITKA_TURBO_LORA": str(folder / "turbo.safetensors"),
    }


@pytest.fixture(scope="module")
def baked(unbaked: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("baked") / "snapshot"
    with pytest.MonkeyPatch.context() as patched:
        _set(patched, unbaked)
        assert main.main(["bake", str(folder), "--controlnets", "all"]) == 0
    return folder


def _set(patch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for name in ("BASE", "VAE", "LORA", "LORA_SCALE", "EMBEDDINGS", "TURBO_LORA",
                 "CONTROLNET_CANNY", "CONTROLNET_SOFTEDGE"):  # fmt: skip
        patch.delenv(f"PLITKA_{name}", raising=False)
    for name, value in settings.items():
        patch.setenv(name, value)


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set these settings and no others."""
    return lambda **settings: _set(
        monkeypatch, {f"PLITKA_{name}": str(value) for name, value in settings.items()}
    )


def drawn(engine: Any, angle: float = 0, quality: str = "standard") -> Any:
    body = {**json.loads(request({"red": 60, "white": 40}, angle)), "quality": quality}
    settled = make_plan(parse(json.dumps(body)), engine.subject)
    return draw(engine, settled, 64, 4).image


def test_a_snapshot_draws_the_same_tiles_as_what_it_was_baked_of(
    baked: Path, unbaked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both hold weights in half precision, rounded once; a CPU draws in single."""
    _set(monkeypatch, unbaked)
    before = load_engine("sdxl", dtype="float16")
    _set(monkeypatch, {"PLITKA_BASE": str(baked)})
    after = load_engine("sdxl", dtype="float16")
    assert after.subject == before.subject == Subject("ohwx_rubber_tile", 2)
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        held = getattr(after.pipe, part).state_dict()
        for name, tensor in getattr(before.pipe, part).state_dict().items():
            assert torch.equal(held[name], tensor), (part, name)
    assert before.turbo is not None
    assert after.turbo is not None
    own = zip(before.turbo.list_weights(), after.turbo.list_weights(), strict=True)
    assert all(torch.equal(one, other) for one, other in own)
    for side in (before, after):
        side.turbo.give_up_weights()
        side.pipe.to(torch.float32)
        side.controlnets._device = replace(side.device, dtype="float32")
        side.turbo.float()
    for quality in ("standard", "turbo"):
        one, other = (drawn(side, quality=quality) for side in (before, after))
        assert np.array_equal(one, other)
    for angle in (45, 90):  # whose ControlNets were in single precision before they were baked
        one, other = (drawn(side, angle).astype(int) for side in (before, after))
        assert np.abs(one - other).max() <= 1


def test_every_user_may_read_a_snapshot(baked: Path) -> None:
    for path in (baked, *baked.rglob("*")):
        assert path.stat().st_mode & 0o044 == 0o044, path


def test_a_disk_that_takes_no_more_ends_baking_with_one_sentence_and_leaves_nothing(
    unbaked: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _set(monkeypatch, unbaked)
    capsys.readouterr()
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, most))  # no file may grow larger
    try:
        assert main.main(["bake", str(tmp_path / "snapshot")]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"{tmp_path / 'snapshot'}: cannot be written (")
    assert "File too large" in last
    assert not list(tmp_path.iterdir())


def test_loading_a_snapshot_fuses_and_embeds_nothing(
    baked: Path, only: Any, caplog: pytest.LogCaptureFixture
) -> None:
    only(BASE=baked)
    with caplog.at_level("INFO", "plitka"):
        load_engine("sdxl")
    assert caplog.messages[-1].startswith("setup took ")
    assert not any("fuse" in line or "embeddings" in line for line in caplog.messages)


def test_plan_and_check_know_a_snapshot(
    baked: Path, only: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    only(BASE=baked)
    assert main.main(["plan", "--color", "red=100"]) == 0
    assert "<s0><s1>" in json.loads(capsys.readouterr().out)["prompt"]
    assert main.main(["check"]) == 0
    said = capsys.readouterr().out
    assert "fused into the snapshot at scale 0.75" in said
    assert "all whole" in said


def test_a_snapshot_keeps_the_trigger_and_the_number_of_vectors(
    unbaked: dict[str, str],
    only: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    package = tmp_path / "package"
    package.mkdir()
    save_file({"clip_l": torch.ones(3, 768), "clip_g": torch.ones(3, 1280)}, package / "e.pti")
    (package / "special_params.json").write_text('{"TOK": "<s0><s1><s2>"}')
    folder = tmp_path / "snapshot"
    _set(monkeypatch, {**unbaked, "PLITKA_LORA": "none"})
    assert main.main(["bake", str(folder), "--weights", str(package)]) == 0
    only(BASE=folder)
    engine = load_engine("sdxl")
    assert engine.subject == Subject("TOK", 3)
    assert "<s2>" in engine.pipe.tokenizer.get_vocab()
    plan = ["plan", "--color", "red=100"]
    capsys.readouterr()
    assert main.main(plan) == 0
    assert json.loads(capsys.readouterr().out)["prompt"].startswith("TOK <s0><s1><s2>, ")
    monkeypatch.setenv("PLITKA_TRIGGER", "gum")
    assert load_engine("sdxl").subject == Subject("gum", 3)
    assert main.main(plan) == 0
    assert json.loads(capsys.readouterr().out)["trigger"] == "gum"


@pytest.mark.parametrize("told", [{"trigger": "a\nb"}, {"vectors": 9}, {"vectors": "x"}])
def test_what_no_manifest_says_of_the_prompt_is_damage(
    told: dict[str, Any], baked: Path, only: Any, tmp_path: Path
) -> None:
    shutil.copytree(baked, tmp_path / "copy")
    manifest = tmp_path / "copy" / "plitka.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **told}))
    only(BASE=tmp_path / "copy")
    with pytest.raises(WeightsError, match="cannot be read as a manifest"):
        load_engine("sdxl")


def test_a_snapshot_of_before_the_manifest_told_them_has_two_vectors_and_the_default_trigger(
    baked: Path, only: Any, tmp_path: Path
) -> None:
    shutil.copytree(baked, tmp_path / "copy")
    manifest = tmp_path / "copy" / "plitka.json"
    told = json.loads(manifest.read_text())
    assert told.pop("trigger") == "ohwx_rubber_tile"
    assert told.pop("vectors") == 2
    manifest.write_text(json.dumps(told))
    only(BASE=tmp_path / "copy")
    assert load_engine("sdxl").subject == Subject("ohwx_rubber_tile", 2)


def test_without_lora_and_embeddings_a_snapshot_has_none(
    small_sdxl: SmallSdxl, only: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only(BASE=small_sdxl.base, VAE="base", LORA="none", EMBEDDINGS="none")
    assert main.main(["bake", str(tmp_path / "plain")]) == 0
    only(BASE=tmp_path / "plain")
    assert load_engine("sdxl").subject.vectors == 0
    capsys.readouterr()
    assert main.main(["plan", "--color", "red=100"]) == 0
    assert "<s0>" not in json.loads(capsys.readouterr().out)["prompt"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LORA", "other.safetensors", "PLITKA_LORA: is set, but .* is fused into it"),
        ("LORA", "none", "PLITKA_LORA: is set, but .* is fused into it"),
        ("EMBEDDINGS", "none", "PLITKA_EMBEDDINGS: is set, but .* are in it"),
        ("LORA_SCALE", "0.5", r"PLITKA_LORA_SCALE: got 0\.5, but .* at 0\.75"),
    ],
)
def test_what_cannot_be_had_of_a_snapshot_stops_setup(
    name: str, value: str, said: str, baked: Path, only: Any
) -> None:
    only(BASE=baked, **{name: value})
    with pytest.raises(EngineError, match=f"^{said}[^\n]+$"):
        load_engine("sdxl")


def test_every_variable_that_a_snapshot_needs_not_is_named_at_once(
    baked: Path, only: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    only(BASE=baked, LORA="other.safetensors", LORA_SCALE="0.75", EMBEDDINGS="none", VAE="base")
    assert main.main(["check"]) == 1
    said = capsys.readouterr().out
    remedy = "unset PLITKA_LORA PLITKA_LORA_SCALE PLITKA_EMBEDDINGS PLITKA_VAE, or bake another"
    assert said.count(remedy) == 2  # for the LoRA and the embeddings


def test_another_vae_than_the_snapshots_is_warned_of(
    baked: Path, small_sdxl: SmallSdxl, only: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    only(BASE=baked, VAE=small_sdxl.vae)
    assert main.main(["check"]) == 0
    assert (
        f"warn   snapshot: PLITKA_VAE: is set to {small_sdxl.vae}, which is used in place of the"
        f" VAE in {baked}; unset PLITKA_VAE to use that\n"
    ) in capsys.readouterr().out


def test_a_scale_that_was_set_when_a_snapshot_was_baked_is_not_said_to_be_set_now(
    unbaked: dict[str, str],
    only: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _set(monkeypatch, {**unbaked, "PLITKA_LORA_SCALE": "0.5"})
    assert main.main(["bake", str(tmp_path / "snapshot")]) == 0
    why = "scale 0.5, as it was set when the snapshot was baked"
    assert f"fused at {why}\n" in capsys.readouterr().out
    only(BASE=tmp_path / "snapshot")
    main.main(["check"])
    said = capsys.readouterr().out
    assert f"fused into the snapshot at {why}\n" in said
    assert "ok     trigger: ohwx_rubber_tile, as the snapshot says\n" in said


def test_packed_weights_on_top_of_a_snapshot_stop_setup(
    baked: Path, unbaked: dict[str, str], only: Any, tmp_path: Path
) -> None:
    shutil.copy(unbaked["PLITKA_LORA"], tmp_path)
    shutil.copy(unbaked["PLITKA_EMBEDDINGS"], tmp_path)
    only(BASE=baked)
    with pytest.raises(EngineError, match=r"^weights: given, but"):
        load_engine("sdxl", tmp_path)


@pytest.mark.parametrize(
    "harm", ["shorter", "gone", "config", "manifest", "unlisted", "escape", "later"]
)
def test_a_damaged_snapshot_stops_setup_before_anything_is_loaded(
    harm: str, baked: Path, only: Any, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(baked, copy)
    weights, manifest = copy / "unet/diffusion_pytorch_model.safetensors", copy / "plitka.json"
    told = json.loads(manifest.read_text())
    if harm == "shorter":
        weights.write_bytes(weights.read_bytes()[:-1])
    elif harm == "gone":
        weights.unlink()
    elif harm == "config":
        config = copy / "unet/config.json"
        config.write_text(config.read_text().replace("silu", "gelu", 1))
    elif harm == "manifest":
        manifest.write_text("{")
    elif harm == "unlisted":
        manifest.unlink()
    elif harm == "escape":
        told["files"]["../../etc/passwd"] = {"bytes": 1, "sha256": ""}
        manifest.write_text(json.dumps(told))
    else:
        manifest.write_text(json.dumps({**told, "form": 99}))
    only(BASE=copy)
    with pytest.raises(WeightsError, match=f"{copy}.*bake"):
        load_engine("sdxl")


def test_check_finds_a_byte_that_has_changed(
    baked: Path, only: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(baked, copy)
    weights = copy / "vae/diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    only(BASE=copy)
    assert main.main(["check"]) == 1
    assert f"{weights}: damaged, not what was baked" in capsys.readouterr().out


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(
    unbaked: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    _set(monkeypatch, unbaked)
    (tmp_path / "mine.txt").write_text("mine")
    assert main.main(["bake", str(tmp_path)]) == 1
    assert capsys.readouterr().err.strip().endswith("name a new folder, or empty this one")
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_a_bake_that_fails_leaves_nothing_behind(
    unbaked: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _set(monkeypatch, {**unbaked, "PLITKA_CONTROLNET_CANNY": str(tmp_path / "absent")})
    assert main.main(["bake", str(tmp_path / "snapshot"), "--controlnets", "canny"]) == 1
    assert not list(tmp_path.iterdir())


def test_who_bakes_is_not_advised_to_take_another_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLITKA_BASE", "/absent")
    assert main.main(["bake", str(tmp_path / "snapshot")]) == 1
    said = capsys.readouterr().err
    assert "/absent: no such" in said
    assert "PLITKA_ENGINE" not in said


def test_a_snapshot_is_a_model_for_diffusers_as_well(baked: Path) -> None:
    pipe = diffusers.StableDiffusionXLPipeline.from_pretrained(baked)
    assert pipe.tokenizer.convert_tokens_to_ids("<s0>") != pipe.tokenizer.unk_token_id


def test_a_snapshot_without_controlnets_takes_those_of_the_settings_or_says_which_is_lacking(
    small_sdxl: SmallSdxl, only: Any, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    only(BASE=small_sdxl.base, VAE="base", LORA="none", EMBEDDINGS="none")
    assert main.main(["bake", str(plain)]) == 0
    only(BASE=plain, CONTROLNET_SOFTEDGE=small_sdxl.softedge, CONTROLNET_CANNY=tmp_path / "none")
    engine = load_engine("sdxl")
    drawn(engine, 45)
    with pytest.raises(WeightsError, match=r"PLITKA_CONTROLNET_CANNY"):
        drawn(engine, 90)


def test_a_snapshot_is_not_baked_again(
    baked: Path, only: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only(BASE=baked)
    assert main.main(["bake", str(tmp_path / "again")]) == 1
    assert "is a baked snapshot already" in capsys.readouterr().err


def test_the_old_procedure_is_not_measured_on_a_snapshot_that_has_its_lora_already(
    baked: Path,
) -> None:
    weights = read_weights_settings({"PLITKA_BASE": str(baked)})
    with pytest.raises(WeightsError, match=r"^PLITKA_LORA: is set, but .* is fused into it"):
        compare.compare("own", SdxlSettings(weights), asked({"red": 100}), 1)
