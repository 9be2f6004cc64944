"""JSON that others wrote: notes in files, configurations beside them."""

import json
from typing import Any


def parse_json(text: str) -> Any:
    """Parse JSON. Raises ValueError for what is none, and for what is nested too deep."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


_LONGEST = 60  # characters of a value that an error shows


def show(value: object) -> str:
    """Write a value of a file for an error: printable, on one line, and short."""
    try:
        text = repr(value)
    except ValueError:  # a number of thousands of digits
        text = "a huge number"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
