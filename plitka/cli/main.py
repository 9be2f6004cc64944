"""The command line: python -m plitka make, plan, measure, match, audit, calibrate, palette, design.

NumPy, OpenCV, rich and the engines are imported by the commands that use them, so that `plan`
and `--help` answer at once.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plitka import __version__
from plitka.color import palette
from plitka.color.palette import Colour, PaletteError, UnknownColour
from plitka.engines import registry
from plitka.request import parsing
from plitka.request.parsing import Recipe, RecipeError
from plitka.request.plan import make_plan
from plitka.runtime import logs
from plitka.weights import models, snapshot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from plitka.measure.caption_audit import Caption, Finding
    from plitka.measure.shares import Measurement
    from plitka.pipeline import Picture

FAILED = 1
BAD_REQUEST = 2  # as argparse's own errors
INTERRUPTED = 130  # as a shell has it for Ctrl-C

_MAKE_EXAMPLES = """\
examples:
  python -m plitka make --engine render --out tile --color black=60 --color white=40 --angle 45
  python -m plitka make --out tile '{"colors": [{"name": "red", "proportion": 100}], "seed": 7}'
  cat request.json | python -m plitka make - --out tile --json
"""
_PLAN_EXAMPLES = """\
examples:
  python -m plitka plan --color black=60 --color white=40 --angle 45 --quality high --seed 7
  python -m plitka plan '{"colors": [{"hex": "#1e90ff", "proportion": 100}]}'
  cat request.json | python -m plitka plan -

A seed of -1, the default, is drawn when the picture is made.
"""
_MEASURE_EXAMPLES = """\
examples:
  python -m plitka measure photo.jpg --colors red,blue
  python -m plitka measure tile/final.png --colors "DKGREEN,beige,#1e90ff" --json
  python -m plitka measure tile/final.png --colors red=60,blue=40

With shares, the total variation from them is told too.
"""
_MATCH_EXAMPLES = """\
examples:
  python -m plitka match photo.jpg --color red=60 --color blue=40 --out matched.png
  python -m plitka match photo.jpg '{"colors": [{"name": "red", "proportion": 100}]}' --out red.png

The picture is cut to a square.
"""
_AUDIT_EXAMPLES = """\
examples:
  python -m plitka audit photos
  python -m plitka audit photos --json

A caption is the text file beside a photograph (tile.txt: "30% black, 70% white"), or else the
photograph's name (BLACKp30_WHITEp70.jpg, RED.jpg).
"""
_CALIBRATE_EXAMPLES = """\
examples:
  python -m plitka calibrate refs
  PLITKA_PALETTE=ours.csv python -m plitka calibrate photographs

Photographs lie in folders named after codes, refs/DKGREEN/1.jpg. A new code's phrase is what
phrase.txt beside them says, or the code in small letters. The palette is written to --out, else
where PLITKA_PALETTE says, else to refs/palette.local.csv; the last two are where it is read from.
"""
_PALETTE_EXAMPLES = """\
examples:
  python -m plitka palette
  python -m plitka palette --json
"""
_BENCH_EXAMPLES = """\
examples:
  python -m plitka bench --count-only
  python -m plitka bench --model middle --runs 3 --chart bench.svg
  PLITKA_COMPILE=1 python -m plitka bench --model full --angle 45 --json
  python -m plitka bench --model own

`own` are the weights that the settings name; the others are written with random numbers: small,
middle (0.4 GB) and full (10 GB). Both sides are in memory at once: full takes 16 GB of a GPU.
"""
_CHECK_EXAMPLES = """\
examples:
  python -m plitka check
  PLITKA_LORA=my-lora.safetensors PLITKA_EMBEDDINGS=none python -m plitka check
  python -m plitka check --weights trained.tar

