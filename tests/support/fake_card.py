"""A CUDA card that is not there: tensors on the CPU are real, those on `cuda:0` have no content.

    card = FakeCard(gib=24)
    with card:                       # in the thread that loads and draws
        engine = load_engine("sdxl", dtype=None)
        card.allocated, card.peak, card.waits, card.copies

As on a card: operands on different devices or of dtypes that do not go together raise; what waits
for the card (`.item()`, `bool()`) and what is copied between it and main memory is written down,
with the line that asked for it; storages on the card are counted as they come and go, and one that
does not fit raises torch.OutOfMemoryError. CUDA graphs are captured and replayed (fake_graphs.py).

Not as on a card: there are no numbers, so nothing overflows, and what comes back is zeros;
libraries take no workspaces, memory does not fragment, copies never race, nothing takes time.

What an operator made of operands once is made again without running it (dispatch_cache.py). All
stands on private symbols of the torch that is pinned: `torch_internals.find_obstacle` says what
has moved.
"""

import collections
import ctypes
import functools
import inspect
import json
import struct
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

import safetensors
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from plitka.engines.sdxl import loading, lora, network_reading
from tests.support.dispatch_cache import DispatchCache, make_key
from tests.support.fake_graphs import Captures
from tests.support.torch_internals import REGISTRY, load_c10

_aten: Any = torch.ops.aten
_DEVICE: Any = torch.ops.prim.device.default
_torch: Any = torch._C
_MODE: Any = TorchDispatchMode
_CUDA, _META = 1, 14
_ROUND = 512  # bytes to which the caching allocator rounds
_ANSWER = 4.0  # to all who wait: true, finite, and the sum of four ones
_MOVES = (_aten.to, _aten._to_copy)
_FEW = 2**10  # elements of a schedule
_SMALL = 2**5  # elements below which a file's tensors are read
_DTYPES = {"F16": torch.float16, "F32": torch.float32, "BF16": torch.bfloat16, "I64": torch.int64}


