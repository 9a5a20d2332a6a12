"""Methods that follow a path in the input and look at what happens at a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction, FunctionCtx

from attribution_core.evaluation.chunks import in_chunks, rows_that_fit
from attribution_core.evaluation.precision import accumulator
from attribution_core.methods.paths import straight
from attribution_core.question.question import Gradients, Question, check_rows
from attribution_core.question.taps import Tap
from attribution_core.question.target import Neuron, Target
from attribution_core.types import Tensors


def internal_influence(
    question: Question,
    inputs: Tensors,
    baselines: Tensors,
    quadrature: tuple[Tensor, Tensor],
    rows: int | None = None,
) -> Tensors:
    """∫ d score / d value at a layer along the straight line from b to x, (targets, B, …) [leino2018]."""
    positions, weights = quadrature

    def part(start: int, stop: int) -> Tensors:
        gradients = _along(question, inputs, baselines, positions[start:stop])
        return tuple(torch.tensordot(weights[start:stop].to(s), s, 1) for s in gradients.slopes)

    parts = in_chunks(len(positions), part, len(inputs[0]), rows_that_fit(inputs, rows))
    return reduce(lambda one, other: tuple(map(Tensor.add_, one, other)), parts)


def conductance(
    question: Question, inputs: Tensors, baselines: Tensors, positions: Tensor, rows: int | None = None
) -> Tensors:
    """Σ d score / d value · (next value − value) over the points of the path, (targets, B, …) [dhamdhere2019].

    The definition is Σ_i (x_i − b_i) ∫ ∂F/∂y · ∂y/∂x_i dα. Its sum over inputs i is ∫ ∂F/∂y · dy/dα dα, by the chain
    rule: an integral along the layer's values y, whose steps need no second derivative.
    """
    total: list[Tensor] = []
    last: list[tuple[Tensor, Tensor]] = []

    def part(start: int, stop: int) -> Gradients:
        return _along(question, inputs, baselines, positions[start:stop])

    for gradients in in_chunks(len(positions), part, len(inputs[0]), rows_that_fit(inputs, rows)):
        pairs = list(zip(gradients.values, gradients.slopes, strict=True))
        steps = [(s[:-1] * (v[1:] - v[:-1])[:, None]).sum(0) for v, s in pairs]
        if last:
            joints = (s * (v[0] - before) for (before, s), (v, _) in zip(last, pairs, strict=True))
            steps = [a + b + c for a, b, c in zip(total, steps, joints, strict=True)]
        total, last = steps, [(v[-1].clone(), s[-1].clone()) for v, s in pairs]
    return tuple(total)


def _along(question: Question, inputs: Tensors, baselines: Tensors, positions: Tensor) -> Gradients:
    """Gradients at points of the path, steps first: values (steps, B, …), slopes (steps, targets, B, …)."""
    points = straight(inputs, baselines, positions)
    gradients = question.repeated(len(positions)).gradients(points)
    check_rows(gradients.values, len(points[0]))

    def by_step(value: Tensor, dim: int) -> Tensor:
        precise = value.to(accumulator(value.dtype))
        return precise.reshape(*value.shape[:dim], len(positions), -1, *value.shape[dim + 1 :]).movedim(dim, 0)

    values, slopes = (tuple(by_step(v, d) for v in vs) for d, vs in enumerate((gradients.values, gradients.slopes)))
    return gradients._replace(values=values, slopes=slopes)


@dataclass(frozen=True)
class Through(Target):
    """The neuron's value times the gradient of a score with respect to it: its slope is what flows through the neuron.

    Integrated along the path this is the neuron's conductance [dhamdhere2019]. A selector that is a function picks the
    neuron from the gradients as from the values.
    """

    target: Target
    neuron: Neuron
    grad_kwargs: Mapping[str, Any]

    def scores(self, run: Callable[[], object], copies: int) -> Tensor:
        """Run the model once; the gradient at the neuron weighs the neuron and is not differentiated with it."""
        neuron = self.neuron
        with Tap(neuron.layer, neuron.of_input, neuron.call) as tap:
            scores = self.target.scores(run, copies)
        values = tap.kept()
        defaults = {"grad_outputs": torch.ones_like(scores), "retain_graph": True, "allow_unused": True}
        gradients = torch.autograd.grad(scores, values, **{**defaults, **self.grad_kwargs})
        slopes = tuple(torch.zeros_like(v) if s is None else s for v, s in zip(values, gradients, strict=True))
        if callable(neuron.selector):
            return _weighed(neuron.chosen(values, copies), neuron.chosen(slopes, copies))
        each = [neuron.chosen((_weighed(v, s),), copies) for v, s in zip(values, slopes, strict=True)]
        return reduce(torch.add, each)

    def examples(self, start: int, stop: int) -> Target:
        """The same for these examples."""
        return Through(self.target.examples(start, stop), self.neuron, self.grad_kwargs)


class _Weighed(torch.autograd.Function):
    """v · w with slope w by v and none by w; the slope itself can be differentiated by all that w is made of."""

    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(weights)
        return values * weights

    @staticmethod
    def backward(ctx: BackwardCFunction, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * ctx.saved_tensors[0], None


def _weighed(values: Tensor, weights: Tensor) -> Tensor:
    weighed: Tensor = _Weighed.apply(values, weights)
    return weighed
