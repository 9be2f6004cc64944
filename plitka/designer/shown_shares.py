"""A picture's record -> what it shows of its colours, as the page needs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ShownShares:
    """What one picture shows. Colours go by their names in the recipe; all shares are 0 to 1.

    shares: of the visible area. counted: whether they are counted on the layout, else they are
    measured. measured: what a stranger finds, who knows only which colours to look for.
    intervals: for each colour, between which shares the true one lies on 90% of pictures.
    groups: colours that the measurement does not tell apart. What a record lacks is empty.
    """

    shares: Mapping[str, float] = field(default_factory=dict)
    counted: bool = False
    measured: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    groups: tuple[tuple[str, ...], ...] = ()


def read_shares(record: Mapping[str, Any]) -> ShownShares:
    """Read what a picture's record tells of its shares.

    record: perhaps from another version, whose records have `measured` alone, or from a stranger:
    what is not as it should be is left out.
    """
    measured = _read_figures(record.get("measured"))
    shares = _read_figures(record.get("shares"))
    return ShownShares(
        shares or measured,
        bool(shares) and record.get("counted") is True,
        measured,
        {
            name: (ends[0], ends[1])
            for name, ends in _read_dict(record.get("intervals")).items()
            if isinstance(ends, list) and len(ends) == 2 and all(map(_is_share, ends))
        },
        tuple(
            tuple(group)
            for group in _read_list(record.get("groups"))
            if isinstance(group, list) and all(isinstance(name, str) for name in group)
        ),
    )


def _read_figures(value: object) -> dict[str, float]:
    return {name: share for name, share in _read_dict(value).items() if _is_share(share)}


def _read_dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _read_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
