"""What the parsers of all commands are made of."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from plitka.engines import registry
from plitka.printable import make_printable
from plitka.settings import Settings

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class Parser(argparse.ArgumentParser):
    """A parser whose errors cannot garble a terminal, whatever the arguments are."""

    def error(self, message: str) -> NoReturn:
        super().error(make_printable(message))

    def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
        """Write a message, or raise: argparse itself passes over what cannot be written."""
        (file or sys.stderr).write(message)


def read_path(written: str) -> Path:
    """Read a path. An empty one is a variable that is not set, and would name this folder."""
    if not written:
        raise argparse.ArgumentTypeError("names nothing; . is the folder where you are")
    return Path(written)


def add_command(
    subparsers: Subparsers,
    run: Callable[[argparse.Namespace, Settings], None],
    summary: str,
    examples: str,
) -> argparse.ArgumentParser:
    """Add the command that `run` does; its name is that of `run` without the prefix run_."""
    command = subparsers.add_parser(
        run.__name__.removeprefix("run_"),
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    command.add_argument("-v", "--verbose", action="store_true", help="log each stage")
    return command


def add_json(command: "argparse._ActionsContainer") -> None:
    """Add --json, for one object."""
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_json_lines(command: argparse.ArgumentParser) -> None:
    """Add --json, for a line for each photograph."""
    command.add_argument(
        "--json", action="store_true", help="print JSON, a line for each photograph, and a summary"
    )


def add_weights(command: argparse.ArgumentParser, settings: Settings) -> None:
    """Add --weights, as setup() takes them."""
    command.add_argument(
        "--weights",
        default=settings.package,
        metavar="PATH",
        help="a LoRA and embeddings: a folder, a .tar, .zip or .safetensors file, or the https"
        " address of such a file",
    )


def add_engine(command: argparse.ArgumentParser) -> None:
    """Add --engine."""
    command.add_argument(
        "--engine", choices=registry.NAMES, help="default: PLITKA_ENGINE, else sdxl"
    )


def add_request(command: argparse.ArgumentParser) -> None:
    """Add the request, as JSON or as options."""
    command.add_argument(
        "request", nargs="?", metavar="PARAMS_JSON", help="the request; - reads standard input"
    )
    group = command.add_argument_group("the same without JSON")
    group.add_argument(
        "--color",
        action="append",
        metavar="NAME=SHARE",
        help="a colour and its share; repeat for each colour",
    )
    group.add_argument("--angle", metavar="DEGREES", help="laying angle, 0 to 180")
    group.add_argument("--quality", help="preview, standard, high, fast or turbo")
    group.add_argument("--seed", help="0 to 4294967295; -1 picks one at random")
