"""LoRAs and embeddings in repositories of the hub: compared with the base, then fetched."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from tests.engines.test_sdxl_hub import python
from tests.support.hub import hub
from tests.support.packages import Files, as_folder
from tests.support.small_sdxl import SmallSdxl
from tests.weights.test_adapter_files import halves, lora, pair

HERE = "http://127.0.0.1:9"  # where no hub is
SAY = """
from tests.support.settings import load_engine
engine = load_engine("sdxl")
print(engine.subject.text, engine.pipe.unet.mid_block.attentions[0].proj_in.weight.sum().item())
"""
OWNER = "tiles/rubber"
PUBLISHED: Files = {
    "adapter_model.safetensors": save(lora(2, "base_model.model.")),
    "adapter_config.json": json.dumps({"r": 2, "lora_alpha": 8}).encode(),
    "special_params.json": b'{"TOK": "<s0><s1><s2>"}',
    "checkpoint-500/adapter_model.safetensors": save(lora(1, "base_model.model.")),
    "tile_emb.safetensors": save(halves(3)),
    "README.md": b"",
    "optimizer.bin": b"pickle",
}


@pytest.fixture
def local(small_sdxl: SmallSdxl) -> dict[str, str | Path]:
    """Settings of a base model that is here."""
    return {name.removeprefix("PLITKA_"): value for name, value in small_sdxl.settings().items()}


def test_a_repository_is_compared_with_the_base_listed_by_check_and_fetched_by_setup(
    small_sdxl: SmallSdxl, local: dict[str, str | Path], tmp_path: Path
) -> None:
    folder, cache = as_folder(tmp_path / "published", PUBLISHED), tmp_path / "cache"
    named = {**local, "LORA": OWNER, "EMBEDDINGS": OWNER, "LORA_SCALE": "1"}
    there = {**local, "LORA": folder, "EMBEDDINGS": folder, "LORA_SCALE": "1"}
    expected = python(["-c", SAY], small_sdxl, cache, HERE, **there).stdout
    assert expected.startswith("TOK <s0><s1><s2> ")
    with hub({OWNER: folder}) as published:
        before = python(["-m", "plitka", "check"], small_sdxl, cache, published.address, **named)
        assert before.returncode == 0, before.stdout
        assert re.search(
            rf"LoRA: {OWNER}, to be fetched from the hub: 3 files, [\d.]+ \w+;"
            rf" {OWNER}/adapter_model.safetensors: 1 modules, rank 2; scale",
            before.stdout,
        )
        assert f"{OWNER}/tile_emb.safetensors: 3 vectors\n" in before.stdout
        assert f"trigger: TOK, as {OWNER}/special_params.json says\n" in before.stdout
        assert not published.fetched, "check fetches nothing"
        plan = ["-m", "plitka", "plan", "--color", "red=100"]
        planned = python(plan, small_sdxl, cache, published.address, **named)
        assert json.loads(planned.stdout)["prompt"].startswith("TOK <s0><s1><s2>, "), planned.stderr
        assert not published.fetched, "neither does plan"
        loaded = python(["-c", SAY], small_sdxl, cache, published.address, **named)
        assert loaded.stdout == expected, loaded.stderr
        names = {name.removeprefix(f"{OWNER}/") for name in published.fetched}
        assert names == {
            "adapter_model.safetensors",
            "adapter_config.json",
            "special_params.json",
            "tile_emb.safetensors",
        }
    gone = python(["-c", SAY], small_sdxl, cache, HERE, **named)
    assert gone.stdout == expected, gone.stderr


def test_a_lora_on_the_hub_that_does_not_fit_is_refused_before_it_is_fetched(
    small_sdxl: SmallSdxl, local: dict[str, str | Path], tmp_path: Path
) -> None:
    wrong = {**lora(), "unet.nowhere.lora_A.weight": lora()[next(iter(lora()))]}
    folder = as_folder(tmp_path / "published", {"lora.safetensors": save(wrong)})
    named = {**local, "LORA": OWNER}
    with hub({OWNER: folder}) as published:
        run = python(["-c", SAY], small_sdxl, tmp_path / "cache", published.address, **named)
        assert f"{OWNER}/lora.safetensors: " in run.stderr
        assert "unet.nowhere.lora_A.weight" in run.stderr
        assert not published.fetched


def test_a_fault_of_what_was_fetched_names_the_repository(
    small_sdxl: SmallSdxl, local: dict[str, str | Path], tmp_path: Path
) -> None:
    folder = as_folder(tmp_path / "published", {"lora.safetensors": save(lora(np.nan))})
    with hub({OWNER: folder}) as published:
        named = {**local, "LORA": OWNER}
        run = python(["-c", SAY], small_sdxl, tmp_path / "cache", published.address, **named)
    assert f"{OWNER}/lora.safetensors: " in run.stderr
    assert "holds NaN or inf" in run.stderr
    assert "models--" not in run.stderr


@pytest.mark.long
def test_the_example_of_a_remedy_can_be_followed(
    small_sdxl: SmallSdxl, local: dict[str, str | Path], tmp_path: Path
) -> None:
    files = {"a.pti": save(halves(3)), "b.pti": save(halves(4)), "x.safetensors": save(lora())}
    folder, cache = as_folder(tmp_path / "published", files), tmp_path / "cache"
    with hub({OWNER: folder}) as published:
        named = {**local, "EMBEDDINGS": OWNER}
        run = python(["-m", "plitka", "check"], small_sdxl, cache, published.address, **named)
        example = re.search(r"such as PLITKA_EMBEDDINGS=(\S+)\n", run.stdout)
        assert example is not None, run.stdout
        named["EMBEDDINGS"] = example[1]
        run = python(["-c", SAY], small_sdxl, cache, published.address, **named)
        assert run.stdout.startswith("ohwx_rubber_tile <s0><s1><s2> "), run.stderr


def test_of_a_repository_two_loras_are_refused_though_one_has_diffusers_name(
    small_sdxl: SmallSdxl, local: dict[str, str | Path], tmp_path: Path
) -> None:
    """Whether the one is a copy of the other, their headers do not tell."""
    files = {"pytorch_lora_weights.safetensors": save(lora(1)), "tile.safetensors": save(lora(2))}
    folder, cache = as_folder(tmp_path / "published", files), tmp_path / "cache"
    with hub({OWNER: folder}) as published:
        named = {**local, "LORA": OWNER}
        run = python(["-m", "plitka", "check"], small_sdxl, cache, published.address, **named)
    assert "files of a LoRA, pytorch_lora_weights.safetensors and tile.safetensors" in run.stdout


def test_a_configuration_on_the_hub_that_is_too_long_is_told_so(
    small_sdxl: SmallSdxl, local: dict[str, str | Path], tmp_path: Path
) -> None:
    files = {**PUBLISHED, "special_params.json": b"{" + b" " * 2**20 + b"}"}
    folder, cache = as_folder(tmp_path / "published", files), tmp_path / "cache"
    with hub({OWNER: folder}) as published:
        named = {**local, "LORA": OWNER}
        run = python(["-m", "plitka", "check"], small_sdxl, cache, published.address, **named)
    assert f"LoRA: {OWNER}/special_params.json: larger than 1 MiB, " in run.stdout


@pytest.mark.long
def test_of_several_candidates_the_setting_names_one(
    small_sdxl: SmallSdxl, local: dict[str, str | Path], tmp_path: Path
) -> None:
    files = {
        "sdxl_2step_lora.safetensors": save(lora(2)),
        "sdxl_4step_lora.safetensors": save(lora(4)),
        "sub folder/[other].safetensors": save(lora(3)),
        **pair(halves(4)),
    }
    folder, cache = as_folder(tmp_path / "published", files), tmp_path / "cache"
    check = ["-m", "plitka", "check"]
    with hub({OWNER: folder}) as published:
        address = published.address
        several = {**local, "LORA": OWNER, "TURBO_LORA": OWNER}
        run = python(check, small_sdxl, cache, address, **several)
        for part, name in (("LoRA", "LORA"), ("turbo LoRA", "TURBO_LORA")):
            fault = f"{part}: {OWNER}: holds 3 files of a LoRA, sdxl_2step_lora.safetensors"
            assert f"{fault}, sdxl_4step_lora.safetensors, sub folder/" in run.stdout
            assert f"such as PLITKA_{name}={OWNER}/sdxl_2step_lora.safetensors\n" in run.stdout
        one = {
            **local,
            "LORA": f"{OWNER}/sub folder/[other].safetensors",
            "TURBO_LORA": f"{OWNER}/sdxl_4step_lora.safetensors",
            "EMBEDDINGS": f"{OWNER}/learned_embeds.safetensors",
        }
        loaded = python(["-c", SAY], small_sdxl, cache, address, **one)
        assert loaded.stdout.startswith("ohwx_rubber_tile <s0><s1><s2><s3> "), loaded.stderr
        assert {name.removeprefix(f"{OWNER}/") for name in published.fetched} == {
            "sub folder/[other].safetensors",
            "sdxl_4step_lora.safetensors",
            "learned_embeds.safetensors",
            "learned_embeds_2.safetensors",
        }
        absent = {**local, "LORA": f"{OWNER}/absent.safetensors", "EMBEDDINGS": "tiles/absent"}
        run = python(check, small_sdxl, cache, address, **absent)
        assert f"{OWNER}/absent.safetensors: no such file here, and none of th" in run.stdout
        assert (
            "embeddings: tiles/absent: no file or folder here, not in the cache, and" in run.stdout
        )
    gone = python(["-c", SAY], small_sdxl, cache, HERE, **one)
    assert gone.stdout == loaded.stdout, gone.stderr
