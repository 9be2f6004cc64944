"""The texts for other programs: pasted, they do what they show and nothing else."""

import ast
import json
import subprocess
from pathlib import Path

import pytest

from plitka.color import palette
from plitka.designer import snippets
from plitka.request.recipe import Recipe
from tests.support.recipes import parse

PHRASES = (
    *("'", '"', "''';", "$(touch ran)", "`touch ran`", "; touch ran;", "a\nb\r\ntouch ran\n", "!!"),
    *(
        "\\",
        "\\'",
        "'\"'\"'; touch ran; '",
        "${IFS}",
        "%s%n",
        "{body}",
        "{0}",
        "@/etc/passwd",
        "-x",
    ),
    *(
        "\x7f" * 300 + "; touch ran #",
        "\x9b0m",
        "\u2028touch ran",
        "\u202e'",
        "\\u0027",
        "тест",
        "😀",
    ),
)


def recipe_with(phrase: str) -> Recipe:
    return parse(
        json.dumps(
            {
                "colors": [{"name": "dark green", "proportion": 100}],
                "seed": 7,
                "overrides": {"negative_prompt": phrase},
            }
        )
    )


@pytest.mark.parametrize("phrase", PHRASES)
def test_a_shell_runs_one_program_with_the_recipe_as_it_is(phrase: str, tmp_path: Path) -> None:
    recipe = recipe_with(phrase)
    texts = snippets.write_snippets(recipe, palette.load())
    for kind, program in (
        *(("command", "python"), ("cog", "cog")),
        *(("curl", "curl"), ("curl_replicate", "curl")),
    ):
        stub = tmp_path / program
        stub.write_text('#!/bin/sh\nfor one; do printf "%s\\0" "$one"; done\n')
        stub.chmod(0o755)
        done = subprocess.run(
            ["/bin/bash", "-c", texts[kind]],
            cwd=tmp_path,
            env={"PATH": f"{tmp_path}:/bin:/usr/bin", "REPLICATE_API_TOKEN": "x"},
            capture_output=True,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        given = done.stdout.decode().split("\0")
        (sent,) = [one for one in given if "dark green" in one]
        if program == "curl":
            sent = json.loads(sent)["input"]["params_json"]
        assert parse(sent.removeprefix("params_json=")) == recipe
        assert {file.name for file in tmp_path.iterdir()} <= {"python", "cog", "curl"}


@pytest.mark.parametrize("phrase", PHRASES)
def test_python_reads_the_recipe_as_it_is(phrase: str) -> None:
    recipe = recipe_with(phrase)
    tree = ast.parse(snippets.write_snippets(recipe, palette.load())["python"])
    assigned = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "recipe"
    )
    assert parse(json.dumps(ast.literal_eval(assigned))) == recipe
    statements = [type(node).__name__ for node in tree.body]
    assert statements == ["Import", "ImportFrom", "Import", "Assign", "Assign", "For"]


@pytest.mark.parametrize("phrase", PHRASES)
def test_nothing_in_the_texts_is_unseen(phrase: str) -> None:
    """A terminal takes the delete character, when it is pasted, for the key."""
    texts = snippets.write_snippets(recipe_with(phrase), palette.load())
    for text in texts.values():
        assert all(line.isprintable() for line in text.split("\n"))


def test_a_surface_is_written_short_and_read_back_the_same() -> None:
    zone = {"shape": "circle", "radius_mm": 300, "center_mm": [900.5, 600]}
    colors = [{"name": "red", "proportion": 60}, {"hex": "#1e90ff", "proportion": 40}]
    surface = {"width_mm": 2000, "length_mm": 1500, "laying": "poured"}
    zones = [{**zone, "colors": colors}]
    recipe = parse(json.dumps({"colors": colors, "surface": {**surface, "zones": zones}}))
    request = snippets.write_request(recipe, palette.load())
    assert request["surface"] == {
        **surface,
        "granule_mm": 2.5,
        "zones": zones,
    }
    assert parse(json.dumps(request)) == recipe
