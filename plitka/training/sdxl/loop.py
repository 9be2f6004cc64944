"""The training loop: batches, gradients, rates, averages; what happens when memory or numbers fail.

Every process of several runs it on its own samples of each batch; all hold the same values.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from plitka.engines.sdxl.device import is_out_of_memory, release_memory
from plitka.errors import EngineError, TrainingError
from plitka.training.draws import Draws, Kind
from plitka.training.options import TrainingOptions
from plitka.training.sdxl import rates
from plitka.training.sdxl.captions import CaptionEncoder
from plitka.training.sdxl.latents import Latents, draw_latents
from plitka.training.sdxl.loss import Noisy, compute_losses
from plitka.training.sdxl.memory import TrainingPlan, step_down
from plitka.training.sdxl.networks import Networks, set_values
from plitka.training.sdxl.processes import Processes
from plitka.training.sdxl.states import State
from plitka.training.sdxl.timesteps import Visited
from plitka.training.sdxl.token_rows import HALVES

_BETAS = (0.9, 0.99)
_DECAY = 0.004  # of the LoRA's weights
_CLIP = 1.0  # norm of all gradients
_AVERAGE = 0.99  # of the values, from step to step
_SHOWN = 50  # steps whose mean loss is shown
_SKIPPED = 3  # steps in a row without numbers; then back to the last state
_OVERFLOWS = 20  # steps in a row whose scaled gradients overflow float16, while the loss does not
_FIRST_SCALE = 2.0**12  # of the loss in float16


class Diverged(TrainingError):
    """The losses are no numbers, and going back at half the rate has not helped."""


@dataclass(eq=False)
class Loop:
    """A training at one of its steps.

    latents: of each kind of sample. draws: what each step takes. step: how many are done.
    losses: of all steps that are done, NaN for those that were skipped.
    """

    networks: Networks
    latents: Mapping[Kind, Latents]
    draws: Draws
    visited: Visited
    options: TrainingOptions
    processes: Processes
    plan: TrainingPlan
    warn: Callable[[str], None]
    step: int = 0
    losses: list[float] = field(default_factory=list)
    _factor: float = 1.0  # of all rates; half after the losses were no numbers
    _bad: int = 0  # steps in a row that were skipped
    _overflows: int = 0

    def __post_init__(self) -> None:
        self._trained = self.networks.trained()
        self.average = {name: value.detach().clone() for name, value in self._trained.items()}
        lora = [value for name, value in self._trained.items() if name not in HALVES]
        rows = [self._trained[name] for name in HALVES]
        self._optimizer = torch.optim.AdamW(
            [{"params": lora, "weight_decay": _DECAY}, {"params": rows, "weight_decay": 0.0}],
            lr=0.0,
            betas=_BETAS,
        )
        device = self.processes.device
        self._scaler = torch.amp.GradScaler(
            device.kind, init_scale=_FIRST_SCALE, enabled=device.dtype == "float16"
        )
        self.encode = CaptionEncoder(self.networks, device)
        self._use_plan()

    @property
    def steps(self) -> int:
        """How many steps there are in all."""
        return len(self.draws.sizes)

    @property
    def loss(self) -> float:
        """The mean of the last losses that are numbers."""
        numbers = [loss for loss in self.losses[-_SHOWN:] if math.isfinite(loss)]
        return sum(numbers) / len(numbers) if numbers else math.nan

    def advance(self, stop: bool) -> bool:
        """Train one step; returns whether any process was asked to stop.

        Raises EngineError where memory does not even suffice for the smallest plan, Diverged after
        losses that are no numbers.
        """
        while True:
            self._optimizer.zero_grad(set_to_none=True)
            loss = self._accumulate()
            told = self.processes.sum_up(
                torch.tensor([loss is None, stop, loss or 0.0], device=self.processes.device.name)
            )
            failed, stopped, summed = told.tolist()
            if not failed:
                break
            self.step_down()
        self.processes.sum_up_gradients(self._trained.values())
        self._update(summed)
        return bool(stopped)

    # The gradient of one batch

    def _accumulate(self) -> float | None:
        """Compute this process's part of a batch's gradient, and give its part of the loss.

        Gives None where memory ran out.
        """
        size = int(self.draws.sizes[self.step])
        batch = self.draws.samples.shape[1]
        own = range(self.processes.rank, batch, self.processes.count)
        at_once = 1 if self.plan == "lean" else max(len(own), 1)
        total = 0.0
        try:
            for first in range(0, len(own), at_once):
                places = own[first : first + at_once]
                samples = [self._take(size, place) for place in places]
                losses = compute_losses(self.networks, samples, self.encode, self.processes.device)
                loss = losses.sum() / batch
                self._scaler.scale(loss).backward()
                total += loss.item()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None
        return total

    def _take(self, size: int, place: int) -> Noisy:
        """Take one sample of the current step, with its noise."""
        draws, step = self.draws, self.step
        kept = self.latents[size, bool(draws.matched[step, place])]
        index = int(draws.samples[step, place])
        timestep = int(draws.timesteps[step, place])
        generator = torch.Generator().manual_seed(int(draws.noise[step, place]))
        latents = draw_latents(kept, index, generator)
        noise = torch.randn(latents.shape, generator=generator)
        if kept.renders is not None:
            # Pictures start from the render, not from the photograph. Seen from the photograph the
            # difference is noise that stays the same all the way.
            sigma = self.visited.find_start(timestep).sigma
            noise = noise + (kept.renders[index] - latents) / sigma
        caption = "" if draws.dropped[step, place] else kept.captions[index]
        return Noisy(latents, noise, timestep, caption)

    # What the gradient does

    def _update(self, loss: float) -> None:
        """Take the optimizer's step, if loss and gradient are numbers, and count it."""
        self._scaler.unscale_(self._optimizer)
        values = [value for value in self._trained.values() if value.grad is not None]
        norm = torch.nn.utils.clip_grad_norm_(values, _CLIP)
        if math.isfinite(loss) and torch.isfinite(norm):
            self._bad = self._overflows = 0
            self._set_rates()
            self._scaler.step(self._optimizer)
            if self.plan != "lean" and self._optimizer.param_groups[1]["lr"] > 0:
                self.networks.rows.pull_back()
            self._average()
        elif math.isfinite(loss) and self._scaler.is_enabled() and self._overflows < _OVERFLOWS:
            self._overflows += 1  # the scale of the loss was too large, and is made smaller
        else:
            self._bad += 1
            self.warn(
                f"step {self.step + 1}: the loss is {loss:g} and the gradient {norm.item():g}; the"
                " step is skipped"
            )
        if self._scaler.is_enabled():
            self._scaler.update()
        self.losses.append(loss)
        self.step += 1

    @property
    def is_diverging(self) -> bool:
        """Whether so many steps in a row had no numbers that training has to go back."""
        return self._bad >= _SKIPPED

    def _set_rates(self) -> None:
        highest, done = self._factor * self.options.rate, self.step / self.steps
        lora, rows = self._optimizer.param_groups
        lora["lr"] = rates.compute_lora_rate(highest, done)
        rows["lr"] = rates.compute_rows_rate(highest, done)

    @torch.no_grad()
    def _average(self) -> None:
        """Move the average towards the values; in the first steps it follows them faster."""
        kept = min(_AVERAGE, (1 + self.step) / (10 + self.step))
        for name, value in self._trained.items():
            self.average[name].lerp_(value.detach(), 1 - kept)

    # Memory

    def step_down(self) -> None:
        """Go on with the next smaller memory plan. Raises EngineError after the smallest."""
        self._optimizer.zero_grad(set_to_none=True)
        release_memory(self.processes.device)
        smaller = step_down(self.plan)
        if smaller is None:
            raise EngineError(
                f"{self.processes.device.title}: memory ran out with the plan {self.plan}, the"
                " smallest; end other programs that use it, or take a smaller --resolution"
                " or --rank"
            )
        self.warn(f"out of memory with the plan {self.plan}; repeating this step with {smaller}")
        self.plan = smaller
        self._use_plan()

    def _use_plan(self) -> None:
        unet, vae = self.networks.pipe.unet, self.networks.pipe.vae
        if self.plan == "fast":
            unet.disable_gradient_checkpointing()
        else:
            unet.enable_gradient_checkpointing()
            vae.enable_tiling()
        if self.plan == "lean":  # the rows stay as they are, and so does what is encoded by them
            self.networks.rows.requires_grad_(False)
            for name in HALVES:
                self.average[name].copy_(self._trained[name])
            captions = [caption for kept in self.latents.values() for caption in kept.captions]
            self.encode.keep(captions)

    # States

    def make_state(self, notes: Mapping[str, Any]) -> State:
        """Make the state after the steps that are done. notes: what else it holds."""
        tensors: dict[str, Tensor] = {}
        for name, value in self._trained.items():
            tensors[f"value.{name}"] = value.detach()
            tensors[f"average.{name}"] = self.average[name]
            for part, moment in self._optimizer.state.get(value, {}).items():
                tensors[f"{part}.{name}"] = moment
        own = {
            "losses": [loss if math.isfinite(loss) else None for loss in self.losses],
            "factor": self._factor,
            "bad": self._bad,
            "scale": self._scaler.state_dict(),
        }
        return State(self.step, tensors, {**notes, "loop": own})

    def restore(self, state: State) -> None:
        """Go on from a state."""
        own = state.notes["loop"]
        tensors, place = state.tensors, self.processes.device.name
        set_values(self._trained, {n: tensors[f"value.{n}"].to(place) for n in self._trained})
        for name, value in self._trained.items():
            self.average[name].copy_(tensors[f"average.{name}"])
            moments = {
                part: tensors[f"{part}.{name}"]
                for part in ("step", "exp_avg", "exp_avg_sq")
                if f"{part}.{name}" in tensors
            }
            self._optimizer.state.pop(value, None)
            if moments:
                self._optimizer.state[value] = {
                    part: moment.clone() if part == "step" else moment.to(place, copy=True)
                    for part, moment in moments.items()
                }
        self.step = state.step
        self.losses = [math.nan if loss is None else loss for loss in own["losses"]]
        self._factor, self._bad, self._overflows = own["factor"], own["bad"], 0
        if own["scale"]:
            self._scaler.load_state_dict(own["scale"])
        if self.plan == "lean":
            self._use_plan()

    def halve_rates(self, state: State) -> None:
        """Go back to a state, at half the rates. Raises Diverged the second time."""
        if self._factor < 1:
            raise Diverged(
                f"step {self.step}: the losses are not numbers, even at half the rate; check"
                " the base model with python -m plitka check, or take a smaller --rank"
            )
        at = self.step
        self.restore(state)
        self._factor, self._bad = 0.5, 0
        self.warn(
            f"step {at}: {_SKIPPED} losses in a row are not numbers; going back to step"
            f" {self.step}, at half the rate"
        )


def describe_losses(losses: Sequence[float], every: int) -> list[tuple[int, float]]:
    """Thin out losses to means of `every` steps: (step, mean), for curves."""
    curve = []
    for first in range(0, len(losses), every):
        numbers = [loss for loss in losses[first : first + every] if math.isfinite(loss)]
        if numbers:
            curve.append((min(first + every, len(losses)), sum(numbers) / len(numbers)))
    return curve
