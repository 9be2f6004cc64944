"""The trained vectors of the tokens <s0>, <s1> and so on, as parameters of their own.

The tables of the text encoders stay as they are: other trainers put them whole under the optimizer,
which takes 1.5 GB more, and put all other rows back after each step.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

HALVES = ("clip_l", "clip_g")
"""What files call the vectors of SDXL's two text encoders."""

_PULL = 0.1  # exponent of the ratio by which each step brings a row back to the table's norm
_FARTHEST = 1.1  # times that norm, or its part, that a row may have


class TokenRows(torch.nn.Module):
    """Rows that stand in for tokens which the tables of two text encoders do not have.

    rows: (vectors, width) float32 for each encoder, in the order of HALVES.
    """

    def __init__(
        self, encoders: Sequence[tuple[Any, Any]], tokens: Sequence[str], generator: torch.Generator
    ) -> None:
        """Add the tokens to the tokenizers, and hook the rows into the encoders.

        encoders: SDXL's two tokenizers, each with its text encoder. generator: on the CPU; the rows
        begin with random numbers of the tables' standard deviation.
        """
        super().__init__()
        self.rows = torch.nn.ParameterList()
        self._norms: list[float] = []
        for tokenizer, encoder in encoders:
            added = tokenizer.add_tokens(list(tokens))
            assert added == len(tokens), "the tokenizer knows these tokens already"
            table = encoder.get_input_embeddings()
            weight = table.weight.detach().float().cpu()
            self._norms.append(weight.norm(dim=-1).mean().item())
            drawn = torch.randn(len(tokens), weight.shape[1], generator=generator)
            row = torch.nn.Parameter((drawn * weight.std()).to(table.weight.device))
            self.rows.append(row)
            _hook(table, row, tokenizer.convert_tokens_to_ids(tokens[0]))

    @torch.no_grad()
    def pull_back(self) -> None:
        """Bring each row a little nearer to the mean norm of its encoder's table, and near it.

        Free rows drifted to twelve times their norm, and such tokens drown out the prompt.
        """
        for row, norm in zip(self.rows, self._norms, strict=True):
            now = row.norm(dim=-1, keepdim=True).clamp_min(1e-9)
            pulled = now * (norm / now) ** _PULL
            row.mul_(pulled.clamp(norm / _FARTHEST, norm * _FARTHEST) / now)


def _hook(table: Any, row: torch.nn.Parameter, first: int) -> None:
    """Let a table of embeddings give `row` for the ids from `first` on, which it does not have."""
    asked: list[Tensor] = []

    def note_ids(module: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        asked[:] = inputs
        return (torch.where(inputs[0] < first, inputs[0], 0),)

    def put_rows(module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        (ids,) = asked
        own = row[(ids - first).clamp_min(0)].to(output.dtype)
        return torch.where((ids < first)[..., None], output, own)

    table.register_forward_pre_hook(note_ids)
    table.register_forward_hook(put_rows)