class FakeCard(TorchDispatchMode):  # type: ignore[no-untyped-call]  # partly typed
    """A card with so much memory.

    total: its bytes. allocated, peak: of them, now and at the most since the last reset. waits:
    lines that waited for the card. copies: direction, bytes and line of each copy. tf32: lines that
    multiplied in single precision while TF32 was allowed. computed: how often each operator ran,
    but not those in replays. graphs: captures and replays.
    """

    def __init__(self, gib: float) -> None:
        _MODE.__init__(self)
        self.total = int(gib * 2**30)
        self.allocated = self.peak = 0
        self.waits: list[str] = []
        self.copies: list[tuple[str, int, str]] = []
        self.tf32: list[str] = []
        self.computed: collections.Counter[str] = collections.Counter()
        self.graphs = Captures(self._allocate)
        self._fake: Any = FakeTensorMode(allow_non_fake_inputs=True)
        self._cache = DispatchCache(self._fake)
        self._storages: dict[int, weakref.ref[Any]] = {}
        self._patches = ExitStack()

    def __enter__(self) -> "FakeCard":
        for patch in (_set_guard(), _patch_cuda(self), _patch_attention(), _patch_apply()):
            self._patches.enter_context(patch)
        self._patches.enter_context(_patch_files(self))
        _MODE.__enter__(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _MODE.__exit__(self, kind, error, trace)
        self._patches.close()

    def forget(self) -> None:
        """Forget the waits, the copies and the peak so far."""
        self.waits.clear()
        self.copies.clear()
        self.peak = self.allocated

    def make_empty(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Make a tensor without content in main memory."""
        with self._fake:
            empty: Tensor = torch.empty(shape, dtype=dtype)
        return empty

    # Memory

    def _count(self, tensor: Tensor) -> None:
        storage: Any = tensor.untyped_storage()
        key = storage._cdata
        known = self._storages.get(key)
        if known is not None and known() is storage:
            return
        size = -(-storage.nbytes() // _ROUND) * _ROUND
        take = self._choose_allocator()
        take(size)
        self.graphs.note_made(storage)

        def free(gone: "weakref.ref[Any]") -> None:
            take(-size)
            if self._storages.get(key) is gone:
                del self._storages[key]

        self._storages[key] = weakref.ref(storage, free)

    def _choose_allocator(self) -> Callable[[int], None]:
        """Choose what gives memory: the card, or the pool of the graph that is captured."""
        pool = self.graphs.pool
        return self._allocate if pool is None else pool.take

    def _allocate(self, size: int) -> None:
        """Take bytes of the card; negative ones are given back."""
        if size > 0 and self.allocated + size > self.total:
            raise torch.OutOfMemoryError(
                f"CUDA out of memory. Tried to allocate {size / 2**20:.0f} MiB;"
                f" {self.allocated / 2**30:.2f} of {self.total / 2**30:.2f} GiB in use;"
                f" {_find_line()}"
            )
        self.allocated += size
        self.peak = max(self.peak, self.allocated)

    @contextmanager
    def _take_for_layout(self, func: Any, operands: Any) -> Iterator[None]:
        """Take the copy that a convolution makes of an image in another order than its weights."""
        size = 0
        if func is _aten.convolution.default:
            image, weight = operands[0], operands[1]
            if image.device != weight.device:  # which torch's own fake convolution lets pass
                raise RuntimeError(
                    f"convolution with operands on the device {image.device}, and"
                    f" on {weight.device}"
                )
            if _is_channels_last(weight) and not _is_channels_last(image):
                size = image.nbytes
        take = self._choose_allocator()
        take(size)
        try:
            yield
        finally:
            take(-size)

    # Dispatch

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is _DEVICE:
            return args[0].device
        out = self._dispatch(func, args, kwargs)
        if func is _aten._to_copy.default:
            _carry_numbers(args[0], out)
        return out

    def _dispatch(self, func: Any, args: Any, kwargs: Any) -> Any:
        kwargs = kwargs or {}
        if self.graphs.pool is not None:  # each operand of a capture is written down
            return self._run(func, args, kwargs)
        given: list[Tensor] = []
        key = make_key(func, args, kwargs, given)
        if func.overloadpacket in _MOVES and _find_numbers(args[0]) is not None:
            key = None  # an outcome that is kept has no numbers
        known = None if key is None else self._cache.get(key)
        if known is not None:
            self._allocate(known.rise)
            self._allocate(-known.rise)
            self.computed.update(known.computed)
            if known.copies:
                line = _find_line()
                self.copies += [(kind, size, line) for kind, size in known.copies]
            return self._count_all(self._cache.make_again(known, given))
        if key is None:
            return self._run(func, args, kwargs)
        peak, before, computed = self.peak, self.allocated, self.computed.copy()
        noted, copied = (len(self.waits), len(self.tf32)), len(self.copies)
        self.peak = before
        try:
            out = self._run(func, args, kwargs)
        finally:
            rise, self.peak = self.peak - before, max(peak, self.peak)
        if noted == (len(self.waits), len(self.tf32)):
            copies = tuple((kind, size) for kind, size, _ in self.copies[copied:])
            self._cache.keep(key, given, out, rise, copies, self.computed - computed)
        return out

    def _count_all(self, out: Any) -> Any:
        """Count the storages of what an operator has made. Returns it."""
        for made in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(made, FakeTensor) and made.device.type == "cuda":
                self._count(made)
        return out

    def _run(self, func: Any, args: Any, kwargs: Any) -> Any:
        # In inference mode these arrive whole. A card enlarges in half precision, too, which the
        # operators that stand for it do in single precision.
        if _is_composite(func) and func is not _aten.upsample_nearest2d.vec:
            with self._again():
                return func.decompose(*args, **kwargs)
        flat, _ = tree_flatten((args, kwargs))
        tensors = [item for item in flat if isinstance(item, Tensor)]
        fakes = [tensor for tensor in tensors if isinstance(tensor, FakeTensor)]
        device = kwargs.get("device")
        to_card = device is not None and torch.device(device).type == "cuda"
        pinned = bool(kwargs.get("pin_memory"))
        if not fakes and not to_card and not pinned:
            return func(*args, **kwargs)
        on_card = any(fake.device.type == "cuda" for fake in fakes)
        if func is _aten._local_scalar_dense.default:
            if on_card:
                self._wait()
            return _ANSWER
        if on_card:
            for fake in fakes:
                self.graphs.note_read(fake.untyped_storage())
            self._note(func, args, kwargs, tensors, leaves=device is not None and not to_card)
        elif to_card and func is _aten._to_copy.default:
            self._copy("to card", args[0].nbytes)
        if func is _aten._to_copy.default and on_card and device is not None and not to_card:
            source = args[0]
            if not isinstance(source, torch.nn.Parameter) and source.numel() < 2**24:
                return torch.zeros(source.shape, dtype=kwargs.get("dtype") or source.dtype)
        if func is _aten.equal.default:
            return True  # of what a graph gives, and the same work without it
        if func is _aten.copy_.default and (
            not isinstance(args[0], FakeTensor) or args[0].shape == args[1].shape
        ):
            return args[0]
        if len(tensors) == 1 and func.is_view and not pinned:
            return self._cache.view(func, args, kwargs)
        if pinned:  # not even the pages are there
            kwargs = {**kwargs, "pin_memory": False}
        args, kwargs = tree_map(self._as_fake, (args, kwargs))
        layout: AbstractContextManager[None] = nullcontext()
        if on_card:
            layout = self._take_for_layout(func, args)
        with layout, self._fake:
            out = func(*args, **kwargs)
            if (
                on_card
                and func is _aten.convolution.default
                and any(map(_is_channels_last, args[:2]))
            ):  # as cuDNN prefers it, which a CPU build does not know
                out = torch.empty_like(out, memory_format=torch.channels_last)
            return self._count_all(out)  # while the image's copy is there as well

    def _note(self, func: Any, args: Any, kwargs: Any, tensors: list[Tensor], leaves: bool) -> None:
        """Write down what an operator on the card does."""
        self.computed[str(func)] += 1
        if func in (_aten.nonzero.default, _aten.equal.default):
            self._wait()
        if func is _aten._to_copy.default:
            if leaves:
                self._copy("from card", args[0].nbytes)
            return
        if func is _aten.copy_.default:
            into, source = args[0], args[1]
            if into.device.type != source.device.type:
                kind = "from card" if source.device.type == "cuda" else "to card"
                self._copy(kind, into.nbytes)
            return
        for tensor in tensors:
            if tensor.device.type == "cpu" and tensor.dim() > 0:
                self._copy(f"within {func}", tensor.nbytes)
        products = (_aten.mm.default, _aten.addmm.default, _aten.bmm.default)
        if (
            func in products
            and tensors[-1].dtype is torch.float32
            and torch.backends.cuda.matmul.allow_tf32
        ):
            self.tf32.append(_find_line())

    def _wait(self) -> None:
        self.graphs.refuse(f"waiting in {_find_line()}")
        self.waits.append(_find_line())

    def _copy(self, kind: str, size: int) -> None:
        self.graphs.refuse(f"copying {kind} in {_find_line()}")
        self.copies.append((kind, size, _find_line()))

    def _as_fake(self, value: Any) -> Any:
        if isinstance(value, Tensor) and not isinstance(value, FakeTensor):
            return self._fake.from_tensor(value)
        return value

    @contextmanager
    def _again(self) -> Iterator[None]:
        """Dispatch to this card once more, within its own dispatch."""
        _MODE.__enter__(self)
        try:
            yield
        finally:
            _MODE.__exit__(self, None, None, None)


def _carry_numbers(source: Any, out: Any) -> None:
    """Let a few numbers that go to the card come back as they went, as a schedule's do.

    They are known of the copy alone, and not of what is made of it.
    """
    numbers = _find_numbers(source)
    if numbers is None:
        return
    if isinstance(out, FakeTensor):
        out.numbers = numbers.clone()  # type: ignore[attr-defined]  # another of ours
    elif isinstance(source, FakeTensor):
        out.copy_(numbers)


def _find_numbers(tensor: Any) -> Any:
    """Find the few numbers of a tensor, None where they are not known or more."""
    numbers = getattr(tensor, "numbers", None) if isinstance(tensor, FakeTensor) else tensor
    return None if numbers is None or numbers.numel() > _FEW else numbers


@functools.cache
def _is_composite(func: Any) -> bool:
    """Whether an operator is made of others."""
    key = "CompositeImplicitAutograd"
    return func.namespace == "aten" and bool(
        _torch._dispatch_has_kernel_for_dispatch_key(func.name(), key)
    )


def _is_channels_last(tensor: Tensor) -> bool:
    return (
        tensor.dim() == 4
        and tensor.is_contiguous(memory_format=torch.channels_last)
        and not tensor.is_contiguous()
    )


def _find_line() -> str:
    """Find the innermost line of Plitka that is being run."""
    frame = inspect.currentframe()
    while frame is not None and "/plitka/engines/" not in frame.f_code.co_filename:
        frame = frame.f_back
    return "?" if frame is None else f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


# What a CPU build of torch lacks


@contextmanager
def _set_guard() -> Iterator[None]:
    """Let the guard of `meta` serve for `cuda`, for which a CPU build has none."""
    lifts = _torch._only_lift_cpu_tensors()
    _torch._set_only_lift_cpu_tensors(True)
    if torch.version.cuda is not None:
        _torch._ensureCUDADeviceGuardSet()  # such a build without a card has its own way
        registry = None
    else:
        registry = (ctypes.c_void_p * 32).in_dll(load_c10(), REGISTRY)
        before, registry[_CUDA] = registry[_CUDA], registry[_META]
    try:
        yield
    finally:
        _torch._set_only_lift_cpu_tensors(lifts)
        if registry is not None:
            registry[_CUDA] = before


@contextmanager
def _replace(owner: Any, **values: Any) -> Iterator[None]:
    before = {name: getattr(owner, name) for name in values}
    for name, value in values.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)


def _patch_cuda(card: FakeCard) -> AbstractContextManager[None]:
    """What torch.cuda answers to the engine and its libraries."""
    return _replace(
        torch.cuda,
        is_available=lambda: True,
        is_initialized=lambda: True,
        _lazy_init=lambda: None,
        device_count=lambda: 1,
        current_device=lambda: 0,
        set_device=lambda device: None,
        get_device_name=lambda device=None: "a card that is not there",
        get_device_capability=lambda device=None: (8, 9),
        mem_get_info=lambda device=None: (card.total - card.allocated, card.total),
        memory_allocated=lambda device=None: card.allocated,
        memory_reserved=lambda device=None: card.allocated,
        max_memory_allocated=lambda device=None: card.peak,
        max_memory_reserved=lambda device=None: card.peak,
        reset_peak_memory_stats=lambda device=None: None,
        set_per_process_memory_fraction=lambda share, device=None: None,
        empty_cache=lambda: None,
        synchronize=lambda device=None: card.graphs.refuse("synchronize"),
        **card.graphs.patches(),
        get_rng_state=lambda device="cuda": torch.zeros(16, dtype=torch.uint8),
        set_rng_state=lambda state, device="cuda": None,
    )


def _patch_attention() -> AbstractContextManager[None]:
    """On the card attention goes to a fused kernel: flash up to a head of 256, else efficient."""
    plain = torch.nn.functional.scaled_dot_product_attention

    def attend(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        if query.device.type != "cuda":
            more: Any = {"scale": scale, "enable_gqa": enable_gqa}
            return plain(query, key, value, attn_mask, dropout_p, is_causal, **more)
        assert query.device == key.device == value.device, "attention across devices"
        assert query.dtype == key.dtype == value.dtype, "attention across dtypes"
        half = query.dtype in (torch.float16, torch.bfloat16)
        fused: Tensor
        if attn_mask is None and half and query.shape[-1] <= 256:
            fused = _aten._scaled_dot_product_flash_attention(
                query, key, value, dropout_p, is_causal, False, scale=scale
            )[0]
            return fused
        if attn_mask is not None:
            assert attn_mask.device == query.device, "a mask on another device"
            if attn_mask.dtype == torch.bool:
                attn_mask = torch.zeros_like(attn_mask, dtype=query.dtype)
            assert attn_mask.dtype == query.dtype, "a mask of another dtype"
            attn_mask = attn_mask.expand(*query.shape[:3], key.shape[2])
        fused = _aten._scaled_dot_product_efficient_attention(
            query, key, value, attn_mask, False, dropout_p, is_causal, scale=scale
        )[0]
        return fused

    return _replace(torch.nn.functional, scaled_dot_product_attention=attend)


def _patch_apply() -> AbstractContextManager[None]:
    """Let a module's parameters be replaced, since those without content cannot be swapped."""

    def apply(self: Any, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        if recurse:
            for module in self.children():
                module._apply(fn)
        for name, old in self._parameters.items():
            if old is not None:
                with torch.no_grad():
                    new = fn(old)
                if new is not old:
                    self._parameters[name] = torch.nn.Parameter(new, old.requires_grad)
        for name, old in self._buffers.items():
            if old is not None:
                self._buffers[name] = fn(old)
        return self

    return _replace(torch.nn.Module, _apply=apply)


@contextmanager
def _patch_files(card: FakeCard) -> Iterator[None]:
    """Give tensors of some size without content, so that gigabytes of holes are never read."""

    def open_file(path: Path, framework: str, device: str = "cpu") -> "_File":
        return _File(card, path, device)

    def make_buffer(size: int, pinned: bool) -> Tensor:
        return card.make_empty((size,), torch.uint8)

    with (
        _replace(loading, safe_open=open_file),
        _replace(lora, safe_open=open_file),
        _replace(network_reading, make_buffer=make_buffer, read_piece=lambda *_: None),
    ):
        yield


class _File:
    """A safetensors file as `safe_open` opens it."""

    def __init__(self, card: FakeCard, path: Path, device: str) -> None:
        self._card, self._device = card, device
        with Path(path).open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            self._header: Mapping[str, Any] = json.loads(file.read(length))
        self._file: Any = safetensors.safe_open(path, "pt")

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get_tensor(self, name: str) -> Tensor:
        about = self._header[name]
        shape, dtype = tuple(about["shape"]), _DTYPES[about["dtype"]]
        if torch.Size(shape).numel() < _SMALL:
            tensor: Tensor = self._file.get_tensor(name)
        else:
            tensor = self._card.make_empty(shape, dtype)
        return tensor.to(self._device)
