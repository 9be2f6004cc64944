"""What Prometheus is told: requests, the line, stages, colours, memory, disks and the worker.

Each gate has a registry of its own. Labels have few values, and none that a client chooses.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from plitka.serving.predictions import Outcome

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

RESULTS = ("succeeded", "failed", "canceled", "left", "full", "refused", "unavailable")
"""How a request ended: a picture, or as Cog says; its client hung up; there was no place in the
line; it was not as it has to be; or the server could not, with a 5xx."""

STAGES = (
    "layout",
    "guides_final",
    "colormap",
    "preview",
    "match_preview",
    "measure_preview",
    "final",
    "match_final",
    "measure_final",
)
"""Of the pipeline; any other counts as "other"."""

_PICTURES = ("preview", "final", "colormap")
_WAITS = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800)
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 60, 120, 300)
_VARIATIONS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True)
class Vitals:
    """What is measured when it is asked for.

    is_alive: whether the worker is. is_ready: whether the server would take a request. waiting,
    running, most_waiting: in the line. memory: resident bytes by process. free_memory: bytes.
    free_disk: bytes by use of the disk; NaN for one that does not answer.
    """

    is_alive: bool
    is_ready: bool
    waiting: int
    running: int
    most_waiting: int
    memory: Mapping[str, int]
    free_memory: int
    free_disk: Mapping[str, float]


class Metrics:
    """All that is counted. kind: what is served, as it stands in addresses."""

    def __init__(self, version: str, kind: str) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "plitka_requests", "Requests by how they ended.", ["result"], registry=registry
        )
        for result in RESULTS:
            self._requests.labels(result)
        self._length = Gauge(
            "plitka_queue_length", "Requests that wait for their turn.", registry=registry
        )
        self._limit = Gauge(
            "plitka_queue_limit", "Requests that may wait, as --queue says.", registry=registry
        )
        self._running = Gauge("plitka_running", "Requests that Cog works on.", registry=registry)
        self._waits = Histogram(
            "plitka_queue_wait_seconds",
            "Seconds that requests waited for their turn.",
            registry=registry,
            buckets=_WAITS,
        )
        self._seconds = Histogram(
            "plitka_prediction_seconds",
            "Seconds of whole predictions, by Cog's clock.",
            registry=registry,
            buckets=_SECONDS,
        )
        self._stages = Histogram(
            "plitka_stage_seconds",
            "Seconds of each stage.",
            ["stage"],
            registry=registry,
            buckets=_SECONDS,
        )
        self._variations = {
            name: Histogram(
                f"plitka_{name}", text, ["picture"], registry=registry, buckets=_VARIATIONS
            )
            for name, text in (
                ("total_variation", "Distance between a picture's shares and those asked for."),
                ("total_variation_measured", "The same of the shares that a stranger measures."),
            )
        }
        self._peak = Gauge(
            "plitka_worker_peak_memory_bytes",
            "The most that the worker has held.",
            registry=registry,
        )
        self._memory = Gauge(
            "plitka_memory_bytes", "Resident memory by process.", ["process"], registry=registry
        )
        self._free_memory = Gauge(
            "plitka_free_memory_bytes",
            "Memory that can still be had, within the container's limit.",
            registry=registry,
        )
        self._free_disk = Gauge(
            "plitka_free_disk_bytes",
            "Free space where Cog makes its folders, and where pictures are written.",
            ["disk"],
            registry=registry,
        )
        self._alive = Gauge("plitka_worker_alive", "1 while the worker lives.", registry=registry)
        self._ready = Gauge(
            "plitka_ready", "1 while requests are taken, as /ready says.", registry=registry
        )
        build = Gauge("plitka_build_info", "Always 1.", ["version", "kind"], registry=registry)
        build.labels(version, kind).set(1)

    def count(self, result: str) -> None:
        """Count a request that ended. result: of RESULTS."""
        self._requests.labels(result if result in RESULTS else "failed").inc()

    def count_refusal(self, status: int) -> None:
        """Count a request that was refused with a status of HTTP."""
        is_fault = status >= 500
        self.count("full" if status == 429 else "unavailable" if is_fault else "refused")

    def note_wait(self, seconds: float) -> None:
        """Note how long a request waited until its turn."""
        self._waits.observe(seconds)

    def note_outcome(self, outcome: Outcome) -> None:
        """Note what a prediction came to, with what its worker measured."""
        self.count(outcome.status)
        told = outcome.metrics
        for seconds in _read_numbers([told.get("predict_time")]):
            self._seconds.observe(seconds)
        for peak in _read_numbers([told.get("peak_memory_mb")]):
            self._peak.set(peak * 2**20)
        for stage, value in _read_object(told.get("seconds")).items():
            for seconds in _read_numbers([value]):
                self._stages.labels(stage if stage in STAGES else "other").observe(seconds)
        for name, histogram in self._variations.items():
            shown = _read_object(told.get(name))
            for picture in _PICTURES:
                for variation in _read_numbers([shown.get(picture)]):
                    histogram.labels(picture).observe(variation)

    def write(self, vitals: Vitals) -> bytes:
        """Write all in the text format of Prometheus."""
        self._length.set(vitals.waiting)
        self._limit.set(vitals.most_waiting)
        self._running.set(vitals.running)
        self._free_memory.set(vitals.free_memory)
        self._alive.set(vitals.is_alive)
        self._ready.set(vitals.is_ready)
        self._memory.clear()  # of processes that are gone
        for process, size in vitals.memory.items():
            self._memory.labels(process).set(size)
        for disk, free in vitals.free_disk.items():
            self._free_disk.labels(disk).set(free)
        return generate_latest(self.registry)


def _read_object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _read_numbers(values: Iterable[Any]) -> Iterator[float]:
    """Read those that are numbers: a worker that ended early has told only some."""
    for value in values:
        if isinstance(value, int | float):
            yield float(value)
