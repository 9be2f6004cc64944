"""JSON that others wrote: notes in files, configurations beside them."""

import json
from typing import Any


def parse_json(text: str) -> Any:
    """Parse JSON. Raises ValueError for what is none, and for what is nested too deep."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
