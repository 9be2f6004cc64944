# ruff: noqa: RUF001 - Cyrillic is meant
"""python -m plitka offer and order."""

import json
from pathlib import Path

import pytest

from plitka.cli.main import main
from plitka.offer.recipe_in_html import read_request

MIX = "50% red, 30% blue, 20% white, seed 7"


def test_an_order_is_a_table_json_or_csv(capsys: pytest.CaptureFixture[str]) -> None:
    floor = [MIX, "--area", "120", "--thickness", "10", "--density", "950"]
    assert main(["order", *floor]) == 0
    assert "Polyurethane binder" in capsys.readouterr().out
    assert main(["order", *floor, "--density", "white=9.5 kg/m2 at 5 mm", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["kg"] for one in told["colors"]] == [598.5, 359.1, 478.8]
    assert main(["order", *floor, "--csv", "--language", "ru"]) == 0
    assert "красный;RED;#c74a3d;50;50;50;950;2,5;598,5;25;24" in capsys.readouterr().out


def test_an_order_says_that_a_usual_density_was_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    floor = [MIX, "--area", "45 м2", "--thickness", "1 см"]
    english = "A usual density was taken: 1,000 kg/m³"
    russian = "Плотность взята обычная, 1000 кг/м³"
    assert main(["order", *floor]) == 0
    assert english in capsys.readouterr().out
    assert main(["order", *floor, "--language", "ru"]) == 0
    assert russian in capsys.readouterr().out
    assert main(["order", *floor, "--csv", "--language", "ru"]) == 0
    assert russian in capsys.readouterr().err
    offer = ["--out", str(tmp_path / "offer.html"), "--language", "ru"]
    assert main(["offer", *floor, *offer]) == 0
    assert russian in capsys.readouterr().err
    assert russian not in (tmp_path / "offer.html").read_text(encoding="utf-8")  # a customer's
    assert main(["order", *floor, "--density", "red=900", "--density", "white=900"]) == 0
    assert english in capsys.readouterr().out  # blue's
    each = [f"{color}=900" for color in ("red", "white", "blue")]
    assert main(["order", *floor, *(word for one in each for word in ("--density", one))]) == 0
    assert "usual density" not in capsys.readouterr().out
    assert main(["order", *floor, "--density", "1000"]) == 0
    assert "usual density" not in capsys.readouterr().out
    monkeypatch.setenv("PLITKA_ORDER", "density=900")
    assert main(["order", *floor]) == 0
    assert "usual density" not in capsys.readouterr().out


def test_the_count_of_tiles_says_that_it_includes_the_loss(
    capsys: pytest.CaptureFixture[str],
) -> None:
    floor = [MIX, "--area", "120", "--density", "950"]
    assert main(["order", *floor]) == 0
    assert "504 tiles of 500 × 500 mm, 5% for loss included." in _flatten(capsys)
    assert main(["order", *floor, "--language", "ru"]) == 0
    assert "Плиток 500 × 500 мм с запасом 5 %: 504." in _flatten(capsys)


def _flatten(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--area: is missing"),
        (["--area", "1,200"], "1200 or 1.200"),
        (["--area", "5", "--density", "green=900"], "the recipe has no colour 'green'"),
        (["--area", "5", "--bag", "0"], "bag: got 0; allowed: 0.1 to 2000 kg"),
    ],
)
def test_an_order_that_cannot_be_reckoned_says_why(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["order", "red", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_setting_that_is_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLITKA_ORDER", "bag=20; density=5")
    assert main(["order", "red", "--area", "5"]) == 2
    assert "PLITKA_ORDER: density: got 5" in capsys.readouterr().err


def test_an_offer_is_written_with_the_company_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLITKA_COMPANY", "Floors Ltd")
    assert main(["offer", MIX, "--out", str(tmp_path / "offer.html"), "--area", "5"]) == 0
    page = (tmp_path / "offer.html").read_bytes()
    assert b"Floors Ltd" in page
    assert read_request(page)["seed"] == 7
    assert main(["offer", MIX, "--out", str(tmp_path / "offer.doc")]) == 2
    assert "ends with .html or .pdf" in capsys.readouterr().err
    monkeypatch.setenv("PLITKA_LOGO", str(tmp_path / "none.png"))
    assert main(["offer", MIX, "--out", str(tmp_path / "offer.html")]) == 1
    assert "none.png: cannot be read" in capsys.readouterr().err
