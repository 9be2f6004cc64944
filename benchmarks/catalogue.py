"""A catalogue that is killed and resumed, beside one that nobody disturbs: which bytes differ?

    python -m benchmarks.catalogue [--tiles 2000] [--bad 50] [--kills 3] [--workers 2]
        [--pictures preview] [--folder DIR]

Writes a table of recipes, of which some are bad in eight ways; makes the catalogue of it once
undisturbed, and once killed by SIGKILL as often as asked, each time when another part of the tiles
is there: first the program, then the program with its workers, then a worker and the program. Says
which files differ, and whether a tile that was there at a kill was written again.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
COLORS = ("red", "blue", "green", "yellow", "black", "white", "orange", "gray", "beige", "brown")
BAD = (
    ("red", "60", "white", "30", "45", "1"),  # 90% in all
    ("crimsonish", "60", "white", "40", "45", "1"),
    ("red", "sixty", "white", "40", "45", "1"),
    ("red", "60", "white", "40", "270", "1"),
    ("red", "60", "white", "40", "45", "4.29E+09"),
    ("red", "-10", "white", "110", "45", "1"),
    ("", "60", "white", "40", "45", "1"),
    ("red", "", "white", "40", "45", "1"),
)
NOT_EQUAL = ("catalogue.csv", "catalogue.parquet")  # for their last column, seconds


def write_recipes(file: Path, tiles: int, bad: int) -> None:
    """Write a table of recipes, the bad ones spread among the others."""
    lines = ["name;color1;share1;color2;share2;laying angle;seed"]
    every = tiles // bad if bad else tiles + 1
    for number in range(tiles):
        if bad and number % every == every - 1 and number // every < bad:
            cells = BAD[number // every % len(BAD)]
        else:
            first = COLORS[number % len(COLORS)]
            second = COLORS[(number + 1 + number // len(COLORS) % 9) % len(COLORS)]
            share = 5 + number * 7 % 91
            cells = (first, f"{share},5", second, f"{99 - share},5", str(number % 180), "")
        lines.append(";".join((f"T{number:05}", *cells)))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def start(recipes: Path, out: Path, workers: int, pictures: list[str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "plitka", "catalogue", recipes, "--out", out, "--keep-going"]
    command += ["--engine", "render", "--workers", str(workers), "--json"]
    return subprocess.Popen(
        [*map(str, command), "--pictures", *pictures],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> dict[str, object]:
    out, _ = process.communicate()
    assert process.returncode == 0, f"ended with {process.returncode}"
    summary: dict[str, object] = json.loads(out)
    return summary


def list_records(out: Path) -> dict[str, int]:
    """List the records of tiles that are there, with the times when they were written."""
    found = {}
    for record in (out / ".plitka").glob("*.json"):
        found[record.name] = record.stat().st_mtime_ns
    return found


def kill_at(process: "subprocess.Popen[str]", out: Path, count: int, kind: int) -> dict[str, int]:
    """Kill a run when so many tiles are there; gives their records."""
    while len(list_records(out)) < count:
        if process.poll() is not None:
            raise ChildProcessError("the run ended before it was killed")
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children(recursive=True)
    if kind == 2 and workers:  # its tile is drawn again by another
        workers[-1].kill()
        time.sleep(1)
    os.kill(process.pid, signal.SIGKILL)
    if kind == 1:
        for worker in workers:
            worker.kill()
    process.communicate()
    psutil.wait_procs(workers, timeout=60)  # those that outlive it finish their tiles
    return list_records(out)


def compare(one: Path, other: Path) -> tuple[int, list[str]]:
    """Compare two catalogues; returns how many files are equal, and the names of the others."""
    names = {
        str(file.relative_to(folder))
        for folder in (one, other)
        for file in folder.rglob("*")
        if file.is_file() and ".plitka" not in file.parts
    }
    differing = [
        name
        for name in sorted(names)
        if not (one / name).is_file()
        or not (other / name).is_file()
        or (one / name).read_bytes() != (other / name).read_bytes()
    ]
    return len(names) - len(differing), differing


def run(folder: Path, options: argparse.Namespace) -> int:
    recipes = folder / "recipes.csv"
    write_recipes(recipes, options.tiles, options.bad)
    begun = time.perf_counter()
    summary = finish(start(recipes, folder / "quiet", options.workers, options.pictures))
    seconds = time.perf_counter() - begun
    drawn = int(str(summary["drawn"]))
    print(f"undisturbed: {drawn} tiles in {seconds:.0f} s, {60 * drawn / seconds:.1f} a minute")
    refused = summary["refused"]
    assert isinstance(refused, list)
    print(f"bad rows told: {len(refused)}")
    there: dict[str, int] = {}
    twice = 0
    for number in range(options.kills):
        process = start(recipes, folder / "killed", options.workers, options.pictures)
        count = drawn * (number + 1) // (options.kills + 1)
        now = kill_at(process, folder / "killed", count, number % 3)
        twice += sum(now.get(name) != written for name, written in there.items())
        there = now
        print(f"killed when {len(there)} tiles were there")
    last = finish(start(recipes, folder / "killed", options.workers, options.pictures))
    now = list_records(folder / "killed")
    twice += sum(now.get(name) != written for name, written in there.items())
    print(f"resumed: {last['drawn']} drawn, {last['there_already']} there already")
    equal, differing = compare(folder / "quiet", folder / "killed")
    print(f"files that are equal: {equal}; that differ: {', '.join(differing) or 'none'}")
    print(f"tiles that were there at a kill and were written again: {twice}")
    return int(bool(twice or set(differing) - set(NOT_EQUAL)))


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill and resume a catalogue.")
    parser.add_argument("--tiles", type=int, default=2000, help="rows (default: 2000)")
    parser.add_argument("--bad", type=int, default=50, help="of them (default: 50)")
    parser.add_argument("--kills", type=int, default=3, help="default: 3")
    parser.add_argument("--workers", type=int, default=2, help="default: 2")
    parser.add_argument("--pictures", nargs="+", default=["preview"], help="default: preview")
    parser.add_argument("--folder", type=Path, help="to keep what is made")
    options = parser.parse_args()
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
        return run(options.folder, options)
    with tempfile.TemporaryDirectory(prefix="plitka-catalogue-") as folder:
        return run(Path(folder), options)


if __name__ == "__main__":
    sys.exit(main())
