"""The documents' own text as something to run: what a page tells its reader to type, in order.

Pages are Markdown, read by markdown-it-py. What a block of code is, its language says:

    bash        commands, each of which ends with status 0
    console     lines after "$ " are commands, the lines below each, if any, are what it prints
    python      a program, run by `python` in the folder of the project
    all others  something to look at: a file, an answer, a table

A comment above a block, which readers do not see, says what the language cannot:

    <!-- not run: KIND: why -->   nothing here can run it; KIND is one of KINDS
    <!-- exits 2 -->              its (last) command ends with that status
    <!-- serves: ADDRESS -->      a server: goes on running, from when ADDRESS answers, until the
                                  next one is started or the page ends
    <!-- prints -->               what the block before prints
    <!-- prints: FILE -->         what the blocks before wrote to FILE
    <!-- is: FILE -->             the text of a file that lies in the repository
    <!-- file: FILE -->           what the reader is told to save as FILE
    <!-- in any order -->         what is printed has these lines, in an order of its own

In what is shown, … stands for anything, white space does not count, seconds ("0.24 s") may be any,
and numbers with a point, and intervals, may differ in their last digit: processors differ there.

pytest-markdown-docs and mktestdocs compare no output; cram and clitest read files of their own
form; byexample and Sybil do not tell a block that was marked from one that was forgotten.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "refs/*.md", "model_files/*.md")
    for path in ROOT.glob(pattern)
)
COMMANDS = ("bash", "console", "python")
KINDS = ("Docker", "Replicate", "GPU", "weights", "network", "cluster", "minutes", "itself", "Node")
_MARK = re.compile(r"<!--\s*(not run|exits|serves|prints|is|file|in any order)\b:?\s*(.*?)\s*-->")


class DocumentError(Exception):
    """A page is marked wrongly; the message says where."""


@dataclass(frozen=True)
class Block:
    """A block of code: where it stands, what it is, and what comments above it say of it."""

    page: Path
    line: int
    language: str
    text: str
    marks: dict[str, str]

    @property
    def place(self) -> str:
        """Where it stands, as `docs/http.md:12`."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def runs(self) -> bool:
        """Whether it holds commands that are not marked as not to be run."""
        return self.language in COMMANDS and "not run" not in self.marks

    @property
    def kind(self) -> str:
        """Why it is not run: one of KINDS."""
        return self.marks["not run"].partition(":")[0].strip()


@dataclass(frozen=True)
class Step:
    """Commands to run at once; shown: what they print, None where a page does not say."""

    block: Block
    script: str
    shown: str | None
    status: int = 0


def read_page(page: Path) -> list[Block]:
    """List the blocks of code of a page, with their marks."""
    tokens = MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))
    blocks = []
    for before, token in pairwise([Token("", "", 0), *tokens]):
        if token.type not in ("fence", "code_block"):
            continue
        marks = _read_marks(before)
        language = token.info.strip()
        if token.type == "code_block":
            language = "indented"
        line = (token.map or [0])[0] + 1
        blocks.append(Block(page, line, language, token.content, marks))
    return blocks


def _read_marks(token: Token) -> dict[str, str]:
    if token.type != "html_block":
        return {}
    return {mark[1]: mark[2] for mark in _MARK.finditer(token.content)}


