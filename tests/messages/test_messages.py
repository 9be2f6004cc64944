# ruff: noqa: RUF001 - Cyrillic is meant
"""Messages: said in English as they are written, and in Russian as people speak it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from plitka.color import palette
from plitka.messages.message import Message, Row, SpokenError, Words
from plitka.messages.russian import RUSSIAN
from plitka.order.errors import OrderError
from plitka.order.inputs import FIELDS, read_inputs
from plitka.request.parsing import parse
from plitka.request.recipe import RecipeError
from tests.support.first_words import answer, list_tries

ROOT = Path(__file__).resolve().parents[2]
PALETTE = palette.load()
MAKERS = {"of", "_fault", "_refuse"}  # what is called with a message's English
REFUSED = [one.text for one in list_tries() if not one.is_name and answer(one)[0] != "understood"]
LATIN = re.compile(r"[A-Za-z]{2,}")
ITS_OWN = {"RAL", "Classic", "CSS"}  # which Russian writes in Latin letters, too


def list_messages(source: ast.AST) -> Iterator[str]:
    """The English of the messages that a module makes; what a name stands for counts as well."""
    constants: dict[str, set[str]] = {}
    for node in ast.walk(source):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    constants.setdefault(target.id, set()).add(str(node.value.value))
    for node in ast.walk(source):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else name
        given = node.args[0]
        if name in MAKERS and isinstance(given, ast.Constant):
            yield str(given.value)
        elif name in MAKERS and isinstance(given, ast.Name):
            yield from constants.get(given.id, ())


def test_each_message_has_its_russian_and_nothing_else_has() -> None:
    made = {
        message
        for path in sorted((ROOT / "plitka").rglob("*.py"))
        if "Message" in (text := path.read_text(encoding="utf-8"))
        for message in list_messages(ast.parse(text))
    }
    figures = {*FIELDS, *(field.unit for field in FIELDS.values())} - {"%"}
    assert made | figures == set(RUSSIAN)


@pytest.mark.parametrize(("english", "russian"), RUSSIAN.items())
def test_both_languages_have_places_for_the_same_values(english: str, russian: str) -> None:
    places = {*re.findall(r"\{(\w*)\}", english)}
    assert {*re.findall(r"\{(\w*)\}", russian)} <= places


@pytest.mark.parametrize("text", REFUSED)
def test_what_people_try_first_is_refused_in_russian_from_end_to_end(text: str) -> None:
    with pytest.raises(RecipeError) as refused:
        parse(text, PALETTE)
    for line in refused.value.say("ru").split("\n"):
        assert line[:1] in "«" or line[:1].isupper(), line
        assert {*LATIN.findall(re.sub("«[^»]*»", "", line))} <= ITS_OWN | {"black"}, line
    assert str(refused.value) == refused.value.say("en")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("60% чёрный, 60% белый", "Доли дают в сумме 120 %, а нужно 100 %"),
        ("33.5% чёрный, 33% белый", "Доли дают в сумме 66,5 %"),
        ("60% чёрный, белый", "У цвета «белый» нет доли"),
        ("60% чёрный, 40% белый, 200 градусов", "Угол: «200» не подходит; нужно: число от 0 до"),
        ("60% чёрный, 40% белый, сид 7, сид 8", "Сид: указано дважды, 7 и 8"),
        ("-60% чёрный, 160% белый", "Доля цвета 1: «-60%» не подходит"),
        ("60% сирeневый, 40% белый", "знак 4 в нём — латинская «e»); может быть, «сиреневый»?"),
        ("60% бордовый, 40% белый", "Ближе всего по цвету: «терракотовый», «коричневый»"),
        ("60% бордовый, 40% белый", "номером RAL или кодом, например «RAL 3005» или «#610023»"),
        ("60% антрацит, 40% белый", "Ближе всего по цвету: «тёмно-серый», «чёрный»"),
        ("60% антрацит, 40% белый", "например «RAL 7016» или «#383e42»"),
        ("60% бордовый, 40% белый", "Похожи по написанию: «бирюзовый», «розовый», «оранжевый»"),
        ("60% бордовый, 40% белый", "В палитре: чёрный, белый, красный, зелёный, синий, серый"),
    ],
)
def test_a_fault_of_a_recipe_is_said_in_russian(text: str, said: str) -> None:
    with pytest.raises(RecipeError) as refused:
        parse(text, PALETTE)
    assert said in refused.value.say("ru")


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"area": "45 л"}, "Площадь: «45 л» не подходит; нужно число, от 0,01 до 1000000 м²"),
        ({"thickness": "0"}, "Толщина: «0» не подходит; нужно от 1 до 500 мм"),
        ({"density": "тяжёлая"}, "Плотность: «тяжёлая» не подходит; нужно число в кг/м³"),
        ({"loss": 200}, "Запас: «200» не подходит; нужно от 0 до 100 %"),
    ],
)
def test_a_fault_of_a_figure_is_said_in_russian(figures: dict[str, object], said: str) -> None:
    with pytest.raises(OrderError) as refused:
        read_inputs(figures, {"red": "red"}, language="ru")
    assert refused.value.say("ru").startswith(said)


def test_values_are_said_in_the_language_of_the_message() -> None:
    names = Row((Words("red", "красный"), "#fff", 1.5))
    message = Message.of("a number from {low} to {high}{unit}", low=0.5, high=names, unit="")
    assert message.say("en") == "a number from 0.5 to red, #fff, 1.5"
    assert message.say("ru") == "число от 0,5 до красный, #fff, 1,5"
    error = SpokenError(message, Message.of("said in English alone"))
    assert error.say("ru") == "Число от 0,5 до красный, #fff, 1,5\nsaid in English alone"
    assert str(error).startswith("a number from 0.5")
