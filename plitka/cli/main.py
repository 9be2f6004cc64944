"""The command line: reads settings and arguments, runs one command, returns its exit status."""

import os
import sys
from collections.abc import Sequence

from plitka.cli.arguments import build_parser
from plitka.color.palette import PaletteError, UnknownColor
from plitka.errors import EngineError
from plitka.request.recipe import RecipeError
from plitka.runtime import logs
from plitka.settings import read_settings

FAILED = 1
BAD_REQUEST = 2  # as argparse's own errors
INTERRUPTED = 130  # as a shell has it for Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0, FAILED, BAD_REQUEST, or INTERRUPTED; argparse exits with 2 itself. arguments: default to
    those of the process.
    """
    settings = read_settings()
    options = build_parser(settings).parse_args(arguments)
    try:
        logs.configure(settings.log, "INFO" if options.verbose else "WARNING")
        options.run(options, settings)
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
