"""What a model makes of its input before its first layer: the rule for that layer is one for the model's input.

Shifts and scales, as of pixels by a mean and a deviation, move where an input's zero is. They pass relevance on as it
is, and carry the bounds of the box rule along, whose contributions x − low and high − x they only scale.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.autograd.graph import Node

from attribution_core.errors import AttributionError
from attribution_core.rules.autograd import Pull, replaced
from attribution_core.rules.flow import LEAF, origins, path
from attribution_core.rules.linear_maps import BY_ELEMENT, LinearMap, Operation
from attribution_core.rules.lrp import BoxRule, PropagationRule

SCALING = BY_ELEMENT | {"batch_norm", "pad"}
"""What may stand before the first layer, of one value by itself."""

IN_PLACE = frozenset({"AliasBackward0", "CloneBackward0", "ToCopyBackward0"})

Range = tuple[Tensor | None, Tensor | None]
"""The least and the largest value; None where nothing was said."""


@dataclass
class BeforeFirst:
    """The bounds of the model's input, as far as the model has carried them."""

    rule: PropagationRule
    ranges: dict[Node | None, Range] = field(default_factory=dict)

    def scaled(self, operation: Operation) -> Tensor:
        """The result, which hands relevance on as it is; bounds go along."""
        (value,) = operation.values
        bounds = self._range(value) if isinstance(self.rule, BoxRule) else None

        def propagated(x: Tensor) -> tuple[Tensor, Pull]:
            return operation.of_values(x), lambda relevance: _as_received(operation, x, relevance)

        result = replaced(propagated, value)
        if bounds is not None:
            ends = [None if end is None else operation.of_values(end.expand(value.shape)) for end in bounds]
            known = [end for end in ends if end is not None]
            swaps = len(known) == 2 and bool((known[0] > known[1]).any())
            ends = [torch.minimum(*known), torch.maximum(*known)] if swaps else ends
            self.ranges[result.grad_fn] = (ends[0], ends[1])
        return result

    def rule_for(self, linear: LinearMap, value: Tensor, place: object) -> PropagationRule:
        """The rule, its bounds those of what the first layer receives."""
        if not isinstance(self.rule, BoxRule) or (self.rule.low is None and self.rule.high is None):
            return self.rule
        bounds = self._range(value)
        if bounds is None:
            raise AttributionError(
                f"BoxRule(low, high) bounds the model's input, but {linear.name} in {place} receives values that the "
                f"model makes of it, of shape {tuple(value.shape)}.",
                "Set module.rule = BoxRule(low, high) on that layer, with bounds of what it receives.",
            )
        return replace(self.rule, low=bounds[0], high=bounds[1])

    def _range(self, value: Tensor) -> Range | None:
        """Between which bounds a value lies; None where they are not known."""
        way = path(value)
        moved = [node for node in way[:-1] if node.name() not in IN_PLACE]
        found = self.ranges.get(way[-1]) if way else None
        if found is None and isinstance(self.rule, BoxRule) and all(n and n.name() == LEAF for n in origins(value)):
            found = _end(self.rule.low, value), _end(self.rule.high, value)
            moved = [node for node in way if node.name() not in IN_PLACE and node.name() != LEAF]
        if found is None or any(_varies(end, value, bool(moved)) for end in found):
            return None
        return found


def _varies(end: Tensor | None, value: Tensor, moved: bool) -> bool:
    """Whether it is not known which bound is that of which value."""
    if end is None or end.numel() == 1:
        return False
    fits = len(end.shape) <= value.dim() and all(
        own in (1, there) for own, there in zip(end.shape[::-1], value.shape[::-1], strict=False)
    )
    return moved or not fits


def _end(bound: float | Tensor | None, value: Tensor) -> Tensor | None:
    return None if bound is None else torch.as_tensor(bound, dtype=value.dtype, device=value.device)


def _as_received(operation: Operation, x: Tensor, relevance: Tensor) -> Tensor:
    """Relevance at the places that an operation took its values from."""
    if operation.name != "pad":
        return relevance.sum_to_size(x.shape)
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        return torch.autograd.grad(operation.of_values(leaf), leaf, relevance)[0]
