"""The pass of LRP: each operation of the model, seen as it is called, hands its relevance back by a rule [bach2015].

Between operations flows relevance itself, in the place of gradients: operations that only move values keep torch's own
backward pass, sums and products divide by a rule, activations pass on what they get. Attention follows [achtibat2024]:
factors that all depend on the input share evenly, softmax is expanded to first order, and what a value is normalised by
counts as constant. A gate (the result of a sigmoid) counts as constant beside the signal it is multiplied with
[arras2017]. An operation without a rule is named, with all others, before relevance flows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import TracebackType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten

from attribution_core.errors import AttributionError
from attribution_core.evaluation.precision import accumulator
from attribution_core.rules import operations as ops
from attribution_core.rules.composites import Composite
from attribution_core.rules.intercept import Pull, Spelling, again, custom, direct, is_parameter, replaced, spellings
from attribution_core.rules.lrp import EpsilonRule, PropagationRule
from attribution_core.rules.parts import PARTS, batch_norm, body, dropout
from attribution_core.rules.scope import Scope
from attribution_core.rules.steps import (
    Norm,
    Seen,
    Step,
    by_a_constant,
    flattened,
    restored,
    unweighted,
    weighted,
)
from attribution_core.types import Tensors

PASSED = ops.ACTIVATIONS | ops.POWERS


class Relevance(TorchFunctionMode):
    """While the model runs: the graph that it leaves behind carries relevance."""

    def __init__(self, model: object, composite: Composite | None, verbose: bool) -> None:
        super().__init__()
        self.scope = Scope(model)
        self.composite = composite
        self.verbose = verbose
        self.unknown: dict[str, None] = {}
        self.last: tuple[Tensor, int, Step, Tensor] | None = None
        self.weighted = 0
        self.gates: dict[int, Tensor] = {}

    def __enter__(self) -> Relevance:
        self.scope.open()
        return super().__enter__()  # type: ignore[no-any-return, no-untyped-call]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]
        self.scope.close()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        args, kwargs = _constant(args), {name: _alone(value) for name, value in (kwargs or {}).items()}
        if func in _plain() or not torch.is_grad_enabled():
            return func(*args, **kwargs)
        spelling = _known().get(func)
        if spelling is None:
            return self._composed(func, args, kwargs)
        function, rest, options, in_place = direct(spelling, func, args, kwargs)
        leaves, form = flattened(rest, options)
        places = [i for i, x in enumerate(leaves) if isinstance(x, Tensor) and x.requires_grad]
        if not places:
            return func(*args, **kwargs)
        result = self._answer(Seen(spelling.name, function, leaves, form, places))
        return args[0].copy_(result) if in_place else result

    def _composed(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not any(map(_followed, tree_flatten((args, kwargs))[0])):
            return func(*args, **kwargs)
        parts = _parts().get(func) or body(func)
        if parts is None:
            result = func(*args, **kwargs)
            if any(map(_followed, tree_flatten(result)[0])):
                self._refuse(getattr(func, "__name__", str(func)))
            return result
        with again(self):
            composed = parts(*args, **kwargs)
        if composed is NotImplemented:
            self._refuse(getattr(func, "__name__", str(func)))
            return func(*args, **kwargs)
        return composed

    def _answer(self, seen: Seen) -> Any:
        name = seen.name
        if name in ops.NORMALISERS:
            return seen.call(seen.leaves).detach()
        if name in PASSED and seen.places == [0]:
            result = replaced(lambda x: (seen.call([x, *seen.leaves[1:]]), _unchanged), *seen.values)
            if name in ops.GATES:
                self.gates[id(result)] = result
            return result
        if name == "softmax":
            if self.composite is not None and self.composite.constant_attention:
                return seen.call(seen.leaves).detach()
            return replaced(lambda x: _softmax(seen, x), *seen.values)
        if name == "batch_norm":
            return self._batch_norm(seen)
        if name in ops.QUOTIENTS:
            seen = by_a_constant(seen)
        if name in ops.ELEMENTWISE or not seen.places:
            self._refuse(name)
            return seen.call(seen.leaves)
        return self._linear(seen)

    def _linear(self, seen: Seen) -> Tensor:
        seen = self._without_gates(seen)
        step = weighted(seen) or unweighted(seen)
        first = self.weighted == 0
        self.weighted += step.weights is not None
        result = self._spread(step, seen.values, self._rule(step, first))
        if step.weights is not None:
            self.last = result, result._version, step, seen.values[0]
        return result

    def _without_gates(self, seen: Seen) -> Seen:
        gates = [place for place in seen.places if id(seen.leaves[place]) in self.gates]
        if seen.name not in ops.PRODUCTS or not 0 < len(gates) < len(seen.places):
            return seen
        leaves = [leaf.detach() if place in gates else leaf for place, leaf in enumerate(seen.leaves)]
        return seen._replace(leaves=leaves, places=[place for place in seen.places if place not in gates])

    def _rule(self, step: Step, first: bool) -> PropagationRule:
        rule = self.scope.attribute("rule", PropagationRule)
        if rule is None and self.composite is not None:
            weighted = step.weights is not None and step.name != "batch_norm"
            rule = self.composite.rule(step.name, first) if weighted else self.composite.others
        chosen = rule if rule is not None and (rule.general or step.weights is not None) else EpsilonRule()
        if self.verbose:
            print(f"Applied {chosen} on {step.name} in {self.scope}")  # noqa: T201 - what verbose=True asks for
        return chosen

    def _spread(self, step: Step, values: Tensors, rule: PropagationRule, result: Tensor | None = None) -> Tensor:
        def propagated(*values: Tensor) -> tuple[Tensor, Pull]:
            step.receive(values)
            found = step.result(rule.plain) if result is None else result

            def pull(relevance: Tensor) -> Tensors:
                parts = rule.relevance(step, relevance)
                return tuple(part.to(value.dtype) for part, value in zip(parts, values, strict=True))

            return found, pull

        return replaced(propagated, *values)

    def _batch_norm(self, seen: Seen) -> Any:
        norm = Norm.of(seen)
        if norm.training:
            with again(self):
                return batch_norm(**norm._asdict())
        before = self._before(norm) if self.composite is not None else None
        merged = before and norm.merged(before[0], norm.input)
        if before and merged:
            result = norm.result(norm.input, norm.weight, norm.bias).detach()
            return self._spread(merged, before[1:], self._rule(merged, self.weighted == 1), result)
        step = norm.step()
        return self._spread(step, (norm.input,), self._rule(step, False))

    def _before(self, norm: Norm) -> tuple[Step, Tensor] | None:
        """The operation that computed what a norm receives, and the value of it."""
        if self.last is None or self.last[0] is not norm.input or self.last[1] != norm.input._version:
            return None
        return self.last[2:]

    def _refuse(self, name: str) -> None:
        self.unknown[f"{name} in {self.scope}"] = None

    def check(self, scores: Tensor) -> None:
        """Name all operations that have no rule."""
        self.unknown |= dict.fromkeys(custom(scores))
        if self.unknown:
            raise AttributionError(
                f"LRP has no rule for {', '.join(self.unknown)}.",
                "Explain a layer after it, let the model compute it otherwise, or use DeepLift or IntegratedGradients.",
            )


def _softmax(seen: Seen, x: Tensor) -> tuple[Tensor, Pull]:
    """R = x · (R − s ΣR): the first order of Taylor's expansion [achtibat2024]."""
    result = seen.call([x, *seen.leaves[1:]])
    at, share = x.to(accumulator(x.dtype)), result.detach().to(accumulator(x.dtype))
    args, kwargs = restored(seen.leaves, seen.form)
    dim = kwargs.get("dim", args[1] if len(args) > 1 else -1)

    def pull(relevance: Tensor) -> Tensor:
        r = relevance.to(share.dtype)
        flow = r - share * r.sum(dim, keepdim=True)
        return torch.where(share > 0, at * flow, 0).to(x.dtype)

    return result, pull


