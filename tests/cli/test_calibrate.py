"""`calibrate` of folders as people have them: one bad file costs itself alone."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plitka.cli.main import main
from plitka.color import palette
from plitka.images import png
from plitka.tile import render
from plitka.tile.layout import lay
from tests.support.command_line import list_workers, read_lines, run_program, start_program
from tests.support.odd_files import FAULTS
from tests.support.recipes import asked

Run = tuple[int, str, str]


@pytest.fixture(scope="module")
def sand(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A photograph of sand."""
    file = tmp_path_factory.mktemp("sand") / "1.png"
    png.save(render.render_picture(lay(asked({"sand": 100})), 256), file, {})
    return file.read_bytes()


@pytest.fixture
def folder(tmp_path: Path, sand: bytes) -> Path:
    """A folder with one photograph of one colour."""
    (tmp_path / "refs" / "OCHRE").mkdir(parents=True)
    (tmp_path / "refs" / "OCHRE" / "1.png").write_bytes(sand)
    return tmp_path / "refs"


def calibrated(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> Run:
    status = main(["calibrate", str(folder), "--out", str(folder.parent / "ours.csv"), *options])
    out, err = capsys.readouterr()
    return status, out, err


def written(folder: Path) -> list[dict[str, str]]:
    return palette.read_rows(folder.parent / "ours.csv")


@pytest.mark.parametrize("kind", FAULTS)
def test_a_photograph_that_cannot_be_read_is_told_and_the_color_measured_from_the_others(
    folder: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrated(capsys, folder)[0] == 0
    alone = written(folder)
    make, reason = FAULTS[kind]
    make(folder / "OCHRE" / "2.png")
    status, out, err = calibrated(capsys, folder)
    assert (status, err) == (0, "")
    (line,) = (line for line in out.splitlines() if line.startswith("OCHRE/2.png: left out: "))
    assert reason.replace("too small to measure", "too few") in line
    assert "1 left out, see above." in out
    assert written(folder) == alone


def test_each_file_has_a_json_line_and_the_summary_is_last(
    folder: Path, sand: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "OCHRE" / "2.png").write_bytes(sand[:1000])
    (folder / "OCHRE" / "notes.md").touch()
    (folder / "ochre").mkdir()
    (folder / "ochre" / "1.png").write_bytes(sand)
    (folder / "EMPTY").mkdir()
    status, out, err = calibrated(capsys, folder, "--json")
    assert (status, err) == (0, "")
    told, summary = read_lines(out.encode())
    assert {name: line["verdict"] for name, line in told.items()} == {
        "OCHRE/1.png": "measured",
        "OCHRE/2.png": "left out",
        "ochre": "left out",
    }
    assert "'ochre' is no colour code" in told["ochre"]["reason"]
    (color,) = summary.pop("colors")
    (row,) = written(folder)
    assert color == {"code": "OCHRE", "phrase": "ochre", "hex": row["median_srgb"]}
    assert summary == {
        "measured": 1,
        "left_out": 2,
        "passed_over": {"other_files": 1},
        "palette": str(folder.parent / "ours.csv"),
        "bank": None,
        "bank_colors": [],
        "not_in_bank": {},
        "finished": True,
    }


@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling link", "empty", "text"])
def test_a_phrase_that_cannot_be_read_costs_its_color_alone(
    folder: Path, sand: bytes, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "ROSE").mkdir()
    (folder / "ROSE" / "1.png").write_bytes(sand)
    FAULTS[kind][0](folder / "ROSE" / "phrase.txt")
    if kind == "text":
        (folder / "ROSE" / "phrase.txt").write_text("No phrase!")
    status, out, err = calibrated(capsys, folder)
    assert (status, err) == (0, "")
    assert "ROSE: left out: its phrase.txt" in out
    assert [row["code"] for row in written(folder)] == ["OCHRE"]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_where_no_color_can_be_measured_the_palette_stays_as_it_is(
    folder: Path, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    calibrated(capsys, folder)
    before = (folder.parent / "ours.csv").read_bytes()
    (folder / "OCHRE" / "1.png").write_bytes(b"")
    status, out, err = calibrated(capsys, folder, *options)
    assert status == 1
    assert err.count("\n") == 1
    assert "no colour could be measured" in err
    assert "OCHRE/1.png" in out
    if options:
        assert read_lines(out.encode())[1]["palette"] is None
    assert (folder.parent / "ours.csv").read_bytes() == before
    assert [file.name for file in folder.parent.iterdir() if file.is_file()] == ["ours.csv"]


def test_an_interrupted_calibration_writes_nothing_and_says_what_it_has(
    folder: Path, sand: bytes
) -> None:
    for number in range(2, 30):
        (folder / "OCHRE" / f"{number}.png").write_bytes(sand)
    ours = folder.parent / "ours.csv"
    with start_program("calibrate", folder, "--json", "--out", ours) as process:
        assert process.stdout
        first = process.stdout.readline()
        workers = list_workers(process.pid)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    told, summary = read_lines(first + out)
    assert (process.returncode, err) == (130, b"")
    assert (summary["finished"], summary["palette"]) == (False, None)
    assert 1 <= len(told) <= summary["measured"] <= len(told) + 1 < 29
    assert workers
    assert not any(worker.is_running() for worker in workers)
    assert not ours.exists()


def test_a_photograph_that_a_worker_dies_of_is_left_out(folder: Path, sand: bytes) -> None:
    for number in range(2, 20):
        (folder / "OCHRE" / f"{number}.png").write_bytes(sand)
    ours = folder.parent / "ours.csv"
    with start_program("calibrate", folder, "--json", "--out", ours) as process:
        assert process.stdout
        first = process.stdout.readline()
        killed = list_workers(process.pid)
        for worker in killed:
            worker.kill()
        out, err = process.communicate()
    told, summary = read_lines(first + out)
    assert (process.returncode, err) == (0, b"")
    assert 1 <= summary["left_out"] <= len(killed)
    assert summary["measured"] + summary["left_out"] == len(told) == 19
    (row,) = palette.read_rows(ours)
    assert row["measured_from"].startswith(f"{summary['measured']} photographs")


NAMES = [b"\xff.png", b"\x1b]0;title\x07.png", b"a\nb.png", b"[z].png", b":smile:.png"]


@pytest.mark.parametrize("env", [{}, {"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}], ids=str)
def test_names_are_told_as_they_are_and_garble_nothing(folder: Path, env: dict[str, str]) -> None:
    for name in NAMES:
        (folder / "OCHRE" / os.fsdecode(name)).write_bytes(b"no picture")
    (folder / "[b]").mkdir()
    (folder / "[b]" / "1.png").write_bytes(b"")
    ours = folder.parent / os.fsdecode(b"\xff[z].csv")
    done = run_program("calibrate", folder, "--out", ours, **env)
    assert (done.returncode, done.stderr) == (0, b"")
    out = done.stdout.decode("ascii" if "PYTHONIOENCODING" in env else "utf-8")
    assert all(letter.isprintable() for letter in out if letter != "\n")
    for shown in (r"\xff.png", r"\x1b]0;title\x07.png", r"a\nb.png", "[z].png", ":smile:.png"):
        assert f"OCHRE/{shown}: left out: " in out
    assert "[b]: left out: '[b]' is no colour code" in out
    assert out.endswith(f"{folder.parent}/\\xff[z].csv\n")
    done = run_program("calibrate", folder, "--json", "--out", ours, **env)
    told, summary = read_lines(done.stdout)
    assert {os.fsencode(name).removeprefix(b"OCHRE/") for name in told} >= set(NAMES)
    assert os.fsencode(summary["palette"]) == os.fsencode(ours)


def test_what_was_done_to_a_photograph_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exif = Image.Exif()
    exif[274] = 3  # orientation
    with Image.open(folder / "OCHRE" / "1.png") as picture:
        picture.save(folder / "OCHRE" / "2.png", exif=exif)
    told, _ = read_lines(calibrated(capsys, folder, "--json")[1].encode())
    assert [line["notes"] for line in told.values()] == [[], ["turned upright"]]
    lines = calibrated(capsys, folder)[1].splitlines()
    assert "OCHRE/2.png: turned upright" in lines
    assert not any(line.startswith("OCHRE/1.png") for line in lines)


def folder_of(parent: Path, code: str, phrase: str, picture: bytes) -> Path:
    """A folder of photographs with one colour."""
    (parent / code).mkdir(parents=True)
    (parent / code / "1.png").write_bytes(picture)
    (parent / code / "phrase.txt").write_text(phrase)
    return parent


def test_a_phrase_that_the_palette_of_out_has_already_is_left_out_by_name(
    tmp_path: Path, sand: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ours.csv"
    old, new = (
        folder_of(tmp_path / "old", "OLDONE", "rubin", sand),
        folder_of(tmp_path / "new", "NEWONE", "rubin", sand),
    )
    assert main(["calibrate", str(old), "--out", str(out)]) == 0
    before = out.read_bytes()
    capsys.readouterr()
    assert main(["calibrate", str(new), "--out", str(out)]) == 1
    assert '"rubin" names the colour OLDONE already' in capsys.readouterr().err
    assert out.read_bytes() == before


def test_a_color_that_no_palette_can_have_is_left_out_by_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 3, (256, 256))
    (folder / "NOISE").mkdir()
    shown = Image.fromarray(255 * np.eye(3, dtype=np.uint8)[noise])
    shown.save(folder / "NOISE" / "1.png")
    status, out, _ = calibrated(capsys, folder)
    assert status == 0
    assert "NOISE: left out: is no colour of a palette; what is measured: median_srgb" in out
    assert [row["code"] for row in written(folder)] == ["OCHRE"]
    assert palette.load(folder.parent / "ours.csv").find("ochre")


def test_rows_at_out_that_are_no_colors_are_told_before_the_work(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calibrated(capsys, folder)
    out = folder.parent / "ours.csv"
    out.write_text(before := out.read_text().replace("OCHRE", "ochre"))
    status, told, err = calibrated(capsys, folder, "--json")
    assert (status, told) == (1, "")
    assert f'{out}: row "ochre": a code is' in err
    assert out.read_text() == before


def test_comments_and_columns_of_a_makers_own_stay(
    folder: Path, sand: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    calibrated(capsys, folder)
    out = folder.parent / "ours.csv"
    head, *rows = (line for line in out.read_text().splitlines() if not line.startswith("#"))
    own = ["# Lot 7", f"{head},supplier", "# by hand", *(f"{row},Smith" for row in rows)]
    out.write_text("".join(f"{line}\n" for line in own))
    folder_of(folder, "ROSE", "dusky rose", sand)
    for _ in range(2):
        assert calibrated(capsys, folder)[0] == 0
        assert palette.read_comments(out)[1:] == ["# Lot 7", "# by hand"]
        assert {row["code"]: row["supplier"] for row in written(folder)} == {
            "OCHRE": "Smith",
            "ROSE": "",
        }
