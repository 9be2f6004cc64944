"""What a training leaves: files for Plitka, diffusers and ComfyUI, and one archive of them."""

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from plitka.color import palette
from plitka.errors import TrainingError
from plitka.training.package import Adapter, write_package
from plitka.training.safetensors_file import encode_safetensors
from plitka.weights.archive import open_package
from plitka.weights.header import read_header
from tests.support.trainings import (
    CALIBRATED,
    adapter_for,
    evaluated,
    inspected,
    save_pictures,
    trained,
)

MODULES = {"mid_block.resnets.0.conv2": (32, 32, 3, 3), "mid_block.attentions.0.to_q": (8, 16)}
FILES = {
    *("lora.safetensors", "embeddings.safetensors", "special_params.json", "training.json"),
    *("README.md", "report.html", "trained_model.tar"),
}


def list_tar(path: Path) -> list[str]:
    with tarfile.open(path) as packed:
        return packed.getnames()


def test_the_folder_holds_the_files_and_the_archive_the_same(tmp_path: Path) -> None:
    facts = trained()
    save_pictures(tmp_path, facts)
    archive = write_package(tmp_path, adapter_for(MODULES), facts, inspected())
    assert archive == tmp_path / "trained_model.tar"
    assert {file.name for file in tmp_path.iterdir()} == {*FILES, "samples"}
    samples = {f"samples/{file.name}" for file in (tmp_path / "samples").iterdir()}
    assert len(samples) == 2 + 4 * 2
    assert set(list_tar(archive)) == (FILES - {"trained_model.tar"}) | samples
    with tarfile.open(archive) as packed:
        for entry in packed:
            content = packed.extractfile(entry)
            assert content is not None
            assert content.read() == (tmp_path / entry.name).read_bytes()


def test_the_same_training_gives_the_same_bytes_whatever_lay_there(tmp_path: Path) -> None:
    contents = []
    for name, rows in (("one", ()), ("two", (CALIBRATED,)), ("two", ())):
        out = tmp_path / name
        save_pictures(out, trained())
        archive = write_package(out, adapter_for(MODULES), trained(), inspected(palette_rows=rows))
        contents.append(archive.read_bytes())
    assert contents[0] == contents[2] != contents[1]


def test_calibrated_colors_go_with_it(tmp_path: Path) -> None:
    archive = write_package(
        tmp_path, adapter_for(MODULES), trained(), inspected(palette_rows=(CALIBRATED,))
    )
    assert "palette.csv" in list_tar(archive)
    assert palette.load(tmp_path / "palette.csv").find("brick red").code == "BRICK"


def test_setup_takes_the_archive_and_the_folder_in_which_it_was_trained(tmp_path: Path) -> None:
    state = tmp_path / "state" / "candidate-000400.safetensors"  # of the training, beside it
    state.parent.mkdir()
    state.write_bytes(
        encode_safetensors({"mid_block.x.lora_A.default.weight": np.ones((2, 2), np.float32)}, {})
    )
    archive = write_package(tmp_path, adapter_for(MODULES), trained(), inspected())
    for place in (archive, tmp_path):
        with open_package(place) as package:
            assert package.lora is not None
            assert package.embeddings is not None
            assert package.pickles == ()
            assert package.lora.trigger is not None
            assert package.lora.trigger.word == "ohwx_rubber_tile"


def test_the_lora_has_kohyas_names_and_notes(tmp_path: Path) -> None:
    adapter = adapter_for(MODULES)
    write_package(tmp_path, adapter, trained(), inspected())
    file = tmp_path / "lora.safetensors"
    tensors = load_file(file)
    conv, linear = "lora_unet_mid_block_resnets_0_conv2", "lora_unet_mid_block_attentions_0_to_q"
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        f"{conv}.lora_down.weight": (4, 32, 3, 3),
        f"{conv}.lora_up.weight": (32, 4, 1, 1),
        f"{conv}.alpha": (),
        f"{linear}.lora_down.weight": (4, 16),
        f"{linear}.lora_up.weight": (8, 4),
        f"{linear}.alpha": (),
    }
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(np.float16)}
    assert tensors[f"{conv}.alpha"] == 4
    down, _ = adapter.lora["mid_block.attentions.0.to_q"]
    assert np.array_equal(tensors[f"{linear}.lora_down.weight"], down.astype(np.float16))
    notes = read_header(file, "").metadata
    assert notes["ss_base_model_version"] == "sdxl_base_v1-0"
    assert notes["ss_network_module"] == "networks.lora"
    assert (notes["ss_network_dim"], notes["ss_network_alpha"]) == ("4", "4.0")
    assert notes["modelspec.architecture"] == "stable-diffusion-xl-v1-base/lora"
    assert notes["modelspec.trigger_phrase"] == "ohwx_rubber_tile"
    assert notes["plitka_lora_scale"] == "0.75"


