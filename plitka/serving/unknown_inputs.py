"""Inputs that a request names and the predictor has not: Cog drops them without a word.

The gate sees them, and tells the worker in the prediction's context, so that the prediction's log
and metrics name them.
"""

import json
from collections.abc import Mapping
from typing import Any

from plitka.printable import make_printable

KEY = "unknown_inputs"
"""Of the context, whose values are texts: a list of names as JSON."""

_KNOWN = ("params_json",)  # that predict.py declares
_MOST_NAMES = 20
_LONGEST_NAME = 60  # characters
_LONGEST_WRITTEN = 10 * _LONGEST_NAME  # with escapes for all of them


def note_unknown(context: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, str]:
    """Note in a prediction's context the inputs that are not known, and nothing else under KEY."""
    kept = {name: value for name, value in context.items() if name != KEY}
    unknown = [name for name in given if name not in _KNOWN]
    return {**kept, KEY: json.dumps(_shorten(unknown))} if unknown else kept


def read_unknown(context: Mapping[str, object]) -> list[str]:
    """Read the names that the gate noted; [] for none, and for what the gate never writes."""
    noted = context.get(KEY)
    if not isinstance(noted, str):
        return []
    try:
        names = json.loads(noted)
    except (ValueError, RecursionError):
        return []
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not is_list or len(names) > _MOST_NAMES + 1:
        return []
    return [make_printable(name[:_LONGEST_WRITTEN]) for name in names]


def _shorten(names: list[str]) -> list[str]:
    """Shorten a list of names to what anybody reads, each on one line."""
    shown = [make_printable(name[:_LONGEST_NAME]) for name in names[:_MOST_NAMES]]
    more = len(names) - len(shown)
    return [*shown, f"and {more} more"] if more > 0 else shown
