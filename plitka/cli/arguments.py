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
        description="Photorealistic rubber-crumb tiles with exactly the colours you ask for.",
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

A seed of -1, the default, means that `make` picks one at random.
"""


def _add_plan(subparsers: Subparsers, settings: Settings) -> None:
    summary = "print what `make` would do, and draw nothing"
    plan = add_command(subparsers, commands.run_plan, summary, _PLAN_EXAMPLES)
    add_request(plan)
    add_weights(plan, settings)


_TEXTURE_EXAMPLES = """\
examples:
  python -m plitka texture --out rubber --size 2k "60% black, 40% beige, seed 7"
  python -m plitka texture --out rubber.zip --size 4k --side-mm 1000 --color red=100 --seed 7
  python -m plitka texture --out rubber --granule-mm 1.5 --color black=90 --color green=10

Writes a texture that repeats without a seam, for Blender, SketchUp, three.js and the like: base
colour, height, OpenGL and DirectX normals, roughness, ambient occlusion, indices of granules and
of colours, a lit picture and a GLB file. texture.json describes them all.

Without --side-mm, a side has 50 granules for each 1024 pixels. With granules of 2.5 mm that is
125 mm at 1k, 250 mm at 2k and 500 mm at 4k. At 4k a side may be up to 1280 mm.
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

If you give shares, the total variation from them is printed as well.
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
        help="colours to look for, separated by commas; all with shares (red=60) or all without",
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

A caption is the text file beside a photograph (tile.txt: "30% black, 70% white"). If there is no
such file, it is the photograph's name (BLACKp30_WHITEp70.jpg, RED.jpg). Each photograph's result is
printed as soon as it is ready. With --json each has its own line, and the last line is an object
"summary".

Exits with 0 when all photographs have been tried, even if captions are wrong or some photographs
cannot be read; with 1 if the folder has no photograph that can be read; with 130 if interrupted.
"""


def _add_audit(subparsers: Subparsers) -> None:
    summary = "find the photographs whose captions are wrong"
    audit = add_command(subparsers, commands.run_audit, summary, _AUDIT_EXAMPLES)
    audit.add_argument(
        "folder", type=read_path, metavar="FOLDER", help="a folder of photographs with captions"
    )
    audit.add_argument("--recursive", action="store_true", help="search its subfolders as well")
    add_json_lines(audit)


_CALIBRATE_EXAMPLES = """\
examples:
  python -m plitka calibrate refs
  PLITKA_PALETTE=ours.csv python -m plitka calibrate photographs

Put the photographs into folders named after codes: refs/DKGREEN/1.jpg. For a new code, the file
phrase.txt in its folder gives the phrase; without it the phrase is the code in small letters.

The palette is written to --out, else to PLITKA_PALETTE, else to refs/palette.local.csv. Plitka
draws with the palette in one of the last two places. The photographs also make the photo bank that
the engine photo draws with. It is written to --bank, else to PLITKA_BANK, else to refs/bank.local
if the palette goes to refs/palette.local.csv, else nowhere. Other colours in palette and bank
stay.

Left out, with a message: photographs that cannot be read or show more than one colour, and folders
that cannot be a colour. Exits with 0 when the palette is written; with 1 if no colour could be
measured; with 130 if interrupted. In the last two cases no palette is written.
"""


def _add_calibrate(subparsers: Subparsers) -> None:
    summary = "measure your own colours from photographs"
    calibrate = add_command(subparsers, run_calibrate, summary, _CALIBRATE_EXAMPLES)
    calibrate.add_argument(
        "folder", type=read_path, metavar="FOLDER", help="a folder with one folder for each code"
    )
    calibrate.add_argument("--out", type=read_path, metavar="FILE", help="the palette to write")
    calibrate.add_argument("--bank", type=read_path, metavar="DIR", help="the photo bank to write")
    add_json_lines(calibrate)


_PALETTE_EXAMPLES = """\
examples:
  python -m plitka palette
  python -m plitka palette --json
"""


def _add_palette(subparsers: Subparsers) -> None:
    summary = "show the palette: all colours that have names"
    palette = add_command(subparsers, commands.run_palette, summary, _PALETTE_EXAMPLES)
    add_json(palette)


_SCHEMA_EXAMPLES = """\
examples:
  python -m plitka schema > params_json.schema.json

The schema checks the form of a request. It cannot check the meaning, such as whether a name is a
colour or whether the proportions add up. `plan` checks that without drawing.
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

