"""What each command does: a function run_… for each, which takes its arguments and the settings.

NumPy, OpenCV, rich and the engines are imported by the commands that use them, so that `plan`
and `--help` answer at once. Errors are those that cli/main turns into exit codes.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plitka import __version__, whole_file
from plitka.cli.request_arguments import read_colors, read_request
from plitka.cli.terminal import (
    print_error,
    print_json,
    print_json_line,
    print_line,
    show_progress,
)
from plitka.color.palette import Palette
from plitka.engines import registry
from plitka.errors import EngineError
from plitka.request import parsing
from plitka.request.plan import make_plan
from plitka.request.prompt import DEFAULT_SUBJECT, DEFAULT_TRIGGER, Subject
from plitka.runtime.timing import log
from plitka.settings import Settings
from plitka.weights.settings import read_weights_settings

if TYPE_CHECKING:
    from plitka.measure.shares import Measurement
    from plitka.pipeline import Picture


def run_make(options: argparse.Namespace, settings: Settings) -> None:
    """Make the pictures of a request, and print their shares."""
    from plitka import pipeline
    from plitka.cli import tables
    from plitka.images import png
    from plitka.request.plan import PICTURE_SIZES

    name = options.engine or settings.engine
    if name in registry.WITHOUT_WEIGHTS:
        _refuse_weights(options, settings, f"the {name} engine reads none")
    recipe = read_request(options, settings.load_palette(options.weights, name))
    engine = settings.choose_engine(options.weights, name).load()
    options.out.mkdir(parents=True, exist_ok=True)
    for kind in PICTURE_SIZES:
        whole_file.check_target(options.out / f"{kind}.png")
    files: dict[str, str] = {}
    metrics: dict[str, Any] = {}
    pictures: Iterator[Picture] = pipeline.make(recipe, engine, settings.options.overlap)
    if not options.verbose:  # whose log lines would run into the bar
        pictures = _show_progress(pictures, len(PICTURE_SIZES))
    for picture in pictures:
        file = options.out / f"{picture.kind}.png"
        png.save(picture.image, file, picture.record)
        files[picture.kind] = str(file)
        metrics = picture.metrics
    if options.json:
        print_json({"pictures": files, **metrics})
    else:
        tables.show(*tables.tabulate_pictures(recipe, list(files), metrics), tables.INTERVALS)
        tables.show(*tables.write_understood(recipe.list_understood()))
        controlnet = f"ControlNet {metrics['controlnet']}: {metrics['controlnet_reason']}"
        print_line(f"seed {metrics['seed']}, engine {metrics['engine']}, {controlnet}")
        for written in files.values():
            print_line(written)


def run_plan(options: argparse.Namespace, settings: Settings) -> None:
    """Print the plan of a request as JSON."""
    from plitka.engines.sdxl.turbo_preset import list_presets
    from plitka.weights import archive, prompt_parts

    draws_without = settings.engine in registry.WITHOUT_WEIGHTS
    reads_none = draws_without and options.weights == settings.package
    colors = settings.load_palette(options.weights, settings.engine if reads_none else "sdxl")
    recipe = read_request(options, colors)
    if reads_none:
        print_json(make_plan(recipe, DEFAULT_SUBJECT).as_json())
        return
    weights = settings.weights
    with archive.open_package(options.weights, weights.cache) as package:
        parts = prompt_parts.read_weights_parts(weights, package)
    kind = prompt_parts.read_turbo_kind(weights) if recipe.quality == "turbo" else None
    subject = Subject(parts.trigger or DEFAULT_TRIGGER, parts.vectors)
    told = {} if parts.lora_scale is None else parts.lora_scale.as_json()
    print_json({**make_plan(recipe, subject, list_presets(kind)).as_json(), **told})


def _refuse_weights(options: argparse.Namespace, settings: Settings, why: str) -> None:
    """Raise EngineError for a --weights that would not be read; COG_WEIGHTS may stand unread."""
    if options.weights != settings.package:
        raise EngineError(f"--weights: would not be read, because {why}; leave it out")


def run_measure(options: argparse.Namespace, settings: Settings) -> None:
    """Measure the shares of colours on a picture, and print them."""
    from plitka.cli import tables
    from plitka.measure.reading import load_photograph
    from plitka.measure.shares import measure

    understood, requested = read_colors(options.colors, _load_palette(settings))
    colors = {name: said.color for name, said in understood.items()}
    loaded = load_photograph(options.image)
    measured = measure(loaded.pixels, list(colors.values()))
    if options.json:
        value = _measurement_as_json(measured, list(colors), requested)
        told = [said.as_json() for said in understood.values()]
        print_json({**value, "understood": told, "notes": loaded.notes})
        return
    table = tables.tabulate_measurement(colors, measured, requested)
    tables.show(table, tables.INTERVALS, tables.write_rest(measured))
    tables.show(*tables.write_understood(understood.values()))
    tables.show(*tables.write_notes(loaded.notes))


def _measurement_as_json(
    measured: "Measurement", names: Sequence[str], requested: Sequence[float]
) -> dict[str, Any]:
    """Write a measurement as JSON. names: of its colours. requested: their shares, or empty."""
    from plitka.measure.description import name_groups, name_intervals, name_shares

    rounded = [None if d is None else round(d, 2) for d in measured.differences]
    value: dict[str, Any] = {
        "shares": name_shares(measured.shares, names),
        "intervals": name_intervals(measured, names),
        "groups": name_groups(measured, names),
        "ciede2000": dict(zip(names, rounded, strict=True)),
        "gaps": round(measured.gaps, 5),
        "undecided": round(measured.undecided, 5),
    }
    if requested:
        value["requested"] = name_shares(requested, names)
        value["total_variation"] = round(measured.compare(requested), 5)
    return value


def run_match(options: argparse.Namespace, settings: Settings) -> None:
    """Match the middle of a picture to a request, write it, and print its shares."""
    from plitka.cli import tables
    from plitka.images import png
    from plitka.matching.match import crop_square, match
    from plitka.measure.reading import load_photograph
    from plitka.request.recipe import draw_seed
    from plitka.tile.layout import lay

    recipe = draw_seed(read_request(options, _load_palette(settings)))
    own = (settings.palette_file,) if settings.palette_file else ()
    whole_file.check_target(options.out, options.image, *own)
    layout = lay(recipe)
    loaded = load_photograph(options.image)
    matched = match(crop_square(loaded.pixels), layout)
    before, after = matched.before, matched.after
    names = [part.name for part in recipe.shares]
    measured = {
        "before": _measurement_as_json(before, names, layout.shares),
        "after": _measurement_as_json(after, names, layout.shares),
    }
    understood = {"understood": recipe.understood()}
    record = {"version": __version__, "request": recipe.request(), **understood, **measured}
    png.save(matched.image, options.out, record)
    if options.json:
        told = {"picture": str(options.out), "seed": recipe.seed, "notes": loaded.notes}
        print_json({**told, **understood, **measured})
        return
    tables.show(tables.tabulate_match(recipe, before, after), tables.INTERVALS)
    tables.show(*tables.write_understood(recipe.list_understood()))
    tables.show(*tables.write_notes(loaded.notes))
    print_line(options.out)


def run_audit(options: argparse.Namespace, settings: Settings) -> None:
    """Compare photographs with their captions, and print which captions lie."""
    from plitka.cli import audit_report, tables
    from plitka.measure import caption_audit

    palette = _load_palette(settings)
    audit = caption_audit.audit(options.folder, palette, options.recursive)
    passed_over = audit.listing.passed_over
    if not len(audit):
        more = f". {audit_report.write_passed_over(passed_over)}" if passed_over else ""
        raise OSError(f"{options.folder}: holds no photographs{more}")
    tally = audit_report.Tally(options.folder)

    def sum_up() -> None:
        if options.json:
            print_json_line(audit_report.write_summary(tally, len(audit), passed_over))
        else:
            audit_report.print_summary(tally, len(audit), passed_over)

    try:
        with show_progress("Measuring", options.json) as progress, closing(iter(audit)) as findings:
            phrases = [color.phrase for color in palette.colors]
            table = tables.AuditTable(progress.console, options.folder, phrases)
            progress.expect(len(audit))
            if not options.json:
                table.begin()
            for finding in findings:
                tally.add(finding)
                if options.json:
                    print_json_line(audit_report.write_finding(finding, options.folder))
                else:
                    table.add(finding)
                progress.advance()
    except KeyboardInterrupt:
        sum_up()
        raise
    sum_up()
    if tally.broken == len(audit):
        raise OSError(f"{options.folder}: none of its photographs could be read")


def run_palette(options: argparse.Namespace, settings: Settings) -> None:
    """Print the palette."""
    from plitka.cli import tables

    colors = _load_palette(settings).colors
    if options.json:
        print_json([{"code": c.code, "phrase": c.phrase, "hex": c.hex} for c in colors])
    else:
        tables.show(tables.tabulate_palette(colors))


def run_schema(options: argparse.Namespace, settings: Settings) -> None:
    """Print the JSON Schema of a request."""
    from plitka.request.schema import make_schema

    print_json(make_schema())


def run_bench(options: argparse.Namespace, settings: Settings) -> None:
    """Measure, or only count, both procedures; print tables or JSON, and draw a chart."""
    if options.chart is not None:  # before minutes of work
        from plitka.bench import chart

        chart.check(options.chart)
    request = {
        "colors": [{"name": "red", "proportion": 60}, {"name": "white", "proportion": 40}],
        "angle": options.angle,
        "quality": options.quality,
        "seed": 7,
    }
    source = options.weights if options.model == "own" and not options.count_only else None
    if source is None:
        _refuse_weights(options, settings, "only --model own measures weights of one's own")
    recipe = parsing.parse(json.dumps(request), settings.load_palette(source))
    from plitka.bench import compare, random_models, tables  # torch: seconds
    from plitka.engines.sdxl.turbo_preset import list_presets
    from plitka.weights.prompt_parts import read_turbo_kind

    if options.count_only:
        presets = list_presets(read_turbo_kind(settings.weights))
        report = compare.count_work(recipe, settings.options, presets)
    else:
        with _open_weights_folder(options.folder) as folder:
            sdxl = replace(settings.sdxl, dtype=options.dtype)
            if options.model != compare.OWN:
                log.info("random weights of the %s model in %s", options.model, folder)
                files = random_models.write_model(folder, options.model)
                variables = {**settings.variables, **files.environment()}
                sdxl = replace(sdxl, weights=read_weights_settings(variables))
            report = compare.compare(
                options.model, sdxl, recipe, options.runs, options.fused, source, print_error
            )
    if options.json:
        print_json(report)
    else:
        tables.show(report)
    if options.chart is not None:
        chart.draw(report, options.chart)


@contextmanager
def _open_weights_folder(named: Path | None) -> Iterator[Path]:
    """Open the folder for random weights: the one that is named, else a temporary one."""
    if named is not None:
        named.mkdir(parents=True, exist_ok=True)
        yield named
        return
    with tempfile.TemporaryDirectory(prefix="plitka-bench-") as folder:
        yield Path(folder)


def run_check(options: argparse.Namespace, settings: Settings) -> None:
    """Print what is found of the installation. Raises EngineError if there are faults."""
    from plitka.cli import check

    faults = 0
    engine = registry.check_name(options.engine or settings.engine)
    if engine in registry.WITHOUT_WEIGHTS:
        _refuse_weights(options, settings, f"the {engine} engine reads none")
    for finding in check.inspect_installation(engine, settings, options.weights):
        state = "FAULT" if finding.fault else "warn" if finding.warning else "ok"
        print_line(f"{state:5}  {finding.part}: {finding.verdict}")
        faults += finding.fault
    if faults:
        raise EngineError(f"A prediction would fail: {faults} to be put right, see above.")


def run_bake(options: argparse.Namespace, settings: Settings) -> None:
    """Write a snapshot of all weights."""
    from plitka.engines.sdxl import bake
    from plitka.request import controlnet

    kinds = controlnet.CONTROLNET_KINDS if options.controlnets == "all" else (options.controlnets,)
    chosen = tuple(kind for kind in kinds if kind != "none")
    baked = bake.bake(options.folder, settings.sdxl.weights, options.weights, chosen)
    size = sum(size for size, _ in baked.files.values())
    print_line(f"{baked.folder}: {len(baked.files)} files, {size / 1e9:.2f} GB")
    if baked.scale is not None:
        print_line(f"{baked.lora} fused at {baked.scale.describe()}")
    print_line(f"Load it with PLITKA_BASE={baked.folder}")


def run_design(options: argparse.Namespace, settings: Settings) -> None:
    """Serve the designer until the program is told to end."""
    try:
        from plitka.designer import run
    except ModuleNotFoundError as missing:
        if (missing.name or "plitka").startswith("plitka"):
            raise
        raise EngineError(
            f"{missing.name} is not installed, and the designer needs it. In the project's folder"
            f" run {sys.executable} -m pip install -r requirements-ui.txt"
        ) from None
    if settings.photographer.backend != "sdxl":
        _refuse_weights(options, settings, "the photographs are made elsewhere")
    run.run(settings, options.weights, options.port, options.open)


def _load_palette(settings: Settings) -> Palette:  # for commands that take no --weights
    return settings.load_palette(settings.package)


def _show_progress(pictures: Iterator["Picture"], count: int) -> Iterator["Picture"]:
    """Pass pictures on, with a progress bar on standard error where that is a terminal."""
    from rich.progress import track

    from plitka.cli.console import Console

    console = Console(stderr=True)
    hidden = not console.is_terminal
    yield from track(pictures, "Drawing", count, console=console, transient=True, disable=hidden)
