"""Attributions to a model's inputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, final, overload

from torch import Tensor, nn

from attribution_core.classes.base import GradientAttribution, PerturbationAttribution
from attribution_core.errors import AttributionError
from attribution_core.evaluation.observe import progress_bar
from attribution_core.methods import ablation, deeplift, input_x_gradient, integrated_gradients, modified, saliency
from attribution_core.methods.delta import change, total
from attribution_core.methods.path import to_tolerance
from attribution_core.methods.paths import Quadrature, quadrature
from attribution_core.question.target import TargetLike
from attribution_core.reading.arguments import Baselines, TensorOrTuple, Tensors, as_tolerance, at_least, packed
from attribution_core.reading.masks import as_groups, as_windows
from attribution_core.rules import deconvolution, guided
from attribution_core.rules.intercept import refuse_compiled


@final
class Saliency(GradientAttribution):
    """How strongly the score reacts to a small change of each input value."""

    citation = "simonyan2014"

    def attribute(
        self,
        inputs: TensorOrTuple,
        target: TargetLike = None,
        abs: bool = True,
        additional_forward_args: Any = None,
    ) -> TensorOrTuple:
        """|d score / d input|, or the signed gradient; shapes of the inputs."""
        with self._asking(inputs, target, additional_forward_args) as (question, xs, _):
            return packed(saliency(question, xs, abs), inputs)


@final
class InputXGradient(GradientAttribution):
    """Each input value times the score's gradient: its share in a linear approximation of the model."""

    citation = "shrikumar2016"

    @property
    def multiplies_by_inputs(self) -> bool:
        """Always."""
        return True

    def attribute(
        self, inputs: TensorOrTuple, target: TargetLike = None, additional_forward_args: Any = None
    ) -> TensorOrTuple:
        """Input · d score / d input; shapes of the inputs."""
        with self._asking(inputs, target, additional_forward_args) as (question, xs, _):
            return packed(input_x_gradient(question, xs), inputs)


@final
class IntegratedGradients(GradientAttribution):
    """Gradients summed along the way from a baseline to the input; attributions add up to the score's change."""

    citation = "sundararajan2017"
    complete = True

    def __init__(self, forward_func: Callable[..., Any], multiply_by_inputs: bool = True) -> None:
        super().__init__(forward_func)
        self._multiply = multiply_by_inputs

    @property
    def multiplies_by_inputs(self) -> bool:
        """As constructed."""
        return self._multiply

    @overload
    def attribute(
        self,
        inputs: TensorOrTuple,
        baselines: Baselines = ...,
        target: TargetLike = ...,
        additional_forward_args: Any = ...,
        n_steps: int | Literal["auto"] = ...,
        method: Quadrature = ...,
        internal_batch_size: int | None = ...,
        return_convergence_delta: Literal[False] = ...,
        *,
        tolerance: float | None = ...,
    ) -> TensorOrTuple: ...

    @overload
    def attribute(
        self,
        inputs: TensorOrTuple,
        baselines: Baselines = ...,
        target: TargetLike = ...,
        additional_forward_args: Any = ...,
        n_steps: int | Literal["auto"] = ...,
        method: Quadrature = ...,
        internal_batch_size: int | None = ...,
        *,
        return_convergence_delta: Literal[True],
        tolerance: float | None = ...,
    ) -> tuple[TensorOrTuple, Tensor]: ...

    def attribute(
        self,
        inputs: TensorOrTuple,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        n_steps: int | Literal["auto"] = 50,
        method: Quadrature = "gausslegendre",
        internal_batch_size: int | None = None,
        return_convergence_delta: bool = False,
        *,
        tolerance: float | None = None,
    ) -> TensorOrTuple | tuple[TensorOrTuple, Tensor]:
        """Attributions shaped like the inputs, and with `return_convergence_delta` the error of their sums, (B,).

        With `tolerance`, or `n_steps="auto"` (0.01), steps are doubled until that error is below this share of the
        score's change.
        """
        first = 8 if n_steps == "auto" else at_least("n_steps", n_steps, 1)
        share = as_tolerance(0.01 if tolerance is None and n_steps == "auto" else tolerance)
        rule = quadrature(method, first)
        rows = None if internal_batch_size is None else at_least("internal_batch_size", internal_batch_size, 1)
        with self._asking(inputs, target, additional_forward_args, baselines) as (question, xs, bases):
            if share is not None:
                found, missed = to_tolerance(question, xs, bases, method, first, share, self._multiply, rows)
                return (packed(found, inputs), missed) if return_convergence_delta else packed(found, inputs)
            found = integrated_gradients(question, xs, bases, rule, self._multiply, rows)
            if not return_convergence_delta:
                return packed(found, inputs)
            return packed(found, inputs), total(found) - change(question, bases, xs)


