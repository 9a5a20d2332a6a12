"""Recurrent networks written out step by step, as torch documents them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

State = tuple[Tensor, ...]
Weights = Sequence[Tensor | None]
Recurrent = Sequence[Any]
"""Weight, bias or None, and the weight of a projection if there is one."""

Cell = Callable[[Tensor, State, Recurrent], State]
"""From what the input says, the state and the recurrent weights to the next state, whose first part is the output."""


def _lstm(inward: Tensor, state: State, weights: Recurrent) -> State:
    i, f, g, o = (inward + F.linear(state[0], weights[0], weights[1])).chunk(4, 1)
    cell = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    hidden = o.sigmoid() * cell.tanh()
    return (hidden if len(weights) < 3 else F.linear(hidden, weights[2])), cell


def _gru(inward: Tensor, state: State, weights: Recurrent) -> State:
    reset, keep, new = inward.chunk(3, 1)
    old_reset, old_keep, old_new = F.linear(state[0], weights[0], weights[1]).chunk(3, 1)
    kept = (keep + old_keep).sigmoid()
    candidate = (new + (reset + old_reset).sigmoid() * old_new).tanh()
    return (candidate + kept * (state[0] - candidate),)


def _simple(activation: Callable[[Tensor], Tensor]) -> Cell:
    return lambda inward, state, weights: (activation(inward + F.linear(state[0], weights[0], weights[1])),)


class Network(NamedTuple):
    """The arguments of torch.lstm and its like for sequences that are not packed."""

    input: Tensor
    start: Tensor | Sequence[Tensor]
    weights: Sequence[Tensor]
    biases: bool
    layers: int
    dropout: float
    train: bool
    both_ways: bool
    batch_first: bool

    def run(self, cell: Cell) -> tuple[Tensor, ...]:
        """The last layer's outputs, and the last states of all layers and directions."""
        x = self.input.transpose(0, 1) if self.batch_first else self.input
        ends: list[State] = []
        for layer in range(self.layers):
            if layer and self.dropout and self.train:
                x = F.dropout(x, self.dropout)
            passes = [_direction(cell, x, way, *part) for way, part in enumerate(self._of_layer(layer))]
            x = torch.cat([outputs for outputs, _ in passes], -1)
            ends += [end for _, end in passes]
        last = tuple(torch.stack(column) for column in zip(*ends, strict=True))
        return x.transpose(0, 1) if self.batch_first else x, *last

    def _of_layer(self, layer: int) -> Iterator[tuple[State, Weights]]:
        """First state and weights of each direction."""
        ways = 1 + self.both_ways
        starts = (self.start,) if isinstance(self.start, Tensor) else tuple(self.start)
        size = len(self.weights) // (self.layers * ways)
        for place in range(layer * ways, (layer + 1) * ways):
            weights = self.weights[place * size : (place + 1) * size]
            yield tuple(part[place] for part in starts), _ordered(weights, self.biases)


def _direction(cell: Cell, x: Tensor, backwards: int, state: State, weights: Weights) -> tuple[Tensor, State]:
    """Outputs of all steps, and the last state; the second direction runs from the end to the start."""
    order, outputs = slice(None, None, -1 if backwards else 1), []
    inward, inward_bias, *recurrent = weights
    for step in x.unbind(0)[order]:
        state = cell(F.linear(step, inward, inward_bias), state, recurrent)  # type: ignore[arg-type]
        outputs.append(state[0])
    return torch.stack(outputs[order]), state


def _ordered(weights: Sequence[Tensor], biases: bool) -> Weights:
    """Inward weight and bias, recurrent weight and bias, and a projection if there is one."""
    if biases:
        inward, recurrent, inward_bias, recurrent_bias, *projection = weights
        return [inward, inward_bias, recurrent, recurrent_bias, *projection]
    inward, recurrent, *projection = weights
    return [inward, None, recurrent, None, *projection]


def _parts(cell: Cell) -> Callable[..., object]:
    def network(*args: Any) -> object:
        packed = isinstance(args[1], Tensor) and not args[1].is_floating_point()  # sizes of batches, no state
        return NotImplemented if packed else Network(*args).run(cell)

    return network


RECURRENT: dict[Callable[..., object], Callable[..., object]] = {
    torch.lstm: _parts(_lstm),
    torch.gru: _parts(_gru),
    torch.rnn_tanh: _parts(_simple(torch.tanh)),
    torch.rnn_relu: _parts(_simple(torch.relu)),
}