def read_inline(page: Path) -> list[str]:
    """List the pieces of code in the lines of a page's text."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    return [
        child.content
        for token in tokens
        for child in token.children or ()
        if child.type == "code_inline"
    ]


def list_steps(blocks: list[Block]) -> list[Step]:
    """List what is run of a page, in order, each with what is shown of its output."""
    steps: list[Step] = []
    for block in blocks:
        status = int(block.marks.get("exits", 0))
        if "prints" in block.marks:
            steps.append(_compare(block, steps))
        elif "file" in block.marks:
            steps.append(Step(block, _write_file(block.marks["file"], block.text), None))
        elif not block.runs:
            continue
        elif block.language == "console":
            commands = split_console(block)
            last = len(commands) - 1
            steps += (
                Step(block, script, shown or None, status if number == last else 0)
                for number, (script, shown) in enumerate(commands)
            )
        elif block.language == "python":
            steps.append(
                Step(
                    block,
                    "python - <<'END OF PROGRAM'\n" + block.text + "END OF PROGRAM\n",
                    None,
                    status,
                )
            )
        else:
            steps.append(Step(block, block.text, None, status))
    return steps


def find_original(page: Path) -> Path:
    """The page in English that this one translates, or itself."""
    if page.name == "README.ru.md":
        return page.with_name("README.md")
    twin = ROOT / "docs" / page.name
    return twin if page.parent.name == "ru" and twin.exists() else page


def count_commands(block: Block) -> int:
    """Count the commands of a block: a line that is indented belongs to the one above."""
    if block.language == "python":
        return 1
    if block.language == "console":
        return len(split_console(block))
    return len(re.findall(r"^[^\s#]", block.text, re.MULTILINE))


def _compare(block: Block, steps: list[Step]) -> Step:
    file = block.marks["prints"]
    if file:
        return Step(block, f"cat {file}\n", block.text)
    if not steps or steps[-1].shown is not None:
        raise DocumentError(f"{block.place}: no commands stand before what is printed")
    before = steps.pop()
    return Step(before.block, before.script, block.text, before.status)


def _write_file(name: str, text: str) -> str:
    return f"cat > {name} <<'END OF FILE'\n{text}END OF FILE\n"


def split_console(block: Block) -> list[tuple[str, str]]:
    """Part what stands after "$ ", and lines that go on from it, from what is printed."""
    found: list[tuple[list[str], list[str]]] = []
    goes_on = False
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif not found:
            raise DocumentError(f'{block.place}: begins with no command after "$ "')
        elif goes_on:
            found[-1][0].append(line)
        else:
            found[-1][1].append(line)
        goes_on = (goes_on or line.startswith("$ ")) and line.endswith(("\\", "|"))
    return [("\n".join(script) + "\n", "\n".join(shown)) for script, shown in found]


# What is printed against what is shown

_MOST_TOLD = 5_000  # letters of what is printed
_NUMBER = r"-?\d+\.\d+(?:e-?\d+)?"
_PART = re.compile(
    rf"(?P<any>…)|(?P<seconds>\d+\.\d+ s\b)|(?P<number>{_NUMBER})|(?P<interval>\(\d+-\d+\))"
)


def find_difference(shown: str, printed: str) -> str | None:
    """Say how what is printed differs from what is shown, None where it does not."""
    pattern, wanted = _write_pattern(_squeeze(shown))
    match = re.fullmatch(pattern, _squeeze(printed), re.DOTALL)
    if match is None:
        return f"--- shown\n{shown}\n+++ printed\n{printed[:_MOST_TOLD]}"
    for (number, most), got in zip(wanted, match.groups(), strict=True):
        if abs(float(number) - float(got)) > most:
            return f"shown {number}, printed {got}, in\n{printed}"
    return None


def _squeeze(text: str) -> str:
    """Leave white space between two words or numbers alone, as one space."""
    return re.sub(r"\s+", "", re.sub(r"(?<=[\w%#])\s+(?=[\w#-])", "\0", text)).replace("\0", " ")


def _write_pattern(shown: str) -> tuple[str, list[tuple[str, float]]]:
    """Write what is shown as a pattern, and list its numbers with how far each may be off."""
    pattern, wanted, end = "", [], 0
    for part in _PART.finditer(shown):
        pattern += re.escape(shown[end : part.start()])
        end = part.end()
        if part["any"]:
            pattern += ".*?"
        elif part["seconds"]:
            pattern += r"\d+\.\d+ s"
        elif part["number"]:
            pattern += f"({_NUMBER})"
            wanted.append((part[0], _allow(part[0])))
        else:
            pattern += r"\((\d+)-(\d+)\)"
            wanted += ((bound, 2) for bound in re.findall(r"\d+", part[0]))
    return pattern + re.escape(shown[end:]), wanted


def _allow(number: str) -> float:
    """Two of the last digit that is shown, or 1% of a number of many digits."""
    digits = number.partition("e")[0].partition(".")[2]
    return max(2.1 * 10.0 ** -len(digits), 0.01 * abs(float(number)))
