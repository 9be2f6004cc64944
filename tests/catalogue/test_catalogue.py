"""A catalogue from start to end: bad rows, resuming, workers, and what tells of all tiles."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import pyarrow.parquet as parquet
import pytest

from plitka.catalogue.drawing import Done, Drawer, Failed, Job
from plitka.catalogue.rows import Row, Sheet
from plitka.catalogue.run import Order, draw_missing
from plitka.catalogue.shelf import LocalShelf
from plitka.cli.main import main
from plitka.images import png
from plitka.request.recipe import draw_seed
from plitka.settings import read_settings
from tests.support.command_line import ROOT, list_workers, run_program
from tests.support.recipes import parse, request

if TYPE_CHECKING:
    from tests.support.small_sdxl import SmallSdxl

TABLE = "name,red,white,angle\nA1,60,40,\nA2,50,50,30\nA3,0,100,\nA4,70,30,45\nA5,25,75,\n"
COUNT = 5


@pytest.mark.parametrize(("tiles", "loaded"), [(19, set()), (20, {"canny", "softedge"})])
def test_for_many_tiles_the_engine_is_prepared_and_for_few_it_is_not(
    tiles: int,
    loaded: set[str],
    small_sdxl: "SmallSdxl",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a CPU that is no more than to load the ControlNets."""
    for name, value in small_sdxl.settings().items():
        monkeypatch.setenv(name, value)
    recipe = draw_seed(parse(request({"red": 100})))
    jobs = [Job(Row(n, f"A{n}", f"A{n}", recipe), "") for n in range(tiles)]
    sheet = Sheet(tuple(job.row for job in jobs), (), (), "line")
    order = Order(sheet, read_settings().choose_engine(None, "sdxl"), ("final",), overlap=False)
    threads = cv2.getNumThreads()
    seen: list[set[str]] = []

    class Crew:
        def draw(
            self, drawer: Drawer, jobs: Sequence[Job]
        ) -> Generator[tuple[Job, Done | Failed], None, None]:
            drawer.load()
            engine: Any = drawer._engine
            seen.append(set(engine.controlnets.loaded))
            yield from ()

    shelf = LocalShelf(tmp_path, zipped=False)
    with shelf.hold():
        assert list(draw_missing(order, shelf, jobs, Crew())) == []
    cv2.setNumThreads(threads)  # a worker has one
    assert seen == [loaded]


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    file = tmp_path / "recipes.csv"
    file.write_text(TABLE)
    return file


def make(recipes: Path, out: Path, *options: str) -> int:
    """Make a catalogue of colormaps, the quickest picture."""
    quick = ("--engine", "render", "--pictures", "colormap")
    return main(["catalogue", str(recipes), "--out", str(out), *quick, *options])


