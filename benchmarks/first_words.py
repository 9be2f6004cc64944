"""What Plitka makes of the words that people would try first: python -m benchmarks.first_words

Prints a table in Markdown for each kind and language of tests/request/first_words.csv, with what
was understood, or the sentence of the refusal. --write puts it into docs/words.md.
"""

import argparse
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from tests.support.first_words import Try, answer, list_tries

PAGE = Path(__file__).parents[1] / "docs" / "words.md"
BEGIN, END = "<!-- python -m benchmarks.first_words --write -->\n", "<!-- end -->\n"

_LANGUAGES = {"en": "English", "ru": "Russian"}


def write_tables() -> str:
    """Write all tables, with how many were understood."""
    lines = []
    tries = sorted(list_tries(), key=lambda one: (one.is_name, one.language))
    for (is_name, language), group in groupby(tries, lambda one: (one.is_name, one.language)):
        rows = list(_write_rows(list(group)))
        understood = sum(row.startswith("| yes") for row in rows)
        kind = "Names of colours" if is_name else "Sentences"
        lines += [f"### {kind}, {_LANGUAGES[language]}", ""]
        lines += [f"{understood} of {len(rows)} are understood.", ""]
        lines += ["| | typed | result |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _write_rows(tries: list[Try]) -> Iterator[str]:
    for one in tries:
        outcome, said = answer(one)
        typed = _escape(one.text.replace("\n", " ⏎ "))
        mark = "yes" if outcome == "understood" else "no"
        yield f"| {mark} | `{typed}` | {_escape(_shorten(said))} |"


def _shorten(said: str) -> str:
    """Leave out the list of all names, which is the same in each refusal."""
    return " ".join(line.partition(" Known: ")[0] for line in said.split("\n"))


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def replace_tables(page: str) -> str:
    """Put the tables as they are now into a page."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    return f"{head}{begin}\n{write_tables()}\n{end}{tail}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="into docs/words.md")
    if parser.parse_args().write:
        PAGE.write_text(replace_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(write_tables())


if __name__ == "__main__":
    main()
