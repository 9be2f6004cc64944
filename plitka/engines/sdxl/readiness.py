"""Whether the sdxl engine could draw here, as far as can be told without torch, in milliseconds."""

import sys
from importlib.util import find_spec
from pathlib import Path

from plitka.engines.sdxl.options import DEVICE, SdxlSettings
from plitka.errors import EngineError
from plitka.weights.home import expand_home
from plitka.weights.hub import is_repository
from plitka.weights.settings import BASE, EMBEDDINGS, LORA, SDXL


def check_ready(settings: SdxlSettings, package: Path | str | None) -> None:
    """Look for the libraries, a device that draws, and the files that settings name.

    package: what setup() is given as weights. What is on the hub or at an address counts as there,
    and no file is opened. Raises EngineError for the first thing that is missing, with the remedy.
    """
    if find_spec("torch") is None or find_spec("diffusers") is None:
        raise EngineError(
            "torch or diffusers is not installed; pip install -r requirements.txt installs both"
        )
    weights = settings.weights
    adapters = {LORA: str(weights.lora or ""), EMBEDDINGS: str(weights.embeddings or "")}
    for variable, source in {BASE: weights.base, **adapters}.items():
        # A package brings adapters along, and a base of one's own may have them baked in.
        own = package is not None or weights.base != SDXL
        if variable in adapters and own and variable not in weights.named:
            continue
        path = expand_home(source)
        if source and not path.exists() and (path.is_absolute() or not _is_on_hub(source)):
            raise EngineError(f"{path}: no such file or folder; set {variable} to what is there")
    if settings.device is None and not _has_gpu():
        raise EngineError(
            f"there is no graphics card here; {DEVICE}=cpu draws on the processor, which takes"
            " minutes a picture"
        )


def _is_on_hub(source: str) -> bool:
    """Whether a setting names a repository, or a file in one."""
    return is_repository("/".join(source.split("/")[:2]))


def _has_gpu() -> bool:
    """Whether the driver knows an NVIDIA card, or this is a Mac, whose GPU torch can use."""
    if sys.platform == "darwin":
        return True
    try:
        import pynvml

        pynvml.nvmlInit()
    except (ImportError, OSError):
        return False
    except pynvml.NVMLError:
        return False
    return int(pynvml.nvmlDeviceGetCount()) > 0
