"""Where commands write: a file whole or not at all, and nothing beside it is touched."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plitka.cli.main import main
from plitka.color import palette
from plitka.images import photograph, png
from plitka.tile import render
from plitka.tile.layout import lay
from tests.support.recipes import asked

SAND = ("--color", "sand=100", "--seed", "1")

Write = Callable[[Path | str], int]


@pytest.fixture(scope="module")
def sand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photographs with one of sand."""
    refs = tmp_path_factory.mktemp("refs")
    (refs / "OCHRE").mkdir()
    png.save(render.render_picture(lay(asked({"sand": 100})), 256), refs / "OCHRE" / "1.png", {})
    return refs


@pytest.fixture(params=["match", "calibrate"])
def write(request: pytest.FixtureRequest, sand: Path) -> Write:
    """A command that writes the file named by --out."""
    match = ("match", str(sand / "OCHRE" / "1.png"), *SAND)
    command = match if request.param == "match" else ("calibrate", str(sand))
    return lambda out: main([*command, "--out", str(out)])


def is_written(file: Path) -> bool:
    if file.read_bytes().startswith(b"\x89PNG"):
        return photograph.load(file).pixels.size > 0
    return [row["code"] for row in palette.read_rows(file)] == ["OCHRE"]


def test_files_of_like_names_beside_it_stay_as_they_are(write: Write, tmp_path: Path) -> None:
    mine = {f"a.{suffix}" for suffix in ("part", "new", "tmp", "bak", "x")} | {"a", ".a.x"}
    for name in mine - {"a.x"}:
        (tmp_path / name).write_text("mine")
    assert write(tmp_path / "a.x") == 0
    assert is_written(tmp_path / "a.x")
    for name in mine - {"a.x"}:
        assert (tmp_path / name).read_text() == "mine"
    assert {file.name for file in tmp_path.iterdir()} == mine


@pytest.mark.parametrize("name", ["a" * 255, "a.", ".a", " ", "a\nb.x", os.fsdecode(b"\xff.x")])
def test_any_name_that_a_file_can_have_is_written(write: Write, name: str, tmp_path: Path) -> None:
    assert write(tmp_path / name) == 0
    assert is_written(tmp_path / name)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_stays_and_its_target_is_written(write: Write, tmp_path: Path) -> None:
    for folder in ("there", "here"):
        (tmp_path / folder).mkdir()
    (tmp_path / "here" / "link").symlink_to("second")
    (tmp_path / "here" / "second").symlink_to("../there/file")
    for _ in range(2):  # the target is new, and then is there
        assert write(tmp_path / "here" / "link") == 0
        assert is_written(tmp_path / "there" / "file")
        assert (tmp_path / "here" / "link").readlink() == Path("second")
        assert (tmp_path / "here" / "second").is_symlink()
    assert len(list(tmp_path.rglob("*"))) == 5


@pytest.fixture
def mask() -> Iterator[int]:
    before = os.umask(0o027)
    yield 0o640
    os.umask(before)


def test_a_file_has_the_permissions_of_any_new_one_or_those_of_the_one_before(
    write: Write, tmp_path: Path, mask: int
) -> None:
    out = tmp_path / "out"
    assert write(out) == 0
    assert stat.S_IMODE(out.stat().st_mode) == mask
    out.chmod(0o604)
    assert write(out) == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o604


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, "is a pipe, not a file"),
    "link to a pipe": (lambda path: _link_to_pipe(path), "is a pipe, not a file"),
    "folder": (Path.mkdir, "is a folder, not a file"),
    "device": (lambda path: path.symlink_to("/dev/null"), "is a device, not a file"),
    "link in a circle": (lambda path: path.symlink_to(path.name), "levels of symbolic links"),
    "link to nowhere": (lambda path: path.symlink_to("no/file"), "No such file or directory"),
}


