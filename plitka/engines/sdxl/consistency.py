"""The sampler of LoRAs that were distilled to predict the clean picture in each step: LCM, TCD.

A step goes to what is predicted, and puts noise of its own on it, as much as the next step takes
away. diffusers' LCMScheduler and TCDScheduler do the same, but wait for the device in each step;
here the noise is drawn before the first step, and all else is known on the CPU.
"""

from typing import Any

import torch
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

_TRAINED_STEPS = 50  # from which LCM and TCD take theirs, evenly


class ConsistencySampler:
    """Used as a scheduler of diffusers is. What it does not do itself, Euler's scheduler does.

    euler: with trailing steps. gamma: TCD's share of noise that is new, 1 for LCM (all of it).
    trailing: whether steps are those of `euler`, and not among the 50 of LCM.
    """

    def __init__(self, euler: Any, gamma: float = 1.0, trailing: bool = False) -> None:
        self.euler = euler
        self.gamma = gamma
        self.trailing = trailing
        self._noise: tuple[Tensor, ...] = ()
        self._levels: tuple[tuple[float, float], ...] = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.euler, name)

    def set_timesteps(self, length: int, device: str) -> None:
        """Set the steps: some of LCM's own, or trailing ones."""
        if self.trailing:
            self.euler.set_timesteps(length, device=device)
            times = [round(1000 - index * 1000 / length) - 1 for index in range(length)]
        else:
            width = 1000 // _TRAINED_STEPS
            taken = [index * _TRAINED_STEPS // length for index in range(length)]
            times = [999 - width * index for index in taken]
            self.euler.set_timesteps(timesteps=times, device=device)
        self._levels = tuple(self._split_noise(time) for time in (*times[1:], 0))

    def _split_noise(self, time: int) -> tuple[float, float]:
        """Split the noise level of a timestep: what is kept of the noise before, and new noise."""
        if self.gamma == 1.0:
            return 0.0, 0.0 if time == 0 else self._find_level(time)
        kept = self._find_level(int((1 - self.gamma) * time))
        return kept, max(self._find_level(time) ** 2 - kept**2, 0.0) ** 0.5

    def _find_level(self, time: int) -> float:
        share = float(self.euler.alphas_cumprod[time])
        return float(((1 - share) / share) ** 0.5)

    def draw_noise(self, count: int, generator: torch.Generator, like: Tensor) -> None:
        """Draw the noise of the last `count` steps. like: latents."""
        self._noise = tuple(
            randn_tensor(like.shape, generator=generator, device=like.device, dtype=like.dtype)
            for _ in range(count - 1)
        )

    def step(
        self, output: Tensor, timestep: Tensor, latents: Tensor, return_dict: bool = False
    ) -> tuple[Tensor]:
        """Make the latents of the next step."""
        index = self.euler.step_index  # set where the model's input was scaled
        self.euler._step_index = index + 1
        level = float(self.euler.sigmas[index])
        kept, new = self._levels[index]
        sample = latents.float()
        if self.euler.config.prediction_type == "v_prediction":
            scale = level**2 + 1
            clean = sample / scale - output.float() * (level / scale**0.5)
        else:
            clean = sample - level * output.float()
        made = clean + (kept / level) * (sample - clean)
        left = len(self._levels) - 1 - index
        if left > 0:
            made = made + new * self._noise[-left].float()
        return (made.to(output.dtype),)
