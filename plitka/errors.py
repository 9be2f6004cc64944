"""Errors that several rooms raise and the faces show: each message says what to do.

Imports: nothing.
"""


class EngineError(RuntimeError):
    """The engine cannot be had; the message says what to do about it."""


class WeightsError(EngineError):
    """A file that is missing or is not what it should be; the message says what to do."""


def extract_first_line(error: BaseException) -> str:
    """The first line of a library's error, its type's name where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
