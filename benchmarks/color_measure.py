"""How right `measure` is: on the photographs, on renders, and for colours that are not there.

    PLITKA_SHARED=… python -m benchmarks.color_measure

Without photographs, renders alone are measured.
"""

import numpy as np

from benchmarks.color_pictures import RECIPES, labelled, layout
from plitka.color import palette
from plitka.color.srgb import Lab
from plitka.images import photograph
from plitka.measure.shares import measure, total_variation
from plitka.tile import render


def main() -> None:
    _photographs()
    _absent()
    _renders()


def _photographs() -> None:
    """Mean error per colour, in points, of each mixed photograph; the groups by kind."""
    errors: dict[str, list[float]] = {"one colour": [], "black and white": [], "colours": []}
    for photo in labelled():
        measured = measure(photograph.load(photo.file).pixels, photo.colors)
        off = 100 * (np.array(measured.shares) - photo.shares)
        error = float(np.abs(off).mean())
        codes = {color.code for color in photo.colors}
        kind = "black and white" if codes == {"BLACK", "WHITE"} else "colours"
        errors["one colour" if len(codes) == 1 else kind].append(error)
        if len(codes) > 1:
            print(f"{photo.name:42} {error:5.2f}  {off.round(1).tolist()}")
    for kind, of in errors.items():
        if of:
            print(f"{kind:16} {len(of):3} photographs: mean {np.mean(of):.2f}, worst {max(of):.2f}")
    mixed = errors["black and white"] + errors["colours"]
    if mixed:
        print(f"{'all mixed':16} {len(mixed):3} photographs: mean {np.mean(mixed):.2f}")


def _absent() -> None:
    """What a colour that is not in a photograph is said to have, for every palette colour."""
    found: list[float] = []
    for photo in labelled():
        image = photograph.load(photo.file).pixels
        for other in palette.load().colors[::5]:
            if all(_far(other.lab, color.lab) for color in photo.colors):
                measured = measure(image, [*photo.colors, other])
                found.append(100 * measured.shares[-1])
    if found:
        more = sum(share > 1 for share in found)
        print(f"absent colours: {len(found)} looked for, {more} given more than a point")


def _far(one: Lab, other: Lab) -> bool:
    from plitka.color.cielab import ciede2000

    # Nearer ones may well be the granules' true name: the photographs' DKGREEN is GREEN.
    return float(ciede2000(one, other)) > 30


def _renders() -> None:
    off = []
    for recipe in RECIPES:
        laid = layout(recipe, 7)
        measured = measure(render.render_picture(laid, 1024), laid.colors)
        variation = 100 * total_variation(measured.shares, laid.shares)
        off.append(variation)
        print(f"render {recipe:35} total variation {variation:5.2f}")
    print(f"renders: mean {np.mean(off):.2f}, worst {max(off):.2f}")


if __name__ == "__main__":
    main()
