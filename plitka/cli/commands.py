"""What each command does.

NumPy, OpenCV, rich and the engines are imported by the commands that use them, so that `plan`
and `--help` answer at once.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plitka import __version__
from plitka.color import palette
from plitka.color.palette import Color
from plitka.engines import registry
from plitka.errors import EngineError
from plitka.request import parsing
from plitka.request.plan import make_plan
from plitka.runtime.timing import log
from plitka.settings import Settings
from plitka.weights import snapshot
from plitka.weights.settings import read_weights_settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from plitka.measure.caption_audit import Caption, Finding
    from plitka.measure.shares import Measurement
    from plitka.pipeline import Picture
from plitka.cli.request_arguments import read_colors, read_request


def run_make(options: argparse.Namespace, settings: Settings) -> None:
    from plitka import images, pipeline
    from plitka.cli import tables
    from plitka.request.plan import PICTURE_SIZES

    asked = read_request(options, palette.load(settings.palette_file))
    engine = registry.load_engine(options.engine or settings.engine, lambda: settings.sdxl)
    options.out.mkdir(parents=True, exist_ok=True)
    files: dict[str, str] = {}
    metrics: dict[str, Any] = {}
    pictures_made: Iterator[Picture] = pipeline.make(asked, engine, settings.options.overlap)
    if not options.verbose:  # whose log lines would run into the bar
        pictures_made = _with_progress(pictures_made, len(PICTURE_SIZES))
    for picture in pictures_made:
        file = options.out / f"{picture.kind}.png"
        images.save(picture.image, file, picture.record)
        files[picture.kind] = str(file)
        metrics = picture.metrics
    if options.json:
        _print_json({"pictures": files, **metrics})
    else:
        tables.show(tables.tabulate_pictures(asked, list(files), metrics))
        control = f"ControlNet {metrics['controlnet']}: {metrics['controlnet_reason']}"
        print(f"seed {metrics['seed']}, engine {metrics['engine']}, {control}")
        print(*files.values(), sep="\n")


def run_plan(options: argparse.Namespace, settings: Settings) -> None:
    tokens = snapshot.has_tokens(settings.weights)
    _print_json(
        make_plan(read_request(options, palette.load(settings.palette_file)), tokens).as_json()
    )


def run_measure(options: argparse.Namespace, settings: Settings) -> None:
    from plitka import images
    from plitka.cli import tables
    from plitka.measure import shares as fidelity

    colors, asked = read_colors(options.colors, palette.load(settings.palette_file))
    measured = fidelity.measure(images.load(options.image), list(colors.values()))
    if options.json:
        _print_json(_measured_json(measured, list(colors), asked))
        return
    tables.show(tables.tabulate_measurement(colors, measured, asked))


def _measured_json(
    measured: "Measurement", names: Sequence[str], asked: Sequence[float]
) -> dict[str, Any]:
    from plitka.measure.shares import total_variation

    rounded = [None if d is None else round(d, 2) for d in measured.differences]
    told: dict[str, Any] = {
        "shares": {n: round(s, 5) for n, s in zip(names, measured.shares, strict=True)},
        "ciede2000": dict(zip(names, rounded, strict=True)),
        "gaps": round(measured.gaps, 5),
        "undecided": round(measured.undecided, 5),
    }
    if asked:
        told["requested"] = {n: round(s, 5) for n, s in zip(names, asked, strict=True)}
        told["total_variation"] = round(total_variation(measured.shares, asked), 5)
    return told


def run_match(options: argparse.Namespace, settings: Settings) -> None:
    from plitka import images
    from plitka.cli import tables
    from plitka.matching import match
    from plitka.request.recipe import draw_seed
    from plitka.tile.layout import lay

    asked = draw_seed(read_request(options, palette.load(settings.palette_file)))
    layout = lay(asked)
    image = _square(images.load(options.image))
    matched = match.match(image, layout)
    before, after = matched.before, matched.after
    names = [part.name for part in asked.shares]
    told = {
        "before": _measured_json(before, names, layout.shares),
        "after": _measured_json(after, names, layout.shares),
    }
    record = {"version": __version__, "request": asked.request(), **told}
    images.save(matched.image, options.out, record)
    if options.json:
        _print_json({"picture": str(options.out), "seed": asked.seed, **told})
        return
    tables.show(tables.tabulate_match(asked, before, after))
    print(options.out)


def _square(image: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    """The middle of a picture."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def run_audit(options: argparse.Namespace, settings: Settings) -> None:
    from plitka.cli import tables
    from plitka.measure import caption_audit

    findings = list(caption_audit.audit(options.folder, palette.load(settings.palette_file)))
    if not findings:
        raise OSError(f"{options.folder}: holds no photographs")
    if options.json:
        _print_json([_finding_json(finding) for finding in findings])
        return
    tables.show(tables.tabulate_audit(findings))
    lies = [finding.file.name for finding in findings if finding.verdict == "lies"]
    print(f"{len(lies)} of {len(findings)} captions lie" + (":" if lies else ""))
    for name in lies:
        print(name)


