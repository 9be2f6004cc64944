import json
import zipfile
from pathlib import Path

import pytest

from plitka.cli.main import BAD_REQUEST, main

ASKED = ("texture", "--side-mm", "63", "--color", "red=60", "--color", "white=40", "--seed", "7")


def test_a_texture_comes_as_a_zip_file_with_all_that_its_manifest_names(tmp_path: Path) -> None:
    assert main([*ASKED, "--out", str(tmp_path / "rubber.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "rubber.zip") as packed:
        names = packed.namelist()
        told = json.loads(packed.read(next(name for name in names if name.endswith(".json"))))
    stem = "red-60_white-40_seed7_63mm_1k"
    assert {name.split("/")[0] for name in names} == {stem}
    files = {f"{stem}/{entry['file']}" for entry in told["files"].values()}
    assert set(names) == files | {f"{stem}/texture.json"}
    assert told["pixels"] == 1024
    assert told["side_mm"] == 63


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--side-mm", "1000"), "it can be 63 to 320 mm"),
        (("--granule-mm", "0"), "allowed are 1 to 4 mm"),
    ],
)
def test_a_texture_that_cannot_be_is_refused_before_anything_is_drawn(
    options: tuple[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*ASKED, *options, "--out", str(tmp_path / "x")]) == BAD_REQUEST
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
