"""docs/troubleshooting.md quotes what the program says: each message is in the source."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
MESSAGES = re.findall(r"^\| `([^`]+)`", PAGE, re.MULTILINE)
PYTHONS_OWN = {"No module named plitka", "ModuleNotFoundError: No module named 'psutil'"}


def read_texts(tree: ast.AST) -> Iterator[str]:
    """The texts of a module, with … for what is put into them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                part.value
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
                else "…"
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@cache
def list_texts() -> str:
    """All texts of the program, a line for each, and what its scripts say."""
    texts = [
        text.replace("\n", " ")
        for path in sorted((ROOT / "plitka").rglob("*.py"))
        for text in read_texts(ast.parse(path.read_text(encoding="utf-8")))
    ]
    setup = (ROOT / "script" / "setup").read_text(encoding="utf-8")
    return "\n".join([*texts, setup])


@pytest.mark.parametrize("message", sorted({*MESSAGES} - PYTHONS_OWN), ids=lambda text: text[:50])
def test_the_program_says_each_message_that_is_explained(message: str) -> None:
    parts = [part for part in re.split("…", message) if part.strip(" ;:,.()")]
    assert parts, "a message of the program's own words"
    assert re.search(".*".join(map(re.escape, parts)), list_texts()), message


def test_there_is_something_for_every_part_of_the_program() -> None:
    assert len(MESSAGES) >= 40
    assert len(set(MESSAGES)) == len(MESSAGES)
