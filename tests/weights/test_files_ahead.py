"""Which files are read ahead: those that setup() loads, in its order."""

from dataclasses import replace
from pathlib import Path

import pytest

from plitka.weights.files_ahead import list_files
from plitka.weights.hub import MODEL, find_here
from plitka.weights.settings import WeightsSettings, read_weights_settings

SETTINGS = read_weights_settings({"PLITKA_LORA": "none", "PLITKA_EMBEDDINGS": "none"})


@pytest.fixture
def settings(tmp_path: Path) -> WeightsSettings:
    """Of files without content."""
    for name in (
        *("base/unet/diffusion_pytorch_model.fp16.safetensors", "base/model_index.json"),
        *("base/unet/diffusion_pytorch_model.safetensors", "base/unet/config.json"),
        *("base/vae/diffusion_pytorch_model.safetensors", "base/text_encoder/model.safetensors"),
        *("base/text_encoder_2/model.safetensors", "base/text_encoder_2/model.bin"),
        *("vae/diffusion_pytorch_model.safetensors", "lora.safetensors"),
        *("canny/diffusion_pytorch_model.safetensors", "softedge.safetensors"),
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return replace(
        SETTINGS,
        base=str(tmp_path / "base"),
        vae=str(tmp_path / "vae"),
        lora=tmp_path / "lora.safetensors",
        controlnets={
            "canny": str(tmp_path / "canny"), "softedge": str(tmp_path / "softedge.safetensors")
        },
    )  # fmt: skip


def listed(settings: WeightsSettings, folder: Path, package: Path | None = None) -> list[str]:
    return [str(path.relative_to(folder)) for path in list_files(settings, package)]


def test_what_is_loaded_is_read_in_order_and_nothing_else(
    settings: WeightsSettings, tmp_path: Path
) -> None:
    assert listed(settings, tmp_path) == [
        "base/unet/diffusion_pytorch_model.fp16.safetensors",
        "base/text_encoder/model.safetensors",
        "base/text_encoder_2/model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
        "lora.safetensors",
        "canny/diffusion_pytorch_model.safetensors",
        "softedge.safetensors",
    ]
    own = listed(replace(settings, vae="base"), tmp_path, tmp_path / "lora.safetensors")
    assert "base/vae/diffusion_pytorch_model.safetensors" in own
    assert own.count("lora.safetensors") == 1


def test_what_is_not_there_or_is_damaged_is_left_to_setup(
    settings: WeightsSettings, tmp_path: Path
) -> None:
    absent = replace(settings, base=str(tmp_path / "absent"), controlnets={}, lora=None)
    assert listed(absent, tmp_path) == ["absent", "vae/diffusion_pytorch_model.safetensors"]
    (tmp_path / "base" / "plitka.json").write_text("{")
    assert list_files(settings, None) == []


def test_a_repository_is_read_from_the_hubs_cache_and_the_hub_is_not_asked(
    settings: WeightsSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the hub was asked"))
    names = ("owner/whole", "owner/configuration-alone")
    for name, file in zip(names, ("diffusion_pytorch_model.safetensors", "x"), strict=True):
        folder = tmp_path / "cache" / f"models--{name.replace('/', '--')}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text("0" * 40)
        (folder / "snapshots" / ("0" * 40)).mkdir(parents=True)
        for here in (file, "config.json"):
            (folder / "snapshots" / ("0" * 40) / here).touch()
    assert find_here(names[0], MODEL) is not None
    assert find_here(names[1], MODEL) is find_here("owner/absent", MODEL) is None
    remote = replace(settings, vae=names[0], controlnets={"canny": names[1]})
    assert listed(remote, tmp_path)[3:] == [
        f"cache/models--owner--whole/snapshots/{'0' * 40}/diffusion_pytorch_model.safetensors",
        "lora.safetensors",
    ]
