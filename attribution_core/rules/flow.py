"""Where a value came from, told by the graph that autograd keeps of a pass."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node

PERMUTED = frozenset(
    f"{name}Backward0"
    for name in (
        *("Alias", "Clone", "Permute", "ReshapeAlias", "Squeeze", "T", "ToCopy", "Transpose", "UnsafeView"),
        *("Unsqueeze", "View"),
    )
) | {"SqueezeBackward1", "SqueezeBackward2", "TransposeBackward1"}
"""Nodes of operations that give every value another place, or the same."""

MOVED = PERMUTED | frozenset(
    f"{name}Backward0"
    for name in (
        *("Cat", "Expand", "Flip", "Gather", "Index", "IndexSelect", "Repeat", "Roll", "Select", "Slice", "Split"),
        *("SplitWithSizes", "Stack", "Unbind", "Unfold"),
    )
)
"""Nodes of operations that place values, some of them several times or never."""

OVERWRITTEN = "torch::autograd::CopyBackwards"
"""The node of a tensor that another one was copied into."""


def origins(value: Tensor) -> set[Node | None]:
    """The nodes that computed what a value holds, before it was only moved; None stands for a leaf."""
    found, left = set(), [value.grad_fn]
    while left:
        node = left.pop()
        name = "" if node is None else node.name()
        if node is None or (name not in MOVED and name != OVERWRITTEN):
            found.add(node)
        else:
            left += [before for before, _ in node.next_functions[name == OVERWRITTEN :]]
    return found


def path(value: Tensor) -> list[Node]:
    """The nodes that only permuted a value, the latest first, and after them the one that computed it."""
    nodes: list[Node] = []
    node = value.grad_fn
    while node is not None:
        nodes.append(node)
        node = node.next_functions[0][0] if node.name() in PERMUTED else None
    return nodes


def carried_back(value: Tensor, node: Node, to_value: Tensor) -> Tensor:
    """What is at the places of a value, put at the places where `node`, at the end of its path, computed it."""
    return torch.autograd.grad(value, GradientEdge(node, 0), to_value, retain_graph=True)[0]


def uses(scores: Tensor) -> Counter[Node]:
    """How often the result of each node is used on the way to the scores."""
    found: Counter[Node] = Counter()
    left = [scores.grad_fn]
    while left:
        node = left.pop()
        for before, _ in () if node is None else node.next_functions:
            if before is not None:
                if before not in found:
                    left.append(before)
                found[before] += 1
    return found


def moment() -> int:
    """The number of the next operation of this thread: what was computed before it has a lower one."""
    with torch.enable_grad():
        node = torch.zeros((), requires_grad=True).clone().grad_fn
    return node._sequence_nr() if node is not None else 0


def is_older(value: Tensor, since: int) -> bool:
    """Whether a value that requires gradients is a leaf, or was computed from older ones only, before that moment."""
    left = [value.grad_fn]
    while left:
        node = left.pop()
        if node is None or node.name() == LEAF:
            continue
        if node._sequence_nr() >= since:
            return False
        left += [before for before, _ in node.next_functions]
    return True


LEAF = "torch::autograd::AccumulateGrad"
"""The node that hands its gradient to a leaf."""
