"""The commands' arguments, with help and examples."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from plitka import __version__
from plitka.engines import registry
from plitka.request.recipe import DEFAULT_QUALITY, QUALITIES
from plitka.settings import Settings

if TYPE_CHECKING:
    pass
from plitka.cli.commands import (
    run_audit,
    run_bake,
    run_bench,
    run_calibrate,
    run_check,
    run_design,
    run_make,
    run_match,
    run_measure,
    run_palette,
    run_plan,
)

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


def build_parser(settings: Settings) -> argparse.ArgumentParser:
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
    benched.add_argument("--quality", choices=QUALITIES, default=DEFAULT_QUALITY)
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
    _add_weights(checked, settings)

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
    _add_weights(baked, settings)
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    run: Callable[[argparse.Namespace, Settings], None],
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


def _add_weights(command: argparse.ArgumentParser, settings: Settings) -> None:
    command.add_argument(
        "--weights",
        type=Path,
        default=settings.package,
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


def _pairs(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 100:
        return int(text)
    raise argparse.ArgumentTypeError(f"got {text!r}; allowed: 1 to 100")
