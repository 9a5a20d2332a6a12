"""Attribution over a whole data set: how a metric of all examples changes when a feature is removed from each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, cast, final

import torch
from torch import Tensor

from attribution_core.classes.ablation import FeatureAblation
from attribution_core.classes.base import Attribution
from attribution_core.errors import AttributionError
from attribution_core.evaluation.chunks import in_chunks
from attribution_core.evaluation.failure import run
from attribution_core.evaluation.isolation import same_randomness, submodules, undisturbed
from attribution_core.evaluation.observe import checkpoint, progress_bar
from attribution_core.question.question import copied
from attribution_core.reading.arguments import as_baselines, as_inputs, at_least
from attribution_core.reading.masks import Groups, as_groups
from attribution_core.reading.values import shown
from attribution_core.types import Baseline, Tensors

ATTRIBUTED, FORWARDED, WITHHELD = 0, 1, 2
"""Roles of what a data loader returns."""

Batch = tuple[object, ...]
Reduce = Callable[[Any, Any, tuple[Any, ...]], Any]
"""From what was accumulated so far, a batch's output and the batch to what is accumulated then."""
ToMetric = Callable[[Any], Tensor]


@final
class DataLoaderAttribution(Attribution):
    """FeatureAblation of a metric over a whole data loader."""

    citation: ClassVar[str] = "zeiler2014"
    differentiates = False

    def __init__(self, attr_method: Attribution) -> None:
        if not isinstance(attr_method, FeatureAblation):
            raise AttributionError(
                f"DataLoaderAttribution does not work with {type(attr_method).__name__}.", "Pass a FeatureAblation."
            )
        super().__init__(attr_method.forward_func)
        self.attr_method = attr_method

    def attribute(
        self,
        dataloader: Iterable[object],
        input_roles: tuple[int, ...] | None = None,
        baselines: Baseline = None,
        feature_mask: Tensor | tuple[Tensor, ...] | None = None,
        reduce: Reduce | None = None,
        to_metric: ToMetric | None = None,
        perturbations_per_pass: int = 1,
        show_progress: bool = False,
        return_input_shape: bool = True,
    ) -> Tensor | Tensors:
        """The fall of the metric when a feature is replaced by its baseline in all examples.

        `reduce(accumulated, output, batch)` is called for each batch, first with None; `to_metric(accumulated)` makes a
        tensor of M numbers from the last. Without `reduce` the outputs of all batches are joined. `baselines` and
        `feature_mask` have one row for all examples. `perturbations_per_pass` metrics are accumulated at a time, and
        the loader is read ⌈(features + 1) / perturbations_per_pass⌉ times, and once for its shapes.

        Returns attributions (M, …) shaped like one example of each attributed element, in a tuple if batches are tuples
        or lists; with `return_input_shape=False` a tensor (M, largest feature number + 1).
        """
        metrics_per_pass = at_least("perturbations_per_pass", perturbations_per_pass, 1)
        run = _Run(self.forward_func, dataloader, input_roles, reduce, to_metric)
        bases = as_baselines(baselines, run.samples)
        features = as_groups(_one_row(feature_mask), run.samples)
        with (
            undisturbed(submodules(self.forward_func), run.samples),
            same_randomness(run.samples),
            torch.no_grad(),
            progress_bar(show_progress, self.get_name()),
        ):
            passes = in_chunks(features.count + 1, lambda i, j: run.metrics(features, bases, i, j), 1, metrics_per_pass)
            metrics = torch.cat(list(passes))
        falls = metrics[:1] - metrics[1:]
        if not return_input_shape:
            return _by_number(falls, feature_mask)
        attributions = features.spread(falls)
        return attributions[0] if run.single else attributions


