"""What the fake card uses of torch that torch may change in any version."""

import ctypes
from importlib import import_module
from pathlib import Path

import torch

TORCH = "2.13.0"
"""The version whose private symbols are used."""

REGISTRY = "_ZN3c104impl26device_guard_impl_registryE"
"""Of device guards, by c10::DeviceType."""

_IN_KERNEL = "in_kernel_invocation_manager"
_SYMBOLS = {
    "torch._C": ("_only_lift_cpu_tensors", "_dispatch_has_kernel_for_dispatch_key"),
    "torch._subclasses.fake_tensor": ("FakeTensor", "FakeTensorMode", _IN_KERNEL),
    "torch.utils._python_dispatch": ("TorchDispatchMode",),
    "torch.utils._pytree": ("tree_flatten", "tree_map"),
}


def find_obstacle(version: str = torch.__version__) -> str | None:
    """Say why there can be no fake card with the torch that is installed, None where there can."""
    number = version.split("+")[0]
    if number != TORCH:
        return f"the fake card was made for torch {TORCH}, and {number} is installed"
    missing = [
        f"{module}.{name}"
        for module, names in _SYMBOLS.items()
        for name in names
        if not hasattr(import_module(module), name)
    ]
    if torch.version.cuda is None:
        try:
            (ctypes.c_void_p * 32).in_dll(load_c10(), REGISTRY)
        except (OSError, ValueError):
            missing.append(REGISTRY)
    return f"torch has lost {', '.join(missing)}" if missing else None


def load_c10() -> ctypes.CDLL:
    return ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libc10.so"))