Loads nothing large and fetches nothing. Exits with 1 if a prediction would fail.
"""
_BAKE_EXAMPLES = """\
examples:
  python -m plitka bake snapshot
  PLITKA_LORA=my-lora.safetensors python -m plitka bake snapshot --controlnets all
  PLITKA_BASE=snapshot python -m plitka check

The settings say what goes in. Half precision; 7 GB, and 2.5 GB more for each ControlNet.
"""

_DESIGN_EXAMPLES = """\
examples:
  python -m plitka design --open
  PLITKA_PHOTOGRAPH=http://127.0.0.1:5000 python -m plitka design
  PLITKA_PHOTOGRAPH=replicate:OWNER/DEPLOYMENT python -m plitka design

The page is served to this machine alone. PLITKA_PHOTOGRAPH says who photographs: a Cog server
(its token, if it wants one, in PLITKA_PHOTOGRAPH_TOKEN), a deployment on Replicate (token in
REPLICATE_API_TOKEN), or, by default, the sdxl engine in this program.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 (it failed) or 2 (bad request)."""
    options = build_parser().parse_args(arguments)
    try:
        logs.configure("INFO" if options.verbose else "WARNING")
        options.run(options)
        sys.stdout.flush()
    except (RecipeError, UnknownColour) as error:
        print(error, file=sys.stderr)
        return BAD_REQUEST
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (registry.EngineError, PaletteError, logs.LogError) as error:
        print(error, file=sys.stderr)
        return FAILED
    except OSError as error:
        print(f"{error.filename}: {error.strerror}" if error.filename else error, file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m plitka",
        description="Photorealistic rubber-crumb tiles with exactly the colours asked for.",
    )
    parser.add_argument("--version", action="version", version=f"Plitka {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    make = _command(commands, run_make, "make a tile's preview, final picture and colormap")
    make.epilog = _MAKE_EXAMPLES
    _add_request(make)
    make.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write")
    _add_engine(make)
    _add_json(make)

    planned = _command(commands, run_plan, "print what would be done, and generate nothing")
    planned.epilog = _PLAN_EXAMPLES
    _add_request(planned)

    measure = _command(commands, run_measure, "measure the shares of colours on any picture")
    measure.epilog = _MEASURE_EXAMPLES
    measure.add_argument("image", type=Path, metavar="IMAGE", help="photograph or render of a tile")
    measure.add_argument(
        "--colors",
        required=True,
        help="what to look for, separated by commas; with or without shares asked for, red=60",
    )
    _add_json(measure)

    matched = _command(commands, run_match, "give any picture the shares and colours of a recipe")
    matched.epilog = _MATCH_EXAMPLES
    matched.add_argument("image", type=Path, metavar="IMAGE", help="any picture")
    _add_request(matched)
    matched.add_argument("--out", type=Path, required=True, metavar="FILE", help="PNG to write")
    _add_json(matched)

    audited = _command(commands, run_audit, "find the photographs whose captions lie")
    audited.epilog = _AUDIT_EXAMPLES
    audited.add_argument("folder", type=Path, metavar="FOLDER", help="photographs with captions")
    _add_json(audited)

    calibrated = _command(commands, run_calibrate, "measure your own colours from photographs")
    calibrated.epilog = _CALIBRATE_EXAMPLES
    calibrated.add_argument("folder", type=Path, metavar="FOLDER", help="one folder for each code")
    calibrated.add_argument("--out", type=Path, metavar="FILE", help="palette to write")

    shown = _command(commands, run_palette, "show the colours that have names")
    shown.epilog = _PALETTE_EXAMPLES
    _add_json(shown)

    benched = _command(
        commands, run_bench, "measure speed and work beside the old system's procedure"
    )
    benched.epilog = _BENCH_EXAMPLES
    benched.add_argument(
        "--model",
        choices=("small", "middle", "full", "own"),
        default="middle",
        help="default: middle",
    )
    benched.add_argument("--quality", choices=parsing.QUALITIES, default=parsing.DEFAULT_QUALITY)
    benched.add_argument("--angle", type=float, default=0.0, metavar="DEGREES")
    benched.add_argument("--runs", type=_pairs, default=3, metavar="N", help="pairs; default: 3")
    benched.add_argument("--dtype", choices=("float16", "bfloat16", "float32"))
    benched.add_argument(
        "--folder", type=Path, metavar="DIR", help="where random weights are kept for the next time"
    )
    benched.add_argument(
        "--fused", action="store_true", help="fuse the LoRA of the old procedure, too"
    )
    benched.add_argument(
        "--count-only", action="store_true", help="count the work exactly, and draw nothing"
    )
    benched.add_argument("--chart", type=Path, metavar="FILE", help="draw one: .svg, .png or .pdf")
    _add_json(benched)

    checked = _command(commands, run_check, "check that all the engine needs is there and right")
    checked.epilog = _CHECK_EXAMPLES
    _add_engine(checked)
    _add_weights(checked)

    designed = _command(commands, run_design, "mix, see, share and photograph tiles in the browser")
    designed.epilog = _DESIGN_EXAMPLES
    designed.add_argument(
        "--port", type=int, default=8017, help="default: 8017; 0 takes a free one"
    )
    designed.add_argument("--open", action="store_true", help="open the page in the browser")

    baked = _command(commands, run_bake, "write one snapshot of all weights, ready to load")
    baked.epilog = _BAKE_EXAMPLES
    baked.add_argument("folder", type=Path, metavar="DIR", help="where to write; new, or empty")
    baked.add_argument(
        "--controlnets",
        choices=("none", "canny", "softedge", "all"),
        default="none",
        help="which to put in; default: none",
    )
    _add_weights(baked)
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    run: Callable[[argparse.Namespace], None],
    summary: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        run.__name__.removeprefix("run_"),
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    command.add_argument("-v", "--verbose", action="store_true", help="log each stage")
    return command


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _add_weights(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--weights",
        type=Path,
        default=os.environ.get("COG_WEIGHTS"),
        metavar="PATH",
        help="folder, .tar or .zip with a LoRA and embeddings, as setup() takes it",
    )


def _add_engine(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--engine", choices=registry.NAMES, help="default: PLITKA_ENGINE, else sdxl"
    )


def _add_request(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "request", nargs="?", metavar="PARAMS_JSON", help="the request; - reads standard input"
    )
    spelt = command.add_argument_group("the same without JSON")
    spelt.add_argument("--color", action="append", metavar="NAME=SHARE", help="repeat for each")
    spelt.add_argument("--angle", metavar="DEGREES", help="laying angle, 0 to 180")
    spelt.add_argument("--quality", help="preview, standard, high or turbo")
    spelt.add_argument("--seed", help="0 to 4294967295; -1 draws one")


def read_request(options: argparse.Namespace) -> Recipe:
    """The recipe that the arguments ask for, as JSON or spelt without it."""
    spelt: dict[str, object] = {
        key: _read_number(text)
        for key in ("angle", "quality", "seed")
        if (text := getattr(options, key)) is not None
    }
    if options.color:
        spelt["colors"] = [_read_color(text) for text in options.color]
    if options.request is None:
        return parsing.parse(json.dumps(spelt))
    if spelt:
        raise RecipeError("params_json: given beside options that spell it; give one of the two")
    return parsing.parse(_read_standard_input() if options.request == "-" else options.request)


def _read_standard_input() -> str:
    if sys.stdin is None:
        raise RecipeError("params_json: standard input is closed")
    content = sys.stdin.buffer.read(parsing.MAX_BYTES + 1)
    if len(content) > parsing.MAX_BYTES:
        raise RecipeError(f"params_json: got more than the {parsing.MAX_BYTES} bytes allowed")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise RecipeError(f"params_json: not UTF-8 text (byte {fault.start})") from None


def _read_color(text: str) -> dict[str, object]:
    name, equals, share = text.rpartition("=")
    if not equals:
        raise RecipeError(f"--color: got {text!r}; allowed: NAME=SHARE, such as red=60")
    key = "hex" if name.startswith("#") else "name"
    return {key: name, "proportion": _read_number(share)}


def _read_number(text: str) -> float | str:
    """The number that the text spells; other text as it is, for the recipe to refuse."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def run_make(options: argparse.Namespace) -> None:
    from plitka import images, pipeline
    from plitka.cli import tables

    asked = read_request(options)
    engine = registry.load_engine(options.engine)
    options.out.mkdir(parents=True, exist_ok=True)
    files: dict[str, str] = {}
    metrics: dict[str, Any] = {}
    pictures_made: Iterator[Picture] = pipeline.make(asked, engine)
    if not options.verbose:  # whose log lines would run into the bar
        pictures_made = _with_progress(pictures_made, len(pipeline.PICTURE_SIZES))
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


