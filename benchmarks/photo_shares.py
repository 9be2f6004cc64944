"""How well the shares that Plitka measures agree with what photographed tiles were mixed from.

    PLITKA_SHARED=FOLDER python -m benchmarks.photo_shares

The error is the total variation between measured and true percentages, in points, for two
readings of each label: as it stands, and with DKGREEN in mixtures read as GREEN, which their
granules are. A photograph of one colour tells only what is left out as gaps, so its error is 0
and the summary leaves it out.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from benchmarks import photographs
from benchmarks.photographs import Photograph
from benchmarks.report import print_table
from plitka import fidelity, palette


def measured(photo: Photograph, percent: Mapping[str, float]) -> tuple[list[float], float, float]:
    """Percentages in the order of `percent`, their total variation from it, gaps in percent."""
    known = palette.load()
    found = fidelity.measure(photo.image, [known.find(code) for code in percent])
    true = [share / 100 for share in percent.values()]
    points = 100 * fidelity.total_variation(found.shares, true)
    return [100 * share for share in found.shares], points, 100 * found.gaps


def main() -> None:
    rows = []
    errors = []
    for photo in photographs.load():
        as_labelled, labelled_error, _ = measured(photo, photo.percent)
        by_eye, error, gaps = measured(photo, photo.percent_by_eye)
        rows.append(
            [
                photo.name,
                _plus(photo.percent.values()),
                _plus(as_labelled),
                f"{labelled_error:.1f}",
                _plus(by_eye),
                f"{error:.1f}",
                f"{gaps:.1f}",
            ]
        )
        if len(photo.percent) > 1:
            errors.append((labelled_error, error))
    headers = ["label", "error", "with GREEN", "error", "gaps"]
    print_table(["photograph", "true", *headers], rows)

    print()
    summary = []
    for name, of_photos in zip(("label", "with GREEN"), np.transpose(errors), strict=True):
        figures = np.mean(of_photos), np.median(of_photos), np.max(of_photos)
        summary.append([name, *(f"{figure:.1f}" for figure in figures)])
    print_table([f"error over {len(errors)} mixtures, points", "mean", "median", "worst"], summary)


def _plus(percent: Iterable[float]) -> str:
    return "+".join(f"{share:.1f}".removesuffix(".0") for share in percent)


if __name__ == "__main__":
    main()
