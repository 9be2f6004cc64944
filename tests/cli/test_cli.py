import io
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plitka.cli.main import main
from plitka.color import palette
from plitka.images import photograph, png
from plitka.tile import render
from plitka.tile.layout import lay
from tests.support.recipes import asked, parse, request

ROOT = Path(__file__).parents[2]


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
        assert photograph.load(folder / f"{name}.png").pixels.shape == (size, size, 3)
        assert str(folder / f"{name}.png") in out.replace("\n", "")
    counted, measured = out.split("Measured by a stranger, who knows only the colours:")
    assert "Counted on the layout:" in counted
    assert re.search(r"black +60\.0% +\d\d\.\d% +60\.0% +60\.0%", counted)
    assert re.search(r"black( +\d+\.\d% \(\d+-\d+\)){2}", measured)
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
        (
            ["plan", "60% red, 40% blue", "--quality", "turbo", "--seed", "1"],
            "params_json: given beside --quality, --seed; say all in it, such as"
            ' "60% black, 40% white, turbo, seed 7", or leave it out and give the colours with',
        ),
        (["plan", "red", "--color", "red=1"], "params_json: given beside --color; say all in it"),
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
    assert process.stderr
    assert any(line.startswith("measure_preview: ") for line in process.stderr)
    process.send_signal(signal.SIGINT)  # while the preview is written, or the final one drawn
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    for file in tmp_path.iterdir():
        assert file.name == "preview.png"
        assert photograph.load(file).pixels.size


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


