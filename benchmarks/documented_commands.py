"""Count the commands of the documents: those that the tests run, and those marked as not run.

python -m benchmarks.documented_commands
"""

from collections import Counter

from benchmarks.report import print_table
from tests.support.documents import KINDS, PAGES, ROOT, count_commands, find_original, read_page


def main() -> None:
    """Print a row for each page that has commands, and their sums."""
    rows, sums = [], Counter[str]()
    for page in PAGES:
        if find_original(page) != page:
            continue  # its commands are those of the page in English
        blocks = read_page(page)
        counts = Counter(
            {
                "run": sum(count_commands(block) for block in blocks if block.runs),
                **{
                    kind: sum(
                        count_commands(block)
                        for block in blocks
                        if "not run" in block.marks and block.kind == kind
                    )
                    for kind in KINDS
                },
            }
        )
        if counts.total():
            rows.append([str(page.relative_to(ROOT)), *_list(counts)])
            sums += counts
    print_table(["page", "run", *KINDS], [*rows, ["all", *_list(sums)]])


def _list(counts: Counter[str]) -> list[str]:
    return [str(counts[kind]) for kind in ("run", *KINDS)]


if __name__ == "__main__":
    main()
