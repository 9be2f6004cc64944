"""Weights from the hub: what is fetched, when, and what happens without it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file

from plitka.weights.settings import SDXL
from tests.conftest import LoadSdxl
from tests.support.hub import hub
from tests.support.small_sdxl import SmallSdxl
from tests.support.trained_loras import Trained, kohya

ROOT = Path(__file__).parents[2]
LOAD = """
import sys
from plitka.request.plan import make_plan
from tests.support.drawing import draw
from tests.support.recipes import asked
from tests.support.settings import load_engine
engine = load_engine("sdxl")
for angle in map(float, sys.argv[1:]):
    print(draw(engine, make_plan(asked({"red": 100}, angle)), 64, 2).steps)
"""
CHECK = """
from plitka.cli.main import main
main(["check"])
"""
SAVE_UNET = """
import sys
from tests.support.settings import load_engine
from safetensors.torch import load_file, save_file
save_file(load_engine("sdxl").pipe.unet.state_dict(), sys.argv[1])
"""


@pytest.fixture
def repositories(small_sdxl: SmallSdxl, tmp_path: Path) -> dict[str, Path]:
    """The published repositories, with files in them that nobody needs."""
    base = tmp_path / "published"
    shutil.copytree(small_sdxl.base, base)
    (base / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"single precision")
    (base / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    (base / "sd_xl_base_1.0.safetensors").write_bytes(b"the whole checkpoint")
    return {
        SDXL: base,
        "madebyollin/sdxl-vae-fp16-fix": small_sdxl.vae,
        "diffusers/controlnet-canny-sdxl-1.0": small_sdxl.canny,
    }


def python(
    arguments: list[str], small_sdxl: SmallSdxl, cache: Path, address: str, **changed: str | Path
) -> subprocess.CompletedProcess[str]:
    """Run in a process of its own: huggingface_hub reads its settings when it is imported."""
    defaults = {"BASE": "", "VAE": "", "CONTROLNET_CANNY": "", "CONTROLNET_SOFTEDGE": ""}
    environment = {
        **os.environ,
        **small_sdxl.settings(**{**defaults, **changed}),
        "HF_ENDPOINT": address,
        "HF_HOME": str(cache),
        "HF_HUB_CACHE": str(cache),
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_by_default_the_published_repositories_are_fetched_once_and_only_what_is_needed(
    small_sdxl: SmallSdxl, repositories: dict[str, Path], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    with hub(repositories) as published:
        before = python(["-m", "plitka", "check"], small_sdxl, cache, published.address)
        assert f"{SDXL}, to be fetched from the hub: " in before.stdout
        assert "softedge: SargeZT/controlnet-sd-xl-1.0-softedge-dexined: no folder" in before.stdout
        assert before.returncode == 1
        assert not published.fetched, "check fetches nothing"

        twice = python(["-c", LOAD + LOAD, "0", "90"], small_sdxl, cache, published.address)
        assert twice.stdout == "1\n1\n" * 2, twice.stderr
        assert len(set(published.fetched)) == len(published.fetched)
        names = {name.removeprefix(f"{SDXL}/") for name in published.fetched}
        assert "unet/diffusion_pytorch_model.fp16.safetensors" in names
        assert "diffusers/controlnet-canny-sdxl-1.0/config.json" in names
        assert not {name for name in names if name.endswith((".bin", "model.safetensors"))} - {
            "madebyollin/sdxl-vae-fp16-fix/diffusion_pytorch_model.safetensors",
            "diffusers/controlnet-canny-sdxl-1.0/diffusion_pytorch_model.safetensors",
        }
        assert "sd_xl_base_1.0.safetensors" not in names
        assert not any(name.startswith("vae/") for name in names), "another VAE takes its place"

    gone = python(["-c", LOAD + CHECK, "90"], small_sdxl, cache, "http://127.0.0.1:9")
    assert gone.stdout.startswith("1\n"), gone.stderr
    assert f"base: {cache}" in gone.stdout


@pytest.fixture(scope="module")
def lora(small_sdxl: SmallSdxl, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA that fits the small SDXL, and not the published one."""
    pipe = diffusers.StableDiffusionXLPipeline.from_pretrained(
        small_sdxl.base, variant="fp16", dtype=torch.float32
    )
    path: Path = tmp_path_factory.mktemp("lora") / "lora.safetensors"
    save_file(kohya(Trained(pipe, on_encoders=True)), path)
    return path


def test_a_lora_is_resolved_against_the_base_that_is_fetched_whatever_its_shapes(
    small_sdxl: SmallSdxl,
    repositories: dict[str, Path],
    lora: Path,
    load_sdxl: LoadSdxl,
    tmp_path: Path,
) -> None:
    cache, saved = tmp_path / "cache", tmp_path / "unet.safetensors"
    with hub(repositories) as published:
        check = ["-m", "plitka", "check"]
        before = python(check, small_sdxl, cache, published.address, LORA=lora)
        assert re.search(rf"ok +LoRA: {lora}: \d+ modules, rank 2, 4, 8; scale", before.stdout)
        assert not published.fetched
        headers = {f"{SDXL}/{name}" for name in ("unet", "text_encoder", "text_encoder_2")}
        glanced = {n.rpartition("/")[0] for n in published.glanced if n.endswith(".safetensors")}
        assert glanced == headers | {
            "madebyollin/sdxl-vae-fp16-fix",
            "diffusers/controlnet-canny-sdxl-1.0",
        }
        save = ["-c", SAVE_UNET, str(saved)]
        run = python(save, small_sdxl, cache, published.address, LORA=lora)
    assert run.returncode == 0, run.stderr
    fetched, local = load_file(saved), load_sdxl(LORA=lora).pipe.unet.state_dict()
    assert all(torch.equal(fetched[name], local[name]) for name in local)
    unfused = load_sdxl().pipe.unet.state_dict()
    assert not all(torch.equal(fetched[name], unfused[name]) for name in unfused)


