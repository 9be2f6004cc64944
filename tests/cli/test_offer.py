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