def _captioned(caption: "Caption") -> Iterator[tuple[Color, float]]:
    return zip(caption.colors, caption.percent, strict=True)


def _finding_json(finding: "Finding") -> dict[str, Any]:
    told: dict[str, Any] = {
        "file": finding.file.name,
        "verdict": finding.verdict,
        "reason": finding.reason,
    }
    if finding.caption and finding.measured and finding.total_variation is not None:
        parts = list(_captioned(finding.caption))
        told["captioned"] = {color.code: round(part / 100, 5) for color, part in parts}
        shares = zip(finding.caption.colors, finding.measured.shares, strict=True)
        told["measured"] = {color.code: round(share, 5) for color, share in shares}
        told["total_variation"] = round(finding.total_variation, 5)
    return told


def run_calibrate(options: argparse.Namespace, settings: Settings) -> None:
    from plitka.cli import tables
    from plitka.measure import palette_calibration

    out = options.out or settings.palette_file or palette.OWN_FILE
    rows = palette_calibration.calibrate(options.folder, palette.load(settings.palette_file))
    palette_calibration.write_palette(rows, out)
    tables.show(tables.tabulate_calibration(rows))
    print(out)


def run_palette(options: argparse.Namespace, settings: Settings) -> None:
    from plitka.cli import tables

    colors = palette.load(settings.palette_file).colors
    if options.json:
        _print_json([{"code": c.code, "phrase": c.phrase, "hex": c.hex} for c in colors])
    else:
        tables.show(tables.tabulate_palette(colors))


def run_bench(options: argparse.Namespace, settings: Settings) -> None:
    if options.chart is not None:  # before minutes of work
        from plitka.bench import chart

        chart.check(options.chart)
    request = {
        "colors": [{"name": "red", "proportion": 60}, {"name": "white", "proportion": 40}],
        "angle": options.angle,
        "quality": options.quality,
        "seed": 7,
    }
    asked = parsing.parse(json.dumps(request), palette.load(settings.palette_file))
    from plitka.bench import compare, random_models, tables

    if options.count_only:
        told = compare.count_work(asked, settings.options)
    else:
        with _weights_folder(options.folder) as folder:
            sdxl = replace(settings.sdxl, dtype=options.dtype)
            if options.model != compare.OWN:
                log.info("random weights of the %s model in %s", options.model, folder)
                files = random_models.write_model(folder, options.model)
                variables = {**settings.variables, **files.environment()}
                sdxl = replace(sdxl, weights=read_weights_settings(variables))
            told = compare.compare(options.model, sdxl, asked, options.runs, options.fused)
    if options.json:
        _print_json(told)
    else:
        tables.show(told)
    if options.chart is not None:
        chart.draw(told, options.chart)


@contextmanager
def _weights_folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="plitka-bench-") as folder:
        yield Path(folder)


def run_check(options: argparse.Namespace, settings: Settings) -> None:
    from plitka.cli import check

    faults = 0
    engine = registry.check_name(options.engine or settings.engine)
    for finding in check.inspect_installation(engine, lambda: settings.sdxl, options.weights):
        print(f"{'FAULT' if finding.fault else 'ok':5}  {finding.part}: {finding.verdict}")
        faults += finding.fault
    if faults:
        raise EngineError(f"A prediction would fail: {faults} to be put right, see above.")


def run_bake(options: argparse.Namespace, settings: Settings) -> None:
    from plitka.engines.sdxl import bake
    from plitka.request import controlnet

    kinds = controlnet.CONTROLNET_KINDS if options.controlnets == "all" else (options.controlnets,)
    wanted = tuple(kind for kind in kinds if kind != "none")
    made = bake.bake(options.folder, settings.sdxl.weights, options.weights, wanted)
    size = sum(size for size, _ in made.files.values())
    print(f"{made.folder}: {len(made.files)} files, {size / 1e9:.2f} GB")
    print(f"Load it with PLITKA_BASE={made.folder}")


def run_design(options: argparse.Namespace, settings: Settings) -> None:
    try:
        from plitka.designer import run
    except ModuleNotFoundError as missing:
        if (missing.name or "plitka").startswith("plitka"):
            raise
        raise EngineError(
            f"{missing.name} is not installed, which the designer needs. In the project's folder:"
            f" {sys.executable} -m pip install -r requirements-ui.txt"
        ) from None
    run.run(settings, options.port, options.open)


def _with_progress(pictures: Iterator["Picture"], count: int) -> Iterator["Picture"]:
    """Pass pictures on, with a progress bar on standard error where that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    bar = Console(stderr=True)
    hidden = not bar.is_terminal
    yield from track(pictures, "Drawing", count, console=bar, transient=True, disable=hidden)


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))
