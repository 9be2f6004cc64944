"""CUDA graphs of the networks: all kernels of a step launched at once, the same ones as without.

A UNet step launches some 2,100 kernels, one after the other, from Python; a fast card waits for
that. A graph of them is captured once, in setup(), for each shape that a picture of a preset has,
and replayed in the loop. It always reads and writes the same places: inputs are copied there before
it, and results from there after it. What has other shapes runs as ever.

What depends on threads, since the final picture is drawn in another one than captured:

- A replay does not. "graph_exec_ may be replayed in any stream", says torch's CUDAGraph::replay
  (aten/src/ATen/cuda/CUDAGraph.cpp), which launches into the current stream of the calling thread:
  the default one in all of ours, so replays and all else stay in order.
- Handles of cuBLAS and cuDNN belong to a thread, and their workspaces to a handle and a stream. The
  kernels in a graph have the workspaces of the thread that captured; no other stream uses those,
  and replays are one after the other, so nothing can write to them in between.
- A capture does: CUDA forbids some calls while a stream is captured, in mode `global` to all
  threads, in `thread_local` to the one that captures. A health check or a thread that reads files
  into pinned memory would break the first, and be broken by it; so captures are `thread_local`.
- torch.compile's own graphs (mode reduce-overhead) are kept by thread, and the worker's thread
  would capture anew within a prediction. That is why they are not used.

All graphs share one memory pool, and the places of their inputs and results, as none runs beside
another: what one has left there is gone when the next is replayed.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.nn import Module

from plitka.engines.sdxl.device import Device

_cuda: Any = torch.cuda  # partly typed
_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class CaptureError(Exception):
    """A graph that does not do what was captured."""


class Graph(Protocol):
    """The work of one call on a device, recorded."""

    def warm_up(self, work: Callable[[], Any]) -> Any:
        """Do the work once, so that all that it needs is loaded. Returns its results."""
        ...

    def capture(self, work: Callable[[], None]) -> None:
        """Record the work without doing it."""
        ...

    def replay(self) -> None:
        """Do the recorded work again, on the same memory."""
        ...


class CudaGraphs:
    """Makes graphs on one card that share a pool of memory."""

    def __init__(self, on: Device) -> None:
        self._stream = _cuda.Stream(on.name)
        self._pool = _cuda.graph_pool_handle()

    def __call__(self) -> Graph:
        return _CudaGraph(self._stream, self._pool)


class _CudaGraph:
    def __init__(self, stream: Any, pool: Any) -> None:
        self._stream = stream
        self._pool = pool
        self._graph = _cuda.CUDAGraph()

    def warm_up(self, work: Callable[[], Any]) -> Any:
        """Do the work on the stream that captures, whose handles and workspaces are made then.

        Once is enough, as nothing is tried out: cudnn.benchmark is off.
        """
        current = _cuda.current_stream()
        self._stream.wait_stream(current)
        with _cuda.stream(self._stream):
            results = work()
        current.wait_stream(self._stream)
        return results

    def capture(self, work: Callable[[], None]) -> None:
        with _cuda.graph(
            self._graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
        ):
            work()

    def replay(self) -> None:
        self._graph.replay()


@dataclass(frozen=True)
class _Captured:
    """A graph, the tensors that it reads, and those that it writes as the call returns them."""

    graph: Graph
    inputs: tuple[Tensor, ...]
    results: Any


class NetworkGraphs:
    """The graphs of calls `function(network, *arguments)`.

    function: one of a module, which stands for itself. arguments: tensors, numbers, names, and
    tuples, lists and dicts of them. A graph is replayed for arguments whose tensors have the shapes
    of those that it was captured with, and whose other values are equal. It goes when its network
    goes, whose weights must stay where they are.

    replays: how many there were so far.
    """

    def __init__(self, make_graph: Callable[[], Graph]) -> None:
        self.replays = 0
        self._make_graph = make_graph
        self._captured: WeakKeyDictionary[Module, dict[Any, _Captured]] = WeakKeyDictionary()
        self._places: dict[Any, Tensor] = {}  # by layout, and its number in a call

    def __len__(self) -> int:
        return sum(map(len, self._captured.values()))

    def run(
        self, function: Callable[..., Any], network: Module, *arguments: Any, weights: str = ""
    ) -> Any:
        """Replay a call if it was captured, else make it. The results are the caller's own.

        weights: which ones the network has at the moment, where they are exchanged.
        """
        key = (function, weights, _describe(arguments))
        captured = self._captured.get(network, {}).get(key)
        if captured is None:
            return function(network, *arguments)
        _fill(captured.inputs, arguments)
        captured.graph.replay()
        self.replays += 1
        return _copy(captured.results)

    def run_and_capture(
        self, function: Callable[..., Any], network: Module, *arguments: Any, weights: str = ""
    ) -> Any:
        """Make a call as `run` does, and capture it if it is a new one.

        Raises CaptureError where a replay does not give the same, to the bit, and RuntimeError
        where CUDA cannot record what the call does.
        """
        key = (function, weights, _describe(arguments))
        known = self._captured.setdefault(network, {})
        if key in known:
            return self.run(function, network, *arguments, weights=weights)
        known[key] = self._capture(function, network, arguments)
        return _copy(known[key].results)

    def _capture(
        self, function: Callable[..., Any], network: Module, arguments: tuple[Any, ...]
    ) -> _Captured:
        inputs = self._get_places(arguments)
        _fill(inputs, arguments)
        fixed = _replace_tensors(arguments, iter(inputs))
        graph = self._make_graph()
        expected = graph.warm_up(lambda: function(network, *fixed))
        outputs = self._get_places(expected)
        graph.capture(lambda: _fill(outputs, function(network, *fixed)))
        graph.replay()
        if not _are_same(expected, outputs):
            raise CaptureError(f"a replay of {function.__name__} gives something else")
        return _Captured(graph, inputs, _replace_tensors(expected, iter(outputs)))

    def _get_places(self, values: Any) -> tuple[Tensor, ...]:
        """Get a tensor for each one in values, of its layout, where graphs read or write it.

        Made in inference mode if those are: compiled code takes others for something else.
        """
        counts: Counter[Any] = Counter()
        places = []
        for tensor in _list_tensors(values):
            layout = (tensor.shape, tensor.stride(), tensor.dtype, tensor.device)
            counts[layout] += 1
            key = (layout, counts[layout])
            if key not in self._places:
                self._places[key] = torch.empty_like(tensor)
            places.append(self._places[key])
        return tuple(places)


def _list_tensors(value: Any) -> Iterator[Tensor]:
    """List the tensors in arguments, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _list_tensors(part)
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _list_tensors(part)


