"""Requirements are pinned, the image holds what the tests ran on, documents hold together."""

import ast
import re
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def requirements(name: str) -> list[str]:
    lines = (ROOT / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-r "))]


def test_every_requirement_is_pinned_exactly() -> None:
    for name in sorted(path.name for path in ROOT.glob("requirements*.txt")):
        for line in requirements(name):
            assert re.fullmatch(r"[\w.-]+(\[[\w,]+\])?==[\w.]+", line), f"{name}: {line}"


PROGRAMS = ("requirements.txt", "requirements-ui.txt", "requirements-catalogue.txt")


def test_what_the_program_requires_it_imports() -> None:
    sources = [*(ROOT / "plitka").rglob("*.py"), ROOT / "predict.py", ROOT / "train.py"]
    imported = {
        name.partition(".")[0]
        for path in sources
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    packages = {
        re.sub(r"[-_.]+", "-", package.lower())
        for module, found in packages_distributions().items()
        if module in imported
        for package in found
    }
    for line in [line for name in PROGRAMS for line in requirements(name)]:
        assert re.sub(r"[-_.]+", "-", line.partition("==")[0].lower()) in packages, line


def test_no_file_requires_what_it_takes_in_from_another() -> None:
    for name in sorted(path.name for path in ROOT.glob("requirements-*.txt")):
        taken = re.findall(r"^-r (.+)$", (ROOT / name).read_text(), re.MULTILINE)
        for other in taken:
            assert not set(requirements(name)) & set(requirements(other)), f"{name}, {other}"


def test_the_image_has_the_cog_that_the_tests_run_on() -> None:
    sdk = re.search(r'sdk_version: "(.+)"', (ROOT / "cog.yaml").read_text())
    assert sdk is not None
    assert {f"cog=={sdk[1]}", f"coglet=={sdk[1]}"} <= set(requirements("requirements-dev.txt"))
    assert not any(line.startswith("cog") for line in requirements("requirements.txt"))


@pytest.mark.parametrize("name", ["README.md", "README.ru.md"])
def test_a_readme_is_read_in_five_minutes(name: str) -> None:
    assert len((ROOT / name).read_text(encoding="utf-8").split()) <= 1_000


@pytest.mark.parametrize("name", ["docs/README.md", "docs/ru/README.md"])
def test_every_page_is_in_the_index(name: str) -> None:
    index = ROOT / name
    linked = {
        (index.parent / link).resolve() for link in re.findall(r"\]\(([^)#]+)", index.read_text())
    }
    pages = set((ROOT / "docs").glob("*.md")) - {ROOT / "docs/README.md"}
    translated = {page for page in pages if (index.parent / page.name) in linked}
    assert pages - translated - linked == set()


DOCUMENTS = sorted(path for place in ("", "*/", "*/*/") for path in ROOT.glob(f"{place}*.md"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for link in re.findall(r'\]\(([^)\s]+)\)|src="([^"]+)"', without_code(path)):
        place, _, heading = "".join(link).partition("#")
        if re.match(r"\w+:", place):
            continue  # an address elsewhere
        target = path.parent / place if place else path
        assert target.exists(), link
        assert not heading or heading in headings(target), link


def without_code(path: Path) -> str:
    return re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def headings(path: Path) -> set[str]:
    """As addresses of a page's parts are made of its headings: small letters and hyphens."""
    titles = re.findall(r"^#+ (.+)$", without_code(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_what_pages_say_of_the_images_environment_keeps_what_is_in_it() -> None:
    config = (ROOT / "cog.yaml").read_text(encoding="utf-8")
    kept = re.findall(r"^  - \w+=.*$", config.partition("\nenvironment:\n")[2], re.MULTILINE)
    for path in ROOT.glob("docs/**/*.md"):
        for block in re.findall(r"```yaml\nenvironment:\n(.*?)```", path.read_text("utf-8"), re.S):
            assert block.splitlines()[: len(kept)] == kept, path