def run_plan(options: argparse.Namespace) -> None:
    tokens = snapshot.has_tokens(models.read_settings())
    _print_json(make_plan(read_request(options), tokens).as_json())


def run_measure(options: argparse.Namespace) -> None:
    from plitka import images
    from plitka.cli import tables
    from plitka.measure import shares as fidelity

    colours, asked = read_colors(options.colors)
    measured = fidelity.measure(images.load(options.image), list(colours.values()))
    if options.json:
        _print_json(_measured_json(measured, list(colours), asked))
        return
    tables.show(tables.tabulate_measurement(colours, measured, asked))


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


def read_colors(text: str) -> tuple[dict[str, Colour], list[float]]:
    """Colours by the names that they were asked for by, and the shares asked for, if any."""
    known = palette.load()
    listed: dict[str, Colour] = {}
    spelt: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        name, _, share = part.partition("=")
        name = name.strip()
        try:
            colour = known.free(name) if name.startswith("#") else known.find(name)
        except UnknownColour as fault:
            raise UnknownColour(f"--colors: {fault}") from None
        if any(colour.srgb == other.srgb for other in listed.values()):
            raise UnknownColour(f'--colors: "{name}" is there already, under this or another name')
        listed[name] = colour
        spelt += [share] if share else []
    if len(listed) > parsing.MAX_COLOURS:
        raise UnknownColour(f"--colors: got {len(listed)}; allowed: 1 to {parsing.MAX_COLOURS}")
    if not spelt:
        return listed, []
    if len(spelt) < len(listed):
        raise RecipeError(
            "--colors: some have a share and some have none; give all of them or none"
        )
    return listed, _read_shares(spelt)


