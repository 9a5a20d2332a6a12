"""The pass of LRP: each operation of the model, seen as it is called, hands its relevance back by a rule [bach2015].

Between operations flows relevance itself, in the place of gradients: operations that only move values keep torch's own
backward pass, sums and products divide by a rule, activations pass on what they get. Attention follows [achtibat2024]:
factors that all depend on the input share evenly, softmax is expanded to first order, and what a value is divided by
counts as constant. A gate (the result of a sigmoid) counts as constant beside the signal it is multiplied with
[arras2017]. An operation without a rule is named, with all others, before relevance flows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor
from torch.autograd.graph import Node

from attribution_core.errors import AttributionError
from attribution_core.evaluation.precision import accumulator
from attribution_core.rules import operations as ops
from attribution_core.rules.autograd import Pull, replaced
from attribution_core.rules.composites import Composite
from attribution_core.rules.first import SCALING, BeforeFirst
from attribution_core.rules.flow import origins
from attribution_core.rules.graph import MOVES, SELECTIONS, foreign_nodes, nodes_behind, unseen_nodes
from attribution_core.rules.intercept import Call, Interception, Rule
from attribution_core.rules.linear_maps import BY_ELEMENT, LinearMap, Operation, unweighted, weighted
from attribution_core.rules.losses import Losses
from attribution_core.rules.lrp import EpsilonRule, PropagationRule
from attribution_core.rules.norms import MERGING, Candidate, Layer, Merging, Norm, candidate, merge
from attribution_core.rules.parts import PARTS, Parts, batch_norm, deviation, dropout, norm, variance, vector_norm
from attribution_core.rules.scope import Scope
from attribution_core.rules.spellings import READ, spellings
from attribution_core.types import Tensors


@dataclass
class Propagation:
    """One pass of LRP: the rules that were asked for, and what the pass has met so far."""

    scope: Scope
    composite: Composite | None = None
    verbose: bool = False
    unknown: dict[str, None] = field(default_factory=dict)
    gates: set[Node | None] = field(default_factory=set)
    deviations: set[Node | None] = field(default_factory=set)
    layers: dict[Node, Layer] = field(default_factory=dict)
    norms: list[Candidate] = field(default_factory=list)
    before_first: BeforeFirst | None = None
    losses: Losses = field(default_factory=Losses)

    def __post_init__(self) -> None:
        if self.composite is not None and self.composite.first is not None:
            self.before_first = BeforeFirst(self.composite.first)

    def own_rule(self) -> PropagationRule | None:
        """The rule of the running module."""
        return self.scope.attribute("rule", PropagationRule)  # type: ignore[type-abstract]

    def rule(self, linear: LinearMap, value: Tensor) -> PropagationRule:
        """The module's own rule, the composite's, or epsilon."""
        rule = self.own_rule()
        layer = linear.weights is not None and linear.name != "batch_norm"
        if rule is None and self.composite is not None:
            rule = self.composite.rule(linear.name) if layer else self.composite.others
            if layer and self.before_first is not None:
                rule = self.before_first.rule_for(linear, value, self.scope)
        self.before_first = None if layer else self.before_first
        fits = rule is not None and (rule.without_weights or linear.weights is not None)
        chosen = rule if rule is not None and fits else EpsilonRule()
        self._say(f"Applied {chosen} on {linear.name} in {self.scope}" if self.verbose else "")
        return chosen

    def inherits(self, operation: Operation, result: Tensor) -> Tensor:
        """The result; what is made of gates alone is a gate, and of deviations alone a deviation."""
        for kind in (self.gates, self.deviations):
            if kind and all(origins(value) <= kind for value in operation.values):
                kind.add(result.grad_fn)
        return result

    def _say(self, line: str) -> None:
        if self.verbose:
            print(line)  # noqa: T201 - what verbose=True asks for

    def forget(self) -> None:
        """Let go of values of the pass: their nodes hold this state, and nobody collects a circle through autograd."""
        self.before_first = None
        self.gates.clear()
        self.deviations.clear()
        self.layers.clear()

    def refuse(self, name: str) -> None:
        """Remember an operation without a rule, and where it is."""
        self.unknown[f"{name} in {self.scope}"] = None

    def started(self, scores: Tensor) -> Tensor:
        """The scores, whose backward pass begins with themselves, if every operation behind them has a rule."""
        nodes = nodes_behind(scores)
        self.unknown |= dict.fromkeys(foreign_nodes(nodes))
        self.unknown = self.unknown or dict.fromkeys(unseen_nodes(nodes, MOVES | SELECTIONS))
        if self.unknown:
            raise AttributionError(
                f"LRP has no rule for {', '.join(self.unknown)}.",
                "Explain a layer after it, let the model compute it otherwise, or use DeepLift or IntegratedGradients.",
            )
        for merged in merge(self.norms, scores):
            self._say(f"Merged batch_norm in {merged.place} into {merged.layer.linear.name}")
        self.norms.clear()
        self.losses.begin(scores)
        return replaced(lambda value: (value.clone(), lambda one: one * value), scores)


@dataclass(frozen=True)
class Flow:
    """How relevance passes some operations: `answer` returns their result, with relevance in place of its gradient."""

    operations: frozenset[str]
    answer: Callable[[Propagation, Operation], object]


def _constant(_: Propagation, operation: Operation) -> object:
    """What a value is divided by gets no relevance [achtibat2024]."""
    result: Tensor = operation.result()
    return result.detach()


def _passed(propagation: Propagation, operation: Operation) -> object:
    """Functions of each value by itself pass on what they get [bach2015]."""
    if operation.places != [0]:
        return _refused(propagation, operation)
    result = replaced(lambda x: (operation.of_values(x), lambda relevance: relevance), *operation.values)
    return propagation.inherits(operation, result)


def _gate(propagation: Propagation, operation: Operation) -> object:
    """Remembered, since it counts as constant beside a signal."""
    result = _passed(propagation, operation)
    if isinstance(result, Tensor):
        propagation.gates.add(result.grad_fn)
    return result


def _deviation(propagation: Propagation, operation: Operation) -> object:
    """A value like others, remembered, since its reciprocal normalises."""
    result = operation.call.in_parts(DEVIATIONS[operation.name]) if operation.places == [0] else NotImplemented
    if isinstance(result, Tensor):
        propagation.deviations.add(result.grad_fn)
        return result
    return _constant(propagation, operation)


def _power(propagation: Propagation, operation: Operation) -> object:
    """A negative one divides."""
    exponent = operation.call.kwargs.get("exponent", (*operation.call.args[1:], 1)[0])
    if not isinstance(exponent, (int, float)) or exponent >= 0:
        return _passed(propagation, operation)
    return (_constant if exponent == -0.5 else _reciprocal)(propagation, operation)


def _reciprocal(propagation: Propagation, operation: Operation) -> object:
    """That of a deviation is a constant."""
    return (_constant if _normalises(propagation, operation) else _refused)(propagation, operation)


def _normalises(propagation: Propagation, operation: Operation) -> bool:
    return all(origins(value) <= propagation.deviations for value in operation.values)


def _softmax(propagation: Propagation, operation: Operation) -> object:
    """The first order of Taylor's expansion, or none where attention weights are constants [ali2022]."""
    if propagation.composite is not None and propagation.composite.constant_attention:
        return _constant(propagation, operation)
    return replaced(partial(_first_order, operation), *operation.values)


