"""How far a plain pixel classifier is from the shares of renders, granules unseen.

    PLITKA_SHARED=FOLDER python -m benchmarks.render_shares [--seed 11]

The classifier is that of benchmarks.color_match: a Gaussian in L*a*b* for each colour, fitted on
photographs of one-colour tiles, on renders of them where there is no photograph.
"""

import argparse

import numpy as np

from benchmarks.color_match import plain_shares
from benchmarks.color_pictures import RECIPES, layout
from benchmarks.report import print_table
from plitka.measure.shares import total_variation
from plitka.tile import render


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=11, help="of all renders (default: 11)")
    seed: int = parser.parse_args().seed
    rows, off = [], []
    for recipe in RECIPES:
        laid = layout(recipe, seed)
        found = plain_shares(render.render_picture(laid, 1024), laid.colors)
        off.append(100 * total_variation(found, laid.shares))
        shares = "+".join(f"{100 * share:.1f}" for share in found)
        rows.append([recipe, shares, f"{off[-1]:.1f}"])
    rows.append(["mean", "", f"{np.mean(off):.1f}"])
    print_table(["recipe", "found, per cent", "total variation"], rows)


if __name__ == "__main__":
    main()
