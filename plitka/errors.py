"""Errors that several rooms raise and the faces show: each message says what to do.

Imports: messages.
"""

from plitka.messages.message import SpokenError


class EngineError(RuntimeError):
    """The engine cannot be had; the message says what to do about it."""


class WeightsError(EngineError):
    """A file that is missing or is not what it should be; the message says what to do."""


class NoModelError(WeightsError):
    """The base model is not there, or does not fit into memory: nothing of it can be drawn."""


class UnwantedEngineError(SpokenError, EngineError):
    """The engine cannot be had, and may never have been wanted: says which ones need no model."""


class CatalogueError(ValueError):
    """A catalogue that cannot be made as asked; a line for each fault, with its place."""


class OfferError(SpokenError):
    """A request that no offer can be made from; the message says what is allowed."""


class LogoError(ValueError):
    """A file that is no logo; the message says why."""


class TrainingError(ValueError):
    """Photographs or options that cannot be trained with; a line for each fault."""


_LONGEST_LINE = 300  # characters


def extract_first_line(error: BaseException) -> str:
    """The first line of a library's error, its type's name where it says nothing.

    Libraries quote what they read as it is: what cannot be printed becomes "?", and much is cut.
    """
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    line = "".join(letter if letter.isprintable() else "?" for letter in lines[0])
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"
