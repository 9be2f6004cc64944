"""The scale at which a LoRA is fused: the setting's, else the file's own note, else the default."""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import save

from plitka.cli.main import main
from plitka.weights.lora_scale import LoraScale
from tests.conftest import LoadSdxl
from tests.support.packages import as_tar
from tests.support.small_sdxl import SmallSdxl
from tests.weights.test_adapter_files import Fused, halves, lora, refusal

NOTE = "plitka_lora_scale"


@pytest.fixture
def fused(load_sdxl: LoadSdxl) -> Fused:
    return Fused(load_sdxl())


def pack(folder: Path, note: str | None) -> Path:
    """A package whose LoRA adds 2 to one weight at scale 1, with this note in its file."""
    notes = None if note is None else {NOTE: note}
    files = {"lora.safetensors": save(lora(), notes), "embeddings.safetensors": save(halves())}
    return as_tar(folder / "trained", files)


@pytest.mark.parametrize(
    ("note", "setting", "scale", "reason"),
    [
        ("0.9", None, 0.9, "as its note plitka_lora_scale says"),
        ("0.9", "0.5", 0.5, "as PLITKA_LORA_SCALE says"),
        ("-10", None, -10.0, "as its note plitka_lora_scale says"),
        (None, None, 0.75, "the default"),
        ("much", "1", 1.0, "as PLITKA_LORA_SCALE says"),
    ],
)
def test_setup_fuses_at_the_setting_else_the_note_else_the_default(
    note: str | None,
    setting: str | None,
    scale: float,
    reason: str,
    load_sdxl: LoadSdxl,
    fused: Fused,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    package = pack(tmp_path, note)
    changed: dict[str, Any] = {} if setting is None else {"LORA_SCALE": setting}
    engine = load_sdxl(package, **changed)
    assert fused.by(engine) == pytest.approx(2 * scale, rel=1e-5)
    assert engine.lora_scale == LoraScale(scale, reason)

    assert main(["plan", "--color", "red=100", "--weights", str(package)]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["lora_scale"], plan["lora_scale_reason"]) == (scale, reason)
    main(["check", "--weights", str(package)])
    assert f"lora.safetensors: 1 modules, rank 2; scale {scale:g}, {reason}" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize("note", ["much", "nan", "11", "-10.5", "inf", "", "0.9" * 1000])
def test_a_note_that_is_no_scale_is_refused_before_anything_is_loaded(
    note: str, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    said = refusal(load_sdxl, pack(tmp_path, note))
    assert f"lora.safetensors: its note {NOTE} is {note[:40]!r}" in said
    assert "a number from -10 to 10" in said
    assert "say the scale with PLITKA_LORA_SCALE" in said
    assert len(said) < 1000


def test_a_snapshot_is_baked_at_the_note_and_knows_why(
    small_sdxl: SmallSdxl,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    for name, value in small_sdxl.settings().items():
        monkeypatch.setenv(name, value)
    baked = tmp_path / "snapshot"
    assert main(["bake", str(baked), "--weights", str(pack(tmp_path, "0.9"))]) == 0
    why = "as its note plitka_lora_scale says"
    assert f"lora.safetensors fused at scale 0.9, {why}" in capsys.readouterr().out

    for name in small_sdxl.settings():
        monkeypatch.delenv(name)
    monkeypatch.setenv("PLITKA_BASE", str(baked))
    assert main(["plan", "--color", "red=100"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["lora_scale"], plan["lora_scale_reason"]) == (0.9, why)
    main(["check"])
    assert f"fused into the snapshot at scale 0.9, {why}" in capsys.readouterr().out
    monkeypatch.setenv("PLITKA_LORA_SCALE", "0.75")
    main(["check"])
    assert "PLITKA_LORA_SCALE: got 0.75, but the LoRA is fused into" in capsys.readouterr().out
