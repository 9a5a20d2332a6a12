"""Batch norms with running statistics, and how a composite merges them into the layer before [pahde2023]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.graph import Node

from attribution_core.rules.flow import carried_back, path, uses
from attribution_core.rules.linear_maps import LinearMap, Operation, Weights
from attribution_core.rules.lrp import PropagationRule
from attribution_core.types import Tensors

MERGING = {"linear": -1, "conv1d": 1, "conv2d": 1, "conv3d": 1}
"""Layers whose weights have the output's channels first, and where their results have them."""


class Norm(NamedTuple):
    """A call of F.batch_norm, by its arguments."""

    input: Tensor
    running_mean: Tensor
    running_var: Tensor
    weight: Tensor | None = None
    bias: Tensor | None = None
    training: bool = False
    momentum: float = 0.1
    eps: float = 1e-5

    @classmethod
    def of(cls, operation: Operation) -> Norm:
        """The call with its defaults filled in."""
        call = operation.arguments(operation.leaves)
        return cls(*call.args, **call.kwargs)

    def linear(self) -> LinearMap:
        """With running statistics, a linear operation of one value."""
        weights = None if self.weight is None else (self.weight, self.bias)
        return LinearMap("batch_norm", lambda values, own: self.result(values[0], *(own or (None, None))), weights, [1])

    def result(self, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        """What the norm makes of a value in any precision."""
        parts = (self.running_mean, self.running_var, weight, bias)
        own = [None if part is None else part.to(x.dtype) for part in parts]
        mean, var, weight, bias = own
        return F.batch_norm(x, mean, var, weight, bias, False, self.momentum, self.eps)

    def folded(self, weights: tuple[Tensor, Tensor | None]) -> Weights:
        """Weights of a convolution or linear layer with the norm's scale and shift in them."""
        weight, bias = weights
        scale = (self.running_var + self.eps).rsqrt() * (1 if self.weight is None else self.weight)
        shift = ((0 if bias is None else bias) - self.running_mean) * scale + (0 if self.bias is None else self.bias)
        return (weight * scale.reshape(-1, *[1] * (weight.dim() - 1))).to(weight.dtype), shift.to(weight.dtype)


@dataclass(frozen=True)
class Layer:
    """A layer that batch norms may be merged into, and the rule that its module has, if any."""

    linear: LinearMap
    own_rule: PropagationRule | None


@dataclass
class Merging(PropagationRule):
    """The rule of a batch norm: none of its own once it is `merged`, as the layer before it then does the work."""

    rule: PropagationRule
    merged: bool = False

    def relevance(self, linear: LinearMap, relevance: Tensor) -> Tensors:
        """The relevance as it is, or by the norm's own rule."""
        return (relevance,) if self.merged else self.rule.relevance(linear, relevance)


class Candidate(NamedTuple):
    """A batch norm of what a layer computed, to be merged if nothing else reads that."""

    norm: Norm
    layer: Layer
    path: list[Node]
    rule: Merging
    place: str


def candidate(
    norm: Norm, layers: dict[Node, Layer], own: PropagationRule | None, rule: Merging, place: str
) -> Candidate | None:
    """To merge into the layer whose results, merely permuted, a norm receives, channel by channel; None without one.

    A norm whose module has a rule of its own, other than the layer's, stays apart.
    """
    way = path(norm.input)
    layer = layers.get(way[-1]) if way else None
    if layer is None or own not in (None, layer.own_rule):
        return None
    if not _same_channels(norm.input, way, MERGING[layer.linear.name]):
        return None
    return Candidate(norm, layer, way, rule, place)


def _same_channels(value: Tensor, way: list[Node], dim: int) -> bool:
    """Whether dimension 1 of a value is dimension `dim` of what was computed at the end of its way."""
    if len(way) == 1 and (dim == 1 or value.dim() == 2):
        return True
    # Numbers that half precision holds exactly.
    numbers = torch.arange(value.shape[1], device=value.device, dtype=value.dtype) % 251
    there = carried_back(value, way[-1], numbers.reshape(-1, *[1] * (value.dim() - 2)).expand_as(value))
    rows = there.movedim(dim, 0).flatten(1)
    return len(rows) == len(numbers) and torch.equal(rows, numbers.to(rows.dtype)[:, None].expand_as(rows))


def merge(candidates: list[Candidate], scores: Tensor) -> list[Candidate]:
    """Merge the norms that are the only ones to read what their layers computed; those that were merged."""
    used = uses(scores) if candidates else {}
    alone = [each for each in candidates if all(used[node] == 1 for node in each.path)]
    for each in alone:
        each.layer.linear.reweigh(each.norm.folded)
        each.rule.merged = True
    return alone
