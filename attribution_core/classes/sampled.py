"""Attributions averaged over noise, or over baselines from a distribution."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from attribution_core.classes.base import Attribution, GradientAttribution
from attribution_core.classes.primary import combination
from attribution_core.errors import AttributionError
from attribution_core.evaluation.draws import Draws
from attribution_core.evaluation.isolation import submodules, undisturbed
from attribution_core.methods.noise import Expected, Kind, as_kind, chosen, deeplift_shap, gradient_shap, smoothed
from attribution_core.question.question import stacked
from attribution_core.question.target import Copied, TargetLike
from attribution_core.reading.arguments import (
    TensorOrTuple,
    Tensors,
    as_baseline,
    as_inputs,
    at_least,
    baseline_of_each,
    packed,
)
from attribution_core.rules.intercept import refuse_compiled

Distribution = Tensor | int | float | tuple[Tensor | int | float, ...] | Callable[..., Any] | None


@final
class NoiseTunnel(Attribution):
    """What another method says of noisy copies of the input: the mean, the mean square, or the variance."""

    citation = "smilkov2017"

    def __init__(self, attribution_method: Attribution) -> None:
        if not isinstance(attribution_method, Attribution):
            raise AttributionError(
                f"NoiseTunnel({type(attribution_method).__name__}): not an attribution method.",
                "Pass Saliency(model), …",
            )
        super().__init__(attribution_method.forward_func)
        self.attribution_method = attribution_method

    @property
    def multiplies_by_inputs(self) -> bool:
        """As the other method."""
        return self.attribution_method.multiplies_by_inputs

    def has_convergence_delta(self) -> bool:
        """As the other method."""
        return self.attribution_method.has_convergence_delta()

    def attribute(
        self,
        inputs: TensorOrTuple,
        nt_type: Kind = "smoothgrad",
        nt_samples: int = 5,
        nt_samples_batch_size: int | None = None,
        stdevs: float | tuple[float, ...] = 1.0,
        draw_baseline_from_distrib: bool = False,
        *,
        seed: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """As the other method returns it, which gets all further keywords; with `return_convergence_delta`, deltas of
        all copies of the first example, then of the second, …, (B · nt_samples,). With the same seed, the same."""
        kind, count = as_kind(nt_type), at_least("nt_samples", nt_samples, 1)
        xs = as_inputs(inputs, differentiable=False)
        deviations = as_deviations(stdevs, xs)
        rows = None if nt_samples_batch_size is None else at_least("nt_samples_batch_size", nt_samples_batch_size, 1)
        method = copy.copy(self.attribution_method)
        method._names = self._names
        with undisturbed(submodules(self.forward_func), xs):
            asker = _Asker(method, xs, kwargs, Draws(seed, xs[0].device), draw_baseline_from_distrib, inputs)
            limit = 1 if asker.stochastic else rows
            found = smoothed(asker.explain, xs, deviations, count, kind, asker.draws, limit and limit * len(xs[0]))
        results = asker.results(found)
        return results if "targets" in kwargs else results[0]


class _Asker:
    """Asks another method about stacked copies of a batch."""

    form: Any

    def __init__(
        self, method: Attribution, xs: Tensors, options: dict[str, Any], draws: Draws, drawing: bool, inputs: Any
    ) -> None:
        self.method, self.options, self.draws, self.inputs = method, dict(options), draws, inputs
        self.batch = len(xs[0])
        self.stochastic = _takes_seed(type(method))
        self.bases = None
        if drawing:
            self.bases = as_distribution(self.options.pop("baselines", None), xs)
        extra = options.get("additional_forward_args")
        if "target" in self.options:
            self.options["target"] = method.target_of(inputs, options["target"], extra)
        if "targets" in self.options:
            self.options["targets"] = [method.target_of(inputs, target, extra) for target in options["targets"]]

    def explain(self, points: Tensors, start: int, stop: int) -> tuple[Tensors, Tensor | None]:
        """Attributions of each target, one after the other, to the copies start…stop, and the deltas if there are."""
        copies = stop - start
        options = {key: self._copied(key, value, copies) for key, value in self.options.items()}
        if self.stochastic:
            options.setdefault("seed", self.draws.seed + start)
        if self.bases is not None:
            options["baselines"] = packed(self._drawn(self.bases, start, stop), self.inputs)
        found = self.method.attribute(packed(points, self.inputs), **options)  # type: ignore[attr-defined]
        each, delta = found if "targets" in options else [found], None
        if options.get("return_convergence_delta"):
            each, deltas = zip(*each, strict=True)
            delta = torch.cat([d.reshape(copies, -1) for d in deltas], 1)
        leaves, self.form = tree_flatten(list(each))
        return tuple(leaves), delta

    def results(self, found: Expected) -> list[Any]:
        """What the other method would return for each target."""
        each: list[Any] = tree_unflatten(list(found.attributions), self.form)
        if found.deltas is None:
            return each
        return [(a, d.T.reshape(-1)) for a, d in zip(each, found.deltas.chunk(len(each), 1), strict=True)]

    def _copied(self, key: str, value: Any, copies: int) -> Any:
        if key == "targets":
            return [self._copied("target", target, copies) for target in value]
        if key == "target":
            return Copied(value, copies) if copies > 1 else value
        if self.batch == 1 and key != "additional_forward_args":
            return value
        return stacked(value, self.batch, copies)

    def _drawn(self, bases: Tensors, start: int, stop: int) -> Tensors:
        each = [torch.rand((), generator=self.draws.at(-1 - k), device=self.draws.device) for k in range(start, stop)]
        return tuple(chosen(b, torch.stack(each), self.batch) for b in bases)


@lru_cache
def _takes_seed(method: type[Attribution]) -> bool:
    return "seed" in inspect.signature(method.attribute).parameters  # type: ignore[attr-defined]


def as_deviations(stdevs: Any, xs: Tensors) -> tuple[float, ...]:
    """Read `stdevs`: one for each input, or one for all."""
    given = stdevs if isinstance(stdevs, (tuple, list)) else (stdevs,) * len(xs)
    if len(given) != len(xs) or not all(isinstance(s, (int, float)) and s >= 0 for s in given):
        raise AttributionError(f"stdevs={stdevs!r} for {len(xs)} inputs.", "Pass a number ≥ 0, or one for each input.")
    for place, (s, x) in enumerate(zip(given, xs, strict=True)):
        if s and not x.is_floating_point():
            raise AttributionError(
                f"inputs[{place}] is {x.dtype}; noise needs floating point.", "Use .float(), or stdevs of 0 for it."
            )
    return tuple(map(float, given))


def as_distribution(baselines: Any, xs: Tensors) -> Tensors:
    """Rows to draw baselines from, as many for each input: (K, …) of the inputs' dtypes."""
    if isinstance(baselines, Mapping):
        raise AttributionError("baselines is a dict, the inputs are not.", "Pass them alike.")
    each = baseline_of_each(baselines, len(xs))
    rows = tuple(
        b.detach().to(x) if isinstance(b, Tensor) and b.shape[1:] == x.shape[1:] else as_baseline(b, x[:1], place)
        for place, (b, x) in enumerate(zip(each, xs, strict=True))
    )
    count = max(map(len, rows))
    if not count or any(len(row) not in (1, count) for row in rows):
        raise AttributionError(
            f"baselines have {[len(row) for row in rows]} rows.", "Dimension 0 of every baseline counts the same draws."
        )
    return tuple(row.expand(count, *row.shape[1:]) for row in rows)


