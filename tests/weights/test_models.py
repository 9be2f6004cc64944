"""Files that are not what they should be: each has its own sentence, and nothing is loaded."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from plitka.cli.main import main
from plitka.engines.sdxl import device
from plitka.errors import EngineError, WeightsError
from plitka.weights.hub import choose_files
from plitka.weights.settings import MODEL_FILES, read_weights_settings
from tests.support.settings import load_engine
from tests.support.small_sdxl import SmallSdxl

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 8344\n"
HTML = b"\n<!DOCTYPE html><html><title>Sign in</title></html>"


def tensors(**shapes: tuple[int, ...]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        save_file({name: np.zeros(shape, np.float16) for name, shape in shapes.items()}, path)

    return write


def raw(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def cut(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])


def truncated(path: Path) -> None:
    tensors(clip_l=(2, 768), clip_g=(2, 1280))(path)
    cut(path, 4000)


def truncated_in_its_head(path: Path) -> None:
    tensors(clip_l=(2, 768), clip_g=(2, 1280))(path)
    cut(path, 20)


def too_long(path: Path) -> None:
    tensors(clip_l=(2, 768), clip_g=(2, 1280))(path)
    path.write_bytes(path.read_bytes() + b"more")


def lying(path: Path) -> None:
    head = json.dumps({"clip_l": {"dtype": "F32", "shape": [2, 768], "data_offsets": [0, 4]}})
    path.write_bytes(struct.pack("<Q", len(head)) + head.encode() + b"1234")


BAD_FILES: list[tuple[Callable[[Path], object], str]] = [
    (lambda path: None, "no such file"),
    (lambda path: path.mkdir(), "a folder, not a file"),
    (raw(LFS), "a Git LFS pointer and not the file itself; fetch it with `git lfs pull`"),
    (raw(HTML), "a web page saved under this name"),
    (raw(b""), "an empty file"),
    (raw(b"PK\x03\x04rest"), "a pickle or zip archive under this name"),
    (raw(b"\x80\x02}q\x00."), "a pickle or zip archive under this name"),
    (raw(b"words, no weights, and enough of them"), "not a safetensors file"),
    (raw(struct.pack("<Q", 9) + b"{broken}}"), "not a safetensors file"),
    (raw(struct.pack("<Q", 2**60) + b"{}"), "not a safetensors file"),
    (lying, "not a safetensors file, or a truncated or damaged one"),
    (truncated, "truncated or damaged"),
    (truncated_in_its_head, "truncated or damaged"),
    (too_long, "truncated or damaged"),
]

BAD_EMBEDDINGS: list[tuple[Callable[[Path], object], str]] = [
    (tensors(emb_params=(2, 768)), "it was made for SD 1.5"),
    (tensors(clip_l=(2, 768)), "clip_g (text_encoders_1 in older files) is not there"),
    (tensors(clip_l=(2, 768), clip_g=(2, 1024)), "clip_g has shape 2x1024"),
    (tensors(clip_l=(2, 1280), clip_g=(2, 768)), "clip_l has shape 2x1280"),
    (tensors(clip_l=(9, 768), clip_g=(9, 1280)), "clip_l has 9 vectors, and the prompt has tokens"),
    (tensors(clip_l=(0, 768), clip_g=(0, 1280)), "clip_l has 0 vectors, and the prompt has tokens"),
    (tensors(clip_l=(2, 768), clip_g=(1, 1280)), "clip_l has 2 and clip_g has 1 vectors"),
    (tensors(clip_l=(2, 768), clip_g=(2, 1280), odd=(1,)), "odd belongs to no text encoder"),
    (
        tensors(clip_l=(2, 768), text_encoders_0=(2, 768), clip_g=(2, 1280)),
        "clip_l (text_encoders_0 in older files) is both under its old and its new name",
    ),
    (tensors(a=(2, 768), b=(2, 1280)), "it holds a, b; set PLITKA_EMBEDDINGS to SDXL embeddings"),
]


@pytest.fixture
def settings(small_sdxl: SmallSdxl, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def change(**changed: str | Path) -> None:
        for name, value in small_sdxl.settings(**changed).items():
            monkeypatch.setenv(name, value)

    return change


def fails_with(sentence: str, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`check` and loading say the sentence with the path, in one line, and the remedy with it."""
    assert main(["check"]) == 1
    out, err = capsys.readouterr()
    (fault,) = (line for line in out.splitlines() if line.startswith("FAULT"))
    assert sentence in fault
    assert str(path) in fault
    assert "; " in fault
    assert "Traceback" not in out + err
    assert err == "A prediction would fail: 1 to be put right, see above.\n"


