"""The command line: python -m plitka make, plan, measure, match, audit, calibrate, palette, design.

NumPy, OpenCV, rich and the engines are imported by the commands that use them, so that `plan`
and `--help` answer at once.
"""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from plitka.cli.arguments import build_parser
from plitka.color.palette import PaletteError, UnknownColor
from plitka.errors import EngineError
from plitka.request.recipe import RecipeError
from plitka.runtime import logs

if TYPE_CHECKING:
    pass

FAILED = 1
BAD_REQUEST = 2  # as argparse's own errors
INTERRUPTED = 130  # as a shell has it for Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 (it failed) or 2 (bad request)."""
    options = build_parser().parse_args(arguments)
    try:
        logs.configure("INFO" if options.verbose else "WARNING")
        options.run(options)
        sys.stdout.flush()
    except (RecipeError, UnknownColor) as error:
        print(error, file=sys.stderr)
        return BAD_REQUEST
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (EngineError, PaletteError, logs.LogError) as error:
        print(error, file=sys.stderr)
        return FAILED
    except OSError as error:
        print(f"{error.filename}: {error.strerror}" if error.filename else error, file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0
