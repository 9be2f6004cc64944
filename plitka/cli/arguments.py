"""The commands' arguments, with help and examples: one function for each command."""

import argparse

from plitka import __version__
from plitka.cli import commands
from plitka.cli.calibrate_command import run_calibrate
from plitka.cli.catalogue_arguments import add_catalogue
from plitka.cli.offer_arguments import add_offer, add_order
from plitka.cli.parser_parts import (
    Parser,
    Subparsers,
    add_command,
    add_engine,
    add_json,
    add_json_lines,
    add_request,
    add_weights,
    read_path,
)
from plitka.cli.texture_command import run_texture
from plitka.cli.train_arguments import add_train
from plitka.request.recipe import DEFAULT_QUALITY, QUALITIES
from plitka.settings import Settings

_MAX_PAIRS = 100  # of a bench


def build_parser(settings: Settings) -> argparse.ArgumentParser:
    """Build the parser of all commands. What it parses has `run`, the command's function."""
    parser: argparse.ArgumentParser = Parser(
        prog="python -m plitka",
        description="Photorealistic rubber-crumb tiles with exactly the colours asked for.",
    )
    parser.add_argument("--version", action="version", version=f"Plitka {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_make(subparsers, settings)
    _add_plan(subparsers, settings)
    add_catalogue(subparsers, settings)
    add_offer(subparsers, settings)
    add_order(subparsers, settings)
    _add_texture(subparsers)
    _add_measure(subparsers)
    _add_match(subparsers)
    _add_audit(subparsers)
    _add_calibrate(subparsers)
    _add_palette(subparsers)
    _add_schema(subparsers)
    add_train(subparsers)
    _add_bench(subparsers, settings)
    _add_check(subparsers, settings)
    _add_design(subparsers, settings)
    _add_bake(subparsers, settings)
    return parser


# One command each


_MAKE_EXAMPLES = """\
examples:
  python -m plitka make --engine render --out tile --color black=60 --color white=40 --angle 45
  python -m plitka make --out tile '{"colors": [{"name": "red", "proportion": 100}], "seed": 7}'
  python -m plitka make --out tile "60% black, 40% RAL 3020, 45 degrees, seed 7"
  python -m plitka make --weights trained.tar --out tile --color red=100
  cat request.json | python -m plitka make - --out tile --json
"""


def _add_make(subparsers: Subparsers, settings: Settings) -> None:
    summary = "make a tile's preview, final picture and colormap"
    make = add_command(subparsers, commands.run_make, summary, _MAKE_EXAMPLES)
    add_request(make)
    make.add_argument("--out", type=read_path, required=True, metavar="DIR", help="where to write")
    add_engine(make)
    add_weights(make, settings)
    add_json(make)


_PLAN_EXAMPLES = """\
examples:
  python -m plitka plan --color black=60 --color white=40 --angle 45 --quality high --seed 7
  python -m plitka plan '{"colors": [{"hex": "#1e90ff", "proportion": 100}]}'
  python -m plitka plan "60% black, 40% navy, 45 degrees, seed 7"
  python -m plitka plan --weights trained.tar --color red=100
  cat request.json | python -m plitka plan -

A seed of -1, the default, is drawn when the picture is made.
"""


def _add_plan(subparsers: Subparsers, settings: Settings) -> None:
    summary = "print what would be done, and generate nothing"
    plan = add_command(subparsers, commands.run_plan, summary, _PLAN_EXAMPLES)
    add_request(plan)
    add_weights(plan, settings)


_TEXTURE_EXAMPLES = """\
examples:
  python -m plitka texture --out rubber --size 2k "60% black, 40% beige, seed 7"
  python -m plitka texture --out rubber.zip --size 4k --side-mm 1000 --color red=100 --seed 7
  python -m plitka texture --out rubber --granule-mm 1.5 --color black=90 --color green=10

A texture that repeats without a seam, for Blender, SketchUp, three.js and the like: base colour,
height, normals of OpenGL and DirectX, roughness, ambient occlusion, indices of granules and
colours, a picture with light in it, a GLB file, and texture.json, which tells of them all.

A side has 50 granules for each 1024 pixels where --side-mm does not say otherwise: with granules
of 2.5 mm 125 mm at 1k, 250 mm at 2k and 500 mm at 4k. Up to 1280 mm are possible at 4k.
"""


def _add_texture(subparsers: Subparsers) -> None:
    summary = "make a seamless texture with its maps, for renderers"
    texture = add_command(subparsers, run_texture, summary, _TEXTURE_EXAMPLES)
    add_request(texture)
    texture.add_argument(
        "--out", type=read_path, required=True, metavar="DIR|FILE.zip", help="where to write"
    )
    texture.add_argument(
        "--size", choices=("1k", "2k", "4k"), default="1k", help="1024, 2048 or 4096 pixels a side"
    )
    texture.add_argument(
        "--granule-mm",
        type=float,
        metavar="MM",
        help="mean diameter of a granule, 1 to 4; default: 2.5",
    )
    texture.add_argument("--side-mm", type=float, metavar="MM", help="length of the texture's side")
    add_json(texture)


_MEASURE_EXAMPLES = """\
examples:
  python -m plitka measure photo.jpg --colors red,blue
  python -m plitka measure tile/final.png --colors "DKGREEN,beige,#1e90ff" --json
  python -m plitka measure tile/final.png --colors red=60,blue=40

With shares, the total variation from them is told too.
"""


def _add_measure(subparsers: Subparsers) -> None:
    summary = "measure the shares of colours on any picture"
    measure = add_command(subparsers, commands.run_measure, summary, _MEASURE_EXAMPLES)
    measure.add_argument(
        "image", type=read_path, metavar="IMAGE", help="photograph or render of a tile"
    )
    measure.add_argument(
        "--colors",
        required=True,
        help="what to look for, separated by commas; with or without shares asked for, red=60",
    )
    add_json(measure)


_MATCH_EXAMPLES = """\
examples:
  python -m plitka match photo.jpg --color red=60 --color blue=40 --out matched.png
  python -m plitka match photo.jpg '{"colors": [{"name": "red", "proportion": 100}]}' --out red.png

The picture is cut to a square.
"""


def _add_match(subparsers: Subparsers) -> None:
    summary = "give any picture the shares and colours of a recipe"
    match = add_command(subparsers, commands.run_match, summary, _MATCH_EXAMPLES)
    match.add_argument("image", type=read_path, metavar="IMAGE", help="any picture")
    add_request(match)
    match.add_argument("--out", type=read_path, required=True, metavar="FILE", help="PNG to write")
    add_json(match)


_AUDIT_EXAMPLES = """\
examples:
  python -m plitka audit photos
  python -m plitka audit photos --json
  python -m plitka audit photos --recursive

A caption is the text file beside a photograph (tile.txt: "30% black, 70% white"), or else the
photograph's name (BLACKp30_WHITEp70.jpg, RED.jpg). Each photograph is told of as it is ready; with
--json on a line of its own, and last an object "summary".

Exits with 0 when all photographs were looked at, whatever their captions say and though some could
not be read; with 1 where the folder holds none or not one could be read; with 130 when interrupted.
"""


def _add_audit(subparsers: Subparsers) -> None:
    summary = "find the photographs whose captions lie"
    audit = add_command(subparsers, commands.run_audit, summary, _AUDIT_EXAMPLES)
    audit.add_argument("folder", type=read_path, metavar="FOLDER", help="photographs with captions")
    audit.add_argument("--recursive", action="store_true", help="look into the folders in it, too")
    add_json_lines(audit)


_CALIBRATE_EXAMPLES = """\
examples:
  python -m plitka calibrate refs
  PLITKA_PALETTE=ours.csv python -m plitka calibrate photographs

Photographs lie in folders named after codes, refs/DKGREEN/1.jpg. A new code's phrase is what
phrase.txt beside them says, or the code in small letters. The palette is written to --out, else
where PLITKA_PALETTE says, else to refs/palette.local.csv; the last two are where it is read from.
The same photographs make the photo bank that the engine photo draws with: in --bank, else where
PLITKA_BANK says, else in refs/bank.local where the palette goes to refs/palette.local.csv. What
other colours are there stays. A palette that goes elsewhere has no bank made unless one is named.

A photograph that cannot be read, or shows more than one colour, is left out, and so is a folder
that can be no colour; each is told of. Exits with 0 when the palette is written; with 1 where no
colour could be measured, and with 130 when interrupted: then no palette is written.
"""


def _add_calibrate(subparsers: Subparsers) -> None:
    summary = "measure your own colours from photographs"
    calibrate = add_command(subparsers, run_calibrate, summary, _CALIBRATE_EXAMPLES)
    calibrate.add_argument(
        "folder", type=read_path, metavar="FOLDER", help="one folder for each code"
    )
    calibrate.add_argument("--out", type=read_path, metavar="FILE", help="palette to write")
    calibrate.add_argument("--bank", type=read_path, metavar="DIR", help="photo bank to write")
    add_json_lines(calibrate)


_PALETTE_EXAMPLES = """\
examples:
  python -m plitka palette
  python -m plitka palette --json
"""


def _add_palette(subparsers: Subparsers) -> None:
    summary = "show the colours that have names"
    palette = add_command(subparsers, commands.run_palette, summary, _PALETTE_EXAMPLES)
    add_json(palette)


_SCHEMA_EXAMPLES = """\
examples:
  python -m plitka schema > params_json.schema.json

It tells the form of a request. What a request means, such as whether a name is a colour's or
proportions add up, the program alone judges: `plan` says it at once.
"""


def _add_schema(subparsers: Subparsers) -> None:
    add_command(
        subparsers, commands.run_schema, "print the JSON Schema of a request", _SCHEMA_EXAMPLES
    )


_BENCH_EXAMPLES = """\
examples:
  python -m plitka bench --count-only
  python -m plitka bench --model middle --runs 3 --chart bench.svg
  PLITKA_COMPILE=1 python -m plitka bench --model full --angle 45 --json
  python -m plitka bench --model own --weights trained.tar

`own` are the weights that the settings and --weights name; the others are written with random
numbers: small, middle (0.4 GB) and full (10 GB). Both sides are in memory at once: full takes 16 GB
of a GPU.
"""


def _add_bench(subparsers: Subparsers, settings: Settings) -> None:
    summary = "measure speed and work beside the old system's procedure"
    bench = add_command(subparsers, commands.run_bench, summary, _BENCH_EXAMPLES)
    bench.add_argument(
        "--model",
        choices=("small", "middle", "full", "own"),
        default="middle",
        help="default: middle",
    )
    bench.add_argument("--quality", choices=QUALITIES, default=DEFAULT_QUALITY)
    bench.add_argument("--angle", type=float, default=0.0, metavar="DEGREES")
    bench.add_argument("--runs", type=_read_pairs, default=3, metavar="N", help="pairs; default: 3")
    bench.add_argument("--dtype", choices=("float16", "bfloat16", "float32"))
    bench.add_argument(
        "--folder",
        type=read_path,
        metavar="DIR",
        help="where random weights are kept for the next time",
    )
    bench.add_argument(
        "--fused", action="store_true", help="fuse the LoRA of the old procedure, too"
    )
    bench.add_argument(
        "--count-only", action="store_true", help="count the work exactly, and draw nothing"
    )
    add_weights(bench, settings)
    bench.add_argument(
        "--chart", type=read_path, metavar="FILE", help="draw one: .svg, .png or .pdf"
    )
    add_json(bench)


_CHECK_EXAMPLES = """\
examples:
  python -m plitka check
  PLITKA_LORA=my-lora.safetensors PLITKA_EMBEDDINGS=none python -m plitka check
  python -m plitka check --weights trained.tar

Loads nothing large, and fetches nothing but what --weights names by an address. Exits with 1 if a
prediction would fail.
"""


def _add_check(subparsers: Subparsers, settings: Settings) -> None:
    summary = "check that all the engine needs is there and right"
    check = add_command(subparsers, commands.run_check, summary, _CHECK_EXAMPLES)
    add_engine(check)
    add_weights(check, settings)


_DESIGN_EXAMPLES = """\
examples:
  python -m plitka design --open
  PLITKA_PHOTOGRAPH=http://127.0.0.1:5000 python -m plitka design
  PLITKA_PHOTOGRAPH=replicate:OWNER/DEPLOYMENT python -m plitka design

The page is served to this machine alone. PLITKA_PHOTOGRAPH says who photographs: a Cog server
(its token, if it wants one, in PLITKA_PHOTOGRAPH_TOKEN), a deployment on Replicate (token in
REPLICATE_API_TOKEN), or, by default, the sdxl engine in this program.
"""


def _add_design(subparsers: Subparsers, settings: Settings) -> None:
    summary = "mix, see, share and photograph tiles in the browser"
    design = add_command(subparsers, commands.run_design, summary, _DESIGN_EXAMPLES)
    design.add_argument("--port", type=int, default=8017, help="default: 8017; 0 takes a free one")
    add_weights(design, settings)
    design.add_argument("--open", action="store_true", help="open the page in the browser")


_BAKE_EXAMPLES = """\
examples:
  python -m plitka bake snapshot
  PLITKA_LORA=my-lora.safetensors python -m plitka bake snapshot --controlnets all
  PLITKA_BASE=snapshot python -m plitka check

The settings say what goes in. Half precision; 7 GB, and 2.5 GB more for each ControlNet.
"""


def _add_bake(subparsers: Subparsers, settings: Settings) -> None:
    summary = "write one snapshot of all weights, ready to load"
    bake = add_command(subparsers, commands.run_bake, summary, _BAKE_EXAMPLES)
    bake.add_argument("folder", type=read_path, metavar="DIR", help="where to write; new, or empty")
    bake.add_argument(
        "--controlnets",
        choices=("none", "canny", "softedge", "all"),
        default="none",
        help="which to put in; default: none",
    )
    add_weights(bake, settings)


def _read_pairs(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= _MAX_PAIRS:
        return int(text)
    raise argparse.ArgumentTypeError(f"got {text!r}; allowed: 1 to {_MAX_PAIRS}")