def loading_fails_with(sentence: str, path: Path) -> None:
    with pytest.raises(EngineError) as fault:
        load_engine("sdxl")
    assert sentence in str(fault.value)
    assert str(path) in str(fault.value)
    assert "Traceback" not in str(fault.value)


@pytest.mark.parametrize(("write", "sentence"), BAD_FILES + BAD_EMBEDDINGS)
def test_wrong_embeddings_have_their_sentence(
    write: Callable[[Path], object],
    sentence: str,
    settings: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "embeddings.safetensors"
    write(path)
    settings(EMBEDDINGS=path)
    fails_with(sentence, path, capsys)
    loading_fails_with(sentence, path)


def test_memory_is_not_judged_by_a_base_model_that_cannot_be_read(
    settings: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "base.safetensors"
    path.write_bytes(b"")
    settings(BASE=path)
    monkeypatch.setattr(device, "measure_free_main_memory", lambda: 6 * 2**30)
    fails_with("an empty file", path, capsys)


@pytest.mark.parametrize(
    ("write", "sentence"), [bad for bad in BAD_FILES if "folder" not in bad[1]]
)
def test_a_wrong_lora_has_its_sentence(
    write: Callable[[Path], object],
    sentence: str,
    settings: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "lora.safetensors"
    write(path)
    settings(LORA=path)
    fails_with(sentence, path, capsys)
    loading_fails_with(sentence, path)


@pytest.mark.parametrize("ending", [".bin", ".pt", ".ckpt"])
@pytest.mark.parametrize("setting", ["LORA", "EMBEDDINGS", "BASE"])
def test_a_pickle_is_refused_by_its_name(
    ending: str,
    setting: str,
    settings: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / f"weights{ending}"
    path.write_bytes(b"\x80\x02}q\x00.")
    settings(**{setting: path})
    fails_with("only .safetensors is read", path, capsys)


@pytest.fixture
def base(small_sdxl: SmallSdxl, tmp_path: Path) -> Path:
    """A copy of the base model that a test may spoil."""
    return Path(shutil.copytree(small_sdxl.base, tmp_path / "base"))


UNET = "unet/diffusion_pytorch_model.fp16.safetensors"


@pytest.mark.parametrize(
    ("write", "sentence"), [bad for bad in BAD_FILES if "folder" not in bad[1]]
)
def test_a_base_model_with_a_wrong_file_has_its_sentence(
    write: Callable[[Path], object],
    sentence: str,
    base: Path,
    settings: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (base / UNET).unlink()
    write(base / UNET)
    if not (base / UNET).exists():
        sentence = "holds no diffusion_pytorch_model.safetensors"
    settings(BASE=base)
    fails_with(sentence, base / "unet", capsys)
    loading_fails_with(sentence, base / "unet")


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("model_index.json", None, "no such file"),
        ("model_index.json", b"<html>", "not JSON"),
        ("model_index.json", b'{"_class_name": "StableDiffusionPipeline"}', "made for SD 1.5"),
        ("model_index.json", b'{"_class_name": "FluxPipeline"}', "made for another model"),
        ("vae/config.json", None, "no such file"),
        ("tokenizer_2/merges.txt", None, "holds neither tokenizer.json nor vocab.json"),
        ("tokenizer/vocab.json", LFS, "not JSON"),
        ("scheduler/scheduler_config.json", None, "no such file"),
    ],
)
def test_a_base_model_with_a_file_missing_or_of_another_family(
    file: str,
    content: bytes | None,
    sentence: str,
    base: Path,
    settings: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (base / file).unlink() if content is None else (base / file).write_bytes(content)
    settings(BASE=base, VAE="base")
    fails_with(sentence, base, capsys)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (
            ("cond_stage_model.transformer.text_model.x", "model.diffusion_model.x"),
            "a whole checkpoint of SD 1.5",
        ),
        (("conditioner.embedders.0.model.x", "model.diffusion_model.x"), "the SDXL refiner"),
        (("blocks.0.weight",), "a diffusion transformer, not a whole SDXL checkpoint"),
        (("odd", "more"), "not an SDXL checkpoint, it lacks text_encoder"),
    ],
)
def test_a_checkpoint_of_another_family(
    names: tuple[str, ...],
    sentence: str,
    settings: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    tensors(**dict.fromkeys(names, (1,)))(path)
    settings(BASE=path)
    fails_with(sentence, path, capsys)


@pytest.mark.parametrize(
    ("file", "tensor"),
    [
        (UNET, "conv_out.weight"),
        ("text_encoder_2/model.fp16.safetensors", "text_projection.weight"),
    ],
)
def test_a_network_with_tensors_lacking_is_not_filled_up_with_noise(
    file: str, tensor: str, base: Path, settings: Callable[..., None]
) -> None:
    held = load_file(base / file)
    del held[tensor]
    save_file(held, base / file)
    settings(BASE=base)
    loading_fails_with("tensors of the model", (base / file).parent)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"_class_name": "ControlNetModel", "cross_attention_dim": 768},
            "for SD 1.5, not for SDXL",
        ),
        ({"_class_name": "T2IAdapter"}, "a T2IAdapter, not a ControlNetModel"),
        (None, "no such file"),
    ],
)
def test_a_controlnet_of_another_kind(
    config: dict[str, object] | None,
    sentence: str,
    settings: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config))
    settings(CONTROLNET_CANNY=tmp_path)
    fails_with(sentence, tmp_path, capsys)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"scaling_factor": 0.18215, "block_out_channels": [128, 256, 512, 512]},
            "a VAE of SD 1.5 or SD 2, not of SDXL",
        ),
        ({"latent_channels": 16}, "a VAE of another model, not of SDXL"),
        ({"_class_name": "AutoencoderTiny"}, "an AutoencoderTiny, not an AutoencoderKL"),
    ],
)
def test_a_vae_of_another_family(
    changed: dict[str, object],
    sentence: str,
    small_sdxl: SmallSdxl,
    settings: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = Path(shutil.copytree(small_sdxl.vae, tmp_path / "vae"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changed}))
    settings(VAE=folder)
    fails_with(sentence, folder, capsys)


