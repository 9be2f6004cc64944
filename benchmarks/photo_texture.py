"""How far renders are from photographs of the same mixture, in texture and colour.

    PLITKA_SHARED=FOLDER python -m benchmarks.photo_texture [--seed 0]

Each photograph's recipe is rendered at 1024, and the central 768 pixels are compared with the
photograph: sliced Wasserstein distance between patches of a Laplacian pyramid in CIE L*a*b*, on
three levels (outlines, facets, clumps) and in the mean. 0 is the same texture, two halves of one
photograph are 0.4 apart in the mean over all, a neighbouring mixture is 0.8 to 1.8 away.

Three readings of each recipe:

    label   the codes of the photograph's label
    green   the same, with DKGREEN in mixtures read as GREEN, which their granules are
    own     the colours measured on this photograph, given as hex: what is left is texture
"""

import argparse
import json
from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import photographs
from benchmarks.photographs import Photograph
from benchmarks.report import print_table
from plitka.color import palette
from plitka.request import parsing
from plitka.tile import layout, render

SIZE = 1024
NEAR = 1.3  # a mean distance up to this is no more than a neighbouring mixture's
ACHROMATIC = {"BLACK", "WHITE"}

Percent = Mapping[str, float]
"""Code or hex -> percent."""


def own_colors(photo: Photograph) -> dict[str, float]:
    """The mixture with each colour's median on the photograph itself, as hex, for its code.

    A pixel is counted for the code with the nearest a*, b*; for that with the nearest L* where
    the mixture is of black and white alone.
    """
    codes = list(photo.percent_by_eye)
    known = [palette.load().find(code).lab for code in codes]
    channels = slice(0, 1) if set(codes) <= ACHROMATIC else slice(1, 3)
    lab = cv2.cvtColor(photo.image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    away = [np.linalg.norm(lab[..., channels] - color[channels], axis=-1) for color in known]
    owner = np.argmin(away, axis=0)
    own: dict[str, float] = {}
    for index, percent in enumerate(photo.percent_by_eye.values()):
        median = np.median(lab[owner == index], axis=0).astype(np.float32)
        srgb = cv2.cvtColor(median[None, None], cv2.COLOR_LAB2RGB).ravel()
        red, green, blue = np.rint(255 * np.clip(srgb, 0, 1)).astype(int)
        own[f"#{red:02x}{green:02x}{blue:02x}"] = percent
    return own


READINGS: dict[str, Callable[[Photograph], Percent]] = {
    "label": lambda photo: photo.percent,
    "green": lambda photo: photo.percent_by_eye,
    "own": own_colors,
}


def rendered(percent: Percent, seed: int, side: int) -> NDArray[np.uint8]:
    """(side, side, 3) BGR, as the distance tool takes it: the middle of the tile's render."""
    colors = [
        {"hex" if name.startswith("#") else "name": name, "proportion": share}
        for name, share in percent.items()
    ]
    asked = parsing.parse(json.dumps({"colors": colors, "seed": seed}), palette.load())
    picture = render.render_picture(layout.lay(asked), SIZE)
    margin = (SIZE - side) // 2
    return np.ascontiguousarray(picture[margin : margin + side, margin : margin + side, ::-1])


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare renders with photographs.")
    parser.add_argument("--seed", type=int, default=0, help="of all renders (default: 0)")
    seed: int = parser.parse_args().seed

    tool = photographs.distance_tool()
    distances: dict[str, list[NDArray[np.float64]]] = {name: [] for name in READINGS}
    rows = []
    for photo in photographs.load():
        truth = tool.lab(np.ascontiguousarray(photo.image[..., ::-1]))
        found: dict[tuple[str, ...], NDArray[np.float64]] = {}
        row = [photo.name]
        for name, read in READINGS.items():
            percent = read(photo)
            key = tuple(percent)
            if key not in found:
                image = tool.lab(rendered(percent, seed, photo.image.shape[0]))
                found[key] = np.array(tool.distance(image, truth))
            distances[name].append(found[key])
            row += [" ".join(f"{level:.2f}" for level in found[key]), f"{found[key].mean():.2f}"]
        rows.append(row)
    headers = [header for name in READINGS for header in (f"{name}: fine to coarse", "mean")]
    print_table(["photograph", *headers], rows)

    print()
    summary = []
    for name, of_photos in distances.items():
        means = [levels.mean() for levels in of_photos]
        near = f"{sum(mean <= NEAR for mean in means)} of {len(means)}"
        levels = [f"{level:.2f}" for level in np.mean(of_photos, axis=0)]
        summary.append([name, *levels, f"{np.mean(means):.2f}", f"{max(means):.2f}", near])
    print_table(
        ["reading", "fine", "middle", "coarse", "mean", "worst photograph", f"{NEAR} or less"],
        summary,
    )


if __name__ == "__main__":
    main()
