import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from plitka import pictures
from plitka.cli import main
from tests.recipes import request

ROOT = Path(__file__).parent.parent


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(arguments)
    out, err = capsys.readouterr()
    return status, out, err


def test_make_writes_three_pictures_and_prints_the_shares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "tile"
    asked = request({"black": 60, "white": 40}, 45)
    status, out, err = run(capsys, "make", asked, "--engine", "render", "--out", str(folder))
    assert (status, err) == (0, "")
    for name, size in (("preview", 512), ("final", 1024), ("colormap", 1024)):
        assert pictures.load(folder / f"{name}.png").shape == (size, size, 3)
        assert str(folder / f"{name}.png") in out.replace("\n", "")
    assert "black" in out
    assert "60.0%" in out
    assert "seed 7" in out


def test_make_spelt_without_json_makes_the_same_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spelt = ["--color", "black=60", "--color", "#1e90ff=40", "--angle", "45", "--seed", "7"]
    body = {
        "colors": [{"name": "black", "proportion": 60}, {"hex": "#1e90ff", "proportion": 40}],
        "angle": 45,
        "seed": 7,
    }
    written: list[list[bytes]] = []
    for arguments in (spelt, [json.dumps(body)]):
        out = tmp_path / str(len(written))
        status, printed, _ = run(
            capsys, "make", *arguments, "--engine", "render", "--out", str(out), "--json"
        )
        assert status == 0
        printed = json.loads(printed)
        assert printed["seed"] == 7
        assert printed["colors"][1]["name"] == "#1e90ff"
        assert printed["pictures"]["final"] == str(out / "final.png")
        written.append([(out / f"{kind}.png").read_bytes() for kind in printed["pictures"]])
    assert written[0] == written[1]


def test_plan_reads_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(request({"red": 100}, 90).encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    status, out, _ = run(capsys, "plan", "-")
    assert status == 0
    assert json.loads(out)["controlnet"] == "canny"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plan", request({"blurple": 100})], 'colors[0].name: unknown colour "blurple"'),
        (["plan"], "colors: missing"),
        (["plan", "--color", "red"], "--color: got 'red'; allowed: NAME=SHARE"),
        (["plan", "--color", "red=x"], 'colors[0].proportion: got "x"'),
        (["plan", "--color", "red=100", "--seed", "-2"], "seed: got -2;"),
        (["plan", "--color", "red=100", "--angle", "steep"], 'angle: got "steep"'),
        (["plan", request({"red": 100}), "--seed", "1"], "params_json: given beside"),
        (["make", request({"red": 50}), "--out", "{folder}/x"], "colors: proportions add up to 50"),
        (
            ["measure", "{folder}", "--colors", "rde"],
            '--colors: unknown colour "rde"; did you mean "red"',
        ),
        (["measure", "{folder}", "--colors", "gray,grey"], '"grey" is there already'),
    ],
)
def test_a_bad_request_exits_with_2_and_its_message_alone(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [part.replace("{folder}", str(tmp_path)) for part in arguments]
    status, out, err = run(capsys, *arguments)
    assert status == 2
    assert out == ""
    assert message in err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "params_json: not UTF-8 text (byte 0)"),
        (b" " * 70_000, "params_json: got more than the 65536 bytes allowed"),
        (b"", "params_json: not JSON"),
    ],
)
def test_bad_standard_input_is_named(
    content: bytes,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    status, _, err = run(capsys, "plan", "-")
    assert status == 2
    assert message in err


def test_closed_standard_input_is_named() -> None:
    done = subprocess.run(
        ["sh", "-c", f"exec '{sys.executable}' -m plitka plan - <&-"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "params_json: standard input is closed\n")


def test_a_reader_that_has_seen_enough_gets_no_complaint() -> None:
    done = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m plitka palette --json | head -n 1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("[\n", "")


def test_an_interrupted_run_ends_quietly_and_leaves_no_half_picture(tmp_path: Path) -> None:
    arguments = ["make", request({"red": 100}), "-v", "--engine", "render"]
    process = subprocess.Popen(
        [sys.executable, "-m", "plitka", *arguments, "--out", str(tmp_path)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    process.stderr.readline()  # the first line of the log: it has begun
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    for file in tmp_path.iterdir():
        assert pictures.load(file).size


def test_measure_keeps_the_names_that_it_was_asked_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(
        capsys,
        "make",
        request({"red": 60, "dark_green": 40}, 0),
        "--engine",
        "render",
        "--out",
        str(tmp_path),
    )
    image = str(tmp_path / "final.png")
    status, out, _ = run(capsys, "measure", image, "--colors", "Red, DKGREEN,#ffffff", "--json")
    assert status == 0
    shares = json.loads(out)["shares"]
    assert list(shares) == ["Red", "DKGREEN", "#ffffff"]
    assert shares["Red"] == pytest.approx(0.6, abs=0.08)
    status, out, _ = run(capsys, "measure", image, "--colors", "red,dkgreen")
    assert "%" in out


def test_a_picture_that_cannot_be_read_fails_with_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("absent.png", "."):
        status, _, err = run(capsys, "measure", str(tmp_path / name), "--colors", "red")
        assert status == 1
        assert str(tmp_path / name) in err


def test_an_output_folder_that_cannot_be_made_fails_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    status, _, err = run(
        capsys, "make", request({"red": 100}), "--engine", "render", "--out", str(tmp_path / "file")
    )
    assert status == 1
    assert err.count("\n") == 1
    assert "file" in err


def test_the_default_engine_without_weights_fails_and_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLITKA_ENGINE", raising=False)
    monkeypatch.setenv("PLITKA_BASE", str(tmp_path / "absent"))
    status, _, err = run(capsys, "make", request({"red": 100}), "--out", str(tmp_path / "tile"))
    assert status == 1
    assert f"{tmp_path / 'absent'}: no such file or folder" in err
    assert "Traceback" not in err
    assert "--engine render" in err
    assert not (tmp_path / "tile").exists()


def test_palette_lists_every_colour(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "palette", "--json")
    listed = json.loads(out)
    assert {"code": "DKGREEN", "phrase": "dark green", "hex": "#49866d"} in listed
    assert len(listed) == 31
    status, out, _ = run(capsys, "palette")
    assert status == 0
    assert "dark green" in out


def test_plan_runs_as_a_program_without_loading_numpy_or_torch() -> None:
    code = (
        "import sys; from plitka.cli import main; status = main(sys.argv[1:]);"
        "print({'numpy', 'cv2', 'torch', 'rich', 'PIL'} & set(sys.modules), file=sys.stderr);"
        "raise SystemExit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "plan", request({"red": 100})],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["colors"] == [{"name": "red", "share": 1.0}]
    assert done.stderr.strip() == "set()"


def test_the_render_engine_needs_no_torch() -> None:
    code = (
        "import sys; from plitka import engines, studio; from tests.recipes import asked;"
        "next(studio.make(asked({'red': 100}), engines.load('render')));"
        "raise SystemExit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_pictures_of_equal_requests_are_equal(tmp_path: Path) -> None:
    for name in ("a", "b"):
        arguments = ["make", request({"red": 50, "blue": 50}, 30), "--engine", "render"]
        subprocess.run(
            [sys.executable, "-m", "plitka", *arguments, "--out", str(tmp_path / name)],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
    for file in ("preview.png", "final.png", "colormap.png"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert np.ptp(pictures.load(tmp_path / "a" / "final.png")) > 100
