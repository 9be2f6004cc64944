"""Two checkouts of Plitka side by side: do they still do the same, byte for byte?

    python -m benchmarks.compare_checkouts OLD NEW [--photos FOLDER] [--sdxl]

Runs recipes, bad requests, plans, and commands on pictures in both through the command line, and
compares exit codes, errors, what is printed, and every byte of every picture. Seconds and memory
that a run reports of itself are left out. OLD and NEW are folders with a .venv. Prints each
difference, and exits with 1 if there is one.
"""

import argparse
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# Colours, angle in degrees, seed, quality
_RECIPES: Sequence[tuple[str, float, int, str]] = (
    ("red=60 blue=40", 0, 1, "standard"),
    ("black=85 LTGRAY=15", 45, 2, "preview"),
    ("DKGREEN=50 beige=30 terracotta=20", 30, 7, "high"),
    ("white=100", 90, 3, "standard"),
    ("#1e90ff=25 #ffd700=25 dark_green=25 lilac=25", 135, 4, "standard"),
    (
        "red=12.5 blue=12.5 green=12.5 yellow=12.5 pink=12.5 orange=12.5 brown=12.5 gray=12.5",
        12,
        5,
        "high",
    ),
    ("sand=0.6 brown=0.4", 67.5, 6, "preview"),
    ("salmon=34 orange=33 pink=33", 180, 8, "standard"),
    ("violet=1 purple=1 pearl=98", 22.5, 4294967295, "standard"),
    ("black=50 white=50", 0, 0, "turbo"),
)
_BAD_REQUESTS = (
    "",
    "not json",
    "[]",
    '{"colors": []}',
    '{"colors": [{"name": "blurple", "proportion": 100}]}',
    '{"colors": [{"name": "red", "proportion": 60}, {"name": "blue", "proportion": 60}]}',
    '{"colors": [{"hex": "#12", "proportion": 100}], "angle": 200, "seed": -2}',
    '{"colors": [{"name": "red", "proportion": -1}], "quality": "best"}',
    '{"colors": [{"name": "red", "proportion": 100}], "overrides": {"strenght": 1}}',
    '{"params_json": {"colors": [{"name": "red"}], "colour": 1}}',
    '{"colors": [{"name": "red", "proportion": 100}], "overrides": {"guidance_scale": 0.5}}',
    '{"colors": [{"name": "красный", "proportion": 100}], "angle": NaN}',
)
_OVERRIDES = (
    "{}",
    '{"use_controlnet": true}',
    '{"color_control": "prompt", "num_inference_steps": 12, "guidance_scale": 1}',
    '{"negative_prompt": "", "strength": 0.3, "controlnet_scale": 0}',
)
_COSTS = {"seconds", "peak_memory_mb", "memory", "process_mb", "available_mb"}
"""Keys in printed JSON whose values differ from run to run."""


@dataclass(frozen=True)
class _Run:
    """One command.

    name: for the report. environment: variables on top of the caller's. any_order: whether the
    lines that it prints may come in any order.
    """

    name: str
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    any_order: bool = False


