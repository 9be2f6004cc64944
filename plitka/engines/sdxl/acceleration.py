"""What runs the networks' passes faster: compiled code and CUDA graphs, while there is room.

Pictures are drawn without them as well.
"""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from diffusers import ControlNetModel

from plitka.engines.sdxl import capture, compilation, loading, sampling
from plitka.engines.sdxl.compilation import CompiledBlocks
from plitka.engines.sdxl.compiled_code import CompiledCode
from plitka.engines.sdxl.graphs import Graph, NetworkGraphs
from plitka.engines.sdxl.memory_plan import MemoryPlan
from plitka.engines.sdxl.options import COMPILE
from plitka.engines.sdxl.sampling import Run
from plitka.engines.sdxl.text_encoding import PromptEmbeddings
from plitka.engines.sdxl.turbo import TurboLora
from plitka.runtime.timing import Stages, log


class Acceleration:
    """Compiled code and graphs of what was loaded; at first there is neither.

    graphs: None where there are none.
    """

    def __init__(self, loaded: loading.Loaded) -> None:
        self.options = loaded.options
        self.graphs: NetworkGraphs | None = None
        self._pipe = loaded.pipe
        self._device = loaded.device
        self._needs = loaded.needs
        self._turbo = loaded.turbo
        self._is_turbo_guided = loaded.presets["turbo"].guidance_scale > 1
        self._snapshot = loaded.snapshot
        self._compiled: CompiledBlocks | None = None
        self._rests = False  # whether there is compiled code that the memory plan has no use for

    def adapt(self, plan: MemoryPlan) -> None:
        """Adapt to a memory plan: where it moves networks, graphs go, and compiled code rests.

        Graphs would read weights where they were before. Code takes weights wherever they are, so
        it is used again under a plan that lets them stay.
        """
        if plan not in capture.PLANS:
            self.graphs = None
        self._rests = plan not in compilation.PLANS

    # Compiled code

    def compile_blocks(self, plan: MemoryPlan, stages: Stages) -> None:
        """Compile blocks if the options say so and the memory plan does not move networks."""
        backend = self.options.compile
        if backend is None:
            return
        if plan not in compilation.PLANS:
            log.warning(
                "%s: nothing is compiled with the memory plan %s, which moves the networks or cuts"
                " pictures into tiles; take a larger card, or set it to 0",
                COMPILE,
                plan,
            )
            return
        with stages(f"compile with {backend}"):
            kept = None if self._snapshot is None else CompiledCode(self._snapshot, self._device)
            self._compiled = CompiledBlocks(self._pipe, self._device, self.options, kept)

    def add(self, network: ControlNetModel) -> None:
        """Have a ControlNet run by the code that there is."""
        if self._compiled is not None:
            self._compiled.add(network)

    def fits_code(self, embeddings: PromptEmbeddings, turbo: TurboLora | None) -> bool:
        """Whether compiled code can draw a picture. turbo: switched on for it, None for none."""
        if self._compiled is None or self._rests:
            return False
        if turbo is not None and not turbo.is_fused:
            return False  # it was compiled without the LoRA's products
        return self._compiled.fits(embeddings)

    def use_code(self, fits: bool = True) -> AbstractContextManager[Any]:
        """Run compiled code in the block, if there is some and it fits; compile no more."""
        if self._compiled is None:
            return nullcontext()
        return compilation.use_compiled_code(fits and not self._rests)

    # Graphs

    def capture_graphs(
        self,
        plan: MemoryPlan,
        controlnets: Collection[ControlNetModel],
        stages: Stages,
        make_graph: Callable[[], Graph] | None = None,
    ) -> None:
        """Capture the steps of presets as CUDA graphs, on a card with room for them.

        controlnets: those that are loaded. stages: of setup(), so far. make_graph: in place of the
        device's own graphs.
        """
        make_graph = make_graph or capture.choose_graphs(
            self._device, self.options, plan, self._needs, bool(controlnets)
        )
        if make_graph is None:
            return
        turbo = self._turbo
        if self._compiled is not None and turbo is not None and not turbo.is_fused:
            turbo = None
        with stages("capture CUDA graphs"), self.use_code():
            self.graphs = capture.capture_steps(
                make_graph, self._pipe, controlnets, turbo, self._is_turbo_guided, self._device
            )

    def choose_run(self, turbo: TurboLora | None) -> Run:
        """Choose how the networks' passes are made: by replaying graphs where there are some."""
        if self.graphs is None:
            return sampling.call
        return capture.bind_run(self.graphs.run, self._pipe.unet, turbo)

    def count_replays(self) -> int:
        """Count the replays so far."""
        return 0 if self.graphs is None else self.graphs.replays