def test_a_lora_that_fits_the_base_on_the_hub_nowhere_is_refused_before_anything_is_fetched(
    small_sdxl: SmallSdxl, repositories: dict[str, Path], tmp_path: Path
) -> None:
    place = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    path = tmp_path / "lora.safetensors"
    tensors = {
        f"{place}.lora_down.weight": torch.ones(4, 1280),
        f"{place}.lora_up.weight": torch.ones(1280, 4),
    }
    save_file(tensors, path)
    with hub(repositories) as published:
        load = ["-c", LOAD]
        run = python(load, small_sdxl, tmp_path / "cache", published.address, LORA=path)
        assert f"WeightsError: {path}: {place}.lora_down.weight (4x1280), " in run.stderr
        assert "fit unet mid_block" in run.stderr
        assert not published.fetched


def test_a_repository_of_another_family_is_refused_before_anything_is_fetched(
    small_sdxl: SmallSdxl, repositories: dict[str, Path], tmp_path: Path
) -> None:
    unet = repositories[SDXL] / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    save_file({"mid_block.attn2.to_k.weight": torch.zeros(320, 768)}, unet)
    with hub(repositories) as published:
        run = python(["-c", LOAD], small_sdxl, tmp_path / "cache", published.address)
        assert f"{SDXL}/unet: a UNet of SD 1.5, not of SDXL; set PLITKA_BASE to" in run.stderr
        assert not published.fetched


def test_a_hub_that_lists_files_and_refuses_them_is_told_at_once_with_what_to_do(
    small_sdxl: SmallSdxl, repositories: dict[str, Path], tmp_path: Path
) -> None:
    with hub(repositories, refuses=".safetensors") as published:
        check = ["-m", "plitka", "check"]
        run = python(check, small_sdxl, tmp_path / "cache", published.address)
    fault, *_ = (line for line in run.stdout.splitlines() if "could not be read" in line)
    assert fault.startswith(f"FAULT  base: {SDXL}: unet/")
    assert fault.endswith("; try again, or set PLITKA_BASE to a folder")
    assert "Traceback" not in run.stdout + run.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    ("repository", "file", "fields", "sentence"),
    [
        (SDXL, "unet/config.json", {"encoder_hid_dim": 4096}, "a UNet of Kolors, not of SDXL"),
        (
            SDXL,
            "scheduler/scheduler_config.json",
            {"_class_name": "EDMEulerScheduler"},
            "for models such as Playground 2.5 and CosXL",
        ),
        (SDXL, "model_index.json", {"_class_name": "FluxPipeline"}, "made for another model"),
        ("madebyollin/sdxl-vae-fp16-fix", "config.json", {"scaling_factor": 0.18215}, "SD 1.5"),
        (
            "diffusers/controlnet-canny-sdxl-1.0",
            "config.json",
            {"cross_attention_dim": 768},
            "a ControlNet for SD 1.5, not for SDXL",
        ),
    ],
)
def test_a_repository_of_another_kind_is_told_by_check_before_it_is_fetched(
    repository: str,
    file: str,
    fields: dict[str, object],
    sentence: str,
    small_sdxl: SmallSdxl,
    repositories: dict[str, Path],
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(repositories[repository], tmp_path / "copy"))
    copy = repositories | {repository: folder}
    config = copy[repository] / file
    config.write_text(json.dumps({**json.loads(config.read_text()), **fields}))
    with hub(copy) as published:
        check = ["-m", "plitka", "check"]
        run = python(check, small_sdxl, tmp_path / "cache", published.address)
        assert not published.fetched
    (fault,) = (line for line in run.stdout.splitlines() if sentence in line)
    assert fault.startswith("FAULT")
    assert repository in fault


@pytest.mark.long
def test_a_cache_that_cannot_be_written_is_named_with_what_to_do(
    small_sdxl: SmallSdxl, repositories: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"no folder")
    make = ["-m", "plitka", "make", "--color", "red=100", "--out", str(tmp_path / "tile")]
    for cache in (tmp_path / "file", Path("/proc/cache")):
        with hub(repositories) as published:
            run = python(make, small_sdxl, cache, published.address, CONTROLNET_SOFTEDGE="none")
        assert run.returncode == 1
        assert f"cannot be kept in {cache} (" in run.stderr
        assert "name another folder with HF_HOME" in run.stderr


def test_a_user_without_a_home_is_asked_for_a_cache(
    small_sdxl: SmallSdxl, repositories: dict[str, Path]
) -> None:
    homeless = Path("~no such user/hub")
    with hub(repositories) as published:
        run = python(["-m", "plitka", "check"], small_sdxl, homeless, published.address)
    assert run.returncode == 1
    assert f"FAULT  base: {SDXL}: cannot be kept, for this user has no home" in run.stdout
    assert "name a folder for it with HF_HOME" in run.stdout
