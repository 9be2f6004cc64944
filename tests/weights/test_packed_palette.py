"""The palette that comes with weights: read by all that reads recipes, baked into snapshots."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.numpy import save

from plitka.cli.main import main
from plitka.color.palette import COLUMNS, PaletteError
from plitka.color.tone_table import RANKS, format_tone
from plitka.designer import run as designer
from plitka.errors import WeightsError
from plitka.settings import read_settings
from predict import Predictor
from tests.support.packages import PACKERS, Files, Pack, as_folder, as_tar, as_zip
from tests.support.small_sdxl import SmallSdxl
from tests.weights.test_adapter_files import halves, lora

STEPS = {"num_inference_steps_preview": 1, "num_inference_steps_final": 1, "strength": 1}
GREENS = ("#2e8b57", "50.5,-40.0,17.5")
RED = ("#a02020", "34.9,51.0,35.0")


def row(code: str, phrase: str, look: tuple[str, str] = GREENS, tone: str = "") -> str:
    srgb, lab = look
    low, high = float(lab.split(",")[0]) - 9, float(lab.split(",")[0]) + 9
    return f"{code},{phrase},{srgb},{lab},{low},{low},{high},{high},4,4,1.jpg,{tone}\n"


def table(*rows: str) -> bytes:
    return (",".join(COLUMNS) + "\n" + "".join(rows)).encode()


MOSS = table(row("MOSS", "moss"))


def files(palette: bytes | None = MOSS, name: str = "palette.csv") -> Files:
    packed = {"lora.safetensors": save(lora()), "embeddings.safetensors": save(halves())}
    return packed if palette is None else {**packed, name: palette}


@pytest.fixture
def small(small_sdxl: SmallSdxl, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in small_sdxl.settings(EMBEDDINGS="none").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PLITKA_PALETTE", raising=False)


def find_phrase(source: Path | None, name: str, engine: str | None = None) -> str:
    return read_settings().load_palette(source, engine).find(name).phrase


@PACKERS
@pytest.mark.parametrize("name", ["palette.csv", "out/palette.csv"])
def test_a_packages_palette_is_read_wherever_it_lies(
    pack: Pack, name: str, small: None, tmp_path: Path
) -> None:
    package = pack(tmp_path / "trained", files(name=name))
    assert find_phrase(package, "MOSS") == "moss"
    assert find_phrase(package, "RED") == "red"


def test_a_color_s_tone_comes_with_the_palette(small: None, tmp_path: Path) -> None:
    tone = tuple((34.5 + step / 2, -40.0, 17.5) for step in range(len(RANKS)))
    packed = table(row("MOSS", "moss", tone=format_tone(tone)), row("BRICK", "brick", RED))
    palette = read_settings().load_palette(as_tar(tmp_path / "trained", files(packed)))
    assert palette.find("moss").tone == tone
    assert palette.find("brick").tone == ()


def test_it_replaces_built_in_colors_and_is_replaced_by_the_makers_file(
    small: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = table(row("RED", "red", RED), row("MOSS", "moss"))
    package = as_tar(tmp_path / "trained", files(own))
    palette = read_settings().load_palette(package)
    assert palette.find("red").hex == "#a02020"
    (tmp_path / "ours.csv").write_bytes(table(row("MOSS", "moss", RED)))
    monkeypatch.setenv("PLITKA_PALETTE", str(tmp_path / "ours.csv"))
    palette = read_settings().load_palette(package)
    assert [palette.find(name).hex for name in ("red", "moss")] == ["#a02020", "#a02020"]


def test_without_one_and_for_the_render_engine_only_the_other_colors_are_known(
    small: None, tmp_path: Path
) -> None:
    plain = as_tar(tmp_path / "plain", files(None))
    alone = tmp_path / "lora.safetensors"
    alone.write_bytes(save(lora()))
    names = {color.code for color in read_settings().load_palette(plain).colors}
    assert "MOSS" not in names
    for source in (alone, None, ""):
        assert {color.code for color in read_settings().load_palette(source).colors} == names
    package = as_tar(tmp_path / "trained", files())
    drawn = read_settings().load_palette(package, "render")
    assert {color.code for color in drawn.colors} == names


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "its first line names no column code"),
        (b"\xff\xfe", "is no text file in UTF-8"),
        (table(), "has no colours"),
        (table(row("moss", "moss")), 'row "moss": a code is 2 to 16 capital letters'),
        (table(row("MOSS", "red")), '"red" names both RED and MOSS'),
        (table(row("MOSS", "moss").replace("4,4", "4,nan")), "b_std: got"),
        (table(row("MOSS", "moss", ("#ffffff", GREENS[1]))), "are different colours"),
    ],
)
def test_a_palette_that_is_none_is_named_with_its_package(
    content: bytes, sentence: str, small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = as_zip(tmp_path / "trained", files(content))
    with pytest.raises(PaletteError) as fault:
        read_settings().load_palette(package)
    assert str(fault.value).startswith(f"{package}: palette.csv: ")
    assert sentence in str(fault.value)
    assert main(["plan", "--color", "red=100", "--weights", str(package)]) == 1
    assert sentence in capsys.readouterr().err
    assert main(["check", "--weights", str(package)]) == 1
    assert f"FAULT  palette: {package}: palette.csv: " in capsys.readouterr().out
    assert main(["bake", str(tmp_path / "baked"), "--weights", str(package)]) == 1
    assert not (tmp_path / "baked").exists()


def test_one_that_is_too_large_and_two_of_them_are_refused(small: None, tmp_path: Path) -> None:
    large = as_tar(tmp_path / "large", files(b"#" * (1 << 20) + b"\n"))
    with pytest.raises(WeightsError, match=r"palette\.csv: larger than 1 MiB"):
        read_settings().load_palette(large)
    packed = {**files(name="a/palette.csv"), "b/palette.csv": MOSS}
    two = as_tar(tmp_path / "two", packed)
    with pytest.raises(WeightsError, match=r"holds a/palette\.csv, b/palette\.csv; leave one"):
        read_settings().load_palette(two)
    packed |= {"palette.csv": MOSS, "._palette.csv": b"\0", "checkpoint-9/palette.csv": b"\0"}
    assert find_phrase(as_tar(tmp_path / "three", packed), "MOSS") == "moss"


def test_nothing_leads_out_of_the_archive(small: None, tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as packed:
        entry = tarfile.TarInfo("../palette.csv")
        entry.size = len(MOSS)
        packed.addfile(entry, io.BytesIO(MOSS))
    with pytest.raises(WeightsError, match="points out of the folder"):
        read_settings().load_palette(path)


def test_check_names_it(small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = as_tar(
        tmp_path / "trained", files(table(row("MOSS", "moss"), row("RED", "red", RED)))
    )
    main(["check", "--weights", str(package)])
    assert f"ok     palette: {package}: palette.csv: 2 colours" in capsys.readouterr().out


# All that reads recipes


def test_the_commands_know_its_colors(
    small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    package = str(as_tar(tmp_path / "trained", files()))
    assert main(["plan", "--color", "MOSS=100", "--weights", package]) == 0
    assert "100% moss" in json.loads(capsys.readouterr().out)["prompt"]
    recipe = {"colors": [{"name": "MOSS", "proportion": 100}], "seed": 1, "overrides": STEPS}
    out = tmp_path / "tile"
    arguments = ["make", json.dumps(recipe), "--out", str(out), "--weights", package, "--json"]
    assert main(arguments) == 0
    with Image.open(out / "final.png") as picture:
        assert "100% moss" in json.loads(picture.info["plitka"])["prompt"]
    assert main(["plan", "--color", "MOSS=100"]) == 2
    monkeypatch.setenv("COG_WEIGHTS", package)
    capsys.readouterr()
    assert main(["measure", str(out / "final.png"), "--colors", "MOSS", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["shares"] == {"MOSS": 1.0}
    assert main(["palette", "--json"]) == 0
    assert "MOSS" in capsys.readouterr().out


def test_the_designer_knows_its_colors(
    small: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Any] = []

    class Seen(Exception):
        """The page would be served now."""

    def make_app(backend: object, palette: Any, defaults: object) -> None:
        seen.append(palette)
        raise Seen

    monkeypatch.setattr("plitka.designer.server.make_app", make_app)
    package = as_folder(tmp_path / "trained", files())
    for backend in ("sdxl", "http://127.0.0.1:9"):
        monkeypatch.setenv("PLITKA_PHOTOGRAPH", backend)
        with pytest.raises(Seen):
            designer.run(read_settings(), package, 0, False)
    assert [any(color.code == "MOSS" for color in palette.colors) for palette in seen] == [
        True,
        False,
    ]


def test_setup_and_a_baked_snapshot_know_its_colors(
    small: None,
    small_sdxl: SmallSdxl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    package = as_tar(tmp_path / "trained", files())
    predictor = Predictor()
    predictor.setup(str(package))
    assert predictor.palette.find("moss").code == "MOSS"

    baked = tmp_path / "snapshot"
    assert main(["bake", str(baked), "--weights", str(package)]) == 0
    assert (baked / "palette.csv").read_bytes() == MOSS
    for name in small_sdxl.settings():
        monkeypatch.delenv(name)
    monkeypatch.setenv("PLITKA_BASE", str(baked))
    predictor = Predictor()
    predictor.setup()
    assert predictor.palette.find("moss").code == "MOSS"
    assert find_phrase(None, "MOSS") == "moss"
    capsys.readouterr()
    main(["check"])
    assert f"ok     palette: {baked / 'palette.csv'}: 1 colour" in capsys.readouterr().out
    (baked / "palette.csv").write_bytes(MOSS.replace(b"moss", b"mess"))
    with pytest.raises(WeightsError, match=r"palette\.csv: damaged, not what was baked"):
        read_settings().load_palette(None)
