"""Marks of tests, and of single parameters."""

from typing import Any

import pytest


def long(*values: Any, id: str | None = None) -> Any:
    """Mark values of a parametrized test as long: `script/test --long` alone runs it with them."""
    return pytest.param(*values, id=id, marks=pytest.mark.long)