class _Run:
    """A model read over a data loader, with features removed."""

    def __init__(
        self,
        forward: Callable[..., object],
        dataloader: Iterable[object],
        roles: tuple[int, ...] | None,
        reduce: Reduce | None,
        to_metric: ToMetric | None,
    ) -> None:
        if not hasattr(dataloader, "__iter__"):
            raise AttributionError(f"dataloader={shown(dataloader)}.", "Pass a DataLoader, or a list of batches.")
        if isinstance(dataloader, Iterator):
            raise AttributionError(
                "The dataloader can be read only once, and is needed several times.",
                "Pass a DataLoader or a list of batches, not an iterator.",
            )
        self.forward, self.dataloader, self.to_metric = forward, dataloader, to_metric
        self.reduce: Reduce = reduce or _collected
        self.collects = reduce is None
        with same_randomness(()):  # a loader that shuffles draws
            batch = next(iter(dataloader), None)
        if batch is None:
            raise AttributionError("The dataloader is empty.", "It must return at least one batch.")
        self.single = isinstance(batch, Tensor)
        self.roles = _as_roles(roles, len(_elements(batch)))
        self.samples = tuple(x[:1] for x in self._attributed(_elements(batch)))

    def metrics(self, features: Groups, bases: Tensors, start: int, stop: int) -> Tensor:
        """Metrics (stop − start, M): number 0 of the unchanged data, number f + 1 without feature f."""
        accumulated: list[object] = [None] * (stop - start)
        for batch in self.dataloader:
            elements = _elements(batch)
            inputs = self._attributed(elements)
            self._check(inputs)
            for place, number in enumerate(range(start, stop)):
                changed = _without(number - 1, features, inputs, bases) if number else inputs
                perturbed = self._replaced(elements, changed)
                checkpoint()
                passed = [x for x, role in zip(perturbed, self.roles, strict=True) if role != WITHHELD]
                accumulated[place] = self.reduce(accumulated[place], run(self.forward, tuple(passed)), perturbed)
        return torch.stack([self._metric(value) for value in accumulated])

    def _attributed(self, elements: Batch) -> Tensors:
        if len(elements) != len(self.roles):
            raise AttributionError(
                f"The dataloader returned {len(elements)} elements, but has {len(self.roles)} input_roles.",
                "Give a role for each element, and return the same number in every batch.",
            )
        inputs = tuple(x for x, role in zip(elements, self.roles, strict=True) if role == ATTRIBUTED)
        return as_inputs(cast("Tensors", inputs), differentiable=False)

    def _replaced(self, elements: Batch, changed: Tensors) -> Batch:
        """A batch with other inputs, of which the model and `reduce` may change everything in place."""
        rest = iter(changed)
        return copied(tuple(next(rest) if r == ATTRIBUTED else x for x, r in zip(elements, self.roles, strict=True)))

    def _check(self, inputs: Tensors) -> None:
        if [x.shape[1:] for x in inputs] != [x.shape[1:] for x in self.samples]:
            raise AttributionError(
                f"A batch has examples of shapes {[tuple(x.shape[1:]) for x in inputs]}, "
                f"the first had {[tuple(x.shape[1:]) for x in self.samples]}.",
                "Features must be the same in all batches.",
            )

    def _metric(self, accumulated: object) -> Tensor:
        outputs = torch.cat(cast("list[Tensor]", accumulated)) if self.collects else accumulated
        metric = self.to_metric(outputs) if self.to_metric else outputs
        if not isinstance(metric, Tensor):
            raise AttributionError(
                f"The metric is a {type(metric).__name__}, not a tensor.",
                "Return a tensor from to_metric (or from reduce, where there is no to_metric).",
            )
        return metric.reshape(-1) if metric.is_floating_point() else metric.reshape(-1).to(torch.get_default_dtype())


def _without(feature: int, features: Groups, inputs: Tensors, bases: Tensors) -> Tensors:
    hidden = features.hidden(feature, feature + 1)
    return tuple(torch.where(h[0], b, x) for h, b, x in zip(hidden, bases, inputs, strict=True))


def _by_number(falls: Tensor, feature_mask: Tensor | Tensors | None) -> Tensor:
    """(M, largest feature number + 1); numbers that no position has get zero."""
    if feature_mask is None:
        return falls.T
    masks = feature_mask if isinstance(feature_mask, (tuple, list)) else (feature_mask,)
    numbers = torch.unique(torch.cat([m.reshape(-1) for m in masks])).long().to(falls.device)
    if int(numbers[0]) < 0:
        raise AttributionError("feature_mask has negative numbers.", "With return_input_shape=False count from 0.")
    by_number = falls.new_zeros(falls.shape[1], int(numbers[-1]) + 1)
    by_number[:, numbers] = falls.T
    return by_number


def _one_row(feature_mask: Tensor | Tensors | None) -> Tensor | Tensors | None:
    for mask in feature_mask if isinstance(feature_mask, (tuple, list)) else (feature_mask,):
        if isinstance(mask, Tensor) and (mask.dim() == 0 or len(mask) != 1):
            raise AttributionError(
                f"A feature_mask has shape {tuple(mask.shape)}; its first dimension must be 1.",
                "One row serves all examples of all batches: mask[None].",
            )
    return feature_mask


def _elements(batch: object) -> Batch:
    if isinstance(batch, Tensor):
        return (batch,)
    if not isinstance(batch, (tuple, list)):
        raise AttributionError(
            f"The dataloader returned a {type(batch).__name__}, not a tensor or a tuple.",
            "Pick the tensors out of it in the collate_fn.",
        )
    return tuple(batch)


def _as_roles(roles: Iterable[int] | None, count: int) -> tuple[int, ...]:
    roles = (ATTRIBUTED,) * count if roles is None else roles
    each = tuple(roles) if isinstance(roles, (tuple, list, Tensor)) else ()
    if len(each) != count or not set(each) <= {ATTRIBUTED, FORWARDED, WITHHELD} or ATTRIBUTED not in each:
        raise AttributionError(
            f"input_roles={shown(roles)} for batches of {count} elements.",
            "Give each element 0 (attribute to it), 1 (pass it to the model) or 2 (only for reduce); at least one 0.",
        )
    return each


def _collected(accumulated: list[Tensor] | None, output: object, batch: Batch) -> list[Tensor]:  # noqa: ARG001
    if not isinstance(output, Tensor) or output.dim() == 0:
        raise AttributionError(
            f"The model returned {'one number' if isinstance(output, Tensor) else type(output).__name__} for a batch.",
            "Without reduce, outputs of all batches are joined along dimension 0; pass reduce.",
        )
    return [*(accumulated or ()), output]
