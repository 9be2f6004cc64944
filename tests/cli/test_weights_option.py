"""`--weights`: the package that `make`, `plan`, `bench` and `design` take as `setup()` takes it."""

import asyncio
import json
from pathlib import Path

import pytest
from PIL import Image
from safetensors.numpy import save

from plitka.cli.arguments import build_parser
from plitka.cli.main import main
from plitka.designer.backends.select import select_backend
from plitka.designer.errors import Fault
from plitka.settings import read_settings
from tests.support.packages import as_tar
from tests.support.recipes import asked
from tests.support.small_sdxl import SmallSdxl
from tests.weights.test_adapter_files import halves, lora

TILE = ["--color", "red=100"]
STEPS = {"num_inference_steps_preview": 1, "num_inference_steps_final": 1, "strength": 1}
SHORT = json.dumps({"colors": [{"name": "red", "proportion": 100}], "seed": 1, "overrides": STEPS})


@pytest.fixture
def package(small_sdxl: SmallSdxl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A LoRA with three vectors and a trigger, for the small SDXL that the settings name."""
    for name, value in small_sdxl.settings(EMBEDDINGS="none").items():
        monkeypatch.setenv(name, value)
    files = {
        "lora.safetensors": save(lora()),
        "embeddings.pti": save(halves(3)),
        "special_params.json": b'{"TOK": "<s0><s1><s2>"}',
    }
    return as_tar(tmp_path / "trained", files)


@pytest.fixture
def broken(package: Path) -> Path:
    return as_tar(package.with_name("broken"), {"lora.safetensors": b""})


@pytest.mark.parametrize(
    "arguments",
    [["make", *TILE, "--out", "tile"], ["plan", *TILE], ["bench"], ["design"], ["check"],
     ["bake", "snapshot"]],
)  # fmt: skip
def test_every_command_that_draws_takes_it_and_cogs_variable_in_its_place(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COG_WEIGHTS", "cog.tar")
    parser = build_parser(read_settings())
    assert str(parser.parse_args(arguments).weights) == "cog.tar"
    assert str(parser.parse_args([*arguments, "--weights", "own.tar"]).weights) == "own.tar"


def test_make_draws_with_it_and_records_the_trigger(
    package: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "tile"
    arguments = ["make", SHORT, "--out", str(out), "--weights", str(package)]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trigger"] == "TOK"
    with Image.open(out / "final.png") as picture:
        record = json.loads(picture.info["plitka"])
    assert record["trigger"] == "TOK"
    assert record["prompt"].startswith("TOK <s0><s1><s2>, 100% red, ")


def test_plan_reads_headers_alone(
    package: Path,
    broken: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PLITKA_BASE", "/absent")
    assert main(["plan", *TILE, "--weights", str(package)]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["trigger"] == "TOK"
    assert plan["prompt"].startswith("TOK <s0><s1><s2>, 100% red, ")
    assert main(["plan", *TILE, "--weights", str(broken)]) == 1
    assert capsys.readouterr().err.startswith(f"{broken}: lora.safetensors: an empty file")


def test_plan_follows_the_embeddings_of_the_settings_and_needs_none_of_the_files(
    package: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    (tmp_path / "e.safetensors").write_bytes(save(halves(5)))
    for value, tokens in (
        ("none", ""),
        (str(tmp_path / "absent.safetensors"), " <s0><s1>"),
        (str(tmp_path / "e.safetensors"), " <s0><s1><s2><s3><s4>"),
    ):
        monkeypatch.setenv("PLITKA_EMBEDDINGS", value)
        assert main(["plan", *TILE]) == 0
        prompt = json.loads(capsys.readouterr().out)["prompt"]
        assert prompt.startswith(f"ohwx_rubber_tile{tokens}, 100% red, ")


def test_bench_and_the_designer_tell_its_faults(
    broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--model", "own", "--runs", "1", "--weights", str(broken)]) == 1
    assert f"{broken}: lora.safetensors: an empty file" in capsys.readouterr().err

    async def photograph() -> None:
        async for _ in select_backend(read_settings(), broken).photograph(asked({"red": 100})):
            pass

    with pytest.raises(Fault, match=r"lora\.safetensors: an empty file"):
        asyncio.run(photograph())


@pytest.mark.parametrize(
    "arguments",
    [
        ["make", *TILE, "--engine", "render", "--out", "tile"],
        ["bench", "--model", "small"],
        ["bench", "--model", "own", "--count-only"],
        ["check", "--engine", "render"],
        ["design"],
    ],
)
def test_it_is_refused_where_it_would_not_be_read(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLITKA_PHOTOGRAPH", "http://127.0.0.1:9")
    assert main([*arguments, "--weights", "/absent.tar"]) == 1
    assert capsys.readouterr().err.startswith("--weights: would not be read, because ")


def test_plan_needs_no_weights_for_the_render_engine_and_no_hub(
    broken: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for variable in ("PLITKA_LORA", "PLITKA_EMBEDDINGS"):
        monkeypatch.setenv(variable, "nobody/nothing")
    assert main(["plan", *TILE]) == 0
    assert "ohwx_rubber_tile <s0><s1>, 100% red" in capsys.readouterr().out
    monkeypatch.setenv("PLITKA_ENGINE", "render")
    monkeypatch.setenv("COG_WEIGHTS", str(broken))
    assert main(["plan", *TILE]) == 0
    assert "ohwx_rubber_tile <s0><s1>, 100% red" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["BASE", "VAE", "LORA", "EMBEDDINGS", "TURBO_LORA", "CONTROLNET_CANNY"]
)
def test_an_address_in_a_setting_of_a_file_is_told_so(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    address = "https://example.org/x/lora.safetensors"
    monkeypatch.setenv(f"PLITKA_{name}", f"{address}?token=veiled")
    assert main(["check"]) == 1
    out, err = capsys.readouterr()
    assert f"PLITKA_{name}: {address} is an address" in out + err
    assert "veiled" not in out + err