def test_a_base_model_with_its_text_encoders_swapped(
    base: Path, settings: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(base / "text_encoder_2")
    shutil.copytree(base / "text_encoder", base / "text_encoder_2")
    settings(BASE=base)
    fails_with("a text encoder 768 wide, and SDXL's is 1280", base / "text_encoder_2", capsys)


@pytest.mark.parametrize("setting", ["BASE", "VAE", "CONTROLNET_SOFTEDGE"])
def test_a_repository_that_cannot_be_reached(
    setting: str, settings: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    settings(**{setting: "nobody/nothing"})
    fails_with("the hub cannot be reached", Path("nobody/nothing"), capsys)


def test_all_faults_are_told_at_once(
    settings: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(LORA=tmp_path / "a.safetensors", EMBEDDINGS=tmp_path / "b.safetensors")
    with pytest.raises(WeightsError) as fault:
        load_engine("sdxl")
    assert [line.split(":")[0] for line in str(fault.value).splitlines()] == [
        str(tmp_path / "a.safetensors"),
        str(tmp_path / "b.safetensors"),
    ]


def test_beside_a_faulty_base_a_lora_is_checked_for_what_its_own_file_shows(
    settings: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lora.safetensors"
    settings(BASE=tmp_path / "absent", LORA=path)
    down, up = (f"lora_unet_of_any_model.lora_{half}.weight" for half in ("down", "up"))
    tensors(**{down: (2, 32), up: (32, 2)})(path)
    assert main(["check"]) == 1
    told = f"ok     LoRA: {path}: 1 modules, rank 2; not compared with the base model"
    assert told in capsys.readouterr().out
    tensors(**{down: (2, 32)})(path)
    assert main(["check"]) == 1
    assert f"FAULT  LoRA: {path}: {down} lacks its up half" in capsys.readouterr().out


def test_check_is_content_with_the_small_sdxl_and_names_what_it_looked_at(
    settings: Callable[..., None], small_sdxl: SmallSdxl, capsys: pytest.CaptureFixture[str]
) -> None:
    settings()
    assert main(["check"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for said in (
        "torch: 2.",
        "diffusers: 0.",
        "device: CPU (cpu, ",  # float32, or bfloat16 where the processor has it
        "memory plan resident",
    ):
        assert said in out
    for path in (small_sdxl.base, small_sdxl.vae, small_sdxl.canny, small_sdxl.embeddings):
        assert str(path) in out
    assert "LoRA: none, as PLITKA_LORA says" in out


def test_check_of_the_render_engine_needs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--engine", "render"]) == 0
    assert "needs no weights and no GPU" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PLITKA_LORA_SCALE", "much", "PLITKA_LORA_SCALE: got 'much'"),
        ("PLITKA_LORA_SCALE", "nan", "PLITKA_LORA_SCALE: got 'nan'"),
        ("PLITKA_GPU_MEMORY_FRACTION", "2", "PLITKA_GPU_MEMORY_FRACTION: got '2'"),
        ("PLITKA_ENGINE", "sdlx", "PLITKA_ENGINE: there is no engine 'sdlx'"),
    ],
)
def test_check_of_a_wrong_setting(
    name: str,
    value: str,
    sentence: str,
    settings: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings()
    monkeypatch.setenv(name, value)
    assert main(["check"]) == 1
    out, err = capsys.readouterr()
    assert sentence in out + err


def test_the_defaults_are_the_published_repositories_and_the_files_in_model_files() -> None:
    settings = read_weights_settings({})
    assert settings.base == "stabilityai/stable-diffusion-xl-base-1.0"
    assert settings.vae == "madebyollin/sdxl-vae-fp16-fix"
    assert settings.lora == MODEL_FILES / "rubber-tile-lora-v4_sdxl_lora.safetensors"
    assert settings.lora_scale is None
    assert dict(settings.controlnets) == {
        "canny": "diffusers/controlnet-canny-sdxl-1.0",
        "softedge": "SargeZT/controlnet-sd-xl-1.0-softedge-dexined",
    }


def test_of_a_repository_only_what_is_loaded_is_fetched() -> None:
    names = [
        "README.md", "model_index.json", "sd_xl_base_1.0.safetensors",
        "scheduler/scheduler_config.json", "tokenizer/vocab.json", "tokenizer/merges.txt",
        "tokenizer_2/vocab.json", "text_encoder/config.json", "text_encoder/model.safetensors",
        "text_encoder/model.fp16.safetensors", "text_encoder/flax_model.msgpack",
        "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.bin",
        "unet/openvino_model.bin", "text_encoder_2/config.json",
        "text_encoder_2/model-00001-of-00002.safetensors",
        "text_encoder_2/model-00002-of-00002.safetensors",
        "text_encoder_2/model.safetensors.index.json", "vae/config.json",
        "vae/diffusion_pytorch_model.fp16.safetensors",
        "vae_1_0/diffusion_pytorch_model.safetensors",
    ]  # fmt: skip
    from plitka.weights.hub import BASE_WITHOUT_VAE

    assert set(choose_files(names, BASE_WITHOUT_VAE)) == {
        "model_index.json", "scheduler/scheduler_config.json", "tokenizer/vocab.json",
        "tokenizer/merges.txt", "tokenizer_2/vocab.json", "text_encoder/config.json",
        "text_encoder/model.fp16.safetensors", "unet/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors", "text_encoder_2/config.json",
        "text_encoder_2/model-00001-of-00002.safetensors",
        "text_encoder_2/model-00002-of-00002.safetensors",
        "text_encoder_2/model.safetensors.index.json",
    }  # fmt: skip
