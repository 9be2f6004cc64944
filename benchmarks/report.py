"""Tables in Markdown, ready for docs/benchmarks.md."""

from collections.abc import Sequence


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table; the first column is text, the others are numbers."""
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    print(_format_row(headers, widths))
    print(f"|{'-' * (widths[0] + 2)}|" + "".join(f"{'-' * (width + 1)}:|" for width in widths[1:]))
    for row in rows:
        print(_format_row(row, widths))


def _format_row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (cell.ljust if place == 0 else cell.rjust for place, cell in enumerate(cells))
    padded = [first(widths[0]), *(pad(w) for pad, w in zip(others, widths[1:], strict=True))]
    return f"| {' | '.join(padded)} |"
