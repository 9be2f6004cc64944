"""What `texture` does: makes a texture that repeats without a seam, with its maps."""

import argparse
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from plitka import whole_file
from plitka.cli.request_arguments import read_request
from plitka.cli.terminal import print_json, print_line
from plitka.errors import EngineError
from plitka.runtime.timing import log
from plitka.settings import Settings

if TYPE_CHECKING:
    from plitka.texture.making import TextureFile

NEEDS = 'the command texture needs more libraries: pip install "pygltflib==1.16.5"'


def run_texture(options: argparse.Namespace, settings: Settings) -> None:
    """Make a texture into a folder or a zip file. Raises TextureError for one that cannot be."""
    from plitka.request.surface import DEFAULT_GRANULE_MM
    from plitka.texture import order as orders

    try:
        from plitka.texture import making
        from plitka.texture.packing import pack
    except ModuleNotFoundError as missing:
        raise EngineError(f"{NEEDS} ({missing.name} is not there)") from None
    recipe = read_request(options, settings.load_palette(None, "render"))
    size = orders.SIZES[options.size]
    order = orders.plan_texture(
        recipe,
        size,
        DEFAULT_GRANULE_MM if options.granule_mm is None else options.granule_mm,
        options.side_mm,
    )
    out: Path = options.out
    log.info(
        "seed %d, %d px, %g mm a side, granules of %g mm, %.1f of them a side",
        *(order.recipe.seed, size, order.side_mm, order.granule_mm),
        order.side_mm / order.granule_mm,
    )
    files = _time_stages(making.make_texture(order), making.FILES, options.verbose)
    if out.suffix.lower() == ".zip":
        whole_file.check_target(out)
        whole_file.write_parts(out, pack(files, orders.name_texture(order)))
        written = [str(out)]
    else:
        out.mkdir(parents=True, exist_ok=True)
        written = []
        for file in files:
            whole_file.write(out / file.name, file.content)
            written.append(str(out / file.name))
    if options.json:
        print_json(
            {
                "seed": order.recipe.seed,
                "side_mm": order.side_mm,
                "granule_mm": order.granule_mm,
                "pixels": size,
                "files": written,
            }
        )
        return
    print_line(
        f"seed {order.recipe.seed}, {size} pixels for {order.side_mm:g} mm, granules of"
        f" {order.granule_mm:g} mm"
    )
    for name in written:
        print_line(name)


def _time_stages(
    files: Generator["TextureFile", None, None], count: int, verbose: bool
) -> Iterator["TextureFile"]:
    """Pass files on: each has its line in the log, or they have a bar where that is a terminal."""
    from rich.progress import track

    from plitka.cli.console import Console

    console = Console(stderr=True)
    hidden = verbose or not console.is_terminal

    def timed() -> Iterator["TextureFile"]:
        start = time.perf_counter()
        for number, file in enumerate(files, 1):
            seconds = time.perf_counter() - start
            log.info("%d of %d, %s: %.2f s", number, count, file.name, seconds)
            yield file
            start = time.perf_counter()

    yield from track(timed(), "Drawing", count, console=console, transient=True, disable=hidden)
