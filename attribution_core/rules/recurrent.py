"""Recurrent networks written out step by step, as torch documents them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

State = tuple[Tensor, ...]
Cell = Callable[[Tensor, State, Sequence[Any]], State]
"""From what the input says, the state and the recurrent weights to the next state, whose first part is the output."""


def _lstm(given: Tensor, state: State, weights: Sequence[Any]) -> State:
    i, f, g, o = (given + F.linear(state[0], weights[0], weights[1])).chunk(4, 1)
    cell = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    hidden = o.sigmoid() * cell.tanh()
    return (hidden if len(weights) < 3 else F.linear(hidden, weights[2])), cell


def _gru(given: Tensor, state: State, weights: Sequence[Any]) -> State:
    reset, keep, new = given.chunk(3, 1)
    old_reset, old_keep, old_new = F.linear(state[0], weights[0], weights[1]).chunk(3, 1)
    kept = (keep + old_keep).sigmoid()
    candidate = (new + (reset + old_reset).sigmoid() * old_new).tanh()
    return (candidate + kept * (state[0] - candidate),)


def _plain(activation: Callable[[Tensor], Tensor]) -> Cell:
    return lambda given, state, weights: (activation(given + F.linear(state[0], weights[0], weights[1])),)


def _direction(cell: Cell, steps: Sequence[Tensor], start: State, weights: Sequence[Any]) -> tuple[list[Tensor], State]:
    outputs, state = [], start
    inward, inward_bias, *recurrent = weights
    for step in steps:
        state = cell(F.linear(step, inward, inward_bias), state, recurrent)
        outputs.append(state[0])
    return outputs, state


def _parts(cell: Cell) -> Callable[..., Any]:
    def run(
        input: Tensor,
        start: Any,
        flat: Any,
        biases: Any,
        layers: int,
        dropout: float,
        train: bool,
        both_ways: bool,
        batch_first: Any = None,
    ) -> Any:
        if batch_first is None or isinstance(flat, Tensor):
            return NotImplemented  # packed sequences
        starts = (start,) if isinstance(start, Tensor) else tuple(start)
        ways, x = 1 + both_ways, input.transpose(0, 1) if batch_first else input
        per = len(flat) // (layers * ways)
        ends: list[State] = []
        for layer in range(layers):
            found = []
            for way in range(ways):
                place = layer * ways + way
                weights = _ordered(list(flat[place * per : (place + 1) * per]), biases)
                steps = x.unbind(0)[:: -1 if way else 1]
                outputs, end = _direction(cell, steps, tuple(part[place] for part in starts), weights)
                found.append(torch.stack(outputs[:: -1 if way else 1]))
                ends.append(end)
            x = torch.cat(found, -1)
            if dropout and train and layer < layers - 1:
                x = F.dropout(x, dropout)
        last = tuple(torch.stack(column) for column in zip(*ends, strict=True))
        return x.transpose(0, 1) if batch_first else x, *last

    return run


def _ordered(weights: list[Any], biases: bool) -> list[Any]:
    """Inward weight and bias, recurrent weight and bias, and a projection if there is one."""
    if biases:
        inward, recurrent, inward_bias, recurrent_bias, *projection = weights
        return [inward, inward_bias, recurrent, recurrent_bias, *projection]
    inward, recurrent, *projection = weights
    return [inward, None, recurrent, None, *projection]


RECURRENT: dict[Any, Callable[..., Any]] = {
    torch.lstm: _parts(_lstm),
    torch.gru: _parts(_gru),
    torch.rnn_tanh: _parts(_plain(torch.tanh)),
    torch.rnn_relu: _parts(_plain(torch.relu)),
}