def start(recipes: Path, out: Path, *options: str) -> "subprocess.Popen[str]":
    quick = ("--engine", "render", "--pictures", "colormap", "-v", *options)
    return subprocess.Popen(
        [sys.executable, "-m", "plitka", "catalogue", recipes, "--out", out, *quick],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_tile(process: "subprocess.Popen[str]") -> None:
    """Wait until a run says that it has drawn a tile."""
    assert process.stderr is not None
    assert any(re.match(r".*A\d: [\d.]+ s", line) for line in process.stderr)


def read_products(out: Path) -> dict[str, bytes]:
    """Read all that a catalogue consists of, without the seconds."""
    files = {
        str(file.relative_to(out)): file.read_bytes()
        for file in sorted(out.rglob("*"))
        if file.is_file() and ".plitka" not in file.parts
    }
    files.pop("catalogue.parquet")  # a test of its own compares it with the CSV
    rows = list(csv.reader(io.StringIO(files.pop("catalogue.csv").decode("utf-8-sig"))))
    assert rows[0][-1] == "seconds"
    return {**files, "catalogue.csv": json.dumps([row[:-1] for row in rows]).encode()}


def list_times(out: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in (out / ".plitka").glob("*.json")}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue that nobody has disturbed."""
    folder = tmp_path_factory.mktemp("quiet")
    (folder / "recipes.csv").write_text(TABLE)
    assert make(folder / "recipes.csv", folder / "out") == 0
    return folder / "out"


def test_every_row_has_its_tile_with_its_record(quiet: Path) -> None:
    for name in ("A1", "A2", "A3", "A4", "A5"):
        folder = quiet / "tiles" / name
        assert {file.name for file in folder.iterdir()} == {"colormap.png", "tile.json"}
        told = json.loads((folder / "tile.json").read_bytes())
        record = png.read_record((folder / "colormap.png").read_bytes())
        assert record is not None
        assert json.loads(record)["request"] == told["request"]
        assert (quiet / "thumbnails" / f"{name}.jpg").read_bytes()[:2] == b"\xff\xd8"


def test_the_tables_tell_shares_files_and_seconds(quiet: Path) -> None:
    text = (quiet / "catalogue.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    table = parquet.read_table(quiet / "catalogue.parquet").to_pylist()
    assert [row["name"] for row in rows] == ["A1", "A2", "A3", "A4", "A5"]
    for row, same in zip(rows, table, strict=True):
        assert {key: str(same[key]) for key in ("name", "number", "seed", "seconds")} == {
            key: row[key] for key in ("name", "number", "seed", "seconds")
        }
        asked, shown = json.loads(row["asked"]), json.loads(row["shown"])
        assert dict(same["asked"]) == asked
        assert asked.keys() == shown.keys()
        assert all(abs(asked[name] - shown[name]) < 0.01 for name in asked)
        assert json.loads(row["files"]) == same["files"]
        assert all((quiet / file).is_file() for file in same["files"])
        assert float(row["seconds"]) > 0


def test_bad_rows_end_it_before_anything_is_drawn(
    recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipes.write_text(f"{TABLE}A6,60,30,\nA7,60,40,400\n")
    assert make(recipes, tmp_path / "out") == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith('line 7 ("A6"): colors: proportions add up to 90')
    assert lines[1].startswith('line 8 ("A7"): angle: got 400')
    assert lines[2].startswith("2 of 7 rows are bad, and nothing was drawn")


def test_what_the_engine_cannot_draw_is_told_with_the_bad_rows_before_it_is_loaded(
    recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipes.write_text(
        "name,red,white,quality,lora_scale\nA1,60,40,,\nA2,60,40,turbo,\nA3,60,30,,\nA4,60,40,,0.5\n"
    )
    out = tmp_path / "out"
    assert main(["catalogue", str(recipes), "--out", str(out), "--engine", "sdxl"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith('line 3 ("A2"): quality: "turbo" needs a distilled LoRA')
    assert lines[1].startswith('line 4 ("A3"): colors: proportions add up to 90')
    assert lines[2].startswith('line 5 ("A4"): overrides.lora_scale: got 0.5')
    assert lines[3].startswith("3 of 4 rows are bad, and nothing was drawn")
    assert not out.exists()
    assert not (tmp_path / "out").exists()


def test_killed_it_goes_on_where_it_was_with_the_same_bytes(
    recipes: Path, quiet: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = start(recipes, out)
    wait_for_tile(process)
    process.kill()
    process.communicate()
    with LocalShelf(out, zipped=False).hold():  # what its worker had begun is done
        before = list_times(out)
    assert 1 <= len(before) < COUNT
    assert {file.name for file in (out / "tiles").iterdir()} == {name[:-5] for name in before}
    assert make(recipes, out) == 0
    after = list_times(out)
    assert {name: after[name] for name in before} == before
    assert read_products(out) == read_products(quiet)


def test_a_worker_that_is_killed_costs_no_tile(recipes: Path, quiet: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(recipes, out, "--workers", "2")
    wait_for_tile(process)
    list_workers(process.pid)[0].kill()
    process.communicate()
    assert process.returncode == 0
    assert read_products(out) == read_products(quiet)


def test_an_interrupt_ends_it_cleanly(recipes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(recipes, out)
    wait_for_tile(process)
    workers = list_workers(process.pid)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130
    assert "the same command goes on with them" in told
    assert "Traceback" not in told
    assert not any(worker.is_running() for worker in workers)
    with LocalShelf(out, zipped=False).hold():
        assert not list((out / "tiles").glob(".*"))


def test_a_changed_table_has_only_its_changed_rows_drawn(
    recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert make(recipes, out, "--zip") == 0
    before = list_times(out)
    changed = TABLE.replace("A2,50,50,30", "A2,50,50,31")
    changed = changed.replace("A5,25,75,", "A6,100,,\nA7,1,1,")
    recipes.write_text(changed)
    capsys.readouterr()
    assert make(recipes, out, "--zip", "--keep-going", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["drawn"], told["there_already"], told["failed"]) == (2, 3, [])
    assert told["of_rows_that_are_gone"] == ["A5"]
    after = list_times(out)
    assert {name for name in before if before[name] != after[name]} == {"A2.json"}
    with zipfile.ZipFile(out / "tiles" / "A6.zip") as packed:
        assert packed.namelist() == ["colormap.png", "tile.json"]
        assert {entry.date_time[0] for entry in packed.infolist()} == {1980}
    told_rows = (out / "catalogue.csv").read_text(encoding="utf-8-sig").splitlines()
    assert sum(",refused," in row for row in told_rows) == 1


def test_a_tile_of_which_a_file_is_lost_is_drawn_again(
    quiet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf = LocalShelf(quiet, zipped=False)
    lost = quiet / "tiles" / "A3" / "colormap.png"
    content = lost.read_bytes()
    lost.write_bytes(content[:-1])
    assert shelf.read_records(["A3"]) == {}
    lost.write_bytes(content)
    assert shelf.read_records(["A3"]).keys() == {"A3"}


def test_a_catalogue_at_an_address_has_the_same_bytes_and_is_gone_on_with(
    recipes: Path, quiet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["catalogue", str(recipes), "--out", f"file://{tmp_path / 'out'}"]
    arguments += ["--engine", "render", "--pictures", "colormap", "--json"]
    assert main(arguments) == 0
    assert read_products(tmp_path / "out") == read_products(quiet)
    (tmp_path / "out" / ".plitka" / "A4.json").unlink()
    capsys.readouterr()
    assert main(arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["drawn"], told["there_already"]) == (1, 4)
    assert read_products(tmp_path / "out") == read_products(quiet)


def test_two_runs_do_not_work_in_one_folder(
    recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with LocalShelf(out, zipped=False).hold():
        assert make(recipes, out) == 2
    assert "another run is making this catalogue" in capsys.readouterr().err


def test_an_engine_that_cannot_be_loaded_is_told_once(recipes: Path, tmp_path: Path) -> None:
    options = ("--out", tmp_path / "out", "--engine", "photo", "--workers", "2")
    ended = run_program("catalogue", recipes, *options, PLITKA_BANK=str(tmp_path / "nowhere"))
    assert ended.returncode == 1
    (line,) = ended.stderr.decode().splitlines()
    assert "nowhere" in line


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may write into, unless as root: a file is in its place."""
    (tmp_path / "file").write_text("")
    yield tmp_path / "file" / "out"
    assert (tmp_path / "file").read_text() == ""


def test_where_nothing_can_be_written_it_says_so(
    recipes: Path, full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make(recipes, full) == 1
    assert os.strerror(20) in capsys.readouterr().err