@final
class DeepLift(GradientAttribution):
    """Compares every activation with that on a baseline; attributions add up to the score's change."""

    citation = "shrikumar2017"
    complete = True

    def __init__(
        self, model: nn.Module | Callable[..., Any], multiply_by_inputs: bool = True, eps: float = 1e-10
    ) -> None:
        super().__init__(model)
        if not eps >= 0:
            raise AttributionError(f"DeepLift(eps={eps!r}): expected a number ≥ 0.")
        self.model = model
        self.eps = eps
        self._multiply = multiply_by_inputs

    @property
    def multiplies_by_inputs(self) -> bool:
        """As constructed."""
        return self._multiply

    @overload
    def attribute(
        self,
        inputs: TensorOrTuple,
        baselines: Baselines = ...,
        target: TargetLike = ...,
        additional_forward_args: Any = ...,
        return_convergence_delta: Literal[False] = ...,
        custom_attribution_func: Callable[..., Tensors] | None = ...,
    ) -> TensorOrTuple: ...

    @overload
    def attribute(
        self,
        inputs: TensorOrTuple,
        baselines: Baselines = ...,
        target: TargetLike = ...,
        additional_forward_args: Any = ...,
        *,
        return_convergence_delta: Literal[True],
        custom_attribution_func: Callable[..., Tensors] | None = ...,
    ) -> tuple[TensorOrTuple, Tensor]: ...

    def attribute(
        self,
        inputs: TensorOrTuple,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        return_convergence_delta: bool = False,
        custom_attribution_func: Callable[..., Tensors] | None = None,
    ) -> TensorOrTuple | tuple[TensorOrTuple, Tensor]:
        """Attributions shaped like the inputs, and with `return_convergence_delta` the error of their sums, (B,)."""
        refuse_compiled(self.model)
        combine = combination(custom_attribution_func, self._multiply)
        with self._asking(inputs, target, additional_forward_args, baselines) as (question, xs, bases):
            found = deeplift(question, xs, bases, self.eps)
            attributions = combine(found.multipliers, xs, bases)
            if not return_convergence_delta:
                return packed(attributions, inputs)
            return packed(attributions, inputs), total(attributions) - (found.scores - found.baseline_scores)


def combination(
    custom: Callable[..., Tensors] | None, multiply: bool
) -> Callable[[Tensors, Tensors, Tensors], Tensors]:
    """From multipliers, inputs and baselines to attributions."""
    if custom is not None:
        count = len(inspect.signature(custom).parameters)
        if not 1 <= count <= 3:
            raise AttributionError(
                f"custom_attribution_func takes {count} arguments.",
                "Expected (multipliers), (…, inputs) or (…, inputs, baselines).",
            )
        return lambda *parts: tuple(custom(*parts[:count]))
    if not multiply:
        return lambda multipliers, inputs, baselines: multipliers  # noqa: ARG005
    return lambda multipliers, inputs, baselines: tuple(
        m * (x - b) for m, x, b in zip(multipliers, inputs, baselines, strict=True)
    )


@final
class GuidedBackprop(GradientAttribution):
    """The gradient without anything that speaks against the score at any rectifier: fine structures."""

    citation = "springenberg2015"

    def __init__(self, model: nn.Module | Callable[..., Any]) -> None:
        super().__init__(model)
        self.model = model

    def attribute(
        self, inputs: TensorOrTuple, target: TargetLike = None, additional_forward_args: Any = None
    ) -> TensorOrTuple:
        """The guided gradient; shapes of the inputs."""
        refuse_compiled(self.model)
        with self._asking(inputs, target, additional_forward_args) as (question, xs, _):
            return packed(modified(question, xs, guided()), inputs)


@final
class Deconvolution(GradientAttribution):
    """Projects the score back to the input through rectified signals, as in a deconvolutional network."""

    citation = "zeiler2014"

    def __init__(self, model: nn.Module | Callable[..., Any]) -> None:
        super().__init__(model)
        self.model = model

    def attribute(
        self, inputs: TensorOrTuple, target: TargetLike = None, additional_forward_args: Any = None
    ) -> TensorOrTuple:
        """The deconvolved gradient; shapes of the inputs."""
        refuse_compiled(self.model)
        with self._asking(inputs, target, additional_forward_args) as (question, xs, _):
            return packed(modified(question, xs, deconvolution()), inputs)


@final
class FeatureAblation(PerturbationAttribution):
    """How much the score falls when each feature, or group of features, is replaced by a baseline."""

    citation = "zeiler2014"

    @property
    def multiplies_by_inputs(self) -> bool:
        """Always."""
        return True

    def attribute(
        self,
        inputs: TensorOrTuple,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        feature_mask: Tensor | tuple[Tensor, ...] | None = None,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
        **kwargs: Any,
    ) -> TensorOrTuple:
        """The fall of the score; shapes of the inputs, or one row where the model returns one number per batch."""
        if kwargs:
            raise AttributionError(f"FeatureAblation.attribute does not know {', '.join(sorted(kwargs))}.")
        copies = at_least("perturbations_per_eval", perturbations_per_eval, 1)
        with (
            self._asking(inputs, target, additional_forward_args, baselines) as (question, xs, bases),
            progress_bar(show_progress, self.get_name()),
        ):
            features = as_groups(feature_mask, xs)
            rows = None if copies == 1 else copies * len(xs[0])
            return packed(ablation(question, xs, bases, features, rows), inputs)


@final
class Occlusion(PerturbationAttribution):
    """How much the score falls when a window, slid over the input, is replaced by a baseline."""

    citation = "zeiler2014"

    @property
    def multiplies_by_inputs(self) -> bool:
        """Always."""
        return True

    def attribute(
        self,
        inputs: TensorOrTuple,
        sliding_window_shapes: tuple[int, ...] | tuple[tuple[int, ...], ...],
        strides: int | tuple[int, ...] | tuple[int | tuple[int, ...], ...] | None = None,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
    ) -> TensorOrTuple:
        """The mean fall over the windows that cover a position; shapes as in FeatureAblation."""
        copies = at_least("perturbations_per_eval", perturbations_per_eval, 1)
        with (
            self._asking(inputs, target, additional_forward_args, baselines) as (question, xs, bases),
            progress_bar(show_progress, self.get_name()),
        ):
            features = as_windows(sliding_window_shapes, strides, xs)
            rows = None if copies == 1 else copies * len(xs[0])
            return packed(ablation(question, xs, bases, features, rows), inputs)
