"""NaN and infinity are found before anything is loaded, whatever the type of the numbers."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from plitka.cli.main import main
from plitka.errors import WeightsError
from plitka.weights.finite import refuse_nonfinite
from plitka.weights.header import read_header
from tests.conftest import LoadSdxl

TYPES = (
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float8_e5m2,
    torch.float8_e4m3fn,
)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_nan_and_infinity_are_found_in_each_type(
    dtype: torch.dtype, value: float, tmp_path: Path
) -> None:
    largest = torch.finfo(dtype).max
    finite = [0.0, -0.0, 1.0, largest, -largest, torch.finfo(dtype).tiny]
    numbers = torch.tensor(finite, dtype=torch.float64)
    sound = {"a": torch.ones(3), "b": numbers.to(dtype), "empty": torch.ones(0).to(dtype)}
    save_file(sound, tmp_path / "sound.safetensors")
    refuse_nonfinite(read_header(tmp_path / "sound.safetensors", ""))
    bad = torch.cat([numbers, torch.tensor([value]).double()]).to(dtype)
    if torch.isfinite(bad.double()).all():
        return  # the type has no infinity
    save_file({**sound, "bad": bad}, tmp_path / "bad.safetensors")
    with pytest.raises(WeightsError, match="bad holds NaN or inf"):
        refuse_nonfinite(read_header(tmp_path / "bad.safetensors", ""))


def test_check_and_setup_both_find_a_lora_with_an_infinite_alpha(
    load_sdxl: LoadSdxl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = "lora_unet_mid_block_attentions_0_proj_in"
    tensors = {
        f"{place}.lora_down.weight": torch.ones(4, 32),
        f"{place}.lora_up.weight": torch.ones(32, 4),
        f"{place}.alpha": torch.tensor(torch.inf),
    }
    path = tmp_path / "lora.safetensors"
    save_file(tensors, path)
    with pytest.raises(WeightsError, match=f"{place}.alpha holds NaN or inf"):
        load_sdxl(LORA=path)
    assert main(["check"]) == 1
    assert f"FAULT  LoRA: {path}: {place}.alpha holds NaN or inf" in capsys.readouterr().out


def test_a_whole_lokr_may_have_an_infinite_alpha(load_sdxl: LoadSdxl, tmp_path: Path) -> None:
    """LyCORIS writes 9999220736 there, which is infinity in half precision, and reads it not."""
    place = "lora_unet_mid_block_attentions_0_proj_in"
    tensors = {
        f"{place}.lokr_w1": torch.full((4, 4), 0.5),
        f"{place}.lokr_w2": torch.full((8, 8), 0.25),
        f"{place}.alpha": torch.tensor(9999220736.0).half(),
    }
    save_file(tensors, tmp_path / "lora.safetensors")
    before = load_sdxl().pipe.unet.mid_block.attentions[0].proj_in.weight
    after = load_sdxl(LORA=tmp_path / "lora.safetensors", LORA_SCALE="1")
    changed = after.pipe.unet.mid_block.attentions[0].proj_in.weight - before
    torch.testing.assert_close(changed, torch.full((32, 32), 0.125), rtol=1e-4, atol=1e-6)
