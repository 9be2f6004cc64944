"""Trains SDXL on inspected photographs: loads, prepares, loops, evaluates, and chooses."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from plitka import __version__
from plitka.engines.sdxl import device as devices
from plitka.engines.sdxl.options import SdxlSettings
from plitka.errors import TrainingError
from plitka.runtime.timing import Stages, log
from plitka.training import pictures
from plitka.training.choice import Evaluation, choose_scale, choose_step
from plitka.training.inspection import Inspection
from plitka.training.options import TrainingOptions
from plitka.training.package import Adapter
from plitka.training.past_states import STATES
from plitka.training.progress import (
    Evaluated,
    Interrupted,
    Observer,
    Prepared,
    Saved,
    Started,
    Stepped,
    Warned,
)
from plitka.training.record import Log, TrainingFacts, read_evaluation, record_evaluation
from plitka.training.sdxl.checkpoints import (
    drop_losers,
    keep_candidate,
    list_candidates,
    load_candidate,
)
from plitka.training.sdxl.evaluation import (
    HeldOut,
    Pictures,
    evaluate,
    prepare_held_out,
    try_scales,
)
from plitka.training.sdxl.fingerprint import describe_training, hash_description, refuse_another
from plitka.training.sdxl.loop import Loop, describe_losses
from plitka.training.sdxl.memory import (
    choose_training_plan,
    compute_model_needs,
    describe_training_plan,
)
from plitka.training.sdxl.networks import Networks, find_weights, load_networks
from plitka.training.sdxl.planning import plan_samples
from plitka.training.sdxl.preparation import prepare_latents
from plitka.training.sdxl.processes import Processes
from plitka.training.sdxl.states import load_state, save_state

_SAVE_SECONDS = 60.0  # at most between two states
_TOLD_EVERY = 10  # steps
_CURVE = 10  # steps whose mean loss is one point of the curve
_LIBRARIES = ("torch", "diffusers", "transformers", "peft", "accelerate", "numpy")


def train_sdxl(
    inspection: Inspection,
    options: TrainingOptions,
    out: Path,
    settings: SdxlSettings,
    resume: bool,
    observe: Observer,
    is_stopped: Callable[[], bool],
) -> tuple[Adapter, TrainingFacts] | None:
    """Train; returns None in all processes but the first.

    out: the folder of the training, for states, log and samples. is_stopped: asked after each step.
    Of several processes the first tells what happens, but each that it starts.
    Raises Interrupted, TrainingError, EngineError.
    """
    processes = Processes(settings.memory_fraction, settings.device)
    try:
        if options.batch < processes.count:
            raise TrainingError(
                f"--batch: got {options.batch} for {processes.count} processes; each needs a sample"
            )
        training = _prepare(inspection, options, out, settings, processes, observe)
        return training.run(resume, is_stopped)
    finally:
        processes.close()


def _prepare(
    inspection: Inspection,
    options: TrainingOptions,
    out: Path,
    settings: SdxlSettings,
    processes: Processes,
    observe: Observer,
) -> "_Training":
    """Load the model, and make the samples."""
    device, folder = processes.device, out / STATES
    stages = Stages(lambda: devices.describe_memory(device))
    if not processes.is_first:
        processes.wait()  # the first one fetches
    weights = find_weights(settings, stages)
    if processes.is_first:
        processes.wait()
    devices.limit_memory(device)
    devices.set_tf32(device, True)
    planned = plan_samples(inspection, options, weights.base.noise)
    resolution, visited, draws = planned.resolution, planned.visited, planned.draws
    needs = compute_model_needs(weights.base, options.rank, device.dtype, resolution)
    free = devices.measure_free_memory(device)
    own = -(-options.batch // processes.count)  # samples a step
    plan = choose_training_plan(device, free, needs, own)
    log.info("%s; %s", devices.describe(device), describe_training_plan(plan, needs, own))
    networks = load_networks(weights, options, device, stages)
    identity = describe_training(inspection, options, networks, planned.steps, resolution)
    before = load_state(folder)
    if before is not None:
        refuse_another(before.notes["training"], identity, str(folder))
    with stages("make samples"):
        latents = prepare_latents(
            planned.counts,
            inspection,
            networks,
            processes,
            folder / "samples",
            hash_description(identity),
            options.seed,
            options.render_aware,
            lambda done, total: observe(Prepared(done, total)),
        )
        held_out = prepare_held_out(
            networks, inspection, options, resolution, visited.highest.timestep, device
        )
    warnings: list[str] = []

    def warn(text: str) -> None:
        warnings.append(text)
        if processes.is_first:
            log.warning("%s", text)
            observe(Warned(text))

    loop = Loop(networks, latents, draws, visited, options, processes, plan, warn)
    return _Training(
        loop, networks, held_out, options, out, resolution, identity, observe, warnings
    )


@dataclass(eq=False)
class _Training:
    """A training from its first step to its choice."""

    loop: Loop
    networks: Networks
    held_out: HeldOut
    options: TrainingOptions
    out: Path
    resolution: int
    identity: dict[str, Any]
    observe: Observer
    warnings: list[str]

    def __post_init__(self) -> None:
        self._evaluations: list[Evaluation] = []
        self._folder = self.out / STATES
        self._ended = ""
        self._seconds = 0.0  # of earlier runs
        self._begun = self._saved = time.monotonic()

    def run(
        self,
        resume: bool,
        is_stopped: Callable[[], bool],
    ) -> tuple[Adapter, TrainingFacts] | None:
        """Run all steps that are left, and choose. Raises Interrupted."""
        loop, processes = self.loop, self.loop.processes
        state = load_state(self._folder) if resume else None
        if state is not None:
            loop.restore(state)
            self._evaluations = [read_evaluation(one) for one in state.notes["evaluations"]]
            self._seconds = state.notes["seconds"]
            self.warnings[:0] = state.notes["warnings"]
        first = loop.step
        if processes.is_first:
            self._log = Log(self.out, None if state is None else first)
        self.observe(
            Started(first, loop.steps, loop.plan, processes.device.title, processes.device.dtype)
        )
        if state is None:
            self._save_held_out()
            self._evaluate()
            self._save()
        self._begun_steps = time.monotonic()
        late = False
        while loop.step < loop.steps and not late:
            stopped = loop.advance(is_stopped())
            if loop.is_diverging:
                last = load_state(self._folder)
                assert last is not None  # the first one is written before the first step
                loop.halve_rates(last)
                self._evaluations = [one for one in self._evaluations if one.step <= loop.step]
                if processes.is_first:
                    self._log = Log(self.out, loop.step)
            self._tell(first)
            late = self._is_late()
            if loop.step % self.options.evaluate_every == 0 or loop.step == loop.steps:
                self._evaluate()
                self._save()
            elif stopped or time.monotonic() - self._saved > _SAVE_SECONDS:
                self._save()
            if stopped:
                raise Interrupted(
                    f"stopped after step {loop.step} of {loop.steps}; --resume goes on from there"
                )
        if loop.step < loop.steps:
            self._ended = (
                f"ended after step {loop.step} of {loop.steps}, when --minutes were over; the"
                " learning rate had not fallen to its end yet"
            )
            if loop.step % self.options.evaluate_every:
                self._evaluate()
                self._save()
        return self._choose() if processes.is_first else None

    def _is_late(self) -> bool:
        """Whether the minutes are over; the first process decides for all."""
        minutes = self.options.minutes
        if minutes is None:
            return False
        processes = self.loop.processes
        late = processes.is_first and time.monotonic() - self._begun > 60 * minutes
        place = processes.device.name
        return bool(processes.sum_up(torch.tensor(float(late), device=place)).item())

    def _tell(self, first: int) -> None:
        loop = self.loop
        told = loop.step % _TOLD_EVERY == 0 or loop.step == loop.steps
        if not told or not loop.processes.is_first:
            return
        passed = time.monotonic() - self._begun_steps
        left = passed / max(loop.step - first, 1) * (loop.steps - loop.step)
        log.info("step %d of %d: loss %.4f, %.0f s left", loop.step, loop.steps, loop.loss, left)
        self._log.append({"step": loop.step, "loss": loop.losses[-1], "mean": loop.loss})
        self.observe(Stepped(loop.step, loop.steps, loop.loss, left))

    def _save_held_out(self) -> None:
        if self.loop.processes.is_first:
            for number, sample in enumerate(self.held_out.samples):
                pictures.save_held_out(self.out, number, sample.pixels)

    def _evaluate(self) -> None:
        """Evaluate the average of the values, in the first process."""
        loop, processes = self.loop, self.loop.processes
        if processes.is_first:
            evaluation, drawn = self._evaluate_in_tiles_if_need_be()
            self._evaluations.append(evaluation)
            if loop.step:  # what is not trained yet is not chosen
                keep_candidate(self._folder, loop.step, loop.average)
            for number, picture in enumerate(drawn):
                pictures.save_drawing(self.out, loop.step, number, picture)
            self._log.append(record_evaluation(evaluation))
            log.info(
                "step %d: held-out loss %.4f, texture %.2f, shares off by %.1f%%",
                loop.step,
                evaluation.loss,
                evaluation.texture,
                100 * evaluation.total_variation,
            )
            self.observe(Evaluated(evaluation))
        processes.wait()

    def _evaluate_in_tiles_if_need_be(self) -> tuple[Evaluation, Pictures]:
        """Evaluate; where memory runs out, once more with a VAE that works in tiles."""
        loop, device = self.loop, self.loop.processes.device

        def evaluate_now() -> tuple[Evaluation, Pictures]:
            return evaluate(
                self.networks, loop.average, self.held_out, loop.step, loop.encode, device
            )

        try:
            return evaluate_now()
        except RuntimeError as error:
            if not devices.is_out_of_memory(error):
                raise
        devices.release_memory(device)
        self.networks.pipe.vae.enable_tiling()
        loop.warn(f"step {loop.step}: out of memory at the evaluation; repeating it in tiles")
        return evaluate_now()

    def _save(self) -> None:
        """Write the state, in the first process."""
        if self.loop.processes.is_first:
            notes = {
                "training": self.identity,
                "evaluations": [record_evaluation(one) for one in self._evaluations],
                "seconds": self._seconds + time.monotonic() - self._begun,
                "warnings": self.warnings,
            }
            save_state(self._folder, self.loop.make_state(notes))
            drop_losers(self._folder, self._evaluations[1:])
            self.observe(Saved(self.loop.step))
        self._saved = time.monotonic()
        self.loop.processes.wait()

    def _choose(self) -> tuple[Adapter, TrainingFacts]:
        """Choose the step and the scale by what was measured."""
        loop, device = self.loop, self.loop.processes.device
        untrained, *trained = self._evaluations
        trained = list_candidates(self._folder, trained)
        chosen = choose_step(trained)
        kept = next(one for one in trained if one.step == chosen)
        if untrained.texture < kept.texture:
            loop.warn(
                "the base model alone draws textures nearer to the photographs"
                f" ({untrained.texture:.2f}) than what was trained ({kept.texture:.2f}); look at"
                " the samples before you use it"
            )
        values = load_candidate(self._folder, chosen)
        values = {name: value.to(device.name) for name, value in values.items()}
        trials = try_scales(self.networks, values, self.held_out, device)
        lora, rows = self.networks.export(values)
        facts = TrainingFacts(
            options=self.options,
            subject=self.networks.subject,
            steps=loop.step,
            resolution=self.resolution,
            seconds=self._seconds + time.monotonic() - self._begun,
            base=self.networks.base,
            versions=_list_versions(),
            device=device.title,
            dtype=device.dtype,
            plan=loop.plan,
            curve=tuple(describe_losses(loop.losses, _CURVE)),
            evaluations=tuple(self._evaluations),
            chosen=chosen,
            trials=trials,
            scale=choose_scale(trials),
            warnings=tuple(self.warnings),
            ended=self._ended,
        )
        return Adapter(lora, rows, self.networks.rank), facts


def _list_versions() -> dict[str, str]:
    return {"plitka": __version__, **{name: version(name) for name in _LIBRARIES}}
