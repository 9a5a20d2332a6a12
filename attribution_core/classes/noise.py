"""What another method says of noisy copies of the input."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any, final

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from attribution_core.classes.base import Attribution, asked
from attribution_core.classes.gradient_shap import Deviations
from attribution_core.errors import AttributionError
from attribution_core.evaluation.draws import Draws
from attribution_core.evaluation.isolation import Tidy, undisturbed
from attribution_core.evaluation.observe import once
from attribution_core.methods.completeness import check_values
from attribution_core.methods.noise import Expected, Kind, as_kind, chosen, smoothed
from attribution_core.question.question import stacked
from attribution_core.question.request import Request
from attribution_core.question.target import Predicted, Target
from attribution_core.reading.arguments import LARGEST_SEED, at_least
from attribution_core.reading.distribution import as_deviations, as_distribution
from attribution_core.types import Inputs, Tensors


@final
class NoiseTunnel(Attribution):
    """What another method says of noisy copies of the input: the mean, the mean square, or the variance."""

    citation = "smilkov2017"
    differentiates = False

    def __init__(self, attribution_method: Attribution) -> None:
        if not isinstance(attribution_method, Attribution):
            raise AttributionError(
                f"NoiseTunnel({type(attribution_method).__name__}): not an attribution method.",
                "Pass Saliency(model), …",
            )
        super().__init__(attribution_method.forward_func)
        self.attribution_method = attribution_method
        self._multiplies = attribution_method.multiplies_by_inputs

    def has_convergence_delta(self) -> bool:
        """As the other method."""
        return self.attribution_method.has_convergence_delta()

    def attribute(
        self,
        inputs: Inputs,
        nt_type: Kind = "smoothgrad",
        nt_samples: int = 5,
        nt_samples_batch_size: int | None = None,
        stdevs: Deviations = 1.0,
        draw_baseline_from_distrib: bool = False,
        *,
        seed: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """As the other method returns it, which gets all further keywords; with `return_convergence_delta`, deltas of
        all copies of the first example, then of the second, …, (B · nt_samples,). With the same seed, the same."""
        kind, count = as_kind(nt_type), at_least("nt_samples", nt_samples, 1)
        rows = None if nt_samples_batch_size is None else at_least("nt_samples_batch_size", nt_samples_batch_size, 1)
        explains = _named_arguments(type(self.attribution_method))
        if unknown := set() if _takes_more(type(self.attribution_method)) else set(kwargs) - explains:
            name = type(self.attribution_method).__name__
            raise AttributionError(
                f"NoiseTunnel passes {', '.join(sorted(unknown))} on, which {name}.attribute does not take.",
                f"It takes {', '.join(sorted(explains - {'self', 'inputs'}))}.",
            )
        named = {"target", "targets"} & explains
        target, targets = (kwargs.get(name) if name in named else None for name in ("target", "targets"))
        request = self._read(inputs, target, targets, kwargs.get("additional_forward_args"))
        xs, stochastic = request.inputs, "seed" in explains
        deviations = as_deviations(request.in_order("stdevs", stdevs), xs)
        with Tidy(request.modules) as tidy, once(), undisturbed(request.modules, xs, tidy):
            draws = Draws(seed, xs[0].device)
            options = {name: value for name, value in kwargs.items() if name not in named}
            drawing = draw_baseline_from_distrib and "baselines" in explains
            copies = _Copies(self.attribution_method, request, options, draws, drawing, stochastic)
            if named:
                copies.targets = self._fixed(request)
            limit = 1 if stochastic else rows
            expected = smoothed(copies.explain, xs, deviations, count, kind, draws, limit and limit * request.batch)
        if kind == "smoothgrad":  # without noise nothing varies
            check_values(tuple(value[None] for value in expected.attributions))
        results = copies.results(expected)
        return results if request.several else results[0]

    def _fixed(self, request: Request) -> tuple[Target, ...]:
        """The targets; "pred" is what the model predicts for the inputs without noise."""
        if not any(isinstance(target, Predicted) for target in request.targets):
            return request.targets
        question, *_ = asked(request, request.targets)
        return question.targets


class _Copies:
    """Asks another method about stacked copies of a batch."""

    form: Any
    targets: tuple[Target, ...] = ()

    def __init__(
        self,
        method: Attribution,
        request: Request,
        options: dict[str, object],
        draws: Draws,
        drawing: bool,
        stochastic: bool,
    ) -> None:
        self.method, self.request, self.draws, self.stochastic = method, request, draws, stochastic
        self.options = options
        self.distribution: Tensors | None = None
        if drawing:
            rows = request.in_order("baselines", self.options.pop("baselines", None))
            self.distribution = as_distribution(rows, request.inputs)

    def explain(self, points: Tensors, start: int, stop: int) -> tuple[Tensors, Tensor | None]:
        """Attributions of each target, one after the other, to the copies start…stop, and the deltas if there are."""
        copies = stop - start
        options = {key: self._stacked(key, value, copies) for key, value in self.options.items()}
        if self.targets:
            targets = [target.repeated(copies) for target in self.targets]
            options |= {"targets": targets} if self.request.several else {"target": targets[0]}
        if self.stochastic:
            options.setdefault("seed", (self.draws.seed + start) % LARGEST_SEED)
        if self.distribution is not None:
            options["baselines"] = self.request.packed(self._drawn(self.distribution, start, stop))
        answers = self.method.attribute(self.request.packed(points), **options)
        each, delta = answers if self.request.several else [answers], None
        if options.get("return_convergence_delta"):
            each, deltas = zip(*each, strict=True)
            delta = torch.cat([d.reshape(copies, -1) for d in deltas], 1)
        leaves, self.form = tree_flatten(list(each))
        return tuple(leaves), delta

    def results(self, expected: Expected) -> list[object]:
        """What the other method would return for each target."""
        each: list[object] = tree_unflatten(list(expected.attributions), self.form)
        if expected.deltas is None:
            return each
        return [(a, d.T.reshape(-1)) for a, d in zip(each, expected.deltas.chunk(len(each), 1), strict=True)]

    def _stacked(self, name: str, value: object, copies: int) -> object:
        """An argument of the other method for as many copies, where it has a row for each example."""
        if name == "additional_forward_args":
            return stacked(value, self.request.batch, copies)
        if self.request.batch == 1 or copies == 1:
            return value
        if name in ("baselines", "feature_mask"):
            return self._stacked_like_inputs(value, copies)
        return stacked(value, self.request.batch, copies)

    def _stacked_like_inputs(self, value: object, copies: int) -> object:
        """Tensors as long as the batch; those of fewer dimensions than their input have no rows of examples."""
        if isinstance(value, dict):
            return {name: self._stacked_like_inputs(each, copies) for name, each in value.items()}
        if isinstance(value, (tuple, list)):
            return type(value)(self._stacked_like_inputs(each, copies) for each in value)
        dims = {x.dim() for x in self.request.inputs}
        whole = isinstance(value, Tensor) and value.dim() in dims
        return stacked(value, self.request.batch, copies) if whole else value

    def _drawn(self, distribution: Tensors, start: int, stop: int) -> Tensors:
        each = [torch.rand((), generator=self.draws.at(-1 - k), device=self.draws.device) for k in range(start, stop)]
        return tuple(chosen(rows, torch.stack(each), self.request.batch) for rows in distribution)


@lru_cache
def _named_arguments(method: type[Attribution]) -> frozenset[str]:
    return frozenset(inspect.signature(method.attribute).parameters)


@lru_cache
def _takes_more(method: type[Attribution]) -> bool:
    """Whether further keywords are for functions of the caller's."""
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(method.attribute).parameters.values())