def _read_shares(spelt: Sequence[str]) -> list[float]:
    """Shares as the recipe takes them: percentages or fractions, scaled to add up to 1."""
    try:
        given = [float(share) for share in spelt]
    except ValueError:
        raise RecipeError(f"--colors: {', '.join(spelt)} are not all numbers") from None
    total = sum(given)
    whole = next((whole for whole in (100, 1) if abs(total - whole) <= 0.0101 * whole), None)
    if whole is None or min(given) < 0:
        raise RecipeError(
            f"--colors: shares add up to {total:g}; allowed: percentages that add up to 100 or "
            "fractions that add up to 1, none of them negative"
        )
    return [share / total for share in given]


def run_match(options: argparse.Namespace) -> None:
    from plitka import images
    from plitka.cli import tables
    from plitka.matching import match
    from plitka.pipeline import draw_seed
    from plitka.tile.layout import lay

    asked = draw_seed(read_request(options))
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


def run_audit(options: argparse.Namespace) -> None:
    from plitka.cli import tables
    from plitka.measure import caption_audit

    findings = list(caption_audit.audit(options.folder))
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


def _captioned(caption: "Caption") -> Iterator[tuple[Colour, float]]:
    return zip(caption.colours, caption.percent, strict=True)


def _finding_json(finding: "Finding") -> dict[str, Any]:
    told: dict[str, Any] = {
        "file": finding.file.name,
        "verdict": finding.verdict,
        "reason": finding.reason,
    }
    if finding.caption and finding.measured and finding.total_variation is not None:
        parts = list(_captioned(finding.caption))
        told["captioned"] = {colour.code: round(part / 100, 5) for colour, part in parts}
        shares = zip(finding.caption.colours, finding.measured.shares, strict=True)
        told["measured"] = {colour.code: round(share, 5) for colour, share in shares}
        told["total_variation"] = round(finding.total_variation, 5)
    return told


