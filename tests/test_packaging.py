"""Requirements are pinned, the image holds what the tests ran on, and both READMEs say the same."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def requirements(name: str) -> list[str]:
    lines = (ROOT / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-r "))]


def test_every_requirement_is_pinned_exactly() -> None:
    for name in ("requirements.txt", "requirements-ui.txt", "requirements-dev.txt"):
        for line in requirements(name):
            assert re.fullmatch(r"[\w.-]+==[\w.]+", line), f"{name}: {line}"


def test_the_image_has_the_cog_that_the_tests_run_on() -> None:
    sdk = re.search(r'sdk_version: "(.+)"', (ROOT / "cog.yaml").read_text())
    assert sdk is not None
    assert {f"cog=={sdk[1]}", f"coglet=={sdk[1]}"} <= set(requirements("requirements-dev.txt"))
    assert not any(line.startswith("cog") for line in requirements("requirements.txt"))


def test_both_readmes_show_the_same_commands_and_what_they_print() -> None:
    def blocks(name: str) -> list[str]:
        text = (ROOT / name).read_text(encoding="utf-8")
        found = re.findall(r"```\w*\n.*?```", text, re.DOTALL)
        return [re.sub(r"  # .*", "", block) for block in found]  # comments are translated

    assert blocks("README.ru.md") == blocks("README.md")
