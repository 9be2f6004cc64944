# ruff: noqa: RUF001 - Cyrillic is meant
"""The language of errors on the command line."""

import io
from pathlib import Path

import pytest

from plitka.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan", "60% чёрный, 60% белый"], "Доли дают в сумме 120 %"),
        (["make", "60% бордовый, 40% white", "--out", "tile"], "Нет цвета «бордовый»"),
        (["plan", "--color", "бордовый=100"], "Нет цвета «бордовый»"),
        (["order", "60% black, 60% white", "--language", "ru"], "Доли дают в сумме 120 %"),
        (["order", "чёрный", "--area", "45 л"], "Площадь: «45 л» не подходит"),
        (["order", "чёрный", "--area", "5", "--density", "чёрный=5"], "Плотность, чёрный: «5»"),
        (["order", "чёрный"], "--area: не указана площадь пола"),
        (["order", "чёрный", "--area", "5", "--density", "белый=900"], "в нём есть чёрный"),
        (["offer", "чёрный", "--out", "offer.doc"], "--out: нужно имя файла"),
        (["plan", "60% black, 60% white"], "colors: proportions add up to 120%"),
        (["plan", "60% blaсk, 40% white"], 'colors[0].name: unknown colour "blaсk"'),  # one letter
        (["order", "black", "--area", "45 л"], "area: got 45 л"),
    ],
)
def test_whoever_writes_russian_is_answered_in_russian(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_whoever_forgot_the_engine_is_told_in_russian_which_one_needs_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PLITKA_ENGINE", raising=False)
    monkeypatch.setenv("PLITKA_BASE", str(tmp_path / "absent"))
    assert main(["make", "100% красный", "--out", str(tmp_path / "tile")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("Чтобы рисовать плитку без нейросети, добавьте к команде --engine")
    assert f"{tmp_path / 'absent'}: no such file or folder" in said


def test_a_recipe_of_standard_input_has_a_language_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Given:
        buffer = io.BytesIO("60% чёрный, 60% белый".encode())

    monkeypatch.setattr("sys.stdin", Given())
    assert main(["plan", "-"]) == 2
    assert "Доли дают в сумме 120 %" in capsys.readouterr().err