`own` uses the weights that the settings and --weights name. The other models are written with
random numbers: small, middle (0.4 GB) and full (10 GB). Both procedures are in memory at once, so
full takes 16 GB of a GPU.
"""


def _add_bench(subparsers: Subparsers, settings: Settings) -> None:
    summary = "measure speed and work against the old system's procedure"
    bench = add_command(subparsers, commands.run_bench, summary, _BENCH_EXAMPLES)
    bench.add_argument(
        "--model",
        choices=("small", "middle", "full", "own"),
        default="middle",
        help="which weights; default: middle",
    )
    bench.add_argument("--quality", choices=QUALITIES, default=DEFAULT_QUALITY)
    bench.add_argument("--angle", type=float, default=0.0, metavar="DEGREES")
    bench.add_argument(
        "--runs", type=_read_pairs, default=3, metavar="N", help="how many pairs to run; default: 3"
    )
    bench.add_argument("--dtype", choices=("float16", "bfloat16", "float32"))
    bench.add_argument(
        "--folder",
        type=read_path,
        metavar="DIR",
        help="where to keep the random weights for the next run",
    )
    bench.add_argument(
        "--fused", action="store_true", help="fuse the LoRA in the old procedure as well"
    )
    bench.add_argument(
        "--count-only", action="store_true", help="count the work exactly, and draw nothing"
    )
    add_weights(bench, settings)
    bench.add_argument(
        "--chart", type=read_path, metavar="FILE", help="draw a chart into FILE: .svg, .png or .pdf"
    )
    add_json(bench)


_CHECK_EXAMPLES = """\
examples:
  python -m plitka check
  PLITKA_LORA=my-lora.safetensors PLITKA_EMBEDDINGS=none python -m plitka check
  python -m plitka check --weights trained.tar

Loads nothing large. Fetches nothing, except what --weights names by an address. Exits with 1 if a
prediction would fail.
"""


def _add_check(subparsers: Subparsers, settings: Settings) -> None:
    summary = "check that everything the engine needs is there and valid"
    check = add_command(subparsers, commands.run_check, summary, _CHECK_EXAMPLES)
    add_engine(check)
    add_weights(check, settings)


_DESIGN_EXAMPLES = """\
examples:
  python -m plitka design --open
  PLITKA_PHOTOGRAPH=http://127.0.0.1:5000 python -m plitka design
  PLITKA_PHOTOGRAPH=replicate:OWNER/DEPLOYMENT python -m plitka design

Only this machine can open the page. By default the sdxl engine in this program draws photographs.
PLITKA_PHOTOGRAPH names something else that draws them: a Cog server (put its token, if it needs
one, into PLITKA_PHOTOGRAPH_TOKEN) or a deployment on Replicate (token in REPLICATE_API_TOKEN).
"""


def _add_design(subparsers: Subparsers, settings: Settings) -> None:
    summary = "mix, view, share and photograph tiles in the browser"
    design = add_command(subparsers, commands.run_design, summary, _DESIGN_EXAMPLES)
    design.add_argument("--port", type=int, default=8017, help="default: 8017; 0 takes a free port")
    add_weights(design, settings)
    design.add_argument("--open", action="store_true", help="open the page in the browser")


_BAKE_EXAMPLES = """\
examples:
  python -m plitka bake snapshot
  PLITKA_LORA=my-lora.safetensors python -m plitka bake snapshot --controlnets all
  PLITKA_BASE=snapshot python -m plitka check

The settings say which weights go in. They are written in half precision: 7 GB, and 2.5 GB more for
each ControlNet.
"""


def _add_bake(subparsers: Subparsers, settings: Settings) -> None:
    summary = "write one snapshot of all weights, ready to load"
    bake = add_command(subparsers, commands.run_bake, summary, _BAKE_EXAMPLES)
    bake.add_argument(
        "folder", type=read_path, metavar="DIR", help="where to write; a new or an empty folder"
    )
    bake.add_argument(
        "--controlnets",
        choices=("none", "canny", "softedge", "all"),
        default="none",
        help="which ControlNets to put in; default: none",
    )
    add_weights(bake, settings)


def _read_pairs(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= _MAX_PAIRS:
        return int(text)
    raise argparse.ArgumentTypeError(f"got {text!r}; allowed: 1 to {_MAX_PAIRS}")