def _list_runs(photos: Path | None, model: dict[str, str] | None) -> Iterator[_Run]:
    """List all runs. photos: a folder. model: variables that name the files of a small SDXL."""
    for number, (mix, angle, seed, quality) in enumerate(_RECIPES):
        colors = [part for color in mix.split() for part in ("--color", color)]
        spelt = (*colors, "--angle", str(angle), "--seed", str(seed), "--quality", quality)
        yield _Run(
            f"make {number}", ("make", *spelt, "--engine", "render", "--out", "out", "--json")
        )
        yield _Run(f"plan {number}", ("plan", *spelt))
        if model is not None and number in (0, 1, 3):
            yield _Run(
                f"sdxl {number}", ("make", *spelt, "--out", "out", "--json"), tuple(model.items())
            )
    for number, text in enumerate(_BAD_REQUESTS):
        yield _Run(f"bad make {number}", ("make", text, "--engine", "render", "--out", "out"))
        yield _Run(f"bad plan {number}", ("plan", text))
    for number, overrides in enumerate(_OVERRIDES):
        body = {"colors": [{"name": "red", "proportion": 100}], "overrides": json.loads(overrides)}
        yield _Run(f"overrides {number}", ("plan", json.dumps(body)))
    yield _Run("palette", ("palette", "--json"))
    yield _Run("no command", ())
    yield _Run("no engine", ("make", "--color", "red=1", "--engine", "paint", "--out", "out"))
    nothing = (
        ("PLITKA_BASE", "/absent"),
        ("PLITKA_LORA", "/absent"),
        ("PLITKA_EMBEDDINGS", "none"),
    )
    yield _Run("no weights", ("check",), nothing)
    yield _Run("no weights, make", ("make", "--color", "red=1", "--out", "out"), nothing)
    for name, value in (
        ("PLITKA_COMPILE", "maybe"),
        ("PLITKA_GUIDANCE_INTERVAL", "2,1"),
        ("PLITKA_LORA_SCALE", "much"),
        ("PLITKA_GPU_MEMORY_FRACTION", "2"),
        ("PLITKA_ENGINE", "paint"),
    ):
        yield _Run(f"bad {name}", ("check",), ((name, value), *nothing))
    yield _Run("bad level", ("palette", "--json"), (("PLITKA_LOG_LEVEL", "loud"),))
    yield _Run("bad palette", ("palette", "--json"), (("PLITKA_PALETTE", "/absent.csv"),))
    yield _Run("bad photographer", ("design", "--port", "0"), (("PLITKA_PHOTOGRAPH", "nobody"),))
    if photos is None:
        return
    files = sorted(photos.glob("*.jpg"))
    for number, photo in enumerate(files[:: max(len(files) // 8, 1)]):
        spelt = ("--color", "red=60", "--color", "white=25", "--color", "DKBLUE=15", "--seed", "9")
        yield _Run(
            f"match {number}", ("match", str(photo), *spelt, "--out", "out/match.png", "--json")
        )
        yield _Run(
            f"measure {number}",
            ("measure", str(photo), "--colors", "red,blue,black,white", "--json"),
        )
    yield _Run("audit", ("audit", str(photos), "--json"), any_order=True)


def _execute(run: _Run, checkout: Path, folder: Path) -> dict[str, object]:
    """Execute a run in an empty folder; returns exit code, output, and the bytes of its files."""
    work = folder / "work"
    (work / "out").mkdir(parents=True)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PLITKA_")}
    environment = {**clean, "PYTHONPATH": str(checkout), "COLUMNS": "100", **dict(run.environment)}
    python = str(checkout / ".venv/bin/python")
    command = [python, "-m", "plitka", *run.arguments]
    process = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
    files = {f.relative_to(work).as_posix(): f.read_bytes() for f in work.rglob("*") if f.is_file()}
    texts = (text.replace(str(checkout), "CHECKOUT") for text in (process.stdout, process.stderr))
    output, errors = map(_remove_costs, texts)
    if run.any_order:
        output = "\n".join(sorted(output.splitlines()))
    return {"exit code": process.returncode, "output": output, "errors": errors, **files}


def _remove_costs(text: str) -> str:
    """Remove seconds and memory from printed JSON, and from other text the memory that is free."""
    try:
        value = json.loads(text)
    except ValueError:
        return re.sub(r"\d+\.\d GiB of (?=\d+\.\d GiB free)", "", text)
    return json.dumps(_prune(value), indent=1)


def _prune(value: object) -> object:
    if isinstance(value, dict):
        kept = {
            k: sorted(v) if isinstance(v, dict) else None for k, v in value.items() if k in _COSTS
        }
        return {k: kept[k] if k in kept else _prune(v) for k, v in value.items()}
    return [_prune(v) for v in value] if isinstance(value, list) else value


def _write_model(folder: Path) -> dict[str, str]:
    """Write the small SDXL with random weights; returns the variables that name its files."""
    from plitka.bench import random_models

    return random_models.write_model(folder, "small").environment()


def _report_equal(run: _Run, old: dict[str, object], new: dict[str, object]) -> bool:
    """Whether both results are equal; prints what differs."""
    unequal = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    if not unequal:
        return True
    print(f"{run.name}: {', '.join(unequal)}")
    for key in unequal:
        if not isinstance(old.get(key), bytes):
            before, after = (str(result.get(key)).splitlines() for result in (old, new))
            names = f"old {key}", f"new {key}"
            for line in difflib.unified_diff(before, after, *names, n=0, lineterm=""):
                print(f"  {line:.400}")
    return False


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare_checkouts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--photos", type=Path, help="a folder of photographs to match and measure")
    parser.add_argument("--sdxl", action="store_true", help="also a small SDXL with random weights")
    options = parser.parse_args()
    compared = differing = 0
    with tempfile.TemporaryDirectory() as scratch:
        model = _write_model(Path(scratch) / "model") if options.sdxl else None
        for run in _list_runs(options.photos and options.photos.resolve(), model):
            results = []
            for checkout in (options.old.resolve(), options.new.resolve()):
                with tempfile.TemporaryDirectory(dir=scratch) as folder:
                    results.append(_execute(run, checkout, Path(folder)))
            compared += 1
            differing += not _report_equal(run, *results)
    print(f"{compared} runs compared, {differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
