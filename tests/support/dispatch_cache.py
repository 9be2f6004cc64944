"""What operators made of tensors without content, kept, so that they need not be run again.

A step of SDXL runs thousands of operators, and each has had operands of the same shapes before.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, in_kernel_invocation_manager

Key: TypeAlias = tuple[object, ...]

_NEVER_THE_SAME = (torch.ops.aten.slice.Tensor, torch.ops.aten.as_strided.default)  # their offsets
_LARGEST = 2**16  # outcomes


@dataclass(frozen=True)
class _Made:
    """How an operator's result is made again.

    source: which of the tensors it was given it is a view of, None for a tensor of its own. is_it:
    whether it is that tensor itself.
    """

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    dtype: torch.dtype
    device: torch.device
    source: int | None
    is_it: bool


@dataclass(frozen=True)
class Outcome:
    """What an operator does.

    made: its results, or constants among them. packed: the type they come in, None for one alone.
    rise: bytes that it has on the card at the most, beyond what was there. copies: direction and
    bytes of those within it. computed: how often operators ran within it.
    """

    made: tuple[object, ...]
    packed: Callable[[list[Any]], Any] | None
    rise: int
    copies: tuple[tuple[str, int], ...]
    computed: Mapping[str, int]


class DispatchCache:
    """Outcomes by operator and operands."""

    def __init__(self, mode: FakeTensorMode) -> None:
        self._mode = mode
        self._outcomes: dict[Key, Outcome] = {}

    def get(self, key: Key) -> Outcome | None:
        return self._outcomes.get(key)

    def keep(
        self,
        key: Key,
        given: list[Tensor],
        out: Any,
        rise: int,
        copies: tuple[tuple[str, int], ...],
        computed: Mapping[str, int],
    ) -> None:
        """Keep an outcome, if it can be made again. given: the tensors among the operands."""
        if len(self._outcomes) >= _LARGEST:
            return
        packed = type(out) if type(out) in (tuple, list) else None
        results = out if packed is not None else [out]
        made = tuple(_describe_result(result, given) for result in results)
        if None not in made:
            made = tuple(None if part is _NOTHING else part for part in made)
            self._outcomes[key] = Outcome(made, packed, rise, copies, computed)

    def view(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Make a view of one tensor, which is not worth keeping: each offset is another."""
        with in_kernel_invocation_manager(self._mode):
            plain = func(*args, **kwargs)
        device = args[0].device
        if isinstance(plain, Tensor):
            return FakeTensor(self._mode, plain, device)
        return [FakeTensor(self._mode, part, device) for part in plain]

    def make_again(self, outcome: Outcome, given: list[Tensor]) -> Any:
        """Make an operator's results from what it is given now."""
        results = [
            self._make(part, given) if isinstance(part, _Made) else part for part in outcome.made
        ]
        return results[0] if outcome.packed is None else outcome.packed(results)

    def _make(self, made: _Made, given: list[Tensor]) -> Tensor:
        if made.is_it:
            assert made.source is not None
            return given[made.source]
        with in_kernel_invocation_manager(self._mode):
            if made.source is None:
                plain = torch.empty_strided(
                    made.shape, made.stride, dtype=made.dtype, device="meta"
                )
            else:
                plain = torch.as_strided(given[made.source], made.shape, made.stride, made.offset)
        return FakeTensor(self._mode, plain, made.device)


_NOTHING = object()


def _describe_result(result: object, given: list[Tensor]) -> object:
    """Describe how a result is made again, None where it cannot be."""
    if result is None:
        return _NOTHING
    if type(result) in (int, float, bool):
        return result
    if not isinstance(result, FakeTensor) or result.requires_grad:
        return None
    is_it = [index for index, tensor in enumerate(given) if tensor is result]
    storage: Any = result.untyped_storage()
    sources = is_it or [
        index
        for index, tensor in enumerate(given)
        if isinstance(tensor, FakeTensor)
        and tensor.dtype == result.dtype
        and tensor.untyped_storage()._cdata == storage._cdata
    ]
    if not sources and storage.nbytes() > result.numel() * result.itemsize:
        return None  # a part of something larger
    return _Made(
        shape=tuple(result.shape),
        stride=result.stride(),
        offset=int(result.storage_offset()),
        dtype=result.dtype,
        device=result.device,
        source=sources[0] if sources else None,
        is_it=bool(is_it),
    )


def make_key(func: Any, args: Any, kwargs: Any, given: list[Tensor]) -> Key | None:
    """Make the key of an operator and its operands, None where its outcome cannot be kept.

    given: filled with the tensors among the operands, in order.
    """
    keeps = _keeps(func)
    try:
        parts = (_describe(args, given), _describe(kwargs, given))
    except _Odd:
        return None
    if not keeps or (torch.is_grad_enabled() and any(one.requires_grad for one in given)):
        return None
    return (func, *parts)


class _Odd(Exception):
    """An operand that no key is made of."""


_PLAIN = (
    type(None), str, torch.dtype, torch.device, torch.memory_format, torch.layout
)  # fmt: skip


def _describe(value: Any, given: list[Tensor]) -> object:
    if isinstance(value, Tensor):
        given.append(value)
        return (
            isinstance(value, FakeTensor),
            value.dtype,
            value.device,
            tuple(value.shape),
            value.stride(),
            value.storage_offset(),
        )
    if isinstance(value, (tuple, list)):
        return tuple([_describe(part, given) for part in value])
    if isinstance(value, dict):
        return tuple([(name, _describe(part, given)) for name, part in value.items()])
    if isinstance(value, (bool, int, float)):
        return (type(value), value)  # for True == 1 == 1.0
    if isinstance(value, _PLAIN):
        return value
    raise _Odd


@functools.cache
def _keeps(func: Any) -> bool:
    """Whether an operator's outcome depends on its operands alone, and nothing else changes."""
    return (
        func.namespace == "aten"
        and func not in _NEVER_THE_SAME
        and not func._schema.is_mutable
        and torch.Tag.data_dependent_output not in func.tags
        and torch.Tag.dynamic_output_shape not in func.tags
    )
