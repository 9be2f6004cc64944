"""Where a LoRA and embeddings are taken from: packages, folders, files, bundles, pairs."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save

from plitka.cli.main import main
from plitka.engines.sdxl import architecture
from plitka.errors import EngineError
from plitka.request.plan import make_plan
from plitka.weights.adapter_files import Package
from plitka.weights.preflight import inspect
from plitka.weights.settings import read_weights_settings
from tests.conftest import LoadSdxl
from tests.support.https_server import (
    CERTIFICATE,
    Answer,
    Headers,
    answer_file,
    https_server,
)
from tests.support.packages import ARCHIVERS, PACKERS, Files, Pack, as_folder, as_tar, as_zip
from tests.support.recipes import asked
from tests.support.small_sdxl import SmallSdxl

Tensors = dict[str, NDArray[Any]]

PLACE = "mid_block.attentions.0.proj_in"  # 32x32 in the small SDXL
KOHYA = "lora_unet_mid_block_attentions_0_proj_in"


def lora(strength: float = 1.0, prefix: str = "unet.") -> Tensors:
    """A LoRA of rank 2 in PEFT's form that adds 2 * strength to each number of one weight."""
    return {
        f"{prefix}{PLACE}.lora_A.weight": np.ones((2, 32), np.float32),
        f"{prefix}{PLACE}.lora_B.weight": np.full((32, 2), strength, np.float32),
    }


def halves(count: int = 2, seed: int = 0) -> Tensors:
    """Embeddings of `count` vectors, each number of them another one."""
    random = np.random.default_rng(seed)
    return {
        half: random.normal(0, 0.02, (count, width)).astype(np.float32)
        for half, width in (("clip_l", 768), ("clip_g", 1280))
    }


def assert_knows(engine: Any, vectors: Tensors) -> None:
    """The tokens <s0>, <s1> and so on stand in the prompt and for these vectors, no others do."""
    count = len(vectors["clip_l"])
    tokens = [f"<s{number}>" for number in range(count)]
    prompt = make_plan(asked({"red": 100}), engine.subject).prompt
    assert prompt.startswith(f"{engine.subject.trigger} {''.join(tokens)}, ")
    pipe = engine.pipe
    for half, tokenizer, encoder in (
        ("clip_l", pipe.tokenizer, pipe.text_encoder),
        ("clip_g", pipe.tokenizer_2, pipe.text_encoder_2),
    ):
        ids = tokenizer(prompt, add_special_tokens=False).input_ids
        own = tokenizer.convert_tokens_to_ids(tokens)
        assert [number for number in ids if number in own] == own
        assert f"<s{count}>" not in tokenizer.get_vocab()
        known = encoder.get_input_embeddings().weight[own].numpy()
        np.testing.assert_allclose(known, vectors[half], rtol=1e-6)


class Fused:
    """Tells by how much one weight of an engine differs from the base model's."""

    def __init__(self, plain: Any) -> None:
        self._weight = self._get(plain).clone()

    def by(self, engine: Any) -> float:
        change = self._get(engine) - self._weight
        assert torch.allclose(change, change.mean(), atol=1e-5)
        return float(change.mean())

    @staticmethod
    def _get(engine: Any) -> Any:
        return engine.pipe.unet.get_submodule(PLACE).weight


@pytest.fixture
def fused(load_sdxl: LoadSdxl) -> Fused:
    return Fused(load_sdxl())