def test_the_vectors_stay_in_single_precision(tmp_path: Path) -> None:
    adapter = adapter_for(MODULES)
    write_package(tmp_path, adapter, trained(), inspected())
    rows = load_file(tmp_path / "embeddings.safetensors")
    assert set(rows) == {"clip_l", "clip_g"}
    for name, values in rows.items():
        assert values.dtype == np.float32
        assert np.array_equal(values, adapter.rows[name])


@pytest.mark.parametrize(
    ("where", "value"), [("lora", 1e6), ("lora", np.nan), ("rows", np.nan), ("rows", -np.inf)]
)
def test_numbers_that_no_file_should_hold_are_refused_and_nothing_is_written(
    where: str, value: float, tmp_path: Path
) -> None:
    adapter = adapter_for(MODULES)
    if where == "lora":
        adapter.lora["mid_block.resnets.0.conv2"][0][0, 0] = value
    else:
        adapter.rows["clip_g"][1, 7] = value
    told = r"mid_block\.resnets\.0\.conv2 holds|vectors of clip_g hold"
    with pytest.raises(TrainingError, match=told):
        write_package(tmp_path / "out", adapter, trained(), inspected())
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="file"):
        write_package(tmp_path / "file", adapter_for(MODULES), trained(), inspected())


def test_of_many_evaluations_some_pictures_are_packed_and_those_of_the_chosen_one(
    tmp_path: Path,
) -> None:
    steps = range(0, 2001, 20)
    facts = trained(
        evaluations=tuple(evaluated(step, 0.1, 1.0) for step in steps), chosen=1380, steps=2000
    )
    save_pictures(tmp_path, facts, 32)
    names = list_tar(write_package(tmp_path, adapter_for(MODULES), facts, inspected()))
    packed = sorted({int(m[1]) for name in names if (m := re.search(r"step-(\d+)-", name))})
    assert (packed[0], packed[-1]) == (0, 2000)
    assert 1380 in packed
    assert len(packed) == 6


def test_the_readme_says_how_it_is_used_in_the_words_it_was_trained_on(tmp_path: Path) -> None:
    write_package(tmp_path, adapter_for(MODULES), trained(), inspected())
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "3 photographs, 600 steps" in text
    assert "ohwx_rubber_tile <s0><s1>, 60% red, 40% blue, photorealistic rubber tile" in text
    assert "ohwx_rubber_tile embedding:tile, 60% red, 40% blue, photorealistic" in text
    assert "scale 0.75" in text
    assert "palette.csv" not in text


# ComfyUI's names. comfy/lora.py, model_lora_keys_unet, of Comfy-Org/ComfyUI 17358c8: a tensor's
# name is "lora_unet_" and the module by diffusers' name with "_" for ".", of those modules that
# comfy/utils.py, unet_to_diffusers, lists for the UNet's configuration. Written down here are
# those of them that hold weights of attention and of resnets in SDXL's own configuration.
_IN_TRANSFORMER = [
    f"attn{number}.to_{part}" for number in (1, 2) for part in ("q", "k", "v", "out.0")
] + ["ff.net.0.proj", "ff.net.2", "norm1", "norm2", "norm3"]
_IN_ATTENTION = ["proj_in", "proj_out", "norm"]
_IN_RESNET = ["conv1", "conv2", "norm1", "norm2", "time_emb_proj", "conv_shortcut"]


def list_comfyui_modules() -> Iterator[str]:
    blocks = [("down_blocks.0", 2, 0), ("down_blocks.1", 2, 2), ("down_blocks.2", 2, 10)]
    blocks += [("up_blocks.0", 3, 10), ("up_blocks.1", 3, 2), ("up_blocks.2", 3, 0)]
    places = [
        (f"{block}.{{}}.{layer}", depth) for block, count, depth in blocks for layer in range(count)
    ]
    places += [("mid_block.{}.0", 10), ("mid_block.{}.1", 0)]
    for place, depth in places:
        yield from (f"{place.format('resnets')}.{name}" for name in _IN_RESNET)
        if depth:
            attention = place.format("attentions")
            yield from (f"{attention}.{name}" for name in _IN_ATTENTION)
            yield from (
                f"{attention}.transformer_blocks.{layer}.{name}"
                for layer in range(depth)
                for name in _IN_TRANSFORMER
            )


def test_comfyui_knows_every_module_of_sdxl_that_is_trained(tmp_path: Path) -> None:
    import torch

    from plitka.bench import random_models

    with torch.device("meta"):
        unet = random_models.make_unet(random_models.ARCHITECTURES["full"])
    targets = r"\.(to_q|to_k|to_v|to_out\.0|conv2)$"
    names = [name for name, _ in unet.named_modules() if re.search(targets, name)]
    ones = np.ones((1, 1), np.float32)
    adapter = Adapter(dict.fromkeys(names, (ones, ones)), {}, 1)
    write_package(tmp_path, adapter, trained(), inspected())
    stems = {name.split(".")[0] for name in load_file(tmp_path / "lora.safetensors")}
    assert len(stems) == len(names) == 70 * 8 + 17
    assert stems <= {f"lora_unet_{name.replace('.', '_')}" for name in list_comfyui_modules()}
