"""The words that people would try first, and what Plitka makes of them."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from plitka.color import palette
from plitka.request import parsing
from plitka.request.recipe import Recipe, RecipeError

FILE = Path(__file__).parents[1] / "request" / "first_words.csv"
SOURCES = ("palette", "russian", "ral", "css", "hex")


@dataclass(frozen=True)
class Try:
    """One line of the list: a sentence, or the name of a colour in JSON.

    outcome: "understood" or "refused". says: what is understood, or a part of the refusal.
    """

    language: str
    text: str
    outcome: str
    says: str
    is_name: bool


def list_tries() -> list[Try]:
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return [
        Try(**{k: v for k, v in row.items() if k != "kind"}, is_name=row["kind"] == "name")
        for row in rows
    ]


def answer(one: Try) -> tuple[str, str]:
    """What Plitka says: "understood" and what, or "refused" and the sentence."""
    color = {"name": one.text, "proportion": 100}
    text = json.dumps({"colors": [color]}) if one.is_name else one.text
    try:
        recipe = parsing.parse(text, palette.load())
    except RecipeError as refusal:
        return "refused", str(refusal)
    return "understood", _write_name(recipe) if one.is_name else _write_sentence(recipe)


def _write_name(recipe: Recipe) -> str:
    ((said,),) = (part.words for part in recipe.shares)
    return f"{said.understood.source} {said.understood.color.code}"


def _write_sentence(recipe: Recipe) -> str:
    shares = " ".join(f"{round(100 * part.share, 2):g} {part.color.code}" for part in recipe.shares)
    return f"{shares}; {recipe.angle:g}; {recipe.quality}; {recipe.seed}"