def _first_order(operation: Operation, x: Tensor) -> tuple[Tensor, Pull]:
    """R_x = x · (R − s ΣR), of softmax s(x) [achtibat2024, proposition 3.1]."""
    result: Tensor = operation.of_values(x)
    at, share = x.to(accumulator(x.dtype)), result.detach().to(accumulator(x.dtype))
    call = operation.call
    dim = call.kwargs.get("dim", call.args[1] if len(call.args) > 1 else -1)

    def pull(relevance: Tensor) -> Tensor:
        r = relevance.to(share.dtype)
        # Gradient × input of ∂s_j/∂x_i = s_j (δ_ij − s_i), with R_j = s_j · gradient. What is masked has x = −∞, s = 0.
        flow = r - share * r.sum(dim, keepdim=True)
        return torch.where(share > 0, at * flow, 0).to(x.dtype)

    return result, pull


def _quotient(propagation: Propagation, operation: Operation) -> object:
    """Division of a value; what it is divided by counts as constant."""
    numerator = operation.without([place for place in operation.places if place > 0])
    return _linear(propagation, numerator) if numerator.places else _reciprocal(propagation, operation)


def _dropout(propagation: Propagation, operation: Operation) -> object:
    """In evaluation, it passes its value on."""
    arguments, options = operation.call.args, operation.call.kwargs
    training = options.get("training", options.get("train", (*arguments[2:], True)[0]))
    return _linear(propagation, operation) if training else NotImplemented


