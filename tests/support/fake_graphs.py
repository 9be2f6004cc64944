"""CUDA graphs on a card that is not there (fake_card.py), and streams as far as they need them.

As on a card: a capture refuses what waits for the card or copies between it and main memory;
what is allocated meanwhile comes from the graphs' pool, which is kept until the last of its graphs
has gone; a replay needs the weights and inputs to be where they were captured.
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any


class Pool:
    """A graph's private memory: it grows to what captures need at the most, and is kept.

    allocate: takes bytes of the card's, or gives them back.
    """

    def __init__(self, allocate: Callable[[int], None]) -> None:
        self._allocate = allocate
        self._used = self._reserved = self._graphs = 0

    def take(self, size: int) -> None:
        """Take bytes of it; negative ones are given back."""
        self._used += size
        grown = self._used - self._reserved
        if grown > 0:
            self._allocate(grown)
            self._reserved += grown

    def add_graph(self) -> None:
        self._graphs += 1

    def remove_graph(self) -> None:
        self._graphs -= 1
        if not self._graphs:
            self._allocate(-self._reserved)
            self._reserved = 0


class Captures:
    """The captures and replays on one card.

    pool: of the capture under way, None where there is none. captured, replayed: how many graphs.
    """

    def __init__(self, allocate: Callable[[int], None]) -> None:
        self._allocate = allocate
        self._read: dict[int, weakref.ref[Any]] = {}
        self._made: set[int] = set()
        self.pool: Pool | None = None
        self.captured = self.replayed = 0

    def refuse(self, what: str) -> None:
        """Raise, as CUDA does, where a stream that is captured is asked for what it cannot."""
        if self.pool is not None:
            raise RuntimeError(
                f"CUDA error: operation not permitted when stream is capturing: {what}"
            )

    def note_read(self, storage: Any) -> None:
        """Write down that a storage is used in a capture."""
        if self.pool is not None and storage._cdata not in self._made:
            self._read[storage._cdata] = weakref.ref(storage)

    def note_made(self, storage: Any) -> None:
        """Write down that a storage comes from the pool of a capture."""
        if self.pool is not None:
            self._made.add(storage._cdata)

    @contextmanager
    def capture(
        self,
        graph: "Graph",
        pool: Pool | None = None,
        stream: object = None,
        capture_error_mode: str = "global",
    ) -> Iterator[None]:
        """As torch.cuda.graph."""
        self.refuse("capture")
        self._read, self._made = {}, set()
        self.pool = graph.pool = pool or Pool(self._allocate)
        self.pool.add_graph()
        weakref.finalize(graph, self.pool.remove_graph)
        try:
            yield
        finally:
            self.pool = None
        graph.reads = list(self._read.values())
        self.captured += 1

    def patches(self) -> dict[str, Any]:
        """What torch.cuda answers."""

        def make_graph() -> Graph:
            return Graph(self)

        return {
            "CUDAGraph": make_graph,
            "graph": self.capture,
            "graph_pool_handle": lambda: Pool(self._allocate),
            "Stream": Stream,
            "stream": lambda stream: nullcontext(),
            "current_stream": Stream,
        }


class Graph:
    """As torch.cuda.CUDAGraph."""

    def __init__(self, captures: Captures) -> None:
        self._captures = captures
        self.pool: Pool | None = None
        self.reads: list[weakref.ref[Any]] | None = None

    def replay(self) -> None:
        self._captures.refuse("replay")
        if self.reads is None:
            raise RuntimeError("Called CUDAGraph::replay without a preceding successful capture.")
        if any(read() is None for read in self.reads):
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        self._captures.replayed += 1


class Stream:
    """As torch.cuda.Stream."""

    def __init__(self, device: object = None) -> None:
        pass

    def wait_stream(self, other: "Stream") -> None:
        pass
