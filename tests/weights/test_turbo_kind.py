"""What a distilled LoRA was trained for, by its content, its name, or the setting."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from plitka.cli import main
from plitka.errors import WeightsError
from plitka.weights import turbo_kind
from plitka.weights.header import Header, read_header
from plitka.weights.settings import read_weights_settings
from plitka.weights.turbo_kind import choose_turbo_kind


def choose(name: str, guidance: float | None = None, **metadata: str) -> Any:
    return choose_turbo_kind(Header(Path(name), name, {}, {}, metadata), guidance)


@pytest.mark.parametrize(
    ("name", "family", "steps", "guidance"),
    [
        ("sdxl_lightning_8step_lora.safetensors", "SDXL-Lightning", 8, 1),
        ("sdxl_lightning_4step_lora.safetensors", "SDXL-Lightning", 4, 1),
        ("Hyper-SDXL-8steps-lora.safetensors", "Hyper-SD", 8, 1),
        ("Hyper-SDXL-8steps-CFG-lora.safetensors", "Hyper-SD", 8, 6.5),
        ("Hyper-SDXL-12steps-CFG-lora.safetensors", "Hyper-SD", 12, 6.5),
        ("sdxl_hyper_sd_8step_cfg_lora.safetensors", "Hyper-SD", 8, 6.5),
        ("Hyper-SDXL-8steps-CFG-lora_rank1.safetensors", "Hyper-SD", 8, 6.5),
        ("Hyper-SDXL-8steps-CFG-lora/pytorch_lora_weights.safetensors", "Hyper-SD", 8, 6.5),
        ("hypersd-xl-8steps.safetensors", "Hyper-SD", 8, 1),
        ("dmd2-lightning8step_cfg1.5.safetensors", "SDXL-Lightning", 8, 1),
        ("lightning-no-cfg.safetensors", "SDXL-Lightning", 8, 1),
        ("lcm-lora-sdxl.safetensors", "LCM", 8, 1),
        ("lcm_sdxl_4step/pytorch_lora_weights.safetensors", "LCM", 4, 1),
        ("TCD-SDXL-LoRA.safetensors", "TCD", 8, 1),
        ("dmd2_sdxl_4step_lora_fp16.safetensors", "DMD2", 4, 1),
        ("DMD2.safetensors", "DMD2", 4, 1),
        (
            "models--h1t--TCD-SDXL-LoRA/snapshots/ea69e29/pytorch_lora_weights.safetensors",
            "TCD",
            8,
            1,
        ),
        ("cfg/distilled.safetensors", "SDXL-Lightning", 8, 1),
        ("distilled-step-1600.safetensors", "SDXL-Lightning", 8, 1),
    ],
)
def test_names_tell_family_steps_and_guidance(
    name: str, family: str, steps: int, guidance: float
) -> None:
    kind = choose(name)
    assert (kind.family, kind.steps, kind.guidance) == (family, steps, guidance)


def test_the_title_that_a_trainer_noted_tells_where_the_name_does_not() -> None:
    kind = choose("distilled.safetensors", ss_output_name="hyper-12steps-cfg")
    assert (kind.family, kind.steps, kind.guidance) == ("Hyper-SD", 12, 6.5)
    assert choose("distilled.safetensors").describe() == (
        "8 steps of SDXL-Lightning, without guidance, since nothing says otherwise"
    )


def test_a_published_file_is_known_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Published ones have 400 MB, so that the table gets a small one."""
    path = tmp_path / "sdxl_lightning_4step_lora.safetensors"
    save_file({"a": np.ones(2, np.float32)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    table = {path.stat().st_size: {digest: ("Hyper-SD", 8, True)}}
    monkeypatch.setattr(turbo_kind, "_PUBLISHED", table)
    kind = choose_turbo_kind(read_header(path, ""), None)
    assert kind.describe() == "8 steps of Hyper-SD, guided at 6.5, as its content says"
    other = tmp_path / "Hyper-SDXL-2steps-lora.safetensors"
    save_file({"a": np.zeros(2, np.float32)}, other)
    assert choose_turbo_kind(read_header(other, ""), None).steps == 2


def test_the_setting_has_the_last_word_on_guidance() -> None:
    kind = choose("Hyper-SDXL-8steps-CFG-lora.safetensors", 5)
    assert (kind.steps, kind.guidance) == (8, 5)
    assert kind.origin.endswith("says and PLITKA_TURBO_GUIDANCE")
    assert choose("Hyper-SDXL-8steps-CFG-lora.safetensors", 1).guidance == 1
    assert choose("distilled.safetensors", 6).guidance == 6


@pytest.mark.parametrize("text", ["0.5", "21", "nan", "much"])
def test_a_guidance_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(WeightsError, match=r"PLITKA_TURBO_GUIDANCE: got .* allowed: a number from"):
        read_weights_settings({"PLITKA_TURBO_GUIDANCE": text})


def test_one_step_is_refused_with_what_to_take_instead() -> None:
    with pytest.raises(WeightsError, match=r"distilled to one step.*PLITKA_TURBO_LORA to one of 4"):
        choose("Hyper-SDXL-1step-lora.safetensors")


def test_a_plan_and_the_count_of_work_tell_it_before_the_file_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("BASE", "VAE", "LORA", "EMBEDDINGS"):
        monkeypatch.setenv(f"PLITKA_{name}", str(tmp_path / "absent"))
    monkeypatch.setenv("PLITKA_LORA", "none")
    monkeypatch.setenv("PLITKA_TURBO_LORA", "loras/Hyper-SDXL-12steps-CFG-lora.safetensors")
    request = {"colors": [{"name": "red", "proportion": 100}], "quality": "turbo"}
    assert main.main(["plan", json.dumps(request)]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["steps"] == {"preview": 12, "final": 12}
    assert plan["guidance_scale"] == 6.5
