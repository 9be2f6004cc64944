"""The command line: reads settings and arguments, runs one command, returns its exit status."""

import sys
from collections.abc import Sequence

from plitka.cli.arguments import build_parser
from plitka.cli.request_arguments import choose_language
from plitka.cli.terminal import OutputError, discard, prepare_streams, print_error
from plitka.color.palette import PaletteError, UnknownColor
from plitka.errors import (
    CatalogueError,
    EngineError,
    LogoError,
    OfferError,
    TrainingError,
    UnwantedEngineError,
)
from plitka.order.errors import OrderError
from plitka.printable import make_printable
from plitka.request.recipe import RecipeError
from plitka.runtime import logs
from plitka.settings import read_settings
from plitka.texture.errors import TextureError

FAILED = 1
BAD_REQUEST = 2  # as argparse's own errors
INTERRUPTED = 130  # as a shell has it for Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0, FAILED, BAD_REQUEST, or INTERRUPTED; argparse exits with 2 itself. arguments: default to
    those of the process.
    """
    prepare_streams()
    try:
        try:
            return _run(arguments)
        finally:  # argparse may have printed, and exit
            sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        discard(sys.stdout.fileno())
        return FAILED
    except OutputError as error:
        discard(sys.stdout.fileno())
        print_error(str(error))
        return FAILED


def _run(arguments: Sequence[str] | None) -> int:
    """Run one command. Raises BrokenPipeError where nobody reads on, OutputError where none can."""
    settings = read_settings()
    options = build_parser(settings).parse_args(arguments)
    try:
        logs.configure(settings.log, "INFO" if options.verbose else "WARNING")
        options.run(options, settings)
    except (RecipeError, UnknownColor, OrderError, OfferError) as error:
        print_error(error.say(choose_language(options)))
        return BAD_REQUEST
    except (CatalogueError, TextureError) as error:
        print_error(str(error))
        return BAD_REQUEST
    except UnwantedEngineError as error:
        print_error(error.say(choose_language(options)))
        return FAILED
    except (EngineError, TrainingError) as error:
        print_error(str(error))
        return FAILED
    except (PaletteError, LogoError, logs.LogError) as error:
        print_error(make_printable(str(error)))
        return FAILED
    except (BrokenPipeError, OutputError):
        raise
    except OSError as error:
        named = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        print_error(make_printable(named))
        return FAILED
    except MemoryError:
        print_error("There is less free memory than this needs; a smaller picture needs less.")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0