def run_calibrate(options: argparse.Namespace) -> None:
    from plitka.cli import tables
    from plitka.measure import palette_calibration

    out = options.out or palette.find_own_file() or palette.OWN_FILE
    rows = palette_calibration.calibrate(options.folder)
    palette_calibration.write_palette(rows, out)
    tables.show(tables.tabulate_calibration(rows))
    print(out)


def run_palette(options: argparse.Namespace) -> None:
    from plitka.cli import tables

    colours = palette.load().colours
    if options.json:
        codes = ((colour, tables.format_hex(colour)) for colour in colours)
        _print_json([{"code": c.code, "phrase": c.phrase, "hex": code} for c, code in codes])
    else:
        tables.show(tables.tabulate_palette(colours))


def _pairs(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 100:
        return int(text)
    raise argparse.ArgumentTypeError(f"got {text!r}; allowed: 1 to 100")


def run_bench(options: argparse.Namespace) -> None:
    if options.chart is not None:  # before minutes of work
        from plitka.bench import chart

        chart.check(options.chart)
    request = {
        "colors": [{"name": "red", "proportion": 60}, {"name": "white", "proportion": 40}],
        "angle": options.angle,
        "quality": options.quality,
        "seed": 7,
    }
    asked = parsing.parse(json.dumps(request))
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    from plitka.bench import compare, tables

    if options.count_only:
        told = compare.count_work(asked)
    else:
        with _weights_folder(options.folder) as folder:
            told = compare.compare(
                *(options.model, asked, options.runs, options.dtype, folder, options.fused)
            )
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


def run_check(options: argparse.Namespace) -> None:
    from plitka.cli import check

    faults = 0
    for finding in check.find_faults(registry.choose_engine(options.engine), options.weights):
        print(f"{'FAULT' if finding.fault else 'ok':5}  {finding.part}: {finding.verdict}")
        faults += finding.fault
    if faults:
        raise registry.EngineError(f"A prediction would fail: {faults} to be put right, see above.")


def run_bake(options: argparse.Namespace) -> None:
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    from plitka.engines.sdxl import bake
    from plitka.request import controlnet

    kinds = controlnet.CONTROLNET_KINDS if options.controlnets == "all" else (options.controlnets,)
    wanted = tuple(kind for kind in kinds if kind != "none")
    made = bake.bake(options.folder, options.weights, wanted)
    size = sum(size for size, _ in made.files.values())
    print(f"{made.folder}: {len(made.files)} files, {size / 1e9:.2f} GB")
    print(f"Load it with PLITKA_BASE={made.folder}")


def run_design(options: argparse.Namespace) -> None:
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        from plitka.designer import run as serving
    except ModuleNotFoundError as missing:
        if (missing.name or "plitka").startswith("plitka"):
            raise
        raise registry.EngineError(
            f"{missing.name} is not installed, which the designer needs. In the project's folder:"
            f" {sys.executable} -m pip install -r requirements-ui.txt"
        ) from None
    serving.run(options.port, options.open)


def _with_progress(pictures: Iterator["Picture"], count: int) -> Iterator["Picture"]:
    """Pass pictures on, with a progress bar on standard error where that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    bar = Console(stderr=True)
    hidden = not bar.is_terminal
    yield from track(pictures, "Drawing", count, console=bar, transient=True, disable=hidden)


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))