def _followed(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _unchanged(relevance: Tensor) -> Tensor:
    return relevance


@lru_cache
def _plain() -> frozenset[Any]:
    properties = {getattr(Tensor, name).__get__ for name in ops.PROPERTIES | ops.QUERIED}
    return frozenset(spellings(ops.MOVED | ops.SELECTED)) | properties | {getattr(Tensor, name) for name in ops.QUERIES}


def _constant(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Parameters without gradients: only what depends on the input is followed."""
    return tuple([_alone(arg) for arg in args])


def _alone(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach() if is_parameter(value) else value
    return [_alone(part) for part in value] if isinstance(value, list) else value


@lru_cache
def _known() -> dict[Any, Spelling]:
    names = ops.ACTIVATIONS | ops.POWERS | ops.WEIGHTED | ops.PRODUCTS | ops.SHIFTED | ops.SUMS | ops.NORMALISERS
    found = dict(spellings(names | {"softmax", "batch_norm"}))
    for reversed_one in ("__rpow__", "__rdiv__", "__rsub__", "__rmatmul__"):
        found.pop(getattr(Tensor, reversed_one, None), None)
    return found


@lru_cache
def _parts() -> dict[Any, Callable[..., Any]]:
    return PARTS | {torch.nn.functional.dropout: dropout, torch.dropout: dropout}