def _linear(propagation: Propagation, operation: Operation) -> object:
    """Sums and products divide relevance by a rule."""
    gates = _gates(propagation, operation)
    if operation.name in ops.PRODUCTS and 0 < len(gates) < len(operation.places):
        operation = operation.without(gates)  # the signal takes all the relevance [arras2017]
    if propagation.before_first is not None and operation.name in SCALING and len(operation.places) == 1:
        return propagation.before_first.scaled(operation)
    linear = weighted(operation) or unweighted(operation)
    result = _spread(linear, operation, propagation.rule(linear, operation.values[0]), propagation.losses)
    if operation.name in BY_ELEMENT:
        propagation.inherits(operation, result)
    if propagation.composite is not None and linear.name in MERGING and linear.weights is not None:
        propagation.layers[result.grad_fn] = Layer(linear, propagation.own_rule())  # type: ignore[index]
    return result


def _gates(propagation: Propagation, operation: Operation) -> list[int]:
    """The places of values that are gates, wherever those were moved."""
    if not propagation.gates:
        return []
    return [place for place in operation.places if origins(operation.leaves[place]) <= propagation.gates]


def _spread(linear: LinearMap, operation: Operation, rule: PropagationRule, losses: Losses) -> Tensor:
    def propagated(*values: Tensor) -> tuple[Tensor, Pull]:
        linear.receive(values, operation.call.in_place)
        computed = linear.result(rule.as_computed)

        def pull(relevance: Tensor) -> Tensors:
            parts = rule.relevance(linear, relevance)
            losses.note(linear.lost)
            return tuple(part.to(value.dtype) for part, value in zip(parts, values, strict=True))

        return computed, pull

    return replaced(propagated, *operation.values)


def _batch_norm(propagation: Propagation, operation: Operation) -> object:
    """With running statistics a linear operation, which a composite merges into the one before it [pahde2023]."""
    running = Norm.of(operation)
    if running.training:
        return operation.call.in_parts(batch_norm)
    if propagation.before_first is not None:
        return propagation.before_first.scaled(operation)
    linear = running.linear()
    rule = propagation.rule(linear, running.input)
    if propagation.composite is not None:
        rule = Merging(rule)
        found = candidate(running, propagation.layers, propagation.own_rule(), rule, str(propagation.scope))
        propagation.norms += [found] if found else []
    return _spread(linear, operation, rule, propagation.losses)


def _refused(propagation: Propagation, operation: Operation) -> object:
    propagation.refuse(operation.name)
    return operation.result()


DEVIATIONS: dict[str, Parts] = {"norm": norm, "std": deviation, "var": variance}
DROPOUTS = frozenset({name for name in ops.SUMS if "dropout" in name})

FLOWS = (
    Flow(frozenset({"rsqrt"}), _constant),
    Flow(frozenset({"reciprocal"}), _reciprocal),
    Flow(frozenset(DEVIATIONS), _deviation),
    Flow(frozenset({"pow"}), _power),
    Flow((ops.ACTIVATIONS | ops.POWERS) - ops.GATES - {"pow"}, _passed),
    Flow(ops.GATES, _gate),
    Flow(frozenset({"softmax"}), _softmax),
    Flow(frozenset({"batch_norm"}), _batch_norm),
    Flow(ops.QUOTIENTS, _quotient),
    Flow(DROPOUTS, _dropout),
    Flow(ops.WEIGHTED | ops.PRODUCTS | ops.SHIFTED | ops.SUMS - ops.QUOTIENTS - DROPOUTS, _linear),
)
"""Everything that relevance passes otherwise than a gradient of 1."""


def _answered(flow: Flow, propagation: Propagation, call: Call) -> object:
    operation = Operation.of(call)
    return flow.answer(propagation, operation) if operation.places else NotImplemented


RELEVANCE: Rule[Propagation] = Rule(
    {name: partial(_answered, flow) for flow in FLOWS for name in flow.operations},
    linear=READ | frozenset(spellings(ops.MOVED | ops.SELECTED)),
    parts=PARTS | {torch.nn.functional.dropout: dropout, torch.dropout: dropout, torch.linalg.vector_norm: vector_norm},
    unknown=Propagation.refuse,
    aside=frozenset({Tensor.__rpow__, Tensor.__rdiv__, Tensor.__rsub__, Tensor.__rmatmul__, torch.batch_norm}),
    finished=Propagation.started,
)


@contextmanager
def relevance(
    model: object, composite: Composite | None, verbose: bool, since: int, losses: Losses
) -> Iterator[Interception[Propagation]]:
    """While the model runs: the graph that it leaves behind carries relevance; what is older counts as constant."""
    with Scope(model) as scope:
        state = Propagation(scope, composite, verbose, losses=losses)
        with Interception(RELEVANCE, state, since) as interception:
            try:
                yield interception
            finally:
                state.forget()