def _describe(value: Any) -> Any:
    """Describe arguments: shapes in place of tensors, all else as it is. Hashable."""
    if isinstance(value, Tensor):
        return value.shape
    if isinstance(value, Mapping):
        return tuple((name, _describe(part)) for name, part in value.items())
    if isinstance(value, (tuple, list)):
        return tuple(_describe(part) for part in value)
    return value


def _replace_tensors(value: Any, tensors: Iterator[Tensor]) -> Any:
    """Copy arguments with other tensors in place of theirs, in order."""
    if isinstance(value, Tensor):
        return next(tensors)
    if isinstance(value, Mapping):
        return {name: _replace_tensors(part, tensors) for name, part in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)([_replace_tensors(part, tensors) for part in value])
    return value


def _fill(places: tuple[Tensor, ...], values: Any) -> None:
    """Copy the tensors of values to their places."""
    for place, tensor in zip(places, _list_tensors(values), strict=True):
        place.copy_(tensor)


def _copy(results: Any) -> Any:
    return _replace_tensors(results, (tensor.clone() for tensor in _list_tensors(results)))


def _are_same(some: Any, others: Any) -> bool:
    """Whether results have the same bits, NaN among them."""
    return all(
        torch.equal(*(part.view(_INTEGERS[part.element_size()]) for part in pair))
        for pair in zip(_list_tensors(some), _list_tensors(others), strict=True)
    )
