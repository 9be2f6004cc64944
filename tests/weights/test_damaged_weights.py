"""Files damaged at random: what `check` accepts draws, and draws the picture of the whole file."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from plitka.cli.main import main
from plitka.errors import WeightsError
from plitka.request.plan import make_plan
from tests.support import small_sdxl as small
from tests.support.drawing import draw
from tests.support.recipes import asked
from tests.support.settings import load_engine
from tests.support.small_sdxl import SmallSdxl


@dataclass(frozen=True)
class Form:
    """Files of one kind. write: makes them in a folder; gives the settings that name them.

    file: of the tensors that are damaged, in the folder. configs: JSON files whose fields are.
    angle: of the picture that shows a damage.
    """

    write: Callable[[SmallSdxl, Path], dict[str, str | Path]]
    file: str
    configs: tuple[str, ...] = ()
    angle: float = 0.0


def write_base(files: SmallSdxl, folder: Path) -> dict[str, str | Path]:
    shutil.copytree(files.base, folder / "base")
    return {"BASE": folder / "base", "VAE": "base"}


def write_checkpoint(files: SmallSdxl, folder: Path) -> dict[str, str | Path]:
    shutil.copytree(files.base, folder / "base")
    path = small.save_checkpoint(folder / "base" / "checkpoint.safetensors", files.base)
    return {"BASE": path, "VAE": "base"}


def write_vae(files: SmallSdxl, folder: Path) -> dict[str, str | Path]:
    held = load_file(files.vae / "diffusion_pytorch_model.safetensors")
    (folder / "vae").mkdir()
    path = folder / "vae" / "vae.safetensors"
    save_file({small.original_vae_name(name): tensor for name, tensor in held.items()}, path)
    return {"VAE": path}


def write_controlnet(files: SmallSdxl, folder: Path) -> dict[str, str | Path]:
    shutil.copytree(files.canny, folder / "canny")
    return {"CONTROLNET_CANNY": folder / "canny"}


def write_embeddings(files: SmallSdxl, folder: Path) -> dict[str, str | Path]:
    small.save_embeddings(folder / "embeddings.safetensors")
    return {"EMBEDDINGS": folder / "embeddings.safetensors"}


_MODEL = "diffusion_pytorch_model"
FORMS: Mapping[str, Form] = {
    "unet": Form(write_base, f"base/unet/{_MODEL}.fp16.safetensors", ("base/unet/config.json",)),
    "own vae": Form(
        write_base,
        f"base/vae/{_MODEL}.fp16.safetensors",
        ("base/vae/config.json", "base/scheduler/scheduler_config.json"),
    ),
    "text encoder": Form(
        write_base,
        "base/text_encoder/model.fp16.safetensors",
        ("base/text_encoder/config.json", "base/tokenizer/tokenizer_config.json"),
    ),
    "text encoder 2": Form(
        write_base,
        "base/text_encoder_2/model.fp16.safetensors",
        ("base/text_encoder_2/config.json", "base/tokenizer_2/vocab.json"),
    ),
    "checkpoint": Form(write_checkpoint, "base/checkpoint.safetensors"),
    "vae": Form(write_vae, "vae/vae.safetensors"),
    "controlnet": Form(
        write_controlnet, f"canny/{_MODEL}.safetensors", ("canny/config.json",), angle=90.0
    ),
    "embeddings": Form(write_embeddings, "embeddings.safetensors"),
}

# What no file can tell but by other fields of the same config: at the published widths they must be
# as published; the small SDXL has others.
UNTOLD = {"attention_head_dim", "norm_num_groups"}

WRONG_VALUES: tuple[Any, ...] = (None, 0, 1, 7, -3, 0.5, "gelu", True, False, [1, 2], {}, 1e9, "")

Damage = Callable[[dict[str, Tensor], str, int], None]


def cut(tensors: dict[str, Tensor], name: str, _: int) -> None:
    tensors[name] = tensors[name][: len(tensors[name]) // 2].clone()


def lose(tensors: dict[str, Tensor], name: str, _: int) -> None:
    del tensors[name]


def add(tensors: dict[str, Tensor], name: str, number: int) -> None:
    tensors[(f"{name}_2", f"more.{name}", "alpha", f"{name}.scale_weight")[number % 4]] = (
        torch.ones(2)
    )


def rename(tensors: dict[str, Tensor], name: str, number: int) -> None:
    new = (name.replace("0", "9", 1), f"x{name}", name.replace("weight", "wight"), name.upper())
    tensors[new[number % 4] if new[number % 4] != name else f"{name}x"] = tensors.pop(name)


def transpose(tensors: dict[str, Tensor], name: str, _: int) -> None:
    tensor = tensors[name]
    if tensor.dim() > 1 and tensor.shape[0] != tensor.shape[1]:
        tensors[name] = tensor.transpose(0, 1).contiguous()


def retype(tensors: dict[str, Tensor], name: str, number: int) -> None:
    kinds = (torch.float32, torch.float64, torch.int8, torch.int64, torch.uint8, torch.bool)
    tensors[name] = tensors[name].to(kinds[number % len(kinds)])


DAMAGES: Mapping[str, Damage] = {
    damage.__name__: damage for damage in (cut, lose, add, rename, transpose, retype)
}


def damage_file(file: Path, kind: str, number: int) -> None:
    tensors = load_file(file)
    names = sorted(name for name in tensors if tensors[name].dim())
    DAMAGES[kind](tensors, names[number % len(names)], number)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)


def damage_config(file: Path, number: int) -> None:
    """Change or take out a field."""
    config = json.loads(file.read_text())
    names = sorted(name for name in config if name not in UNTOLD and not name.startswith("_"))
    name = names[number % len(names)]
    value = WRONG_VALUES[number // len(names) % len(WRONG_VALUES)]
    if number % 3:
        config[name] = value
    else:
        del config[name]
    file.write_text(json.dumps(config))


def draw_form(changed: dict[str, str | Path], files: SmallSdxl, angle: float) -> NDArray[np.uint8]:
    """Load what the settings name, and draw one step of a small picture."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in files.settings(**changed).items():
            patch.setenv(name, value)
        patch.setenv("HF_HUB_OFFLINE", "1")
        return draw(load_engine("sdxl"), make_plan(asked({"red": 100}, angle)), 64, 1).image


