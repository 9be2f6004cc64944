"""A catalogue on a Ray cluster of two nodes on this machine, one of which is killed in mid-run.

    python -m benchmarks.cluster [--tiles 40] [--pictures preview] [--folder DIR]

Needs requirements-cluster.txt. Makes the same catalogue by one worker process, by two, on one node,
on two, and on two of which the second is killed when a third of the tiles is there; says how many
tiles a minute each has made, what share of the workers' time was not the engine's, and which files
differ. Each node has one CPU, so it takes one actor. Ray's own workers run at a niceness of 15, and
here at 0, as those of the other ways do.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster as LocalCluster

from benchmarks.catalogue import NOT_EQUAL, compare, list_records, write_recipes
from benchmarks.report import print_table
from plitka.catalogue import report, rows, run
from plitka.catalogue.cluster import Cluster
from plitka.catalogue.drawing import Done
from plitka.catalogue.shelf import LocalShelf
from plitka.request.plan import PICTURE_SIZES
from plitka.settings import read_settings


def make(order: run.Order, out: Path, crew: run.Crew) -> tuple[float, float, float]:
    """Make a catalogue; returns seconds, the sum of those of tiles, and of those of engines."""
    shelf = LocalShelf(out, zipped=False)
    start = time.perf_counter()
    with shelf.hold():
        missing = run.find_missing(order, shelf)
        results = [result for _, result in run.draw_missing(order, shelf, missing, crew)]
        seconds = time.perf_counter() - start
        report.write_report(run.list_entries(order.sheet, shelf), shelf)
    done = [result for result in results if isinstance(result, Done)]
    assert len(done) == len(order.sheet.rows), results
    return seconds, sum(one.seconds for one in done), sum(one.engine_seconds for one in done)


def start_cluster(nodes: int) -> tuple[Any, list[Any]]:
    """Start a cluster: a head that draws nothing, and nodes of one CPU each."""
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": {"worker_niceness": 0}}
    cluster = LocalCluster(initialize_head=True, head_node_args=head)
    return cluster, [cluster.add_node(num_cpus=1) for _ in range(nodes)]


def kill_later(cluster: Any, node: Any, out: Path, count: int) -> threading.Thread:
    """Kill a node when so many tiles are there."""

    def kill() -> None:
        while len(list_records(out)) < count:
            time.sleep(0.05)
        cluster.remove_node(node, allow_graceful=False)
        print(f"one of two nodes killed when {len(list_records(out))} tiles were there")

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def run_on_cluster(
    order: run.Order, out: Path, nodes: int, kills: bool = False
) -> tuple[float, float, float]:
    cluster, added = start_cluster(nodes)
    try:
        killing = kill_later(cluster, added[-1], out, len(order.sheet.rows) // 3) if kills else None
        figures = make(order, out, Cluster(cluster.address, nodes, gpus=0))
        if killing is not None:
            killing.join()
        return figures
    finally:
        cluster.shutdown()


def run_all(folder: Path, order: run.Order) -> int:
    ways: dict[str, tuple[int, Callable[[Path], tuple[float, float, float]]]] = {
        "1 worker": (1, lambda out: make(order, out, run.Processes(1))),
        "2 workers": (2, lambda out: make(order, out, run.Processes(2))),
        "Ray, 1 node": (1, lambda out: run_on_cluster(order, out, 1)),
        "Ray, 2 nodes": (2, lambda out: run_on_cluster(order, out, 2)),
        "Ray, 1 of 2 killed": (2, lambda out: run_on_cluster(order, out, 2, kills=True)),
    }
    table: list[Sequence[str]] = []
    strangers = set()
    for name, (workers, way) in ways.items():
        out = folder / name.replace(" ", "-").replace(",", "")
        seconds, of_tiles, of_engines = way(out)
        equal, differing = compare(folder / "1-worker", out)
        strangers |= set(differing) - set(NOT_EQUAL)
        rate = 60 * len(order.sheet.rows) / seconds
        around = 1 - of_engines / of_tiles
        waiting = 1 - of_tiles / (seconds * workers)
        cells = (f"{seconds:.0f}", f"{rate:.1f}", f"{100 * around:.0f}%", f"{100 * waiting:.0f}%")
        table.append((name, *cells, f"{equal}, {len(differing)}"))
    headers = ("by", "s", "tiles/min", "around the engine", "no tile", "files equal, not")
    print_table(headers, table)
    print(f"that differ, but for their seconds: {', '.join(sorted(strangers)) or 'none'}")
    return int(bool(strangers))


def main() -> int:
    parser = argparse.ArgumentParser(description="Catalogues by workers and on a Ray cluster.")
    parser.add_argument("--tiles", type=int, default=40, help="default: 40")
    parser.add_argument(
        "--pictures", nargs="+", choices=tuple(PICTURE_SIZES), default=["preview"], metavar="KIND"
    )
    parser.add_argument("--folder", type=Path, help="to keep what is made")
    options = parser.parse_args()
    settings = read_settings()
    with tempfile.TemporaryDirectory(prefix="plitka-cluster-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        write_recipes(folder / "recipes.csv", options.tiles, 0)
        sheet = rows.read_sheet(folder / "recipes.csv", settings.load_palette(None, "render"))
        choice = settings.choose_engine(None, "render")
        order = run.Order(sheet, choice, tuple(options.pictures), overlap=False)
        return run_all(folder, order)


if __name__ == "__main__":
    sys.exit(main())
