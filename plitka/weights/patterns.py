"""Regular expressions of strangers: PEFT's configurations name layers by them."""

import regex

_SECONDS = 0.1  # of processor time; a pattern that PEFT writes takes a millionth of that
_LONGEST = 1000  # characters; the names of SDXL's layers have 90


class PatternError(ValueError):
    """A text that is no regular expression, or one that takes too long."""


def fits(pattern: str, text: str) -> bool:
    """Whether a regular expression matches the whole text. Raises PatternError."""
    if len(pattern) > _LONGEST:
        raise PatternError
    try:
        return regex.fullmatch(pattern, text, timeout=_SECONDS) is not None
    except (regex.error, RecursionError, OverflowError, TimeoutError):
        raise PatternError from None