@pytest.fixture
def check(
    small_sdxl: SmallSdxl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """What `check` says of weights: `check(path, LORA="none")`, whatever its exit status."""

    def say(weights: Path | str | None = None, **changed: str | Path) -> str:
        for name, value in small_sdxl.settings(**changed).items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        main(["check", *(["--weights", str(weights)] if weights else [])])
        return capsys.readouterr().out

    return say


def refusal(load_sdxl: LoadSdxl, weights: Path | str | None = None, **changed: str | Path) -> str:
    with pytest.raises(EngineError) as fault:
        load_sdxl(weights, **changed)
    said = str(fault.value)
    assert "plitka-weights-" not in said, "the path of a temporary folder"
    return said


# Beside each other


@PACKERS
def test_the_config_beside_a_peft_adapter_keeps_its_alpha(
    pack: Pack, load_sdxl: LoadSdxl, fused: Fused, tmp_path: Path
) -> None:
    files = {
        "out/adapter_model.safetensors": save(lora(prefix="base_model.model.")),
        "out/adapter_config.json": json.dumps({"r": 2, "lora_alpha": 8}).encode(),
        "out/embeddings.safetensors": save(halves()),
    }
    engine = load_sdxl(pack(tmp_path / "weights", files), LORA_SCALE="0.5")
    assert fused.by(engine) == pytest.approx(0.5 * 8 / 2 * 2)
    assert_knows(engine, halves())


def test_a_config_in_another_folder_is_not_the_adapters(
    load_sdxl: LoadSdxl, fused: Fused, tmp_path: Path
) -> None:
    files = {
        "a/adapter_model.safetensors": save(lora(prefix="base_model.model.")),
        "b/adapter_config.json": json.dumps({"r": 2, "lora_alpha": 8}).encode(),
    }
    engine = load_sdxl(as_zip(tmp_path / "weights", files), LORA_SCALE="0.5")
    assert fused.by(engine) == pytest.approx(0.5 * 2)


@PACKERS
@pytest.mark.parametrize("setting", ["weights", "LORA"])
def test_the_final_state_is_taken_and_none_of_the_checkpoints(
    pack: Pack, setting: str, load_sdxl: LoadSdxl, fused: Fused, tmp_path: Path
) -> None:
    files = {
        "pytorch_lora_weights.safetensors": save(lora(3)),
        "tile_emb.safetensors": save(halves(3)),
        "checkpoint-500/pytorch_lora_weights.safetensors": save(lora(1)),
        "checkpoint-500/tile_emb.safetensors": save(halves(2)),
        "checkpoint-500/optimizer.bin": b"pickle",
        "checkpoint-1000/pytorch_lora_weights.safetensors": save(lora(2)),
    }
    path = pack(tmp_path / "weights", files)
    if setting == "weights":
        engine = load_sdxl(path, LORA_SCALE="1")
    elif pack is as_folder:
        engine = load_sdxl(LORA=path, EMBEDDINGS=path, LORA_SCALE="1")
    else:
        return
    assert fused.by(engine) == pytest.approx(6)
    assert_knows(engine, halves(3))


def test_a_lora_of_a_checkpoint_alone_is_taken(
    load_sdxl: LoadSdxl, fused: Fused, tmp_path: Path
) -> None:
    files = {"checkpoint-500/pytorch_lora_weights.safetensors": save(lora(2))}
    engine = load_sdxl(as_tar(tmp_path / "weights", files), LORA_SCALE="1")
    assert fused.by(engine) == pytest.approx(4)


@pytest.mark.parametrize(
    ("other", "taken"),
    [
        ("tile-000004.safetensors", "tile.safetensors"),
        ("tile-step00000500.safetensors", "tile.safetensors"),
        ("tile_000000500.safetensors", "tile.safetensors"),
        ("epoch-4/tile.safetensors", "tile.safetensors"),
        ("save/tile-2026.safetensors", "tile.safetensors"),
        ("tile-000004-state/model.safetensors", "tile.safetensors"),
        ("global/epoch=4-step=100/tile.safetensors", "tile.safetensors"),
    ],
)
def test_an_intermediate_state_beside_the_final_one_is_passed_over(
    other: str, taken: str, load_sdxl: LoadSdxl, fused: Fused, tmp_path: Path
) -> None:
    files = {taken: save(lora(2)), other: save(lora(1))}
    engine = load_sdxl(as_zip(tmp_path / "weights", files), LORA_SCALE="1")
    assert fused.by(engine) == pytest.approx(4)


def test_a_copy_in_kohyas_form_beside_what_diffusers_saved_is_not_a_second_lora(
    load_sdxl: LoadSdxl, fused: Fused, tmp_path: Path
) -> None:
    """As diffusers' advanced scripts leave it."""
    copy = {
        f"{KOHYA}.lora_down.weight": np.ones((2, 32), np.float32),
        f"{KOHYA}.lora_up.weight": np.full((32, 2), 2, np.float32),
        f"{KOHYA}.alpha": np.array(2, np.float32),
    }
    files = {"pytorch_lora_weights.safetensors": save(lora(2)), "tile.safetensors": save(copy)}
    engine = load_sdxl(as_folder(tmp_path / "weights", files), LORA_SCALE="1")
    assert fused.by(engine) == pytest.approx(4)


def test_another_lora_of_as_many_numbers_is_no_copy(load_sdxl: LoadSdxl, tmp_path: Path) -> None:
    two = {
        "pytorch_lora_weights.safetensors": save(lora(2)),
        "tile.safetensors": save(lora(3)),
    }
    folder = as_folder(tmp_path / "weights", two)
    said = refusal(load_sdxl, folder)
    assert "two files of a LoRA, pytorch_lora_weights.safetensors and tile.safetensors; " in said
    assert "two files of a LoRA" in refusal(load_sdxl, LORA=folder)


@pytest.mark.parametrize("folder", ["text_encoder_lora_0", "states", "stephen", "saved_lora"])
def test_one_lora_below_another_is_not_left_out_in_silence(
    folder: str, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    """As Eden's trainer leaves the text encoder's own."""
    two = {"x.safetensors": save(lora()), f"{folder}/x.safetensors": save(lora())}
    said = refusal(load_sdxl, as_zip(tmp_path / "weights", two))
    listed = " and ".join(sorted(two))
    assert f"two files of a LoRA, {listed}; " in said


def test_a_kind_that_is_in_a_checkpoint_alone_is_taken_from_there(
    load_sdxl: LoadSdxl, fused: Fused, tmp_path: Path
) -> None:
    state = "checkpoint-500"
    foreign = save({"conv_in.weight": np.ones((32, 4, 3, 3), np.float32)})
    for number, files in enumerate(
        (
            {"e.safetensors": save(halves(3)), f"{state}/x.safetensors": save(lora(2))},
            {"x.safetensors": save(lora(2)), f"{state}/e.safetensors": save(halves(3))},
        )
    ):
        files = {
            **files,
            f"{state}/both.safetensors": save({**lora(1), **halves(2)}),
            f"{state}/unet.safetensors": foreign,
        }
        said = refusal(load_sdxl, as_zip(tmp_path / f"both-{number}", files))
        assert f"{state}/both.safetensors and {state}/" in said
        del files[f"{state}/both.safetensors"]
        path = as_folder(tmp_path / str(number), files)
        engine = load_sdxl(path, LORA_SCALE="1")
        assert fused.by(engine) == pytest.approx(4)
        assert_knows(engine, halves(3))
        engine = load_sdxl(LORA=path, EMBEDDINGS=path, LORA_SCALE="1")
        assert fused.by(engine) == pytest.approx(4)


def test_two_of_a_kind_are_refused_by_their_paths(load_sdxl: LoadSdxl, tmp_path: Path) -> None:
    two = {"a/x.safetensors": save(lora()), "b/x.safetensors": save(lora())}
    path = as_tar(tmp_path / "weights", two)
    said = refusal(load_sdxl, path)
    assert said.startswith(
        f"{path}: holds two files of a LoRA, a/x.safetensors and b/x.safetensors; leave one"
    )
    folder = as_folder(tmp_path / "folder", two)
    said = refusal(load_sdxl, LORA=folder)
    assert said.startswith(f"{folder}: holds two files of a LoRA, a/x.safetensors and b/")
    assert said.endswith("; name one with PLITKA_LORA")
    more = {f"{name}.safetensors": save(halves()) for name in "abc"}
    said = refusal(load_sdxl, as_zip(tmp_path / "more", {**more, "l.safetensors": save(lora())}))
    assert "holds 3 files of embeddings, a.safetensors, b.safetensors, c.safetensors; " in said


# What does not belong there


@PACKERS
def test_a_whole_unet_in_a_package_is_refused_always(
    pack: Pack, load_sdxl: LoadSdxl, check: Callable[..., str], tmp_path: Path
) -> None:
    """As Replicate's trainer writes it with is_lora=False."""
    files = {
        "embeddings.pti": save(halves()),
        "special_params.json": b'{"TOK": "<s0><s1>"}',
        "unet.safetensors": save({"conv_in.weight": np.ones((32, 4, 3, 3), np.float32)}),
    }
    path = pack(tmp_path / "weights", files)
    for setting in ("none", ""):
        assert "unet.safetensors: " in refusal(load_sdxl, path, LORA=setting)
        said = check(path, LORA=setting)
        assert "unet.safetensors: " in said
        assert "leave it out of the package" in said


def test_a_pickle_that_may_be_embeddings_is_told(
    load_sdxl: LoadSdxl, check: Callable[..., str], tmp_path: Path
) -> None:
    files = {
        "lora.safetensors": save(lora()),
        "embeddings.pt": b"pickle",
        "optimizer.bin": b"pickle",
        "random_states_0.pkl": b"pickle",
    }
    for number, pack in enumerate((as_folder, as_tar)):
        path = pack(tmp_path / str(number), files)
        said = check(path, EMBEDDINGS="")
        assert f"{path} holds a LoRA and no embeddings, but embeddings.pt, never loaded; " in said
    alone = as_zip(tmp_path / "alone", {"lora.ckpt": b"pickle"})
    assert "as .safetensors (only lora.ckpt, which is never loaded); " in check(alone)


DEEP = b'{"a":' * 100_000 + b"}" * 100_000
BROKEN: list[tuple[str, Files, str]] = [
    ("lora.safetensors", {"lora.safetensors": b""}, "an empty file"),
    ("lora.safetensors", {"lora.safetensors": save(lora())[:-9]}, "truncated"),
    ("a/e.pti", {"a/e.pti": b"\x80\x02}q\x00."}, "a pickle or zip archive under this name"),
    ("e.pti", {"e.pti": save({"clip_l": np.ones((2, 768), np.float32)})}, "clip_g"),
    (
        "lora.safetensors",
        {"lora.safetensors": save({**lora(), "unet.nowhere.lora_A.weight": np.ones((2, 2))})},
        "unet.nowhere.lora_A.weight",
    ),
    (
        "out/lora.safetensors",
        {"out/lora.safetensors": save(lora(np.nan))},
        "holds NaN or inf",
    ),
    (
        "emb.safetensors",
        {"emb.safetensors": save({**halves(), "clip_g": np.full((2, 1280), np.inf, np.float32)})},
        "holds NaN or inf",
    ),
    ("adapter_config.json", {"adapter_config.json": b"[]"}, "not a JSON object"),
    ("adapter_config.json", {"adapter_config.json": DEEP}, "not a JSON object"),
    ("special_params.json", {"special_params.json": DEEP}, "not a JSON object"),
    (
        "adapter_config.json",
        {"adapter_config.json": b"{" + b" " * 2**20 + b"}"},
        "larger than 1 MiB",
    ),
    (
        "lora.safetensors",
        {"lora.safetensors": save(lora(), {"lora_adapter_metadata": DEEP.decode()})},
        "its notes (lora_adapter_metadata) are not JSON",
    ),
]


@ARCHIVERS
@pytest.mark.parametrize(("member", "files", "sentence"), BROKEN)
def test_a_fault_names_the_member_of_the_archive(
    pack: Pack, member: str, files: Files, sentence: str, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    with_lora = {"adapter.safetensors": save(lora())} if "lora" not in member else {}
    path = pack(tmp_path / "trained_model", {**with_lora, **files})
    said = refusal(load_sdxl, path)
    assert said.startswith(f"{path}: {member}: ")
    assert sentence in said


# One file alone


def test_one_file_is_a_package(load_sdxl: LoadSdxl, fused: Fused, tmp_path: Path) -> None:
    folder = as_folder(
        tmp_path,
        {
            "lora.safetensors": save(lora(2)),
            "embeddings.pti": save(halves(3)),
            "both.safetensors": save({**lora(3), **halves(4)}),
            "unet.safetensors": save({"conv_in.weight": np.ones((32, 4, 3, 3), np.float32)}),
        },
    )
    engine = load_sdxl(folder / "lora.safetensors", EMBEDDINGS="", LORA_SCALE="1")
    assert fused.by(engine) == pytest.approx(4)
    assert engine.subject.vectors == 0
    engine = load_sdxl(folder / "embeddings.pti", LORA="none")
    assert fused.by(engine) == 0
    assert_knows(engine, halves(3))
    engine = load_sdxl(folder / "both.safetensors", EMBEDDINGS="", LORA_SCALE="1")
    assert fused.by(engine) == pytest.approx(6)
    assert_knows(engine, halves(4))
    assert f"{folder}/unet.safetensors: " in refusal(load_sdxl, folder / "unet.safetensors")
    (folder / "model.ckpt").write_bytes(b"\x80\x02")
    assert "only .safetensors is read" in refusal(load_sdxl, folder / "model.ckpt")


def test_a_peft_adapter_named_by_its_file_keeps_its_alpha(
    load_sdxl: LoadSdxl, fused: Fused, tmp_path: Path
) -> None:
    folder = as_folder(
        tmp_path,
        {
            "adapter_model.safetensors": save(lora(prefix="base_model.model.")),
            "adapter_config.json": json.dumps({"r": 2, "lora_alpha": 8}).encode(),
        },
    )
    file = folder / "adapter_model.safetensors"
    for engine in (load_sdxl(file, LORA_SCALE="1"), load_sdxl(LORA=file, LORA_SCALE="1")):
        assert fused.by(engine) == pytest.approx(8)


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Serve a file by https: `publish("trained.tar", content)` gives its address."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    files: dict[str, bytes] = {}

    def answer(path: str, headers: Headers) -> Answer:
        return answer_file(files[path.partition("?")[0]], headers)

    with https_server(answer) as served:

        def publish(name: str, content: bytes) -> str:
            files[f"/{name}"] = content
            return f"{served.address}/{name}?signature=veiled"

        yield publish


def test_the_address_of_a_package_or_a_file_is_fetched(
    publish: Callable[..., str],
    load_sdxl: LoadSdxl,
    fused: Fused,
    check: Callable[..., str],
    tmp_path: Path,
) -> None:
    files = {"out/lora.safetensors": save(lora(2)), "out/e.pti": save(halves(3))}
    packed = publish("trained.tar", as_tar(tmp_path / "a", files).read_bytes())
    engine = load_sdxl(packed, LORA_SCALE="1")
    assert fused.by(engine) == pytest.approx(4)
    assert_knows(engine, halves(3))
    shown = packed.partition("?")[0]
    assert f"ok     LoRA: {shown}: out/lora.safetensors: 1 modules" in check(packed)
    alone = publish("lora.safetensors", save(lora(3)))
    assert fused.by(load_sdxl(alone, LORA_SCALE="1")) == pytest.approx(6)
    assert f"ok     LoRA: {alone.partition('?')[0]}: 1 modules" in check(alone)
    broken = publish("broken.tar", as_tar(tmp_path / "b", {"l.safetensors": b""}).read_bytes())
    said = refusal(load_sdxl, broken)
    assert said.startswith(f"{broken.partition('?')[0]}: l.safetensors: an empty file")
    assert str(tmp_path) not in said
    assert "by https alone" in refusal(load_sdxl, "http://example.org/trained.tar")


def test_a_name_that_no_repository_can_have_is_a_path_that_is_not_there(
    load_sdxl: LoadSdxl, check: Callable[..., str]
) -> None:
    for name in ("loras/my--lora", "loras/x-", "loras/a.git", f"loras/{'x' * 97}"):
        sentence = f"{name}: no such file or folder, nor the name of a repository; "
        assert sentence in refusal(load_sdxl, LORA=name)
        assert sentence in check(LORA=name)
        assert sentence in check(BASE=name)
    assert "owner/tile.pti: no such file; " in check(EMBEDDINGS="owner/tile.pti")


def test_notes_that_are_no_json_name_no_trigger(load_sdxl: LoadSdxl, tmp_path: Path) -> None:
    notes = {"ss_tag_frequency": DEEP.decode()}
    path = as_folder(tmp_path, {"x.safetensors": save(lora(), notes)}) / "x.safetensors"
    assert load_sdxl(path).subject.trigger == "ohwx_rubber_tile"


# Embeddings in their forms


def bundle(name: str, vectors: Tensors) -> Tensors:
    return {f"bundle_emb.{name}.{half}": tensor for half, tensor in vectors.items()}


@pytest.mark.parametrize(
    "name", ["tile", "<tile>", "v1.0", "my-lora", "a b"], ids=lambda name: f"[{name}]"
)
def test_a_bundle_gives_lora_and_embeddings(
    name: str, load_sdxl: LoadSdxl, fused: Fused, check: Callable[..., str], tmp_path: Path
) -> None:
    tensors = {**lora(2), **bundle(name, halves(3))}
    path = as_folder(tmp_path, {"lora.safetensors": save(tensors)}) / "lora.safetensors"
    for engine in (
        load_sdxl(LORA=path, EMBEDDINGS="", LORA_SCALE="1"),
        load_sdxl(LORA=path, EMBEDDINGS=path, LORA_SCALE="1"),
        load_sdxl(tmp_path, LORA_SCALE="1"),
    ):
        assert fused.by(engine) == pytest.approx(4)
        assert_knows(engine, halves(3))
    assert load_sdxl(LORA=path, EMBEDDINGS="none", LORA_SCALE="1").subject.vectors == 0
    assert f"embeddings: {path}: 3 vectors\n" in check(LORA=path, EMBEDDINGS="")


def test_of_several_bundles_the_trigger_chooses_one(
    load_sdxl: LoadSdxl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tensors = {**lora(), **bundle("one", halves(1)), **bundle("other", halves(2, seed=1))}
    as_folder(tmp_path, {"lora.safetensors": save(tensors)})
    said = refusal(load_sdxl, tmp_path)
    assert "lora.safetensors: holds 2 embeddings, one, other; set PLITKA_TRIGGER to" in said
    assert "holds 2 embeddings" in refusal(load_sdxl, tmp_path, TRIGGER="third")
    engine = load_sdxl(tmp_path, TRIGGER="other")
    assert_knows(engine, halves(2, seed=1))
    assert engine.subject.trigger == "other"
    nameless = {**bundle("one", halves(1)), **halves(2)}
    path = as_folder(tmp_path / "two", {"e.safetensors": save(nameless)})
    said = refusal(load_sdxl, path, LORA="none")
    assert "holds 2 embeddings, one, one without a name; set PLITKA_TRIGGER to the name" in said
    assert said.endswith(", or save the one without a name in a file of its own")


FORMS: list[tuple[str, Tensors, Tensors]] = [
    *((f"{count} vectors", halves(count), halves(count)) for count in (1, 2, 3, 8)),
    ("one dimension", {half: tensor[0] for half, tensor in halves(1).items()}, halves(1)),
    ("a leading 1", {half: tensor[None] for half, tensor in halves(4).items()}, halves(4)),
    ("two of them", {half: tensor[None, None] for half, tensor in halves(1).items()}, halves(1)),
    ("half precision", {h: t.astype(np.float16) for h, t in halves(2).items()}, halves(2)),
    ("double precision", {h: t.astype(np.float64) for h, t in halves(2).items()}, halves(2)),
    (
        "old names",
        {"text_encoders_0": halves(3)["clip_l"], "text_encoders_1": halves(3)["clip_g"]},
        halves(3),
    ),
    (
        "outputs beside",
        {**halves(2), **{f"{half}_out": tensor for half, tensor in halves(2, seed=9).items()}},
        halves(2),
    ),
    ("a bundle alone", bundle("tile", halves(2)), halves(2)),
]


@pytest.mark.parametrize(("tensors", "expected"), [f[1:] for f in FORMS], ids=[f[0] for f in FORMS])
def test_each_form_of_embeddings_is_known_by_its_tokens(
    tensors: Tensors, expected: Tensors, load_sdxl: LoadSdxl, tmp_path: Path
) -> None:
    path = as_folder(tmp_path, {"e.safetensors": save(tensors)}) / "e.safetensors"
    if any(tensor.dtype == np.float16 for tensor in tensors.values()):
        expected = {half: t.astype(np.float16).astype(np.float32) for half, t in expected.items()}
    assert_knows(load_sdxl(EMBEDDINGS=path), expected)


def test_outputs_that_are_not_read_are_told(check: Callable[..., str], tmp_path: Path) -> None:
    tensors = {**halves(1), "clip_l_out": halves(1)["clip_l"], "clip_g_out": halves(1)["clip_g"]}
    path = as_folder(tmp_path, {"e.safetensors": save(tensors)}) / "e.safetensors"
    said = check(EMBEDDINGS=path)
    assert f"ok     embeddings: {path}: 1 vector; clip_g_out, clip_l_out, for OneTrainer's" in said


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({f"{h}_out": t for h, t in halves().items()}, "clip_l_out is trained for the output"),
        (
            {h: t.astype(np.int32) for h, t in halves().items()},
            "numbers of type I32, and embeddings are F64, F32, F16, BF16, F8_E4M3 or F8_E5M2; ",
        ),
        ({h: t.T.copy() for h, t in halves().items()}, "clip_l has shape 768x2"),
        ({h: t[:, None] for h, t in halves().items()}, "clip_l has shape 2x1x768"),
        ({**halves(), "extra": np.ones(1)}, "extra belongs to no text encoder"),
        ({**halves(), "emb_params": np.ones((1, 768))}, "emb_params belongs to no text encoder"),
        (lora(), "not SDXL embeddings"),
        ({"<tile>": np.ones((2, 768))}, "or is one of a pair whose other file is not beside it"),
    ],
)
def test_what_is_no_embeddings_is_refused_with_the_reason(
    tensors: Tensors,
    sentence: str,
    load_sdxl: LoadSdxl,
    check: Callable[..., str],
    tmp_path: Path,
) -> None:
    path = as_folder(tmp_path, {"e.safetensors": save(tensors)}) / "e.safetensors"
    said = refusal(load_sdxl, EMBEDDINGS=path)
    assert said.startswith(f"{path}: ")
    assert sentence in said
    assert sentence in check(EMBEDDINGS=path)


def pair(vectors: Tensors, end: str = "", token: str = "<tile>") -> Files:
    """As diffusers' textual_inversion_sdxl.py saves it."""
    return {
        f"learned_embeds{end}.safetensors": save({token: vectors["clip_l"]}),
        f"learned_embeds_2{end}.safetensors": save({token: vectors["clip_g"]}),
    }


@pytest.mark.parametrize("token", ["<tile>", "my-lora"])
def test_a_pair_of_files_is_one_set_of_embeddings(
    token: str, load_sdxl: LoadSdxl, check: Callable[..., str], tmp_path: Path
) -> None:
    files = {
        **pair(halves(3), token=token),
        **pair(halves(2), "-steps-500", token),
        "checkpoint-500/pytorch_lora_weights.safetensors": save(lora()),
    }
    folder = as_folder(tmp_path / "folder", files)
    first, second = (folder / f"learned_embeds{end}.safetensors" for end in ("", "_2"))
    for named in (folder, first, second):
        assert_knows(load_sdxl(EMBEDDINGS=named), halves(3))
    steps = folder / "learned_embeds-steps-500.safetensors"
    assert_knows(load_sdxl(EMBEDDINGS=steps), halves(2))
    assert f"embeddings: {first} and {second}: 3 vectors" in check(EMBEDDINGS=folder)
    packed = as_tar(tmp_path / "weights", {**files, "lora.safetensors": save(lora())})
    assert_knows(load_sdxl(packed), halves(3))
    assert_knows(load_sdxl(first, LORA="none"), halves(3))
    second.unlink()
    assert "learned_embeds.safetensors" in refusal(load_sdxl, EMBEDDINGS=first)


# The trigger word


TRIGGERS: list[tuple[str, dict[str, str], Files, str]] = [
    ("nothing said", {}, {}, "ohwx_rubber_tile"),
    ("special_params", {}, {"special_params.json": b'{"TOK": "<s0><s1>"}'}, "TOK"),
    (
        "the first of several",
        {},
        {"special_params.json": b'{"n": 2, "TOK": "<s0>", "TOK2": "<s1>"}'},
        "TOK",
    ),
    ("notes", {"modelspec.trigger_phrase": "rubber, tile"}, {}, "rubber, tile"),
    ("notes with tokens", {"modelspec.trigger_phrase": "TOK <s0><s1>"}, {}, "TOK"),
    (
        "a package before notes",
        {"trigger_phrase": "a"},
        {"special_params.json": b'{"b": "<s0>"}'},
        "b",
    ),
    ("ai-toolkit", {"ss_tag_frequency": '{"1_gum": {"gum": 1}}'}, {}, "gum"),
    ("kohya's", {"ss_tag_frequency": '{"4_gum": {"red": 9, "gum": 2}}'}, {}, "ohwx_rubber_tile"),
    ("a folder without captions", {"ss_tag_frequency": '{"10_gum": {"gum": 20}}'}, {}, "gum"),
    (
        "one tag in all folders",
        {"ss_tag_frequency": '{"10_red": {"gum": 9}, "5_new": {"gum": 4}}'},
        {},
        "gum",
    ),
    (
        "folders of their own words",
        {"ss_tag_frequency": '{"10_red": {"red": 9}, "5_blue": {"blue": 4}}'},
        {},
        "ohwx_rubber_tile",
    ),
    ("no word at all", {"modelspec.trigger_phrase": "x" * 101}, {}, "ohwx_rubber_tile"),
]


@pytest.mark.parametrize(
    ("notes", "beside", "word"), [case[1:] for case in TRIGGERS], ids=[case[0] for case in TRIGGERS]
)
@pytest.mark.parametrize("form", ["tar", "LORA", "LORA folder"])
def test_the_trigger_is_what_the_weights_say(
    form: str,
    notes: dict[str, str],
    beside: Files,
    word: str,
    small_sdxl: SmallSdxl,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    files = {"lora.safetensors": save(lora(), notes), **beside}
    changed: dict[str, str | Path] = {"EMBEDDINGS": "none"}
    arguments: list[str] = []
    if form == "tar":
        arguments = ["--weights", str(as_tar(tmp_path / "weights", files))]
    else:
        folder = as_folder(tmp_path / "weights", files)
        changed["LORA"] = folder if "folder" in form else folder / "lora.safetensors"
    for name, value in small_sdxl.settings(**changed).items():
        monkeypatch.setenv(name, value)
    planned = ["plan", "--color", "red=100", *arguments]
    assert main(planned) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["trigger"] == word
    assert plan["prompt"].startswith(f"{word}, 100% red, ")
    monkeypatch.setenv("PLITKA_TRIGGER", "granules")
    assert main(planned) == 0
    assert json.loads(capsys.readouterr().out)["prompt"].startswith("granules, 100% red, ")


def test_check_and_the_engine_tell_the_trigger(
    load_sdxl: LoadSdxl, check: Callable[..., str], tmp_path: Path
) -> None:
    files = {
        "lora.safetensors": save(lora()),
        "embeddings.pti": save(halves(4)),
        "special_params.json": b'{"TOK": "<s0><s1><s2><s3>"}',
    }
    path = as_tar(tmp_path / "weights", files)
    engine = load_sdxl(path)
    assert engine.subject.text == "TOK <s0><s1><s2><s3>"
    assert f"trigger: TOK, as {path}: special_params.json says\n" in check(path)
    assert "trigger: gum, as PLITKA_TRIGGER says\n" in check(path, TRIGGER="gum")
    notes = {"trigger_word": "x" * 101}
    long = as_folder(tmp_path / "long", {"l.safetensors": save(lora(), notes)})
    said = check(LORA=long, TRIGGER="")
    assert f"warn   trigger: that of trigger_word of {long}/l.safetensors is not" in said
    assert "is not used; PLITKA_TRIGGER names another\n" in said
    assert load_sdxl(LORA=long, TRIGGER="").subject.trigger == "ohwx_rubber_tile"


KOHYA_TAGS = {
    "ss_tag_frequency": json.dumps(
        {
            "10_gum tile": {"60% red": 3, "gum": 18, "40% blue": 2, "30% red": 1, "1e5": "x"},
            "2_gum": {"gum": 2, "60% red": 10**4000},
            "empty": {},
            "odd": [],
        }
    )
}


def test_check_and_the_log_warn_of_a_lora_that_names_no_trigger_and_tell_what_it_notes(
    load_sdxl: LoadSdxl,
    check: Callable[..., str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    noted = save(lora(), KOHYA_TAGS)
    path = as_folder(tmp_path, {"own.safetensors": noted}) / "own.safetensors"
    said = check(LORA=path, EMBEDDINGS="none", TRIGGER="")
    warning = (
        f"trigger: ohwx_rubber_tile, the default, for nothing in or beside {path} says with which"
        " word it was trained (its training's most frequent tags are gum (20), 60% red (3), 40%"
        " blue (2); its folders are 10_gum tile, 2_gum); set PLITKA_TRIGGER to that word"
    )
    assert f"warn   {warning}\n" in said
    load_sdxl(LORA=path, EMBEDDINGS="none", TRIGGER="")
    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [warning]
    with caplog.at_level("INFO", "plitka"):
        load_sdxl(LORA=path, EMBEDDINGS="none", TRIGGER="gum")
    assert "trigger: gum, as PLITKA_TRIGGER says" in caplog.messages


def test_check_tells_the_default_trigger_of_the_default_lora_and_of_none(
    check: Callable[..., str], tmp_path: Path
) -> None:
    assert "ok     trigger: ohwx_rubber_tile, the default\n" in check()
    files = {"rubber-tile-lora-v4_sdxl_lora.safetensors": save(lora())}
    said = check(LORA=as_folder(tmp_path, files), TRIGGER="")
    verdict = "ohwx_rubber_tile, the default; nothing in or beside the LoRA names another"
    assert f"ok     trigger: {verdict}\n" in said
    assert "trigger: not known before the LoRA is whole\n" in check(LORA=tmp_path / "absent.pt")


@pytest.mark.parametrize(
    ("name", "warned"), [("own", True), ("rubber-tile-lora-v4_sdxl_lora", False)]
)
def test_the_default_embeddings_beside_another_lora_are_warned_of(
    name: str, warned: bool, small_sdxl: SmallSdxl, tmp_path: Path
) -> None:
    path = as_folder(tmp_path, {f"{name}.safetensors": save(lora())}) / f"{name}.safetensors"
    named = read_weights_settings(small_sdxl.settings(LORA=path))
    unnamed = replace(named, named=named.named - {"PLITKA_EMBEDDINGS"})
    for settings, expected in ((named, False), (unnamed, warned)):
        found = inspect(settings, Package("", None, None), architecture, "gum").findings
        said = [f.verdict for f in found if f.part == "embeddings" and f.warning]
        assert bool(said) == expected
        if said:
            assert said[0].endswith(
                f"belongs to rubber-tile-lora-v4_sdxl_lora.safetensors, and {path} is used; set"
                " PLITKA_EMBEDDINGS to the file that was trained with that, or to none"
            )


@pytest.mark.parametrize("text", ["two\nlines", "x" * 101, "tile <s0>", "\x1b[1m"])
def test_a_trigger_that_no_prompt_can_hold_is_refused(
    text: str, load_sdxl: LoadSdxl, check: Callable[..., str]
) -> None:
    assert refusal(load_sdxl, TRIGGER=text).startswith("PLITKA_TRIGGER: got ")
    assert "PLITKA_TRIGGER: got " in check(TRIGGER=text)
