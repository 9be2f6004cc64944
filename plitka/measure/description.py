"""A measurement as JSON takes it: its figures by the names that somebody gave the colours."""

from collections.abc import Iterable, Sequence

from plitka.measure.shares import Measurement

_DIGITS = 5  # of a share of 0 to 1: thousandths of a percent


def name_shares(shares: Iterable[float], names: Iterable[str]) -> dict[str, float]:
    """Name shares of 0 to 1, one for each name: {"white": 0.4, …}."""
    return {n: round(share, _DIGITS) for n, share in zip(names, shares, strict=True)}


def name_intervals(measured: Measurement, names: Iterable[str]) -> dict[str, list[float]]:
    """Name each colour's interval, of shares of 0 to 1: {"white": [0.31, 0.62], …}."""
    rounded = map(round_interval, measured.intervals)
    return dict(zip(names, rounded, strict=True))


def name_groups(measured: Measurement, names: Sequence[str]) -> list[list[str]]:
    """Name the sets of colours that are not told apart: [["white", "pearl"]], or []."""
    return [[names[color] for color in group] for group in measured.groups]


def round_interval(interval: tuple[float, float]) -> list[float]:
    """Round an interval of shares to the digits of a share."""
    return [round(end, _DIGITS) for end in interval]