def check_form(changed: dict[str, str | Path], files: SmallSdxl) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in files.settings(**changed).items():
            patch.setenv(name, value)
        patch.setenv("HF_HUB_OFFLINE", "1")
        return main(["check"]) == 0


@pytest.fixture(scope="module")
def whole(small_sdxl: SmallSdxl, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The picture of each form as long as nothing is damaged."""
    pictures = {}
    for name, form in FORMS.items():
        changed = form.write(small_sdxl, tmp_path_factory.mktemp("whole"))
        pictures[name] = draw_form(changed, small_sdxl, form.angle)
    return pictures


@pytest.mark.long
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    form=st.sampled_from(sorted(FORMS)),
    kind=st.sampled_from([*sorted(DAMAGES), "config", "config"]),
    number=st.integers(0, 10_000),
)
@example(form="text encoder 2", kind="config", number=1607)  # two tokens of one number
def test_what_check_accepts_draws_and_draws_the_same(
    form: str,
    kind: str,
    number: int,
    whole: dict[str, Any],
    small_sdxl: SmallSdxl,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    try:
        changed = FORMS[form].write(small_sdxl, folder)
        configs = FORMS[form].configs
        if kind == "config":
            if not configs:
                return
            damage_config(folder / configs[number % len(configs)], number)
        else:
            damage_file(folder / FORMS[form].file, kind, number)
        if not check_form(changed, small_sdxl):
            with pytest.raises(WeightsError):
                draw_form(changed, small_sdxl, FORMS[form].angle)
            return
        drawn = draw_form(changed, small_sdxl, FORMS[form].angle)
        changed_by = np.abs(drawn.astype(int) - whole[form]).max()
        assert changed_by <= 1, (form, kind, number)
    finally:
        shutil.rmtree(folder)
