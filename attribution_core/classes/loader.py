"""Attribution to a whole data set: how a metric of everything changes when a feature is removed from every example."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, final

import torch
from torch import Tensor

from attribution_core.classes.base import Attribution
from attribution_core.classes.primary import FeatureAblation
from attribution_core.errors import AttributionError
from attribution_core.evaluation.chunks import in_chunks
from attribution_core.evaluation.isolation import same_randomness, submodules, undisturbed
from attribution_core.evaluation.observe import checkpoint, progress_bar
from attribution_core.question.question import copied
from attribution_core.reading.arguments import Baselines, Tensors, as_baselines, as_inputs, at_least
from attribution_core.reading.masks import Groups, as_groups

ATTRIBUTED, FORWARDED, WITHHELD = 0, 1, 2
"""Roles of what a data loader returns."""

Reduce = Callable[[Any, Any, tuple[Any, ...]], Any]


@final
class DataLoaderAttribution(Attribution):
    """FeatureAblation of a metric over a whole data loader."""

    citation: ClassVar[str] = "zeiler2014"
    differentiates = False
    uses_baselines = True

    def __init__(self, attr_method: Attribution) -> None:
        if not isinstance(attr_method, FeatureAblation):
            raise AttributionError(
                f"DataLoaderAttribution does not work with {type(attr_method).__name__}.", "Pass a FeatureAblation."
            )
        super().__init__(attr_method.forward_func)
        self.attr_method = attr_method

    def attribute(
        self,
        dataloader: Iterable[Any],
        input_roles: tuple[int, ...] | None = None,
        baselines: Baselines = None,
        feature_mask: Tensor | tuple[Tensor, ...] | None = None,
        reduce: Reduce | None = None,
        to_metric: Callable[[Any], Tensor] | None = None,
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
        chosen = at_least("perturbations_per_pass", perturbations_per_pass, 1)
        for name, function in (("reduce", reduce), ("to_metric", to_metric)):
            if function is not None and not callable(function):
                raise AttributionError(f"{name} is a {type(function).__name__}, which cannot be called.")
        run = _Run(self.forward_func, dataloader, input_roles, reduce, to_metric)
        bases = as_baselines(baselines, run.samples)
        features = as_groups(_one_row(feature_mask), run.samples)
        with (
            undisturbed(submodules(self.forward_func), run.samples),
            same_randomness(run.samples),
            torch.no_grad(),
            progress_bar(show_progress, self.get_name()),
        ):
            passes = in_chunks(features.count + 1, lambda i, j: run.metrics(features, bases, i, j), 1, chosen)
            metrics = torch.cat(list(passes))
        falls = metrics[:1] - metrics[1:]
        if return_input_shape:
            found = features.spread(falls)
            return found[0] if run.single else found
        return _by_number(falls, feature_mask)


class _Run:
    """A model read over a data loader, with features removed."""

    def __init__(
        self,
        forward: Callable[..., Any],
        dataloader: Iterable[Any],
        roles: tuple[int, ...] | None,
        reduce: Reduce | None,
        to_metric: Callable[[Any], Any] | None,
    ) -> None:
        if isinstance(dataloader, Iterator):
            raise AttributionError(
                "The dataloader can be read only once, and is needed several times.",
                "Pass a DataLoader or a list of batches, not an iterator.",
            )
        self.forward, self.dataloader, self.to_metric = forward, dataloader, to_metric
        self.reduce, self.collects = reduce or _collected, reduce is None
        with same_randomness(()):  # a loader that shuffles draws
            batch = next(iter(dataloader), None)
        if batch is None:
            raise AttributionError("The dataloader is empty.", "It must return at least one batch.")
        self.single = isinstance(batch, Tensor)
        self.roles = _as_roles(roles, len(_elements(batch)))
        self.samples = tuple(x[:1] for x in as_inputs(self._attributed(_elements(batch)), differentiable=False))

    def metrics(self, features: Groups, bases: Tensors, start: int, stop: int) -> Tensor:
        """Metrics (stop − start, M): number 0 of the unchanged data, number f + 1 without feature f."""
        accumulated: list[Any] = [None] * (stop - start)
        for batch in self.dataloader:
            elements = _elements(batch)
            inputs = as_inputs(self._attributed(elements), differentiable=False)
            self._check(inputs)
            for place, number in enumerate(range(start, stop)):
                changed = _without(number - 1, features, inputs, bases) if number else inputs
                fed = self._replaced(elements, changed)
                checkpoint()
                passed = [x for x, role in zip(fed, self.roles, strict=True) if role != WITHHELD]
                accumulated[place] = self.reduce(accumulated[place], self.forward(*passed), fed)
        return torch.stack([self._metric(value) for value in accumulated])

    def _attributed(self, elements: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(elements) != len(self.roles):
            raise AttributionError(
                f"The dataloader returned {len(elements)} elements, but has {len(self.roles)} input_roles.",
                "Give a role for each element, and return the same number in every batch.",
            )
        return tuple(x for x, role in zip(elements, self.roles, strict=True) if role == ATTRIBUTED)

    def _replaced(self, elements: tuple[Any, ...], changed: Tensors) -> tuple[Any, ...]:
        """A batch with other inputs, of which the model and `reduce` may change everything in place."""
        left = iter(changed)
        return copied(tuple(next(left) if r == ATTRIBUTED else x for x, r in zip(elements, self.roles, strict=True)))

    def _check(self, inputs: Tensors) -> None:
        if [x.shape[1:] for x in inputs] != [x.shape[1:] for x in self.samples]:
            raise AttributionError(
                f"A batch has examples of shapes {[tuple(x.shape[1:]) for x in inputs]}, "
                f"the first had {[tuple(x.shape[1:]) for x in self.samples]}.",
                "Features must be the same in all batches.",
            )

    def _metric(self, accumulated: Any) -> Tensor:
        whole = torch.cat(accumulated) if self.collects else accumulated
        metric = self.to_metric(whole) if self.to_metric else whole
        if not isinstance(metric, Tensor):
            raise AttributionError(
                f"The metric is a {type(metric).__name__}, not a tensor.",
                "Return a tensor from to_metric (or from reduce, where there is no to_metric).",
            )
        return metric.reshape(-1) if metric.is_floating_point() else metric.reshape(-1).to(torch.get_default_dtype())


def _without(feature: int, features: Groups, inputs: Tensors, bases: Tensors) -> Tensors:
    hidden = features.hidden(feature, feature + 1)
    return tuple(torch.where(h[0], b, x) for h, b, x in zip(hidden, bases, inputs, strict=True))


def _by_number(falls: Tensor, feature_mask: Any) -> Tensor:
    """(M, largest feature number + 1); numbers that no position has get zero."""
    if feature_mask is None:
        return falls.T
    masks = feature_mask if isinstance(feature_mask, (tuple, list)) else (feature_mask,)
    numbers = torch.unique(torch.cat([m.reshape(-1) for m in masks])).long().to(falls.device)
    if int(numbers[0]) < 0:
        raise AttributionError("feature_mask has negative numbers.", "With return_input_shape=False count from 0.")
    found = falls.new_zeros(falls.shape[1], int(numbers[-1]) + 1)
    found[:, numbers] = falls.T
    return found


def _one_row(feature_mask: Any) -> Any:
    for mask in feature_mask if isinstance(feature_mask, (tuple, list)) else (feature_mask,):
        if isinstance(mask, Tensor) and (mask.dim() == 0 or len(mask) != 1):
            raise AttributionError(
                f"A feature_mask has shape {tuple(mask.shape)}; its first dimension must be 1.",
                "One row serves all examples of all batches: mask[None].",
            )
    return feature_mask


def _elements(batch: Any) -> tuple[Any, ...]:
    if isinstance(batch, Tensor):
        return (batch,)
    if not isinstance(batch, (tuple, list)):
        raise AttributionError(
            f"The dataloader returned a {type(batch).__name__}, not a tensor or a tuple.",
            "Pick the tensors out of it in the collate_fn.",
        )
    return tuple(batch)


def _as_roles(roles: Any, count: int) -> tuple[int, ...]:
    given = (ATTRIBUTED,) * count if roles is None else tuple(roles)
    if len(given) != count or not set(given) <= {ATTRIBUTED, FORWARDED, WITHHELD} or ATTRIBUTED not in given:
        raise AttributionError(
            f"input_roles={roles!r} for batches of {count} elements.",
            "Give each element 0 (attribute to it), 1 (pass it to the model) or 2 (only for reduce); at least one 0.",
        )
    return given


def _collected(accumulated: list[Tensor] | None, output: Any, batch: tuple[Any, ...]) -> list[Tensor]:  # noqa: ARG001
    if not isinstance(output, Tensor) or output.dim() == 0:
        raise AttributionError(
            f"The model returned {'one number' if isinstance(output, Tensor) else type(output).__name__} for a batch.",
            "Without reduce, outputs of all batches are joined along dimension 0; pass reduce.",
        )
    return [*(accumulated or ()), output]
