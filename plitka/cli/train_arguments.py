"""The arguments of `train`."""

import argparse
import math
from collections.abc import Callable

from plitka.cli.parser_parts import Subparsers, add_command, read_path
from plitka.cli.train_command import run_train
from plitka.request.recipe import MAX_SEED
from plitka.training import options

_EXAMPLES = """\
examples:
  python -m plitka train photographs --out ours --check
  python -m plitka train photographs --out ours
  python -m plitka train photographs --out ours --resume
  python -m plitka make --weights ours/trained_model.tar --out tile --color red=100

The text file beside a photograph says what it shows (tile.txt: "30% black, 70% white"). If there is
no such file, the photograph's name says it (BLACKp30_WHITEp70.jpg). Photographs in a folder named
after a code (RED/1.jpg) show that colour alone. PLITKA_BASE names the base model.

All faults are reported at once, before any model is loaded: those of the photographs and of the
base model, and too little memory or disk. --check ends there. The training writes its state every
minute. Ctrl-C ends it after the current step, and --resume continues it. At the end DIR holds
trained_model.tar, report.html and samples. Exits with 130 if interrupted.
"""


def add_train(subparsers: Subparsers) -> None:
    """Add the command `train`."""
    summary = "train a LoRA and embeddings on photographs of your own"
    train = add_command(subparsers, run_train, summary, _EXAMPLES)
    train.add_argument(
        "photographs",
        type=read_path,
        metavar="PHOTOS",
        help="a folder, .zip or .tar of photographs",
    )
    train.add_argument(
        "--out",
        type=read_path,
        required=True,
        metavar="DIR",
        help="where to write the package and the states",
    )
    train.add_argument("--check", action="store_true", help="only report all faults")
    train.add_argument("--resume", action="store_true", help="continue the training in DIR")
    _add_number(
        train,
        "steps",
        (0, options.MOST_STEPS),
        0,
        "training steps, 0 for as many as the photographs need",
    )
    _add_number(train, "rank", (1, options.MOST_RANK), 16, "rank of the LoRA")
    _add_number(train, "batch", (1, options.MOST_BATCH), 4, "samples in a step")
    train.add_argument(
        "--resolution",
        type=int,
        choices=options.RESOLUTIONS,
        default=0,
        help="pixels a side; default: the largest that the photographs allow",
    )
    _add_number(train, "seed", (0, MAX_SEED), 0, "seed of everything random")
    vectors = (options.FEWEST_VECTORS, options.MOST_VECTORS)
    _add_number(train, "vectors", vectors, 2, "vectors of an embedding")
    train.add_argument(
        "--augment",
        type=_make_reader(0, options.MOST_AUGMENTED),
        default=options.MOST_AUGMENTED,
        metavar="SHARE",
        help="share of samples that are matched to drawn recipes, 0 to 0.5; default: 0.5",
    )
    train.add_argument(
        "--captions",
        choices=options.CAPTIONS,
        default="audit",
        help="audit corrects wrong captions, as-given keeps them; default: audit",
    )
    train.add_argument(
        "--render-aware", action="store_true", help="start matched samples from their render"
    )
    train.add_argument(
        "--minutes",
        type=_make_reader(1, 7 * 24 * 60),
        metavar="N",
        help="end the training after this time with what it has",
    )
    train.add_argument(
        "--json", action="store_true", help="print JSON, a line for each event, and a summary"
    )


def _add_number(
    command: argparse.ArgumentParser, name: str, bounds: tuple[int, int], usual: int, what: str
) -> None:
    low, high = bounds
    command.add_argument(
        f"--{name}",
        type=_make_whole_reader(low, high),
        default=usual,
        metavar="N",
        help=f"{what}; {low} to {high}, default: {usual}",
    )


def _make_whole_reader(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if text.isascii() and text.isdecimal() and len(text) < 12 and low <= int(text) <= high:
            return int(text)
        raise argparse.ArgumentTypeError(f"got {text!r}; allowed: {low} to {high}")

    return read


def _make_reader(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if low <= number <= high:
            return number
        raise argparse.ArgumentTypeError(f"got {text!r}; allowed: {low:g} to {high:g}")

    return read