def made(baselines: Any, inputs: Any) -> Any:
    """The baselines that a function makes, of the inputs or of nothing."""
    if not callable(baselines):
        return baselines
    return baselines(inputs) if inspect.signature(baselines).parameters else baselines()


def _answered(found: Expected, inputs: Any, return_convergence_delta: bool) -> Any:
    attributions = packed(found.attributions, inputs)
    if not return_convergence_delta or found.deltas is None:
        return attributions
    return attributions, found.deltas.T.reshape(-1)


@final
class GradientShap(GradientAttribution):
    """Gradients at random points between noisy inputs and random baselines: expected values of integrated gradients."""

    citation = "erion2021"
    complete = True

    def __init__(self, forward_func: Callable[..., Any], multiply_by_inputs: bool = True) -> None:
        super().__init__(forward_func)
        self._multiply = multiply_by_inputs

    @property
    def multiplies_by_inputs(self) -> bool:
        """As constructed."""
        return self._multiply

    def attribute(
        self,
        inputs: TensorOrTuple,
        baselines: Distribution,
        n_samples: int = 5,
        stdevs: float | tuple[float, ...] = 0.0,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        return_convergence_delta: bool = False,
        *,
        seed: int | None = None,
    ) -> Any:
        """Attributions shaped like the inputs, and with `return_convergence_delta` the error of each draw's sum: all of
        the first example, then of the second, …, (B · n_samples,)."""
        count = at_least("n_samples", n_samples, 1)
        drawn = made(baselines, inputs)
        with self._asking(inputs, target, additional_forward_args) as (question, xs, _):
            deviations, bases = as_deviations(stdevs, xs), as_distribution(drawn, xs)
            draws = Draws(seed, xs[0].device)
            found = gradient_shap(
                question, xs, bases, count, deviations, draws, self._multiply, return_convergence_delta
            )
            return _answered(found, inputs, return_convergence_delta)


@final
class DeepLiftShap(GradientAttribution):
    """DeepLIFT averaged over baselines from a distribution: an approximation of Shapley values."""

    citation = "lundberg2017"
    complete = True

    def __init__(self, model: nn.Module | Callable[..., Any], multiply_by_inputs: bool = True) -> None:
        super().__init__(model)
        self.model = model
        self._multiply = multiply_by_inputs

    @property
    def multiplies_by_inputs(self) -> bool:
        """As constructed."""
        return self._multiply

    def attribute(
        self,
        inputs: TensorOrTuple,
        baselines: Distribution,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        return_convergence_delta: bool = False,
        custom_attribution_func: Callable[..., Tensors] | None = None,
    ) -> Any:
        """Attributions shaped like the inputs, and with `return_convergence_delta` the error of each baseline's sum:
        all of the first example, then of the second, …, (B · baselines,)."""
        refuse_compiled(self.model)
        combine = combination(custom_attribution_func, self._multiply)
        drawn = made(baselines, inputs)
        with self._asking(inputs, target, additional_forward_args) as (question, xs, _):
            bases = as_distribution(drawn, xs)
            return _answered(deeplift_shap(question, xs, bases, combine), inputs, return_convergence_delta)
