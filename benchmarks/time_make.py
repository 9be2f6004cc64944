"""What one command costs from start to end: processor and wall-clock seconds, start included.

    python -m benchmarks.time_make [--runs 7]

Runs `python -m plitka make` (1024 pixels, render engine) and `python -m plitka plan` as separate
processes and prints the median of each, with the spread. Processor seconds are user and system
time of all threads, so they say what the work costs whatever else the machine is doing.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import print_table

ROOT = Path(__file__).resolve().parents[1]

EIGHT = ("red", "blue", "green", "yellow", "black", "white", "orange", "gray")
COMMANDS = {
    "make, 1 colour at 0 degrees": "make --engine render --seed 7 --color terracotta=100",
    "make, 2 colours at 45 degrees": (
        "make --engine render --seed 7 --angle 45 --color black=60 --color white=40"
    ),
    "make, 8 colours at 30 degrees": "make --engine render --seed 7 --angle 30 "
    + " ".join(f"--color {name}=12.5" for name in EIGHT),
    "plan": "plan --seed 7 --angle 45 --color black=60 --color white=40",
    "plan, free hex colour": "plan --seed 7 --color #1e90ff=100",
}


def measure_seconds(command: list[str]) -> tuple[float, float]:
    """Measure processor and wall-clock seconds of a command. Raises CalledProcessError."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall


def main() -> None:
    parser = argparse.ArgumentParser(description="Time whole runs of the command line.")
    parser.add_argument("--runs", type=int, default=7, help="of each command (default: 7)")
    runs: int = parser.parse_args().runs

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, words in COMMANDS.items():
            command = [sys.executable, "-m", "plitka", *words.split()]
            if command[3] == "make":
                command += ["--out", folder]
            measure_seconds(command)  # the first run compiles and fills the file cache
            processor, wall = zip(*(measure_seconds(command) for _ in range(runs)), strict=True)
            spread = f"{min(processor):.2f} to {max(processor):.2f}"
            medians = [f"{statistics.median(times):.2f}" for times in (processor, wall)]
            rows.append([name, medians[0], spread, medians[1]])
    print_table(["command", "processor s", "least to most", "wall s"], rows)


if __name__ == "__main__":
    main()
