"""What the documents tell a reader to type is typed, and prints what they show."""

import io
import re
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

import pytest

from plitka.cli.arguments import build_parser
from plitka.settings import read_settings
from tests.support.documents import (
    COMMANDS,
    KINDS,
    PAGES,
    ROOT,
    Block,
    find_difference,
    find_original,
    read_inline,
    read_page,
    split_console,
)
from tests.support.page_run import follow, lay_out

LANGUAGES = (*COMMANDS, "text", "json", "yaml", "js", "dockerfile", "csv", "html")
PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


FOLLOWED = [
    page
    for page in PAGES
    if find_original(page) == page and any(block.runs for block in read_page(page))
]


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_reader_who_types_what_a_page_says_gets_what_it_shows(page: Path, tmp_path: Path) -> None:
    lay_out(tmp_path)
    failures = follow(read_page(page), tmp_path)
    assert not failures, "\n\n".join(map(str, failures))


@pytest.mark.parametrize(
    ("language", "text", "marks"),
    [
        ("bash", "true\nfalse\ntrue\n", {}),
        ("bash", "false | true\n", {}),
        ("bash", "true\n", {"exits": "2"}),
        ("console", "$ echo 1\n2\n", {}),
        ("bash", "true\n", {"serves": "http://127.0.0.1:5000/"}),
    ],
)
def test_a_page_that_is_wrong_is_told(
    language: str, text: str, marks: dict[str, str], tmp_path: Path
) -> None:
    assert len(follow([Block(ROOT / "README.md", 1, language, text, marks)], tmp_path)) == 1


@PAGE
def test_every_command_is_run_or_says_why_not(page: Path) -> None:
    for block in read_page(page):
        assert block.language in LANGUAGES, f"{block.place}: a fence that says its language"
        if "not run" in block.marks:
            assert block.language in COMMANDS, f"{block.place}: no commands"
            reason = block.marks["not run"].partition(":")[2].strip()
            assert block.kind in KINDS, f"{block.place}: not run: KIND: why; KIND is in {KINDS}"
            assert reason, f"{block.place}: says why it is not run"
        if block.language not in COMMANDS:
            stray = re.search(r"^(\$ |\./script/|python -m|curl |export ).*", block.text, re.M)
            assert not stray, f"{block.place}: a command, in a block that is not run: {stray[0]}"


@PAGE
def test_a_translated_page_has_the_commands_of_the_english_one(page: Path) -> None:
    def shown(of: Path) -> list[tuple[str, str]]:
        comments = re.compile(r"  +# .*")
        return [(block.language, comments.sub("", block.text)) for block in read_page(of)]

    assert shown(page) == shown(find_original(page))


@PAGE
def test_files_that_a_page_shows_are_those_of_the_repository(page: Path) -> None:
    for block in read_page(page):
        if "is" in block.marks:
            file = ROOT / block.marks["is"]
            assert block.text == file.read_text(encoding="utf-8"), block.place


@PAGE
def test_commands_that_are_not_run_name_what_there_is(page: Path) -> None:
    texts = read_inline(page) if page.name != "CHANGELOG.md" else []  # which tells of the past
    for block in read_page(page):
        if "not run" in block.marks:
            if block.language == "console":
                texts += (script for script, _ in split_console(block))
            else:
                texts += block.text.replace("\\\n", " ").splitlines()
    for text in texts:
        for script in re.findall(r"^(?:\./)?script/(\w+)", text):
            assert (ROOT / "script" / script).is_file(), text
        for module in re.findall(r"python -m ((?:plitka|benchmarks)\.[\w.]+)", text):
            path = ROOT / module.replace(".", "/")
            assert path.with_suffix(".py").is_file() or path.is_dir(), text
        for command, rest in re.findall(r"(?:python -m|script/) ?plitka ([a-z]+)([^|]*)", text):
            known = describe(command)
            for option in re.findall(r"(?<=\s)--[a-z-]+", rest):
                assert option in known, text


@cache
def describe(command: str) -> str:
    """What `python -m plitka COMMAND --help` prints; fails where there is no such command."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said), pytest.raises(SystemExit) as ended:
        build_parser(read_settings()).parse_args([command, "--help"])
    assert ended.value.code == 0, command
    return said.getvalue()


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a  b\n", "a b"),
        ('{"a": 1, …}', '{"a":1,"b":{"c":2}}'),
        ("51.3% (47-56)  0.7", "51.4% (46-56) 0.8"),
        ("final: 0.24 s", "final: 11.05 s"),
    ],
)
def test_what_is_shown_may_leave_out_and_round(shown: str, printed: str) -> None:
    assert find_difference(shown, printed) is None


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a b", "ab"),
        ("seed 7", "seed 8"),
        ("51.3% (47-56)", "54.0% (47-56)"),
        ("51.3% (47-56)", "51.3% (40-56)"),
        ("the end", "the end, and more"),
    ],
)
def test_what_is_shown_and_is_not_so_is_found(shown: str, printed: str) -> None:
    assert find_difference(shown, printed) is not None