def _link_to_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_file_is_refused_by_name_before_the_work_and_stays(
    write: Write, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    ODD[kind][0](out)
    before = {path: path.lstat().st_ino for path in tmp_path.iterdir()}
    assert write(out) == 1
    told, err = capsys.readouterr()
    assert told == ""
    assert err.count("\n") == 1
    assert err.startswith(f"{out}: ")
    assert ODD[kind][1] in err
    assert {path: path.lstat().st_ino for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", [".", "..", "/", "./", "a" * 256, "no/folder"])
def test_a_name_that_no_file_can_have_is_refused_in_a_sentence_before_the_work(
    write: Write,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert write(name) == 1
    told, err = capsys.readouterr()
    assert (told, err.count("\n")) == ("", 1)
    assert "not a file" in err or "cannot be written (" in err
    assert not list(tmp_path.iterdir())


def test_make_refuses_the_place_of_one_picture_before_it_draws_any(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "colormap.png")
    assert main(["make", "--engine", "render", *SAND, "--out", str(tmp_path)]) == 1
    told, err = capsys.readouterr()
    assert told == ""
    assert err == f"{tmp_path}/colormap.png: is a pipe, not a file; name a file to write\n"
    assert [path.name for path in tmp_path.iterdir()] == ["colormap.png"]


EMPTY = [
    ("make", "--engine", "render", *SAND, "--out", ""),
    ("match", "", *SAND, "--out", "x.png"),
    ("match", "x.png", *SAND, "--out", ""),
    ("audit", ""),
    ("calibrate", ""),
    ("calibrate", "refs", "--out", ""),
    ("measure", "", "--colors", "sand"),
    ("bake", ""),
    ("bench", "--chart", ""),
]


@pytest.mark.parametrize("arguments", EMPTY, ids=" ".join)
def test_a_path_that_is_empty_is_no_name_of_this_folder(
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(": names nothing; . is the folder where you are\n")
    assert not list(tmp_path.iterdir())


def _name_again(file: Path, way: str) -> Path:
    """Another name of the same file, beside it."""
    if way == "itself":
        return file
    if way == "a roundabout path":
        return file.parent / ".." / file.parent.name / file.name
    other = file.with_name("other.png")
    if way == "a link":
        other.symlink_to(file)
    else:
        other.hardlink_to(file)
    return other


@pytest.mark.parametrize("way", ["itself", "a roundabout path", "a link", "a hard link"])
def test_match_does_not_write_over_the_picture_that_it_reads(
    way: str, sand: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "1.png"
    image.write_bytes(before := (sand / "OCHRE" / "1.png").read_bytes())
    out = _name_again(image, way)
    assert main(["match", str(image), *SAND, "--out", str(out)]) == 1
    told, err = capsys.readouterr()
    assert told == ""
    assert err.startswith(f"{out}: is the file that is read ({image}), which would be lost")
    assert image.read_bytes() == before


def test_match_does_not_write_over_the_palette(
    sand: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = tmp_path / "ours.csv"
    assert main(["calibrate", str(sand), "--out", str(own)]) == 0
    monkeypatch.setenv("PLITKA_PALETTE", str(own))
    before = own.read_bytes()
    image = str(sand / "OCHRE" / "1.png")
    assert main(["match", image, "--color", "ochre=100", "--out", str(own)]) == 1
    assert f"{own}: is the file that is read" in capsys.readouterr().err
    assert own.read_bytes() == before


@pytest.mark.parametrize("content", ["a photograph", "a text", "half a palette"])
def test_calibrate_tells_what_is_no_palette_in_the_place_of_its_own_before_the_work(
    content: str, sand: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ours.csv"
    photograph_bytes = (sand / "OCHRE" / "1.png").read_bytes()
    before = {
        "a photograph": photograph_bytes,
        "a text": b"60% red, 40% blue\n",
        "half a palette": ",".join(palette.COLUMNS[:-1]).encode() + b"\nRED,red,#ff",
    }[content]
    out.write_bytes(before)
    assert main(["calibrate", str(sand), "--json", "--out", str(out)]) == 1
    told, err = capsys.readouterr()
    assert told == ""  # no photograph was looked at
    assert (err.startswith(str(out)), err.count("\n")) == (True, 1)
    assert out.read_bytes() == before
