"""The command line as a program of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]


def run_program(*arguments: str | bytes | Path, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run `python -m plitka` with arguments and changes of the environment."""
    return subprocess.run(
        [sys.executable, "-m", "plitka", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def start_program(*arguments: str | Path) -> subprocess.Popen[bytes]:
    """Start `python -m plitka`, whose output is read as it comes."""
    return subprocess.Popen(
        [sys.executable, "-m", "plitka", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # so that no line is left in a buffer that `communicate` does not look into
    )


def read_lines(out: bytes) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Read JSON lines: what is told of each file, by its name, and the summary."""
    *lines, last = map(json.loads, out.decode("utf-8").splitlines())
    files = {line["file"]: line for line in lines}
    assert len(files) == len(lines)
    return files, last["summary"]


def list_workers(process: int) -> list[psutil.Process]:
    """List the worker processes of a program."""
    children = psutil.Process(process).children()
    return [child for child in children if any("spawn_main" in part for part in child.cmdline())]