def test_measure_tells_how_far_the_picture_is_from_the_shares_asked_for(
    red_and_blue: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = str(red_and_blue)
    status, out, err = run(capsys, "measure", image, "--colors", "red=60,blue=40", "--json")
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert list(told) == [
        *("shares", "intervals", "groups", "ciede2000", "gaps", "undecided"),
        *("requested", "total_variation", "understood", "notes"),
    ]
    assert told["requested"] == {"red": 0.6, "blue": 0.4}
    off = abs(told["shares"]["red"] - 0.6) / 2 + abs(told["shares"]["blue"] - 0.4) / 2
    assert told["total_variation"] == pytest.approx(off, abs=2e-5)
    assert told["total_variation"] < 0.05
    assert max(told["ciede2000"].values()) < 3
    assert 0 <= told["undecided"] < 0.1
    assert 0 < told["gaps"] < 0.1
    status, out, _ = run(capsys, "measure", image, "--colors", "red=.6,blue=.4")
    assert "60.0%" in out
    assert "total variation" in out


def test_look_alikes_are_a_group_in_every_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked_for = request({"white": 50, "pearl": 50})
    arguments = ("make", asked_for, "--engine", "render", "--out", str(tmp_path))
    made = run(capsys, *arguments)[1]
    assert "Counted on the layout:" in made
    assert re.search(r"white \+ pearl, not told apart +100\.0% +100\.0%", made)
    assert re.search(r"white +\(\d+-\d+\) +\(\d+-\d+\)", made)
    metrics = json.loads(run(capsys, *arguments, "--json")[1])
    assert metrics["groups"] == {"preview": [["white", "pearl"]], "final": [["white", "pearl"]]}
    assert metrics["colors"][1]["final"] == pytest.approx(0.5, abs=0.002)

    image = tmp_path / "final.png"
    with Image.open(image) as picture:
        assert json.loads(picture.info["plitka"])["groups"] == [["white", "pearl"]]
    wanted = "White=90,PEARL=10"
    told = json.loads(run(capsys, "measure", str(image), "--colors", wanted, "--json")[1])
    assert told["groups"] == [["White", "PEARL"]]
    assert sum(told["shares"].values()) == pytest.approx(1, abs=2e-5)
    assert told["total_variation"] == 0
    assert "White + PEARL, not told apart" in run(
        capsys, "measure", str(image), "--colors", "White,PEARL"
    )[1]  # fmt: skip


def test_measure_without_shares_asked_for_tells_none(
    red_and_blue: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("measure", str(red_and_blue), "--colors", "red,blue,yellow", "--json")
    told = json.loads(run(capsys, *arguments)[1])
    assert list(told) == [
        *("shares", "intervals", "groups", "ciede2000", "gaps", "undecided"),
        *("understood", "notes"),
    ]
    for name, (low, high) in told["intervals"].items():
        assert 0 <= low <= told["shares"][name] <= high <= 1
    assert told["groups"] == []
    assert told["shares"]["yellow"] < 0.01
    assert told["ciede2000"]["yellow"] is None or told["shares"]["yellow"] > 0


def test_the_command_line_takes_a_sentence_and_the_words_of_others(
    red_and_blue: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = json.loads(run(capsys, "plan", "60% чёрный, 40% navy, 45 градусов, сид 7")[1])
    options = ("--color", "чёрный=60%", "--color", "navy=40", "--angle", "45°", "--seed", "7")
    assert json.loads(run(capsys, "plan", *options)[1]) == sentence
    assert [said["source"] for said in sentence["understood"]] == ["russian", "css"]
    _, out, _ = run(capsys, "measure", str(red_and_blue), "--colors", "красный=60%,RAL 5002=40%")
    assert '"красный" is red (Russian)' in " ".join(out.split())
    told = '"RAL 5002" is #00387b (RAL Classic); nearest in the palette: dark blue, blue, black'
    assert told in " ".join(out.split())


@pytest.mark.parametrize(
    ("colors", "message"),
    [
        ("red=1%", "--colors: shares add up to 1; allowed: percentages"),
        ("light blue", 'Nearest by colour: "sky blue"'),
        ("red=60,blue=30", "--colors: shares add up to 90; allowed: percentages"),
        ("red=60,blue", "--colors: some have a share and some have none"),
        ("red=110,blue=-10", "none of them negative"),
        ("red=60,blue=nan", "--colors: 60, nan are not all numbers"),
        ("red=inf,blue=-inf", "--colors: inf, -inf are not all numbers"),
        ("red=1e308,blue=1e308", "--colors: shares add up to inf"),
        ("red=1e999,blue=-1e999", "--colors: shares add up to nan"),
        ("red=6_0,blue=4_0", "--colors: 6_0, 4_0 are not all numbers"),
        ("red=60,blue=\u0664\u0660", "are not all numbers"),
        ("red=x,blue=40", "--colors: x, 40 are not all numbers"),
        ("red=60,#g=40", '--colors: got "#g"; allowed: a hex colour'),
        ("", "--colors: unknown colour"),
        (
            "red,blue,green,yellow,white,black,pink,sand,khaki",
            "--colors: got 9; allowed: 1 to 8",
        ),
    ],
)
def test_shares_that_cannot_be_are_refused(
    colors: str, message: str, red_and_blue: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, "measure", str(red_and_blue), "--colors", colors)
    assert (status, out) == (2, "")
    assert message in err


def test_memory_that_is_not_there_is_told_in_a_sentence(
    red_and_blue: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def allocate(*arguments: object) -> None:
        np.empty(1 << 60, np.uint8)

    monkeypatch.setattr("plitka.matching.match.match", allocate)
    out = tmp_path / "matched.png"
    status, told, err = run(
        capsys, "match", str(red_and_blue), "--color", "red=100", "--out", str(out)
    )
    assert (status, told) == (1, "")
    assert err.startswith("There is less free memory than this needs")
    assert err.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("option", ["--angle", "--seed"])
@pytest.mark.parametrize("text", ["1_0", "\u0661\u0660", "0x10", "inf", "nan", "1e", ""])
def test_what_only_python_calls_a_number_is_refused(
    option: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, "plan", "--color", "red=100", f"{option}={text}")
    assert (status, out) == (2, "")
    assert f"{option.removeprefix('--')}: got " in err
    status, out, err = run(capsys, "plan", "--color", f"red={text}")
    assert (status, out) == (2, "")
    assert "colors[0].proportion: got " in err


def test_match_gives_any_picture_the_shares_asked_for(
    red_and_blue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = tmp_path / "wide.png"
    png.save(photograph.load(red_and_blue).pixels[:512], wide, {})
    matched = tmp_path / "matched.png"
    asked_for = request({"red": 20, "white": 80}, 45)
    status, out, err = run(capsys, "match", str(wide), asked_for, "--out", str(matched), "--json")
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert (told["picture"], told["seed"]) == (str(matched), 7)
    assert told["before"]["total_variation"] > 0.3
    assert told["after"]["total_variation"] < 0.05
    assert photograph.load(matched).pixels.shape == (512, 512, 3)
    with Image.open(matched) as picture:
        record = json.loads(picture.info["plitka"])
    assert record["request"] == parse(asked_for).request()
    assert record["after"] == told["after"]
    measured = json.loads(
        run(capsys, "measure", str(matched), "--colors", "red=20,white=80", "--json")[1]
    )
    assert measured == {**told["after"], "understood": told["understood"], "notes": []}
    assert record["understood"] == told["understood"]


def test_match_refuses_a_picture_that_is_too_small_to_show_granules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dot = tmp_path / "dot.png"
    Image.new("RGB", (1, 1)).save(dot)
    status, _, err = run(capsys, "match", str(dot), "--color", "red=100", "--out", "matched.png")
    assert status == 1
    assert err.endswith(
        "dot.png: 1x1 pixels are too small to measure; at least 128 pixels a side are needed\n"
    )


def test_match_shows_before_and_after_in_a_table(
    red_and_blue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--color", "red=50", "--color", "#1e90ff=50", "--seed", "7"]
    matched = tmp_path / "matched.png"
    status, out, _ = run(capsys, "match", str(red_and_blue), *arguments, "--out", str(matched))
    assert status == 0
    for word in ("Requested", "Before", "After", "#1e90ff", "50.0%", "total variation"):
        assert word in out
    assert str(matched) in out.replace("\n", "")


def test_match_leaves_no_picture_when_it_fails(
    red_and_blue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "matched.png")
    image = str(red_and_blue)
    assert run(capsys, "match", image, "--color", "red=50", "--out", out)[0] == 2
    assert run(capsys, "match", image + "x", "--color", "red=100", "--out", out)[0] == 1
    assert not list(tmp_path.iterdir())


CAPTIONS = {
    "REDp60_BLUEp40_of_the_first_morning.png": "60% red, 40% blue",
    "REDp40_BLUEp60.png": None,
    "REDp60_BLUEp40.png": None,
    "long_name_of_a_photograph_without_a_caption.png": "nothing",
}


@pytest.fixture
def captioned(red_and_blue: Path, tmp_path: Path) -> Path:
    """A folder of photographs with captions: one lies, one cannot be read."""
    for name, text in CAPTIONS.items():
        file = tmp_path / name
        file.write_bytes(red_and_blue.read_bytes())
        if text is not None:
            file.with_suffix(".txt").write_text(text)
    return tmp_path


def test_audit_lists_what_is_captioned_and_what_is_measured(
    captioned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, "audit", str(captioned), "--json")
    assert (status, err) == (0, "")
    *found, last = map(json.loads, out.splitlines())
    told = {finding["file"]: finding for finding in found}
    assert sorted(told) == sorted(CAPTIONS)
    verdicts = [told[name]["verdict"] for name in sorted(told)]
    assert verdicts == ["lies", "true", "true", "unread"]
    assert last["summary"] == {
        "true": 2,
        "lies": 1,
        "unread": 1,
        "lying": ["REDp40_BLUEp60.png"],
        "passed_over": {},
        "finished": True,
    }
    liar = told["REDp40_BLUEp60.png"]
    assert liar["reason"] == "swapped; it shows 60% red, 40% blue"
    assert liar["captioned"] == {"RED": 0.4, "BLUE": 0.6}
    assert liar["measured"]["RED"] == pytest.approx(0.6, abs=0.05)
    assert liar["total_variation"] == pytest.approx(0.2, abs=0.05)
    assert list(liar["intervals"]) == ["RED", "BLUE"]
    assert liar["intervals"]["RED"][0] > 0.4
    assert liar["groups"] == []
    unread = told["long_name_of_a_photograph_without_a_caption.png"]
    assert set(unread) == {"file", "verdict", "reason"}


def test_audit_never_accuses_a_caption_of_how_it_parts_look_alikes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = lay(asked({"black": 30, "dark gray": 30, "red": 40}))
    captions = {"a": (60, 0, 40), "b": (5, 55, 40), "c": (40, 40, 20), "d": (25, 15, 60)}
    for name, (black, gray, red) in captions.items():
        png.save(render.render_picture(layout, 768), tmp_path / f"{name}.png", {})
        caption = f"{black}% black, {gray}% dark gray, {red}% red"
        (tmp_path / f"{name}.txt").write_text(caption)
    *found, _ = map(json.loads, run(capsys, "audit", str(tmp_path), "--json")[1].splitlines())
    told = {finding["file"][0]: finding for finding in found}
    assert [told[name]["verdict"] for name in captions] == ["true", "true", "lies", "lies"]
    assert told["b"]["groups"] == [["BLACK", "DKGRAY"]]
    assert told["b"]["total_variation"] < 0.03
    table = run(capsys, "audit", str(tmp_path))[1]
    assert "told apart" in table
    assert "2 of 4 captions lie:\nc.png\nd.png\n" in table


def test_audit_names_every_file_on_a_narrow_terminal(
    captioned: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    status, out, _ = run(capsys, "audit", str(captioned))
    assert status == 0
    table, verdict = out.split("1 of 4 captions lie:\n")
    assert verdict == "REDp40_BLUEp60.png\n"
    lines = table.splitlines()
    assert max(map(len, lines)) <= 60
    heading = next(line for line in lines if "Captioned" in line)
    names = "".join(line[: heading.index("Captioned")].strip() for line in lines)
    for name in CAPTIONS:
        assert name in names


@pytest.mark.parametrize(
    ("folder", "message"), [("empty", "empty: holds no photographs"), ("absent", "absent: No such")]
)
def test_audit_of_nothing_fails_in_one_line(
    folder: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    status, out, err = run(capsys, "audit", str(tmp_path / folder))
    assert (status, out) == (1, "")
    assert message in err
    assert err.count("\n") == 1


def test_calibrate_writes_where_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "refs"
    (folder / "OCHRE").mkdir(parents=True)
    ochre = render.render_picture(lay(asked({"sand": 100})), 400)
    png.save(ochre, folder / "OCHRE" / "1.png", {})
    written = tmp_path / "ours.csv"
    status, out, err = run(capsys, "calibrate", str(folder), "--out", str(written))
    assert (status, err) == (0, "")
    assert "ochre" in out
    assert str(written) in out.replace("\n", "")
    assert [row["caption"] for row in palette.read_rows(written)] == ["ochre"]


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
    assert err.startswith("To draw tiles without a diffusion model: --engine render")
    status, out, _ = run(capsys, "check")
    assert status == 1
    assert "--engine render" in out.split("\n")[1]
    assert not (tmp_path / "tile").exists()


def test_palette_lists_every_color(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "palette", "--json")
    listed = json.loads(out)
    assert {"code": "DKGREEN", "phrase": "dark green", "hex": "#49866d"} in listed
    assert len(listed) == 31
    status, out, _ = run(capsys, "palette")
    assert status == 0
    assert "dark green" in out


@pytest.mark.parametrize("color", ["red", "#1e90ff"])
def test_plan_runs_as_a_program_without_loading_numpy_or_torch(color: str) -> None:
    code = (
        "import sys; from plitka.cli.main import main; status = main(sys.argv[1:]);"
        "print({'numpy', 'cv2', 'torch', 'rich', 'PIL'} & set(sys.modules), file=sys.stderr);"
        "raise SystemExit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "plan", "--color", f"{color}=100"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["colors"] == [{"name": color, "share": 1.0}]
    assert done.stderr.strip() == "set()"


def test_the_render_engine_needs_no_torch() -> None:
    code = (
        "import sys; from plitka import pipeline; from tests.support.recipes import asked;"
        "from tests.support.settings import load_engine;"
        "next(pipeline.make(asked({'red': 100}), load_engine('render')));"
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
    assert np.ptp(photograph.load(tmp_path / "a" / "final.png").pixels) > 100


def test_what_cannot_be_calibrated_or_read_as_a_palette_fails_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, _, err = run(capsys, "calibrate", str(tmp_path))
    assert (status, err.count("\n")) == (1, 1)
    assert "no photographs found" in err
    own = tmp_path / "own.csv"
    monkeypatch.setenv("PLITKA_PALETTE", str(own))
    for content in (b"code,caption\nRED,red\n", b"\xff\xfe\x00"):
        own.write_bytes(content)
        status, _, err = run(capsys, "palette")
        assert (status, err.count("\n")) == (1, 1)
        assert str(own) in err


def test_audit_does_not_print_the_palette_for_a_name_that_it_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    png.save(np.full((64, 64, 3), 99, np.uint8), tmp_path / "holiday.png", {})
    status, out, _ = run(capsys, "audit", str(tmp_path))
    assert status == 0
    assert "holiday.png" in out
    assert out.count("\n") < 20


def test_an_interrupt_while_modules_are_imported_ends_quietly() -> None:
    program = """
import runpy, sys

class Interrupt:
    def find_spec(name, path=None, target=None):
        if name == "plitka.cli.arguments":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt)
runpy.run_module("plitka", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"")
